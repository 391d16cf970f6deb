package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/netip"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/cognate-auth/cognate/cmd/cognate/internal/passkeys"
	"github.com/cognate-auth/cognate/cmd/cognate/internal/poolconfig"
	"github.com/cognate-auth/cognate/internal/listen"
	"github.com/cognate-auth/cognate/internal/localpool"
	"github.com/cognate-auth/cognate/userpool"
	"github.com/cognate-auth/cognate/userpool/pool"
	"github.com/cognate-auth/cognate/userpool/server"
	"github.com/cognate-auth/cognate/userpool/store"
	"github.com/cognate-auth/cognate/userpool/trace"
	"github.com/cognate-auth/cognate/userpool/trigger"
)

// site serves all pools on one address. The Host header decides which pool a request is
// for, and is used for nothing else.
type site struct {
	addr   listen.Address // where browsers find the first pool
	scheme string
	port   string // that is listened on, which may be another one than browsers use
	store  store.Store
	log    *slog.Logger

	deliver  func(context.Context, userpool.Message) error // nil: mail is only in the outbox
	messages *localpool.Messages                           // prints where messages are; nil: nothing
	limit    int                                           // requests per second of one address; 0: none
	view     localpool.View

	table   atomic.Pointer[table] // replaced, never modified
	handler http.Handler          // route, with the limit; set by start
}

// table lists the pools.
type table struct {
	pools  []*running // in the order of the file
	byHost map[string]http.Handler
	byID   map[string]*running
}

// running is a pool that is served.
type running struct {
	config poolconfig.Pool
	pool   *pool.Pool
	hosts  []string // the first is where its endpoints are, for discovery
	main   http.Handler
	others map[string]http.Handler // by host
	signs  bool                    // it signs messages to SAML providers
}

// ServeHTTP serves all pools. The rate limit counts a client's requests to all pools
// together, and the host doesn't matter for the health of the store that they share: an
// engine asks at 127.0.0.1, and must not be told that browsers ask too often.
func (s *site) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == server.HealthPath {
		s.table.Load().pools[0].main.ServeHTTP(w, r)
		return
	}
	s.handler.ServeHTTP(w, r)
}

// route passes a request to the pool of its host. Every host also serves the documents
// of all pools below their IDs, because the issuers of all pools are on one host.
func (s *site) route(w http.ResponseWriter, r *http.Request) {
	t := s.table.Load()
	handler, ok := t.byHost[hostOf(r.Host)]
	if !ok {
		s.misdirected(w, t)
		return
	}
	id, rest, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	if p, ok := t.byID[id]; ok && strings.HasPrefix(rest, ".well-known/") {
		handler = p.main
	}
	handler.ServeHTTP(w, r)
}

var hostHeader = regexp.MustCompile(`^(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9.-]+?)\.?(?::[0-9]{1,5})?$`)

// hostOf returns the host of a Host header without the port, in lower case, or an empty
// string.
func hostOf(header string) string {
	m := hostHeader.FindStringSubmatch(header)
	if m == nil {
		return ""
	}
	return strings.ToLower(strings.Trim(m[1], "[]"))
}

// misdirected answers a request for a host that no pool has (RFC 9110 section 15.5.20).
// The answer repeats nothing of the request: another site may have pointed its name at
// this address.
func (s *site) misdirected(w http.ResponseWriter, t *table) {
	h := w.Header()
	h.Set("Content-Type", "text/plain; charset=utf-8")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusMisdirectedRequest)
	text := "No user pool has this host name. There are:\n"
	for _, p := range t.pools {
		for _, host := range p.hosts {
			text += "  " + s.base(host) + "  " + p.pool.ID() + "\n"
		}
	}
	text += "Another name is a pool's custom_domain, or the first pool's --url.\n"
	_, _ = io.WriteString(w, text)
}

// base returns the URL of a host of the site.
func (s *site) base(host string) string {
	return listen.Address{Host: host, Port: s.addr.Port}.URL(s.scheme)
}

// hosts returns all host names of the site.
func (s *site) hosts() []string {
	hosts := []string{"localhost", "*.localhost", "127.0.0.1", "::1"}
	t := s.table.Load()
	if t == nil {
		return hosts
	}
	for _, p := range t.pools {
		hosts = append(hosts, p.hosts...)
	}
	slices.Sort(hosts)
	return slices.Compact(hosts)
}

// names returns the host names that some programs can't resolve: all resolvers know
// localhost, and an IP address needs no resolver.
func (s *site) names() []string {
	var names []string
	for _, p := range s.table.Load().pools {
		for _, host := range p.hosts {
			_, err := netip.ParseAddr(host)
			if err != nil && host != "localhost" {
				names = append(names, host)
			}
		}
	}
	return names
}

