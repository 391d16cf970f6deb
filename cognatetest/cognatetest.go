// Package cognatetest helps to test apps that sign people in with package cognate: as a
// given user, without a sign-in; against a real local user pool inside the test; and
// against a pool that fails as the test wants. It uses only the exported names of package
// cognate, except where it makes a session or a token without a provider.
//
// # Handlers, as a user
//
// [WithUser] adds a user to a request for a handler that is called directly. [SignedIn]
// adds a session, sealed with the app's own keys, for a route with its middleware.
// Neither needs a provider.
//
//	ann := &cognate.User{Subject: "ann", Email: "ann@example.com", EmailVerified: true}
//	r := httptest.NewRequest(http.MethodGet, "/hello", nil)
//	hello(w, cognatetest.WithUser(t, r, ann))               // only the handler
//	app.ServeHTTP(w, cognatetest.SignedIn(t, auth, r, ann)) // behind RequireLogin
//
// # The whole sign-in
//
// [New] starts a pool on a free port, and [Pool.SignIn] does what a person with a browser
// does: it opens a page of the app, fills in the pool's form, and returns to the app.
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
// It is the same pool, with the same endpoints and pages, as in the program cognate. Only
// its costs are reduced, so that it starts in a few milliseconds: passwords are hashed
// cheaply, and all pools sign with the same two keys, which are published here, until
// [Pool.RotateKeys]. Tokens of two pools differ in their issuer. [Options] has the clock,
// so that a test can move the [Clock].
//
// # Faults
//
// [Pool.Break] makes an endpoint slow, refuse, or drop the connection, for all requests
// or the next few; [Pool.Requests] counts. [Pool.RotateKeys], [Pool.ChangeIDToken],
// [Pool.WrongNonce] and [Pool.ForgeIDToken] make tokens that an app must check carefully,
// and [Pool.LogoutToken] signs the token that a provider sends to end a session.
//
// # Messages
//
// The codes and links that the pool would send are in its outbox: [Pool.Code],
// [Pool.Link], [Pool.Messages].
//
// Every function needs a [testing.TB], directly or for its pool, so that no program calls
// it by accident.
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
	// PoolID is the pool ID. Empty: a new one.
	PoolID string

	// Now is the pool's clock. Nil: time.Now.
	Now func() time.Time

	// Logger receives the pool's log. Nil: no log.
	Logger *slog.Logger

	// Store keeps the pool's data. Nil: a new memstore.
	Store store.Store

	// Settings are those of pool.Config.
	Settings userpool.Settings

	// DevView serves the developer's view at the pool's DevViewURL, for a browser test,
	// or for a person while the test is paused.
	DevView bool

	// OneClickSignIn lists the pool's users on the sign-in page of a browser that has
	// opened DevViewURL, and signs in with one click, without a password. It needs DevView.
	OneClickSignIn bool
}

// Pool is a running user pool.
type Pool struct {
	URL    string // the domain: http://localhost:<port>
	Issuer string // URL, a slash and the pool ID

	// DevViewURL is the address of the developer's view with its access token. Empty
	// without Options.DevView.
	DevViewURL string

	tb      testing.TB
	pool    *pool.Pool
	now     func() time.Time
	keys    *signingKeys
	changes *changes
	faults  *faults

	cookieKey cognate.Secret
}

// New starts a pool on a free port of 127.0.0.1 and stops it when the test ends. It
// accepts at most one Options. A failure ends the test.
func New(tb testing.TB, options ...Options) *Pool {
	tb.Helper()
	var opts Options
	switch len(options) {
	case 0:
	case 1:
		opts = options[0]
	default:
		tb.Fatalf("cognatetest: got %d Options, expected at most one", len(options))
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
		OneClickSignIn: opts.OneClickSignIn,
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

// cheap is a hashing cost that lets a test add users and sign in often.
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
		HashWait: time.Minute, // the machine may be busy with other tests
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
		_ = srv.Serve(listener) // always an error, caused by the Close below
	}()
	tb.Cleanup(func() {
		_ = srv.Close()
		<-done
	})
}

// UserPool returns the pool behind the endpoints, for its rules and data.
func (p *Pool) UserPool() *pool.Pool { return p.pool }

// AppConfig returns a configuration for an app that signs in with the client c: the
// issuer, the client with the first of its callback and logout URLs, a cookie key that
// is the same for all apps of this pool, the pool's clock, and no log. The caller may
// change it.
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

// AddClient adds a confidential app client, with a generated secret unless c has one,
// and returns it. A failure ends the test.
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
