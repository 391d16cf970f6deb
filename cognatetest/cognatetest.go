// Package cognatetest runs a real local user pool inside a Go test.
//
//	func TestSignIn(t *testing.T) {
//		pool := cognatetest.New(t)
//		client := pool.AddClient(userpool.Client{CallbackURLs: []string{callback}})
//		pool.AddUser(userpool.NewUser{Username: "ann", Password: "correct horse"})
//		// point the app under test at pool.Issuer, client.ID and client.Secret
//		location := pool.SignIn(t, browser, authorizationURL, "ann", "correct horse")
//	}
//
// It is the same pool, with the same endpoints and pages, that serves people;
// nothing is faked but, if a test wants to, the time. The signing keys are made
// once per process and shared by all its pools, since making them takes longer
// than all else; tokens of two pools still differ in their issuer.
package cognatetest

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/cognate-auth/cognate/userpool"
	"github.com/cognate-auth/cognate/userpool/memstore"
	"github.com/cognate-auth/cognate/userpool/server"
)

// Options are the options of [New]. The zero value means the defaults.
type Options struct {
	// PoolID is the pool id. Empty: a fresh one.
	PoolID string

	// Now tells the pool the time. Nil: time.Now.
	Now func() time.Time

	// Logger takes the pool's log. Nil: no log.
	Logger *slog.Logger

	// Store keeps the pool's data. Nil: a fresh memstore.
	Store userpool.Store

	// UsernameAttributes and AliasAttributes are those of userpool.Config.
	UsernameAttributes, AliasAttributes []string
}

// Pool is a running user pool.
type Pool struct {
	URL    string // the domain, http://localhost:<port>
	Issuer string // URL, a slash and the pool id

	tb   testing.TB
	pool *userpool.Pool
}

var sharedKeys = sync.OnceValues(userpool.GenerateSigningKeys)

// New starts a pool on a free port of 127.0.0.1 and stops it when the test
// ends. At most one Options may be given. A failure ends the test.
func New(tb testing.TB, options ...Options) *Pool {
	tb.Helper()
	var opts Options
	switch len(options) {
	case 0:
	case 1:
		opts = options[0]
	default:
		tb.Fatalf("cognatetest: %d options, at most one is expected", len(options))
	}
	listener, err := (&net.ListenConfig{}).Listen(tb.Context(), "tcp4", "127.0.0.1:0")
	if err != nil {
		tb.Fatalf("cognatetest: listening: %v", err)
	}
	_, port, err := net.SplitHostPort(listener.Addr().String())
	if err != nil {
		tb.Fatalf("cognatetest: reading own address: %v", err)
	}
	p := &Pool{tb: tb, URL: "http://localhost:" + port}
	p.pool = newPool(tb, p.URL, opts)
	p.Issuer = p.pool.Issuer()
	handler, err := server.New(server.Config{Pool: p.pool, BaseURL: p.URL, Logger: opts.Logger})
	if err != nil {
		tb.Fatalf("cognatetest: %v", err)
	}
	serve(tb, listener, handler)
	return p
}

func newPool(tb testing.TB, base string, opts Options) *userpool.Pool {
	tb.Helper()
	keys, err := sharedKeys()
	if err != nil {
		tb.Fatalf("cognatetest: generating keys: %v", err)
	}
	store := opts.Store
	if store == nil {
		store = memstore.New()
	}
	pool, err := userpool.New(tb.Context(), userpool.Config{
		ID: opts.PoolID, Issuer: base + "/", Store: store, Keys: keys, Now: opts.Now, Logger: opts.Logger,
		UsernameAttributes: opts.UsernameAttributes, AliasAttributes: opts.AliasAttributes,
		HashWait: time.Minute, // a test machine may be busy with other tests
	})
	if err != nil {
		tb.Fatalf("cognatetest: %v", err)
	}
	return pool
}

func serve(tb testing.TB, listener net.Listener, handler http.Handler) {
	tb.Helper()
	srv := &http.Server{
		Handler: handler, ReadHeaderTimeout: 10 * time.Second, ReadTimeout: 30 * time.Second,
		MaxHeaderBytes: 64 << 10, ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelError),
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = srv.Serve(listener) // always an error; Close below is the only cause
	}()
	tb.Cleanup(func() {
		_ = srv.Close()
		<-done
	})
}

// UserPool returns the rules behind the endpoints.
func (p *Pool) UserPool() *userpool.Pool { return p.pool }

// AddClient adds a confidential app client, with a generated secret unless c
// has one, and returns it. A failure ends the test.
func (p *Pool) AddClient(c userpool.Client) userpool.Client {
	p.tb.Helper()
	c.GenerateSecret = c.Secret == ""
	return p.addClient(c)
}

// AddPublicClient adds an app client without a secret and returns it. A failure
// ends the test.
func (p *Pool) AddPublicClient(c userpool.Client) userpool.Client {
	p.tb.Helper()
	c.Secret, c.GenerateSecret = "", false
	return p.addClient(c)
}

func (p *Pool) addClient(c userpool.Client) userpool.Client {
	p.tb.Helper()
	c, err := p.pool.CreateClient(context.Background(), c)
	if err != nil {
		p.tb.Fatalf("cognatetest: adding client: %v", err)
	}
	return c
}

// AddUser adds a confirmed user and returns it. A failure ends the test.
func (p *Pool) AddUser(u userpool.NewUser) userpool.User {
	p.tb.Helper()
	user, err := p.pool.CreateUser(context.Background(), u)
	if err != nil {
		p.tb.Fatalf("cognatetest: adding user: %v", err)
	}
	return user
}
