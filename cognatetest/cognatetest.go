// Package cognatetest tests apps that sign people in with package cognate: as somebody,
// without any sign-in; against a real local user pool, inside the test; and against a
// pool that fails in the way the test wants.
//
// # Handlers, as a user
//
// A handler that is called directly finds the user whom [WithUser] puts there. A route
// with its middleware lets through a request with a session of [SignedIn], sealed with
// the app's own keys. Neither needs a provider.
//
//	ann := &cognate.User{Subject: "ann", Email: "ann@example.com", EmailVerified: true}
//	r := httptest.NewRequest(http.MethodGet, "/hello", nil)
//	hello(w, cognatetest.WithUser(t, r, ann))               // the handler alone
//	app.ServeHTTP(w, cognatetest.SignedIn(t, auth, r, ann)) // behind RequireLogin
//
// # The whole sign-in
//
// [New] starts a pool on a free port, and [Pool.SignIn] does what a person with a
// browser does: it opens a page of the app, fills in the pool's form, and comes back.
//
//	func TestHello(t *testing.T) {
//		pool := cognatetest.New(t)
//		client := pool.AddClient(userpool.Client{CallbackURLs: []string{"https://app.example/oidc_callback"}})
//		pool.AddUser(userpool.NewUser{Username: "ann", Password: "correct horse"})
//
//		app := newApp(pool.AppConfig(client)) // your app: cognate.New and the routes
//		browser := cognatetest.NewBrowser(t, "https://app.example", app)
//		pool.SignIn(t, browser, "https://app.example/hello", "ann", "correct horse")
//
//		resp, err := browser.Get("https://app.example/hello") // signed in
//	}
//
// It is the same pool, with the same endpoints and pages, that serves people. Nothing
// is faked, but it is made to start in a few milliseconds: passwords are hashed cheaply,
// and all pools sign with the same two keys, which everyone knows, until
// [Pool.RotateKeys]. Tokens of two pools differ in their issuer. The time is that of
// [Options], so that a test can turn the [Clock].
//
// # Faults
//
// [Pool.Break] makes an endpoint slow, refuse, or drop the connection, for all requests
// or the next few; [Pool.Requests] counts. [Pool.RotateKeys], [Pool.ChangeIDToken],
// [Pool.WrongNonce] and [Pool.ForgeIDToken] make tokens that an app must look at twice,
// and [Pool.LogoutToken] signs what a provider sends to end a session.
//
// # Messages
//
// The codes and links that the pool would send are in its outbox: [Pool.Code],
// [Pool.Link], [Pool.Messages].
//
// Every function wants a [testing.TB], directly or to make its pool, so that no program
// gets here by accident.
package cognatetest

import (
	"context"
	"crypto/rand"
	"log/slog"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/cognate-auth/cognate"
	"github.com/cognate-auth/cognate/userpool"
	"github.com/cognate-auth/cognate/userpool/devview"
	"github.com/cognate-auth/cognate/userpool/memstore"
	"github.com/cognate-auth/cognate/userpool/pool"
	"github.com/cognate-auth/cognate/userpool/server"
	"github.com/cognate-auth/cognate/userpool/store"
	"github.com/cognate-auth/cognate/userpool/trace"
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
	Store store.Store

	// Settings are those of userpool.Config.
	Settings userpool.Settings

	// DevView serves the developer's view, at the pool's DevViewURL: what a browser
	// test can look at, or a person while the test stands still.
	DevView bool
}

