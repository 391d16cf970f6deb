// Package redistest starts real Redis servers for tests: single ones, a trio of
// Sentinels, a cluster. They listen on the loopback interface, keep nothing on disk
// beyond the test's own folder, and end with the test.
//
// The program is redis-server from PATH, or what the environment variable REDIS_SERVER
// names, such as valkey-server.
package redistest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/rueidis"
)

// patience bounds every wait for a server. It is long, for machines that are busy.
const patience = 60 * time.Second

// A Server is one redis-server process. Its methods are for the test's goroutine.
type Server struct {
	// Addr is the server's host:port. It stays the same when the server is restarted.
	Addr string

	tb      testing.TB
	args    []string
	process *exec.Cmd
	output  *output
	exited  chan struct{}
}

// Start starts a server with lines of configuration, such as "requirepass secret", on
// top of its defaults. Without persistence it is empty after a restart; the line
// "appendonly yes" changes that. tb fails at once if there is no redis-server, or if it
// doesn't start.
func Start(tb testing.TB, config ...string) *Server {
	tb.Helper()
	return start(tb, nil, config)
}

func start(tb testing.TB, flags []string, config []string) *Server {
	tb.Helper()
	port := freePort(tb)
	s := &Server{Addr: net.JoinHostPort("127.0.0.1", strconv.Itoa(port)), tb: tb}
	lines := []string{"bind 127.0.0.1", "dir " + tb.TempDir(), "daemonize no"}
	if len(flags) == 0 {
		lines = append(lines, `save ""`, "maxmemory-policy noeviction")
	}
	if !hasLine(config, "tls-port") {
		lines = append(lines, fmt.Sprint("port ", port))
	}
	for _, line := range config {
		lines = append(lines, strings.ReplaceAll(line, "$PORT", strconv.Itoa(port)))
	}
	file := tb.TempDir() + "/redis.conf"
	if err := os.WriteFile(file, []byte(strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
		tb.Fatal(err)
	}
	s.args = append([]string{file}, flags...)
	tb.Cleanup(s.Kill)
	s.Start()
	return s
}

func hasLine(config []string, name string) bool {
	for _, line := range config {
		if strings.HasPrefix(line, name+" ") {
			return true
		}
	}
	return false
}

// freePort returns a port on which nothing listens. Another program may take it before
// the server does; then the server says so, and the test fails.
func freePort(tb testing.TB) int {
	tb.Helper()
	ln, err := (&net.ListenConfig{}).Listen(tb.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	defer ln.Close()
	return ln.Addr().(*net.TCPAddr).Port
}

func program(tb testing.TB) string {
	tb.Helper()
	name := os.Getenv("REDIS_SERVER")
	if name == "" {
		name = "redis-server"
	}
	path, err := exec.LookPath(name)
	if err != nil {
		tb.Fatalf("this test needs %s: %v\n"+
			"Install it with `apt-get install redis-server` or `brew install redis`, or set REDIS_SERVER to the path of one.", name, err)
	}
	return path
}

// Start starts the server again, on the same port, after Stop or Kill, and waits until
// it accepts connections. While it runs, Start does nothing.
func (s *Server) Start() {
	s.tb.Helper()
	if s.process != nil {
		return
	}
	// Not the test's context: that ends before the clean-up, which has to wait for it.
	s.process = exec.CommandContext(context.Background(), program(s.tb), s.args...) //nolint:gosec // the tester's own server
	s.output, s.exited = &output{}, make(chan struct{})
	s.process.Stdout, s.process.Stderr = s.output, s.output
	if err := s.process.Start(); err != nil {
		s.process = nil
		s.tb.Fatal(err)
	}
	go func(p *exec.Cmd, exited chan struct{}) {
		_ = p.Wait()
		close(exited)
	}(s.process, s.exited)
	s.awaitPort()
}

func (s *Server) awaitPort() {
	s.tb.Helper()
	for begin := time.Now(); time.Since(begin) < patience; time.Sleep(5 * time.Millisecond) {
		select {
		case <-s.exited:
			s.tb.Fatalf("the Redis server ended:\n%s", s.output)
		default:
		}
		conn, err := (&net.Dialer{Timeout: time.Second}).DialContext(context.Background(), "tcp", s.Addr)
		if err == nil {
			conn.Close()
			return
		}
	}
	s.tb.Fatalf("the Redis server does not listen on %s:\n%s", s.Addr, s.output)
}

// Stop ends the server as an operator does: it finishes what it is doing and closes its
// connections.
func (s *Server) Stop() {
	s.tb.Helper()
	s.end(os.Interrupt)
}

// Kill ends the server as a power cut does.
func (s *Server) Kill() {
	s.tb.Helper()
	s.end(os.Kill)
}

func (s *Server) end(signal os.Signal) {
	s.tb.Helper()
	if s.process == nil {
		return
	}
	if err := s.process.Process.Signal(signal); err != nil && !errors.Is(err, os.ErrProcessDone) {
		s.tb.Errorf("ending the Redis server: %v", err)
	}
	select {
	case <-s.exited:
	case <-time.After(patience):
		s.tb.Errorf("the Redis server does not end:\n%s", s.output)
	}
	s.process = nil
}

// Do sends a command as a connection of its own and returns the answer as text; lists
// are joined by spaces. It is for servers without password and TLS.
func (s *Server) Do(command ...string) (string, error) {
	client, err := rueidis.NewClient(rueidis.ClientOption{
		InitAddress: []string{s.Addr}, ForceSingleClient: true, DisableCache: true, AlwaysRESP2: true,
		PipelineMultiplex: -1,
	})
	if err != nil {
		return "", err
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	answer, err := client.Do(ctx, client.B().Arbitrary(command...).Build()).ToAny()
	if list, ok := answer.([]any); ok {
		return strings.Trim(fmt.Sprint(list), "[]"), err
	}
	return fmt.Sprint(answer), err
}

// must is Do for commands that can't fail.
func (s *Server) must(command ...string) string {
	s.tb.Helper()
	answer, err := s.Do(command...)
	if err != nil {
		s.tb.Fatalf("%s: %v\n%s", strings.Join(command, " "), err, s.output)
	}
	return answer
}

// until waits for an answer that satisfies ok.
func (s *Server) until(ok func(answer string) bool, command ...string) {
	s.tb.Helper()
	var answer string
	for begin := time.Now(); time.Since(begin) < patience; time.Sleep(20 * time.Millisecond) {
		var err error
		if answer, err = s.Do(command...); err == nil && ok(answer) {
			return
		}
	}
	s.tb.Fatalf("%s: still answers %s\n%s", strings.Join(command, " "), answer, s.output)
}

// contains is an argument for until.
func contains(parts ...string) func(string) bool {
	return func(answer string) bool {
		for _, p := range parts {
			if !strings.Contains(answer, p) {
				return false
			}
		}
		return true
	}
}

// output keeps what a server prints, for the test that fails.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// Write implements io.Writer.
func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.text.Len() > 1<<20 {
		o.text.Reset()
	}
	return o.text.Write(p)
}

// String returns what was written.
func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}
