// Compose is the app of compose.yaml, in a container beside the local pool: docs/containers.md
// has what is to know. Its settings are in the environment.
package main

import (
	"context"
	"errors"
	"flag"
	"log"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/cognate-auth/cognate"
	"github.com/cognate-auth/cognate/examples/hello/app"
)

func main() {
	addr := flag.String("insecure-addr", "127.0.0.1:5000",
		"the `address` to listen on, without TLS; in a container 0.0.0.0:5000, published to one machine")
	flag.Parse()
	log.SetFlags(0)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, *addr)
	stop()
	if err != nil {
		log.Fatal("app: ", err)
	}
}

func run(ctx context.Context, addr string) error {
	auth, err := cognate.New(cognate.Config{
		Issuer:               os.Getenv("ISSUER"),
		ClientID:             os.Getenv("CLIENT_ID"),
		ClientSecret:         cognate.Secret(os.Getenv("CLIENT_SECRET")),
		ClientAuth:           cognate.ClientSecretBasic, // so that an empty secret is an error
		RedirectURL:          os.Getenv("REDIRECT_URL"),
		RequireVerifiedEmail: true,
		AllowGETLogout:       true, // the page has a plain link
		// The pool is another container, which the engine's DNS knows. Only for development.
		InsecureHTTP: true,
	})
	if err != nil {
		return err
	}
	srv := &http.Server{
		Addr: addr, Handler: app.New(auth), ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute,
	}
	context.AfterFunc(ctx, func() { _ = srv.Close() })
	err = srv.ListenAndServe()
	if !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
