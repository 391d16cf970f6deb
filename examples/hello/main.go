// Hello is the smallest app with a sign-in: a public page, a private page and a logout,
// served at https://127.0.0.1:5000.
//
// It reads client_secrets.json from the current folder. To run it against a pool on
// this machine:
//
//	cognate pool
//	cognate client-secrets > client_secrets.json
//	go run ./examples/hello
//
// Against Amazon Cognito nothing changes but that file.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"net/http"
	"os"
	"os/signal"
	"time"

	"github.com/cognate-auth/cognate"
	"github.com/cognate-auth/cognate/devtls"
	"github.com/cognate-auth/cognate/examples/hello/app"
)

func main() {
	file := flag.String("client-secrets", "client_secrets.json", "the app client, as a `file` in the tutorial's format")
	addr := flag.String("addr", "127.0.0.1:5000", "the loopback `address` to listen on")
	flag.Parse()
	log.SetFlags(0)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, *file, *addr); err != nil {
		log.Fatal("hello: ", err)
	}
}

func run(ctx context.Context, file, addr string) error {
	auth, err := cognate.New(cognate.Config{
		ClientSecretsFile:    file,
		Keys:                 cookieKeys(),
		RequireVerifiedEmail: true,
		Session:              cognate.SessionConfig{Lifetime: 28_800 * time.Second},
		AllowGETLogout:       true, // the page has a plain link
	})
	if err != nil {
		return err
	}
	ln, err := devtls.Listen(addr)
	if err != nil {
		return fmt.Errorf("%w; choose another address with -addr, and register its callback URL", err)
	}
	srv := &http.Server{Handler: app.New(auth), ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute}
	context.AfterFunc(ctx, func() { _ = srv.Close() })
	log.Printf("https://%s (your browser will warn about the certificate: it was made just now, for this machine)", ln.Addr())
	err = srv.Serve(ln)
	if !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// cookieKeys reads the secret that seals the cookies, if there is one. Without it
// sign-ins end with the program.
func cookieKeys() []cognate.Secret {
	key := os.Getenv("COOKIE_KEY") // openssl rand -base64 32
	if key == "" {
		return nil
	}
	return []cognate.Secret{cognate.Secret(key)}
}
