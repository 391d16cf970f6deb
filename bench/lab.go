package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"time"

	"github.com/cognate-auth/cognate/bench/machine"
	"github.com/cognate-auth/cognate/bench/servers"
	"github.com/cognate-auth/cognate/internal/freeport"
	"github.com/cognate-auth/cognate/userpool"
)

// A spec describes a server to measure: how it is started, and how people sign in to
// it.
type spec struct {
	command  func(context.Context, place) (*exec.Cmd, error)
	callback string // the path of its redirect URI
	signIn   string // the path that starts a sign-in; empty: nobody signs in
	sessions int    // how many people sign in
	counts   bool   // it reports its allocations
}

// A place is where a server runs: its address, its folder, and its client at the pool.
type place struct {
	addr, statsAddr  string
	base, callback   string // the app's
	issuer           string
	client           userpool.Client
	dir, peers       string // the server's own folder; the folder bench/peers
	startRedisServer func(context.Context) (string, error)
}

// A running server, or the reason why it does not run.
type running struct {
	spec
	place
	process *machine.Process
	cookies []string
	err     error
}

// lab has the programs that run for a part of the benchmark.
type lab struct {
	dir, peers string
	provider   *provider
	serverCPU  int // -1: any
	loadCPU    int
	servers    map[string]*running
	redis      string // its address, if it runs
	processes  []*machine.Process
}

const (
	startPatience = 30 * time.Second
	// fillPatience is longer: a store is filled with a million sessions before the
	// server answers.
	fillPatience = 2 * time.Minute
)

// start starts a server and signs in to it. It stores an error in the result.
func (l *lab) start(ctx context.Context, name string, s spec) *running {
	if r, ok := l.servers[name]; ok {
		return r
	}
	r := &running{spec: s}
	l.servers[name] = r
	r.err = l.run(ctx, name, r)
	if r.err == nil {
		r.err = l.signInAll(ctx, r)
	}
	return r
}

func (l *lab) run(ctx context.Context, name string, r *running) error {
	addrs, err := freeAddrs(ctx, 2)
	if err != nil {
		return err
	}
	base := "http://" + addrs[0]
	client, err := l.provider.client(ctx, base+r.spec.callback)
	if err != nil {
		return err
	}
	r.place = place{
		addr: addrs[0], statsAddr: addrs[1], base: base, callback: base + r.spec.callback, issuer: l.provider.issuer,
		client: client, dir: filepath.Join(l.dir, name), peers: l.peers, startRedisServer: l.startRedis,
	}
	err = os.MkdirAll(r.dir, 0o755) //nolint:gosec // a server with fewer rights reads it
	if err != nil {
		return err
	}
	cmd, err := r.command(ctx, r.place)
	if err != nil {
		return err
	}
	r.process, err = machine.Start(cmd, l.serverCPU)
	if err != nil {
		return err
	}
	l.processes = append(l.processes, r.process)
	return r.process.Ready(ctx, fillPatience, dials(r.addr))
}

func (l *lab) signInAll(ctx context.Context, r *running) error {
	if r.signIn == "" {
		return nil
	}
	for range max(r.sessions, 1) {
		c, err := l.provider.signIn(ctx, r.base+r.signIn)
		if err != nil {
			return fmt.Errorf("%w; it said: %s", err, r.process.Output())
		}
		r.cookies = append(r.cookies, c)
	}
	return nil
}

// stop ends all servers.
func (l *lab) stop() {
	for _, p := range l.processes {
		p.Stop()
	}
	l.processes, l.servers, l.redis = nil, map[string]*running{}, ""
}

// startRedis starts the Redis server of a part, on the processor of the load.
func (l *lab) startRedis(ctx context.Context) (string, error) {
	if l.redis != "" {
		return l.redis, nil
	}
	program, err := lookAny("redis-server", "valkey-server")
	if err != nil {
		return "", errors.New("redis-server is not on the PATH; on Debian: apt-get install redis-server")
	}
	addrs, err := freeAddrs(ctx, 1)
	if err != nil {
		return "", err
	}
	_, port, err := net.SplitHostPort(addrs[0])
	if err != nil {
		return "", err
	}
	cmd := exec.CommandContext(ctx, program, //nolint:gosec // found on the PATH
		"--port", port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", l.dir)
	p, err := machine.Start(cmd, l.loadCPU)
	if err != nil {
		return "", err
	}
	l.processes = append(l.processes, p)
	err = p.Ready(ctx, startPatience, dials(addrs[0]))
	if err != nil {
		return "", err
	}
	l.redis = addrs[0]
	return l.redis, nil
}

// goServer is the spec of a server of package servers.
func goServer(kind string, useRedis bool, records int) spec {
	s := spec{callback: "/oidc_callback", signIn: "/hello", counts: true}
	s.command = func(ctx context.Context, p place) (*exec.Cmd, error) {
		cfg := servers.Config{
			Kind: kind, Addr: p.addr, StatsAddr: p.statsAddr, Issuer: p.issuer, ClientID: p.client.ID,
			ClientSecret: string(p.client.Secret), RedirectURL: p.callback, Records: records,
		}
		if useRedis {
			var err error
			cfg.RedisAddr, err = p.startRedisServer(ctx)
			if err != nil {
				return nil, err
			}
		}
		return servers.Command(ctx, cfg)
	}
	return s
}

// freeAddrs returns loopback addresses on which nothing listens.
func freeAddrs(ctx context.Context, n int) ([]string, error) {
	var addrs []string
	for len(addrs) < n {
		port, err := freeport.Find(ctx)
		if err != nil {
			return nil, err
		}
		if addr := freeport.Addr(port); !slices.Contains(addrs, addr) {
			addrs = append(addrs, addr)
		}
	}
	return addrs, nil
}

func dials(addr string) func(context.Context) error {
	return func(ctx context.Context) error {
		c, err := (&net.Dialer{}).DialContext(ctx, "tcp", addr)
		if err != nil {
			return err
		}
		return c.Close()
	}
}

// lookAny returns the first of the programs that is on the PATH.
func lookAny(names ...string) (string, error) {
	for _, n := range names {
		path, err := exec.LookPath(n)
		if err == nil {
			return path, nil
		}
	}
	return "", fmt.Errorf("none of %v is on the PATH", names)
}

// port returns the port of an address.
func (p place) port() string {
	u := url.URL{Host: p.addr}
	return u.Port()
}
