package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"net"
	"net/url"
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
}

// Run serves the app and the pool until Ctrl-C. Both listen before either is set up,
// because each has to know the other's address.
func (c *demoCommand) Run(ctx context.Context, term terminal) error {
	appListener, err := devtls.Listen(c.Addr)
	if err != nil {
		return listenError("--addr", c.Addr, err)
	}
	defer appListener.Close()
	poolListener, err := listenLocal(ctx, "--pool-addr", c.PoolAddr)
	if err != nil {
		return err
	}
	defer poolListener.Close()

	log := newLogger(term)
	appURL, err := publicURL(c.Addr, appListener)
	if err != nil {
		return err
	}
	poolURL := localURL(poolListener.Addr())
	p, err := newLocalPool(ctx, poolURL, "", userpool.Client{
		Name: "Cognate demo", GenerateSecret: true,
		CallbackURLs: []string{appURL + "/oidc_callback"}, LogoutURLs: []string{appURL + "/"},
	}, log)
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
	announceDemo(term, appURL, poolURL)
	return stopped(term, serve(ctx, log, service{appListener, app.New(auth)}, service{poolListener, p.handler}))
}

// publicURL is the app's address with the host as it was asked for, which the browser
// has to use too: cookies of localhost are not those of 127.0.0.1.
func publicURL(addr string, l net.Listener) (string, error) {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return "", err
	}
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		return "", err
	}
	return "https://" + net.JoinHostPort(host, port), nil
}

// homeOf is the home page of the app with this callback URL, where a sign-out ends.
func homeOf(callback string) (string, error) {
	u, err := url.Parse(callback)
	if err != nil || u.Host == "" {
		return "", fmt.Errorf("--redirect-uri %q is not an absolute URL, such as https://127.0.0.1:5000/oidc_callback", callback)
	}
	return u.Scheme + "://" + u.Host + "/", nil
}