// hostsOf returns the hosts of the pool at position i of the file, its home first. The
// first pool has the site's own name as well, and its home there if --url says so; another
// pool without a domain is given one.
func (s *site) hostsOf(i int, p poolconfig.Pool) []string {
	hosts := p.Hosts()
	switch {
	case i == 0 && s.addr.Flag == "--url":
		others := slices.DeleteFunc(hosts, func(host string) bool { return host == s.addr.Host })
		hosts = append([]string{s.addr.Host}, others...)
	case i == 0:
		hosts = append(hosts, s.addr.Host)
	case len(hosts) == 0:
		hosts = append(hosts, strings.ReplaceAll(strings.ToLower(p.ID), "_", "-")+".localhost")
	}
	return slices.Compact(hosts)
}

// newPool returns the pool that p describes. It keeps what the store has of the pool.
func (s *site) newPool(ctx context.Context, p poolconfig.Pool, base string) (*pool.Pool, error) {
	authenticators, err := passkeys.New(base)
	if err != nil {
		return nil, err
	}
	outbox := s.view.Outbox(base)
	var up *pool.Pool
	up, err = pool.New(ctx, pool.Config{
		ID: p.ID, Issuer: cmp.Or(p.Issuer, s.base(s.addr.Host)+"/"), Domain: base, Store: s.store,
		Settings: p.Settings, Invoke: trigger.HTTP(nil), Passkeys: authenticators, Logger: s.log,
		Trace:   trace.New(nil),
		Deliver: s.deliver,
		Sent:    func(m userpool.Message) { s.messages.Tell(m, outbox, up.Settings().FixedCode != "") },
	})
	return up, err
}

// canAdd returns an error if a pool that is not served yet can't be added as p
// describes it: the store may already have its users.
func (s *site) canAdd(ctx context.Context, p poolconfig.Pool, hosts []string) error {
	up, err := s.newPool(ctx, p, s.base(hosts[0]))
	if err != nil {
		return err
	}
	return poolconfig.Check(ctx, s.store, up, p)
}

// addPool adds a pool with the clients and users of p. If they can't be stored, it
// returns both the pool and an error.
func (s *site) addPool(ctx context.Context, p poolconfig.Pool, hosts []string) (*running, poolconfig.Changes, error) {
	signing, err := signsSAML(p.Settings)
	if err != nil {
		return nil, poolconfig.Changes{}, err
	}
	up, err := s.newPool(ctx, p, s.base(hosts[0]))
	if err != nil {
		return nil, poolconfig.Changes{}, err
	}
	r := &running{config: p, pool: up, hosts: hosts, signs: signing}
	err = s.handle(ctx, r)
	if err != nil {
		return nil, poolconfig.Changes{}, err
	}
	changes, err := poolconfig.Apply(ctx, s.store, up, p)
	return r, changes, err
}

// handle creates the HTTP handlers of a pool.
func (s *site) handle(ctx context.Context, r *running) error {
	id := r.pool.ID()
	sp, err := serviceProvider(ctx, s.store, id, r.signs)
	if err != nil {
		return err
	}
	r.others = map[string]http.Handler{}
	for _, host := range r.hosts {
		r.others[host], err = server.New(server.Config{
			Pool: r.pool, BaseURL: s.base(host), KeysURL: s.base(s.addr.Host) + "/" + id + "/.well-known/jwks.json",
			SAML: sp, Logger: s.log, DevView: !s.view.Off, DevViewToken: s.view.Token,
			InsecureDevViewAnywhere: s.view.Anywhere, OneClickSignIn: s.view.OneClick,
		})
		if err != nil {
			return err
		}
	}
	r.main = r.others[r.hosts[0]]
	return nil
}

// newTable lists the pools by their hosts.
func (s *site) newTable(pools []*running) (*table, error) {
	t := &table{pools: pools, byHost: map[string]http.Handler{}, byID: map[string]*running{}}
	for _, p := range pools {
		t.byID[p.pool.ID()] = p
		for host, handler := range p.others {
			if t.byHost[host] != nil {
				return nil, fmt.Errorf("two pools have the host %s; give %s another domain", host, p.pool.ID())
			}
			t.byHost[host] = handler
		}
	}
	// The IP addresses and localhost mean the first pool, as the site's own name does. After a reload, the
	// first pool may be one that was not first at the start.
	if t.byHost[s.addr.Host] == nil {
		t.byHost[s.addr.Host] = pools[0].main
	}
	for _, host := range slices.Concat(s.addr.Bind, []string{"localhost", "127.0.0.1", "::1"}) {
		ip, err := netip.ParseAddr(host)
		if t.byHost[host] == nil && (err != nil || !ip.IsUnspecified()) {
			t.byHost[host] = t.byHost[s.addr.Host]
		}
	}
	return t, nil
}

// start creates all pools of a file.
func (s *site) start(ctx context.Context, f *poolconfig.File) error {
	s.table.Store(&table{})
	s.handler = http.HandlerFunc(s.route)
	if s.limit > 0 {
		s.handler = server.LimitRequests(s.limit, s.handler)
	}
	err := s.validate(ctx, f)
	if err == nil {
		var refused error
		_, refused, err = s.apply(ctx, f)
		err = errors.Join(err, refused)
	}
	return err
}

