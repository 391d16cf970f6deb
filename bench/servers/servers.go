// Package servers has the servers written in Go that the benchmark measures. Each runs
// in its own process, which is the benchmark's program again, and answers GET /hello
// with six bytes.
package servers

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"time"
)

// variable names the environment variable with the configuration of a server's process.
const variable = "COGNATE_BENCH_SERVER"

// Config says which server to run, and at which address.
type Config struct {
	// Kind is how the server signs people in: a key of kinds.
	Kind string
	// Addr is the address that it listens on. StatsAddr is the address where it reports
	// its allocations.
	Addr, StatsAddr string
	// Issuer, ClientID, ClientSecret and RedirectURL are the provider's and the app's.
	Issuer, ClientID, ClientSecret, RedirectURL string
	// RedisAddr is the address of a Redis server, for the kinds that use one.
	RedisAddr string
	// Records is the number of sessions in the store before anybody signs in.
	Records int
}

// Stats is what a server reports about itself.
type Stats struct {
	Mallocs uint64 // allocations so far
}

// A maker adds a kind's sign-in in front of the mux.
type maker func(ctx context.Context, cfg Config) (http.Handler, error)

var kinds = map[string]maker{
	"bare":            bare,
	"cognate":         cognateServer,
	"cognate-tokens":  cognateServer,
	"cognate-memory":  cognateServer,
	"cognate-redis":   cognateServer,
	"cognate-redis-c": cognateServer,
	"gorilla":         gorillaServer,
	"scs":             scsServer,
}

// Command returns the command that runs a server: this program, with the configuration
// in its environment. The program must call [Main] before anything else.
func Command(ctx context.Context, cfg Config) (*exec.Cmd, error) {
	if _, ok := kinds[cfg.Kind]; !ok {
		return nil, fmt.Errorf("there is no server %q", cfg.Kind)
	}
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	data, err := json.Marshal(cfg) //nolint:gosec // the secret is made for this one run
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, program) //nolint:gosec // the program itself
	cmd.Env = append(slices.Clone(os.Environ()), variable+"="+string(data), "GOMAXPROCS=1")
	return cmd, nil
}

// Main runs the server in the environment's configuration, and then ends the process.
// Without such a configuration it returns at once.
func Main() {
	data := os.Getenv(variable)
	if data == "" {
		return
	}
	var cfg Config
	err := json.Unmarshal([]byte(data), &cfg)
	if err == nil {
		err = serve(context.Background(), cfg)
	}
	fmt.Fprintln(os.Stderr, "server:", err)
	os.Exit(1)
}

// serve serves until it fails. The server is net/http's default without time limits,
// because those would set timers for every request.
func serve(ctx context.Context, cfg Config) error {
	build, ok := kinds[cfg.Kind]
	if !ok {
		return fmt.Errorf("there is no server %q", cfg.Kind)
	}
	h, err := build(ctx, cfg)
	if err != nil {
		return err
	}
	failed := make(chan error, 2)
	for addr, h := range map[string]http.Handler{cfg.Addr: h, cfg.StatsAddr: http.HandlerFunc(stats)} {
		l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", addr)
		if err != nil {
			return err
		}
		go func() { failed <- (&http.Server{Handler: h}).Serve(l) }() //nolint:gosec // see above
	}
	return <-failed
}

func stats(w http.ResponseWriter, _ *http.Request) {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	_ = json.NewEncoder(w).Encode(Stats{Mallocs: m.Mallocs})
}

// ReadStats requests a server's allocations.
func ReadStats(ctx context.Context, addr string) (Stats, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+addr+"/", nil)
	if err != nil {
		return Stats{}, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return Stats{}, err
	}
	defer resp.Body.Close()
	var s Stats
	err = json.NewDecoder(io.LimitReader(resp.Body, 1<<10)).Decode(&s)
	if err != nil {
		return Stats{}, fmt.Errorf("reading a server's count: %w", err)
	}
	return s, nil
}

// hello is the page, the same for all servers. Like other pages it has a content type:
// net/http does less work for a handler without any header, which hardly occurs in
// practice.
func hello(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	io.WriteString(w, "hello\n")
}

// app returns the handler in front of which a server's sign-in is.
func app(protect func(http.Handler) http.Handler) *http.ServeMux {
	mux := http.NewServeMux()
	mux.Handle("GET /hello", protect(http.HandlerFunc(hello)))
	return mux
}

func bare(context.Context, Config) (http.Handler, error) {
	return app(func(h http.Handler) http.Handler { return h }), nil
}
