// Package demo is the demo: the app of examples/hello, and a pool in memory that signs people in
// to it, in one process. It is a program of its own, which needs the root module alone and is soon
// compiled, and a command of the program in cmd/cognate; both only read the command line.
package demo

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/cognate-auth/cognate"
	"github.com/cognate-auth/cognate/devtls"
	"github.com/cognate-auth/cognate/examples/hello/app"
	"github.com/cognate-auth/cognate/internal/listen"
	"github.com/cognate-auth/cognate/internal/localpool"
	"github.com/cognate-auth/cognate/internal/terminal"
	"github.com/cognate-auth/cognate/userpool"
	"github.com/cognate-auth/cognate/userpool/memstore"
	"github.com/cognate-auth/cognate/userpool/pool"
	"github.com/cognate-auth/cognate/userpool/server"
	"github.com/cognate-auth/cognate/userpool/trace"
)

// signInLifetime is how long the tutorial's app keeps a sign-in.
const signInLifetime = 28_800 * time.Second

// Config says where the demo listens, and what it shows.
type Config struct {
	Addr     string // of the app, host and port, on this machine; port 0 is any free one
	PoolAddr string // of the pool, likewise

	DevViewToken            userpool.Secret // lets a browser see the developer's view; empty: a new one
	InsecureDevViewAnywhere bool            // shows it to everybody
	OneClickSignIn          bool            // signs in without a password, where the view was opened

	LogLevel slog.Level // from which on events are logged
}

// Run serves the app and the pool until ctx ends, as it does on Ctrl-C; that is no error. It
// opens both listeners before it sets up the app and the pool, because each of them needs the
// address of the other.
func Run(ctx context.Context, c Config, term terminal.Streams) error {
	return terminal.Interrupted(ctx, term.Out, run(ctx, c, term))
}

func run(ctx context.Context, c Config, term terminal.Streams) error {
	appAddr, poolAddr, err := c.addresses()
	if err != nil {
		return err
	}
	view, err := localpool.NewView(c.DevViewToken, c.InsecureDevViewAnywhere)
	if err != nil {
		return err
	}
	view.OneClick = c.OneClickSignIn
	appListening, err := appAddr.Listen(ctx)
	if err != nil {
		return err
	}
	defer appListening.Close()
	poolListening, err := poolAddr.Listen(ctx)
	if err != nil {
		return err
	}
	defer poolListening.Close()

	log := terminal.Logger(term.Err, c.LogLevel)
	appURL, poolURL := appAddr.URL("https"), poolAddr.URL("http")
	certificate, warning, err := devtls.LocalConfig(appAddr.Host, "localhost", "127.0.0.1", "::1")
	if err != nil {
		return err
	}
	var messages *localpool.Messages
	if c.LogLevel <= slog.LevelWarn {
		messages = localpool.NewMessages(term.Out, "")
	}
	p, err := newPool(ctx, poolURL, userpool.Client{
		Name: "Cognate demo", GenerateSecret: true,
		CallbackURLs: []string{appURL + "/oidc_callback"}, LogoutURLs: []string{appURL + "/"},
	}, view, messages, log)
	if err != nil {
		return err
	}
	auth, err := cognate.New(cognate.Config{
		ClientSecrets:        localpool.ClientSecrets(poolURL, p.issuer, p.client),
		Keys:                 []cognate.Secret{cognate.Secret(rand.Text() + rand.Text())},
		RequireVerifiedEmail: true,
		Session:              cognate.SessionConfig{Lifetime: signInLifetime},
		AllowGETLogout:       true,
		Logger:               log,
	})
	if err != nil {
		return err
	}
	announce(term, appURL, warning, poolURL, view.URL(poolURL))
	poolListening = poolListening.NoticeTLS(func() {
		terminal.Printf(term.Err, "demo: somebody opened the pool with https; its address is %s\n", poolURL)
	})
	return terminal.Stopped(term.Out, listen.Serve(ctx, log,
		listen.Service{Listeners: appListening.WithTLS(certificate), Handler: canonicalHost(appURL, app.New(auth))},
		listen.Service{Listeners: poolListening, Handler: p.handler}))
}