// Pool is a running user pool.
type Pool struct {
	URL    string // the domain, http://localhost:<port>
	Issuer string // URL, a slash and the pool id

	// DevViewURL is where a browser opens the developer's view, with the token that
	// lets it in. Empty without Options.DevView.
	DevViewURL string

	tb      testing.TB
	pool    *pool.Pool
	now     func() time.Time
	keys    *signingKeys
	changes *changes
	faults  *faults

	cookieKey cognate.Secret
}

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
	p := &Pool{
		tb: tb, URL: "http://localhost:" + port, now: opts.Now, keys: &signingKeys{},
		cookieKey: cognate.Secret(rand.Text() + rand.Text()),
	}
	if p.now == nil {
		p.now = time.Now
	}
	p.pool = newPool(tb, p.URL, opts, p.keys)
	p.Issuer = p.pool.Issuer()
	token := devview.NewToken()
	if opts.DevView {
		p.DevViewURL = devview.Address(p.URL, token)
	}
	handler, err := server.New(server.Config{
		Pool: p.pool, BaseURL: p.URL, Logger: opts.Logger, DevView: opts.DevView, DevViewToken: token,
	})
	if err != nil {
		tb.Fatalf("cognatetest: %v", err)
	}
	p.changes = &changes{next: handler, keys: p.keys}
	p.faults = &faults{
		poolID: p.pool.ID(), next: p.changes, done: tb.Context().Done(),
		broken: make(map[Endpoint][]Fault), counts: make(map[Endpoint]int),
	}
	serve(tb, listener, p.faults)
	return p
}

// cheap is a cost of hashing that lets a test add users and sign in often.
var cheap = userpool.HashCost{MemoryKiB: 8, Passes: 1, Lanes: 1}

func newPool(tb testing.TB, base string, opts Options, keys *signingKeys) *pool.Pool {
	tb.Helper()
	pair, err := sharedKeys(0)
	if err != nil {
		tb.Fatalf("cognatetest: %v", err)
	}
	s := opts.Store
	if s == nil {
		s = memstore.New()
	}
	var tr *trace.Trace
	if opts.DevView {
		tr = trace.New(opts.Now)
	}
	p, err := pool.New(tb.Context(), pool.Config{
		Trace: tr, ID: opts.PoolID, Issuer: base + "/", Store: s, Keys: pair.set, Now: opts.Now,
		Logger:   opts.Logger,
		Settings: opts.Settings,
		Hashing:  cheap,
		HashWait: time.Minute, // a test machine may be busy with other tests
	})
	if err != nil {
		tb.Fatalf("cognatetest: %v", err)
	}
	err = keys.use(p, pair)
	if err != nil {
		tb.Fatalf("cognatetest: %v", err)
	}
	return p
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
func (p *Pool) UserPool() *pool.Pool { return p.pool }

// AppConfig returns a configuration for an app that signs in with the client c: issuer,
// client and the first of its callback and logout URLs, a cookie key that is the same for
// all apps of this pool, the pool's clock, and no log. Change the copy as you like.
func (p *Pool) AppConfig(c userpool.Client) cognate.Config {
	p.tb.Helper()
	if len(c.CallbackURLs) == 0 {
		p.tb.Fatal("cognatetest: AppConfig needs a client with a callback URL")
	}
	cfg := cognate.Config{
		Issuer: p.Issuer, ClientID: c.ID, ClientSecret: cognate.Secret(c.Secret), RedirectURL: c.CallbackURLs[0],
		Keys: []cognate.Secret{p.cookieKey},
		Now:  p.now, Logger: slog.New(slog.DiscardHandler),
	}
	if len(c.LogoutURLs) > 0 {
		cfg.LogoutRedirectURL = c.LogoutURLs[0]
	}
	return cfg
}

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
	c, err := p.pool.Clients.Create(context.Background(), c)
	if err != nil {
		p.tb.Fatalf("cognatetest: adding client: %v", err)
	}
	return c
}

// AddUser adds a confirmed user and returns it. A failure ends the test.
func (p *Pool) AddUser(u userpool.NewUser) userpool.User {
	p.tb.Helper()
	user, err := p.pool.Users.Create(context.Background(), u)
	if err != nil {
		p.tb.Fatalf("cognatetest: adding user: %v", err)
	}
	return user
}
