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

// A spec describes a server to measure: how it starts, and how people sign in to it.
type spec struct {
	command  func(context.Context, place) (*exec.Cmd, error)
	callback string // path of its redirect URI
	signIn   string // path that begins a sign-in; empty: nobody signs in
	sessions int    // how many sign in
	counts   bool   // it tells its allocations
}

// A place is what a server gets: where to listen, and its client at the pool.
type place struct {
	addr, statsAddr  string
	base, callback   string // of the app
	issuer           string
	client           userpool.Client
	dir, peers       string // a folder of its own; the folder of bench/peers
	startRedisServer func(context.Context) (string, error)
}

// A running server, or why it does not run.
type running struct {
	spec
	place
	process *machine.Process
	cookies []string
	err     error
}

// lab holds what is started for a part of the benchmark.
type lab struct {
	dir, peers string
	provider   *provider
	serverCPU  int // -1: any
	loadCPU    int
	servers    map[string]*running
	redis      string // address, once it runs
	processes  []*machine.Process
}

const (
	startPatience = 30 * time.Second
	// fillPatience is more: a store gets a million sessions before it serves.
	fillPatience = 2 * time.Minute
)

// start starts a server and signs in to it. What goes wrong is kept with it.
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

// startRedis starts the one Redis server of a part, beside the load.
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

// freeAddrs finds addresses on loopback that nobody listens on.
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
