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
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/rueidis"

	"github.com/cognate-auth/cognate/internal/freeport"
)

// patience limits every wait for a server. It is long, for busy machines.
const patience = 60 * time.Second

// A Server is one redis-server process. Its methods are for the test's goroutine.
type Server struct {
	// Addr is the server's host:port. It stays the same when the server is restarted.
	Addr string

	tb      testing.TB
	bus     string // the port of its cluster bus, if it has one
	args    []string
	process *exec.Cmd
	output  *output
	exited  chan struct{}
}

// Start starts a server with lines of configuration, such as "requirepass secret", in
// addition to its defaults. Without persistence the server is empty after a restart;
// the line "appendonly yes" changes that. tb fails at once if there is no redis-server,
// or if it does not start.
func Start(tb testing.TB, config ...string) *Server {
	tb.Helper()
	return start(tb, nil, config)
}

// start replaces $PORT and $BUS in the lines of configuration by the server's ports.
func start(tb testing.TB, flags []string, config []string) *Server {
	tb.Helper()
	lines := []string{"bind 127.0.0.1", "dir " + tb.TempDir(), "daemonize no"}
	if len(flags) == 0 {
		lines = append(lines, `save ""`, "maxmemory-policy noeviction")
	}
	if !hasLine(config, "tls-port") {
		lines = append(lines, "port $PORT")
	}
	text := strings.Join(append(lines, config...), "\n") + "\n"
	file := tb.TempDir() + "/redis.conf"
	s := &Server{tb: tb, args: append([]string{file}, flags...)}
	tb.Cleanup(s.Kill)
	for range 10 {
		port := freePort(tb)
		s.Addr, s.bus = freeport.Addr(port), strconv.Itoa(freePort(tb))
		ported := strings.NewReplacer("$PORT", strconv.Itoa(port), "$BUS", s.bus).Replace(text)
		err := os.WriteFile(file, []byte(ported), 0o600)
		if err != nil {
			tb.Fatal(err)
		}
		if s.launch() {
			return s
		}
		if !strings.Contains(s.output.String(), "Address already in use") {
			break // another port would not help
		}
	}
	tb.Fatalf("the Redis server ended:\n%s", s.output)
	return nil
}

func hasLine(config []string, name string) bool {
	for _, line := range config {
		if strings.HasPrefix(line, name+" ") {
			return true
		}
	}
	return false
}

func freePort(tb testing.TB) int {
	tb.Helper()
	port, err := freeport.Find(tb.Context())
	if err != nil {
		tb.Fatal(err)
	}
	return port
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
			"Install it with `apt-get install redis-server` or `brew install redis`, or set REDIS_SERVER to the "+
			"path of one.", name, err)
	}
	return path
}

// Start starts the server again on the same port, after Stop or Kill, and waits until
// it accepts connections. If it is running, Start does nothing.
func (s *Server) Start() {
	s.tb.Helper()
	if s.process == nil && !s.launch() {
		s.tb.Fatalf("the Redis server ended:\n%s", s.output)
	}
}

// launch starts the process and waits until it accepts connections. It returns false if
// the process ended instead.
func (s *Server) launch() bool {
	s.tb.Helper()
	// The test's context can't be used: it ends before the clean-up, which has to wait
	// for the process.
	//nolint:gosec // the tester's own server
	s.process = exec.CommandContext(context.Background(), program(s.tb), s.args...)
	s.output, s.exited = &output{}, make(chan struct{})
	s.process.Stdout, s.process.Stderr = s.output, s.output
	err := s.process.Start()
	if err != nil {
		s.process = nil
		s.tb.Fatal(err)
	}
	go func(p *exec.Cmd, exited chan struct{}) {
		_ = p.Wait()
		close(exited)
	}(s.process, s.exited)
	return s.accepts()
}

// accepts waits for the message in the server's own output: another program might
// answer on its port.
func (s *Server) accepts() bool {
	s.tb.Helper()
	for begin := time.Now(); time.Since(begin) < patience; time.Sleep(5 * time.Millisecond) {
		select {
		case <-s.exited:
			s.process = nil
			return false
		default:
		}
		said := s.output.String()
		if strings.Contains(said, "Ready to accept connections") || strings.Contains(said, "Sentinel ID is") {
			return true
		}
	}
	s.tb.Fatalf("the Redis server does not listen on %s:\n%s", s.Addr, s.output)
	return false
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
	s.signal(signal)
	select {
	case <-s.exited:
	case <-time.After(patience):
		s.tb.Errorf("the Redis server does not end:\n%s", s.output)
	}
	s.process = nil
}

func (s *Server) signal(signal os.Signal) {
	s.tb.Helper()
	err := s.process.Process.Signal(signal)
	if err != nil && !errors.Is(err, os.ErrProcessDone) {
		s.tb.Errorf("sending the Redis server %s: %v", signal, err)
	}
}

// Do sends a command on its own connection and returns the answer as text; lists are
// joined by spaces. It works only without password and TLS.
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

// must is Do for commands that must not fail.
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
		answer, err = s.Do(command...)
		if err == nil && ok(answer) {
			return
		}
	}
	s.tb.Fatalf("%s: still answers %s\n%s", strings.Join(command, " "), answer, s.output)
}

// contains returns an argument for until.
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

// output keeps what a server prints, for failure messages.
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
