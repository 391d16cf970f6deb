// Hello is the smallest app with a sign-in: a public page, a private page and a logout.
//
// It reads client_secrets.json from the current folder, and listens at the address of its
// callback URL: with a certificate of this machine if that is https, or without one. To run it
// with a pool on this machine:
//
//	cognate pool                                    (in another terminal)
//	cognate client-secrets > client_secrets.json
//	go run ./examples/hello
//
// For Amazon Cognito only that file changes.
//
// The file is complete, to be copied; the other examples share internal/serve.
package main

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
	"github.com/cognate-auth/cognate/examples/hello/app"
)

func main() {
	file := flag.String("client-secrets", "client_secrets.json", "the app client, as a `file` in the tutorial's format")
	addr := flag.String("addr", "", "the loopback `address` to listen on (default: that of the callback URL)")
	flag.Parse()
	log.SetFlags(0)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := run(ctx, *file, *addr)
	if err != nil {
		log.Fatal("hello: ", err)
	}
}

func run(ctx context.Context, file, addr string) error {
	secrets, err := cognate.LoadClientSecrets(file)
	if err != nil {
		return err
	}
	auth, err := cognate.New(cognate.Config{
		ClientSecrets:        secrets,
		Keys:                 cookieKeys(),
		RequireVerifiedEmail: true,
		Session:              cognate.SessionConfig{Lifetime: 28_800 * time.Second},
		AllowGETLogout:       true, // the page has a plain link
	})
	if err != nil {
		return err
	}
	home, err := url.Parse(secrets.RedirectURIs[0]) // New has checked that there is one
	if err != nil {
		return err
	}
	if addr == "" {
		addr = home.Host
	}
	ln, warning, err := listen(ctx, home.Scheme, addr)
	if err != nil {
		return fmt.Errorf("%w; choose where to listen with -addr", err)
	}
	srv := &http.Server{Handler: app.New(auth), ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute}
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
	if scheme == "http" { // New accepts it for this machine alone
		ln, err = new(net.ListenConfig).Listen(ctx, "tcp", addr)
		return ln, "", err
	}
	secured, err := devtls.Listen(addr)
	if err != nil {
		return nil, "", err
	}
	return secured, secured.Warning(), nil
}

// cookieKeys returns the secret that seals the cookies, if the environment has one.
// Without it sign-ins end with the program.
func cookieKeys() []cognate.Secret {
	key := os.Getenv("COOKIE_KEY") // openssl rand -base64 32
	if key == "" {
		return nil
	}
	return []cognate.Secret{cognate.Secret(key)}
}
