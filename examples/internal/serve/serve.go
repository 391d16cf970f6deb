// Package serve runs an example on this machine: its flags, its client_secrets.json,
// and TLS if its callback URL is https. examples/hello has the same code in one file, to be copied.
package serve

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/cognate-auth/cognate"
	"github.com/cognate-auth/cognate/devtls"
)

var (
	file = flag.String("client-secrets", "client_secrets.json", "the app client, as a `file` in the tutorial's format")
	addr = flag.String("addr", "", "the loopback `address` to listen on (default: that of the callback URL)")
)

// Main reads the flags, including those that an example has added, and serves the
// handler of newApp until Ctrl-C. Then the context ends.
func Main(newApp func(ctx context.Context, cfg cognate.Config) (http.Handler, error)) {
	flag.Parse()
	log.SetFlags(0)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, newApp)
	stop()
	if err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, newApp func(context.Context, cognate.Config) (http.Handler, error)) error {
	cfg, err := Config()
	if err != nil {
		return err
	}
	app, err := newApp(ctx, cfg)
	if err != nil {
		return err
	}
	home, err := url.Parse(cfg.ClientSecrets.RedirectURIs[0]) // cognate.New has checked that there is one
	if err != nil {
		return err
	}
	if *addr == "" {
		*addr = home.Host
	}
	ln, warning, err := listen(ctx, home.Scheme, *addr)
	if err != nil {
		return fmt.Errorf("%w; choose where to listen with -addr", err)
	}
	srv := &http.Server{Handler: app, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute}
	context.AfterFunc(ctx, func() { _ = srv.Close() })
	log.Printf("Open %s://%s\n%s", home.Scheme, home.Host, warning)
	err = srv.Serve(ln)
	if !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// listen listens for a callback URL of this scheme. warning is what to know about the
// certificate.
func listen(ctx context.Context, scheme, addr string) (ln net.Listener, warning string, err error) {
	if scheme == "http" { // cognate.New accepts it for this machine alone
		ln, err = new(net.ListenConfig).Listen(ctx, "tcp", addr)
		return ln, "", err
	}
	secured, err := devtls.Listen(addr)
	if err != nil {
		return nil, "", err
	}
	return secured, secured.Warning(), nil
}

// Config reads the client secrets that the flag names and, from COOKIE_KEY, the secret
// that seals the cookies (openssl rand -base64 32). Without it sign-ins end with the
// program. Call it after flag.Parse.
func Config() (cognate.Config, error) {
	secrets, err := cognate.LoadClientSecrets(*file)
	if err != nil {
		return cognate.Config{}, err
	}
	cfg := cognate.Config{ClientSecrets: secrets, RequireVerifiedEmail: true}
	if key := os.Getenv("COOKIE_KEY"); key != "" {
		cfg.Keys = []cognate.Secret{cognate.Secret(key)}
	}
	return cfg, nil
}
