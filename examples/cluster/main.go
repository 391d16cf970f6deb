// Cluster is an app that runs as two processes behind a reverse proxy, which sends each the
// next request in turn. The sessions are in Redis or Valkey, so it doesn't matter who
// answers: each page says which process did.
//
//   - Signed in by one process is signed in at the other, and so is signed out.
//   - When the access token has to be refreshed, one of them does it, once.
//   - "Sign out everywhere" ends the sessions in all browsers.
//   - While Redis is down, private pages are 503; nobody has to sign in again afterwards,
//     if Redis keeps its data.
//
// To run it against a pool on this machine:
//
//	cognate pool                                    (in another terminal)
//	redis-server                                    (in a third one)
//	cognate client-secrets > client_secrets.json
//	go run ./examples/cluster
//
// Against Amazon Cognito nothing changes but that file.
package main

import (
	"context"
	"crypto/rand"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/cognate-auth/cognate"
	"github.com/cognate-auth/cognate/examples/cluster/app"
	"github.com/cognate-auth/cognate/examples/internal/serve"
	"github.com/cognate-auth/cognate/redisstore"
)

const processes = 2

var (
	redis  = flag.String("redis", "127.0.0.1:6379", "the `address` of Redis or Valkey")
	worker = flag.Bool("worker", false, "be one of the processes behind the proxy; the program starts itself with this")
)

func main() {
	flag.Parse()
	if *worker {
		log.SetFlags(0)
		err := work()
		if err != nil {
			log.Fatalf("process %d: %v", os.Getpid(), err)
		}
		return
	}
	serve.Main(proxy)
}

// proxy starts the processes and returns what shares the requests out to them.
func proxy(ctx context.Context, cfg cognate.Config) (http.Handler, error) {
	if len(cfg.Keys) == 0 {
		cfg.Keys = []cognate.Secret{cognate.Secret(rand.Text() + rand.Text())} // all processes need the same
	}
	_, err := cognate.New(cfg)
	if err != nil {
		return nil, err // better told once, here
	}
	var backends []http.Handler
	for range processes {
		b, err := startWorker(ctx, string(cfg.Keys[0]))
		if err != nil {
			return nil, err
		}
		backends = append(backends, b)
	}
	return app.RoundRobin(backends...), nil
}

// work is the app, as one of the processes. It ends with the one that started it.
func work() error {
	cfg, err := serve.Config()
	if err != nil {
		return err
	}
	store, err := redisstore.New(redisstore.Config{Addresses: []string{*redis}})
	if err != nil {
		return fmt.Errorf("%w; start one, or name one with -redis", err)
	}
	defer store.Close()
	handler, err := app.New(cfg, store, fmt.Sprint("process ", os.Getpid()))
	if err != nil {
		return err
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // nothing to wait for
	if err != nil {
		return err
	}
	srv := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute}
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin) // nothing comes; the end does
		_ = srv.Close()
	}()
	fmt.Println(ln.Addr()) // for startWorker
	err = srv.Serve(ln)
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}