// sentence removes the package's name from an error that a person reads.
func sentence(err error) error {
	if e, ok := errors.AsType[*userpool.Error](err); ok {
		return errors.New(e.Description)
	}
	return err
}

// validate returns an error if a file can't be applied, before anything is changed. The
// store is asked last, after all other checks.
func (s *site) validate(ctx context.Context, f *poolconfig.File) error {
	before := s.table.Load()
	at := map[string]string{}
	for i, p := range f.Pools {
		_, err := signsSAML(p.Settings)
		if err != nil {
			return err
		}
		hosts := s.hostsOf(i, p)
		if old, ok := before.byID[p.ID]; ok {
			hosts = old.hosts
		}
		for _, host := range hosts {
			if at[host] != "" {
				return fmt.Errorf("two pools have the host %s; give %s another domain", host, p.ID)
			}
			at[host] = p.ID
		}
	}
	for i, p := range f.Pools {
		var err error
		if old, ok := before.byID[p.ID]; ok {
			err = s.canChange(ctx, old, p)
		} else {
			err = s.canAdd(ctx, p, s.hostsOf(i, p))
		}
		if err != nil {
			return sentence(err)
		}
	}
	return nil
}

// canChange returns an error if a running pool can't be changed to what p describes.
func (s *site) canChange(ctx context.Context, old *running, p poolconfig.Pool) error {
	is := old.pool.Settings()
	if !slices.Equal(is.UsernameAttributes, p.Settings.UsernameAttributes) ||
		!slices.Equal(is.AliasAttributes, p.Settings.AliasAttributes) {
		return fmt.Errorf("the username_attributes and alias_attributes of %s cannot change: users are found by them; "+
			"take them back, or give the pool another id", p.ID)
	}
	return poolconfig.Check(ctx, s.store, old.pool, p)
}

// apply changes the pools to what a validated file says, at the start and after each
// change of the file, and returns a line for each change. refused names the users who
// can't be stored. err is any other error and may be temporary, as when a database is
// down. Everything that neither error is about has been done. A change that needs a
// restart is reported and not made.
func (s *site) apply(ctx context.Context, f *poolconfig.File) (did []string, refused, err error) {
	before := s.table.Load()
	var pools []*running
	for i, p := range f.Pools {
		r, lines, fault := s.applyPool(ctx, before.byID[p.ID], p, s.hostsOf(i, p))
		switch {
		case errors.Is(fault, poolconfig.ErrUsers):
			refused = errors.Join(refused, fault)
		case fault != nil:
			err = errors.Join(err, sentence(fault))
		}
		did = append(did, lines...)
		if r != nil {
			pools = append(pools, r)
		}
	}
	for _, old := range before.pools {
		if !slices.ContainsFunc(pools, func(r *running) bool { return r.pool.ID() == old.pool.ID() }) {
			did = append(did, "the pool "+old.pool.ID()+" was removed; its data stay in the store")
		}
	}
	if len(pools) > 0 {
		t, fault := s.newTable(pools)
		if fault != nil {
			return did, refused, errors.Join(err, fault)
		}
		s.table.Store(t)
	}
	return did, refused, err
}

// applyPool creates the pool that p describes, or changes the one that runs. With an
// error it may still return a pool that can be served.
func (s *site) applyPool(
	ctx context.Context, old *running, p poolconfig.Pool, hosts []string,
) (*running, []string, error) {
	if old != nil {
		return s.changePool(ctx, old, p, hosts)
	}
	r, changes, err := s.addPool(ctx, p, hosts)
	if r == nil {
		return nil, nil, err
	}
	return r, []string{fmt.Sprintf("the pool %s is new: %s", p.ID, changes)}, err
}

// changePool changes a running pool to what p describes.
func (s *site) changePool(
	ctx context.Context, old *running, p poolconfig.Pool, hosts []string,
) (*running, []string, error) {
	r := *old
	var err error
	r.signs, err = signsSAML(p.Settings)
	if err == nil && r.signs != old.signs {
		err = s.handle(ctx, &r) // with a key, or without one
	}
	if err == nil {
		err = old.pool.Configure(ctx, p.Settings)
	}
	if err != nil {
		return old, nil, err
	}
	r.config = p
	changes, err := poolconfig.Apply(ctx, s.store, old.pool, p)
	var lines, what []string
	if !reflect.DeepEqual(p.Settings, old.config.Settings) {
		what = append(what, "settings changed")
	}
	if changes != (poolconfig.Changes{}) {
		what = append(what, changes.String())
	}
	if len(what) > 0 {
		lines = append(lines, "the pool "+p.ID+": "+strings.Join(what, ", "))
	}
	if !slices.Equal(hosts, old.hosts) || p.Issuer != old.config.Issuer {
		lines = append(lines, "the pool "+p.ID+" keeps its domain and issuer until the next start")
	}
	return &r, lines, err
}