func (c Config) addresses() (appAddr, poolAddr listen.Address, err error) {
	appAddr, err = listen.Parse("--addr", c.Addr)
	if err != nil {
		return appAddr, poolAddr, err
	}
	poolAddr, err = listen.Parse("--pool-addr", c.PoolAddr)
	if err != nil {
		return appAddr, poolAddr, err
	}
	if c.Addr == c.PoolAddr && appAddr.Port != "0" {
		return appAddr, poolAddr, fmt.Errorf("--addr and --pool-addr are both %s; "+
			"give the pool another port, as in --pool-addr %s", c.Addr, poolAddr.Other())
	}
	return appAddr, poolAddr.AsLocalhost(), nil
}

// canonicalHost redirects visitors who opened the app under another name of this
// machine to the app's own address: a sign-in that starts on localhost can't end on
// 127.0.0.1, which has its own cookies.
func canonicalHost(appURL string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.EqualFold("https://"+r.Host, appURL) && r.Method == http.MethodGet {
			w.Header().Set("Location", appURL+r.URL.RequestURI())
			w.WriteHeader(http.StatusFound)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// localPool is the demo's pool: it is in memory, with its client and users.
type localPool struct {
	issuer  string
	client  userpool.Client
	handler http.Handler
}

// newPool returns a pool that is served at base. messages is told of what it sends.
func newPool(
	ctx context.Context, base string, client userpool.Client, view localpool.View, messages *localpool.Messages,
	log *slog.Logger,
) (*localPool, error) {
	p, err := pool.New(ctx, pool.Config{
		Issuer: base + "/", Store: memstore.New(), Logger: log, Trace: trace.New(nil),
		Settings: userpool.Settings{UsernameAttributes: []string{"email"}},
		Sent:     func(m userpool.Message) { messages.Tell(m, view.Outbox(base), false) },
	})
	if err != nil {
		return nil, err
	}
	client, err = p.Clients.Create(ctx, client)
	if err != nil {
		return nil, err
	}
	for _, u := range localpool.Users() {
		_, err = p.Users.Create(ctx, u.New())
		if err != nil {
			return nil, fmt.Errorf("adding %s: %w", u.Email, err)
		}
	}
	handler, err := server.New(server.Config{
		Pool: p, BaseURL: base, Logger: log,
		DevView: true, DevViewToken: view.Token, InsecureDevViewAnywhere: view.Anywhere,
		OneClickSignIn: view.OneClick,
	})
	if err != nil {
		return nil, err
	}
	return &localPool{p.Issuer(), client, handler}, nil
}

// announce says where everything is, and who can sign in. warning says what a browser
// will say of the app's certificate; it may be empty.
func announce(term terminal.Streams, appURL, warning, poolURL, developer string) {
	out, s := term.Out, terminal.StyleOf(term.Out)
	terminal.Printf(out, "\n  %s\n\n", s.Bold("Cognate demo"))
	terminal.Printf(out, "  The app    %s\n", s.Bold(appURL))
	if warning != "" {
		terminal.Printf(out, "             %s\n", s.Dim(warning))
	}
	terminal.Printf(out, "  The pool   %s\n", poolURL)
	terminal.Printf(out, "             %s\n", s.Dim("A local Amazon Cognito. It signs people in to the app."))
	terminal.Printf(out, "  Developer  %s\n", developer)
	terminal.Printf(out, "             %s\n\n", s.Dim("Every sign-in, step by step, and what went wrong."))
	localpool.AnnounceUsers(out, "unverified: the app refuses this user")
	terminal.Printf(out, "  %s\n", s.Dim("Everything is in memory and ends with the demo."))
	terminal.Printf(out, "  Press Ctrl-C to stop.\n\n")
}
