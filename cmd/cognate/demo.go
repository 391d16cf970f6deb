package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/cognate-auth/cognate"
	"github.com/cognate-auth/cognate/devtls"
	"github.com/cognate-auth/cognate/examples/hello/app"
	"github.com/cognate-auth/cognate/userpool"
)

// signInLifetime is how long the tutorial's app keeps a sign-in.
const signInLifetime = 28_800 * time.Second

type demoCommand struct {
	Addr     string `default:"127.0.0.1:5000" placeholder:"HOST:PORT" help:"Address of the app, on this machine; port 0 is any free one (default ${default})."`
	PoolAddr string `default:"127.0.0.1:9229" placeholder:"HOST:PORT" help:"Address of the pool, on this machine (default ${default})."`
	devViewFlags
	logFlags
}

// Run serves the app and the pool until Ctrl-C.
func (c *demoCommand) Run(ctx context.Context, term terminal) error {
	return interrupted(ctx, term, c.serve(ctx, term))
}

// serve opens both listeners before it sets up the app and the pool, because each of
// them needs the address of the other.
func (c *demoCommand) serve(ctx context.Context, term terminal) error {
	appAddr, poolAddr, err := c.addresses()
	if err != nil {
		return err
	}
	view, err := c.view()
	if err != nil {
		return err
	}
	appListening, err := appAddr.listen(ctx)
	if err != nil {
		return err
	}
	defer appListening.Close()
	poolListening, err := poolAddr.listen(ctx)
	if err != nil {
		return err
	}
	defer poolListening.Close()

	log := c.logger(term)
	appURL, poolURL := appAddr.url("https"), poolAddr.url("http")
	certificate, err := devtls.Config(appAddr.host, "localhost", "127.0.0.1", "::1")
	if err != nil {
		return err
	}
	p, err := newLocalPool(ctx, poolURL, userpool.Client{
		Name: "Cognate demo", GenerateSecret: true,
		CallbackURLs: []string{appURL + "/oidc_callback"}, LogoutURLs: []string{appURL + "/"},
	}, view, log)
	if err != nil {
		return err
	}
	auth, err := cognate.New(cognate.Config{
		ClientSecrets:        clientSecrets(poolURL, p.pool.Issuer(), p.client),
		Keys:                 []cognate.Secret{cognate.Secret(rand.Text() + rand.Text())},
		RequireVerifiedEmail: true,
		Session:              cognate.SessionConfig{Lifetime: signInLifetime},
		AllowGETLogout:       true,
		Logger:               log,
	})
	if err != nil {
		return err
	}
	announceDemo(term, appURL, poolURL, view.url(poolURL))
	return stopped(term, serve(ctx, log,
		service{appListening.withTLS(certificate), canonicalHost(appURL, app.New(auth))},
		service{poolListening, p.handler}))
}

func (c *demoCommand) addresses() (appAddr, poolAddr address, err error) {
	appAddr, err = parseAddress("--addr", c.Addr)
	if err != nil {
		return appAddr, poolAddr, err
	}
	poolAddr, err = parseAddress("--pool-addr", c.PoolAddr)
	if err != nil {
		return appAddr, poolAddr, err
	}
	if c.Addr == c.PoolAddr && appAddr.port != "0" {
		return appAddr, poolAddr, fmt.Errorf("--addr and --pool-addr are both %s; "+
			"give the pool another port, as in --pool-addr %s", c.Addr, poolAddr.other())
	}
	return appAddr, poolAddr.asLocalhost(), nil
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
