// Cluster is an app that runs as two processes behind a reverse proxy, which sends requests
// to them in turn. The sessions are in Redis or Valkey, so it does not matter which process
// answers. Each page says which one did.
//
//   - A person who signs in or out at one process is signed in or out at the other too.
//   - When the access token has to be refreshed, one of them does it, once.
//   - "Sign out everywhere" ends the sessions in all browsers.
//   - While Redis is down, private pages answer 503. If Redis keeps its data, nobody has to
//     sign in again afterwards.
//
// To run it against a pool on this machine:
//
//	cognate pool                                    (in another terminal)
//	redis-server                                    (in a third one)
//	cognate client-secrets > client_secrets.json
//	go run ./examples/cluster
//
// For Amazon Cognito only that file changes.
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

// proxy starts the processes and returns a handler that distributes requests to them.
func proxy(ctx context.Context, cfg cognate.Config) (http.Handler, error) {
	if len(cfg.Keys) == 0 {
		cfg.Keys = []cognate.Secret{cognate.Secret(rand.Text() + rand.Text())} // the same for all processes
	}
	_, err := cognate.New(cfg)
	if err != nil {
		return nil, err // a wrong configuration is reported once, here
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

// work runs the app as one of the processes. It ends when the process that started it
// ends.
func work() error {
	cfg, err := serve.Config()
	if err != nil {
		return err
	}
	store, err := redisstore.New(redisstore.Config{Addresses: []string{*redis}})
	if err != nil {
		return fmt.Errorf("%w; start Redis or Valkey, or give its address with -redis", err)
	}
	defer store.Close()
	handler, err := app.New(cfg, store, fmt.Sprint("process ", os.Getpid()))
	if err != nil {
		return err
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // it does not wait for anything
	if err != nil {
		return err
	}
	srv := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute}
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin) // it only waits for the end of the input
		_ = srv.Close()
	}()
	fmt.Println(ln.Addr()) // startWorker reads it
	err = srv.Serve(ln)
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}
