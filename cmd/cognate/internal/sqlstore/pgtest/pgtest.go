// Package pgtest starts a real PostgreSQL server for tests. It listens on the
// loopback interface, keeps its data in a folder of its own, and ends with the
// tests.
//
// The programs are initdb and postgres from the folder that the environment
// variable POSTGRES_BIN names, from PATH, or from where Debian has them.
package pgtest

import (
	"bytes"
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver called pgx
)

// patience limits every wait for the server. It is long, for busy machines.
const patience = 60 * time.Second

// Password is the password of the server's user.
const Password = "only-for-this-test"

// A Server is one PostgreSQL server process.
type Server struct {
	// Addr is its host:port.
	Addr string

	dir     string
	process *exec.Cmd
	output  bytes.Buffer
	exited  chan struct{}
}

// Start starts a server with settings, such as "fsync=on", in addition to settings that
// suit tests. The caller closes it.
func Start(settings ...string) (s *Server, err error) {
	s = &Server{exited: make(chan struct{})}
	defer func() {
		if err != nil {
			s.Close()
		}
	}()
	s.dir, err = os.MkdirTemp("", "pgtest")
	if err != nil {
		return s, err
	}
	err = handOver(s.dir)
	if err != nil {
		return s, err
	}
	err = s.initialize()
	if err != nil {
		return s, err
	}
	port, err := freePort()
	if err != nil {
		return s, err
	}
	s.Addr = net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	return s, s.run(port, settings)
}

// initialize creates the server's data folder.
func (s *Server) initialize() error {
	secret := filepath.Join(s.dir, "password")
	// The server's user must be able to read it, and it protects nothing.
	err := os.WriteFile(secret, []byte(Password+"\n"), 0o644) //nolint:gosec // see above
	if err != nil {
		return err
	}
	// The password is sent in plain text: under the race detector, deriving a key from
	// it would take each connection longer than most tests.
	initdb, err := s.command("initdb", "-D", s.data(), "-U", "cognate", "-A", "password", "--pwfile", secret,
		"-E", "UTF8", "--no-sync")
	if err != nil {
		return err
	}
	text, err := initdb.CombinedOutput()
	if err != nil {
		return fmt.Errorf("initdb: %w\n%s", err, text)
	}
	return nil
}

func (s *Server) data() string { return filepath.Join(s.dir, "data") }

func (s *Server) run(port int, settings []string) (err error) {
	args := []string{"-D", s.data(), "-p", strconv.Itoa(port), "-k", s.dir, "-h", "127.0.0.1"}
	for _, setting := range append([]string{"fsync=off", "full_page_writes=off", "max_connections=200"}, settings...) {
		args = append(args, "-c", setting)
	}
	s.process, err = s.command("postgres", args...)
	if err != nil {
		return err
	}
	s.process.Stdout, s.process.Stderr = &s.output, &s.output
	err = s.process.Start()
	if err != nil {
		s.process = nil
		return err
	}
	go func() {
		_ = s.process.Wait()
		close(s.exited)
	}()
	return s.await()
}

// command returns a command of PostgreSQL, as another user if the tests run as root,
// because these programs refuse to run as root.
func (s *Server) command(name string, args ...string) (*exec.Cmd, error) {
	path, err := find(name)
	if err != nil {
		return nil, fmt.Errorf("this test needs PostgreSQL: %w\nInstall it with `apt-get install postgresql` or "+
			"`brew install postgresql`, or set POSTGRES_BIN to the folder of its programs", err)
	}
	cmd := exec.CommandContext(context.Background(), path, args...) //nolint:gosec // it is the tester's own server
	cmd.Dir = s.dir
	return cmd, asUnprivileged(cmd)
}

func find(name string) (string, error) {
	if dir := os.Getenv("POSTGRES_BIN"); dir != "" {
		return exec.LookPath(filepath.Join(dir, name))
	}
	path, err := exec.LookPath(name)
	if err == nil {
		return path, nil
	}
	all, _ := filepath.Glob("/usr/lib/postgresql/*/bin/" + name) // the pattern is well formed
	if len(all) == 0 {
		return "", err
	}
	return all[len(all)-1], nil
}

// freePort returns a port on which nothing listens. If another program takes it first,
// the server reports that.
func freePort() (int, error) {
	ln, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer ln.Close()
	return ln.Addr().(*net.TCPAddr).Port, nil
}

// await waits until the server answers.
func (s *Server) await() error {
	for begin := time.Now(); time.Since(begin) < patience; time.Sleep(20 * time.Millisecond) {
		select {
		case <-s.exited:
			return fmt.Errorf("PostgreSQL ended:\n%s", &s.output)
		default:
		}
		if s.exec("SELECT 1") == nil {
			return nil
		}
	}
	return errors.New("PostgreSQL does not answer")
}

func (s *Server) exec(query string) error {
	db, err := sql.Open("pgx", s.url(""))
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }() // nothing is under way
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	_, err = db.ExecContext(ctx, query)
	return err
}

func (s *Server) url(schema string) string {
	u := url.URL{Scheme: "postgres", User: url.UserPassword("cognate", Password), Host: s.Addr, Path: "/postgres"}
	if schema != "" {
		u.RawQuery = url.Values{"search_path": {schema}}.Encode()
	}
	return u.String()
}

// URL returns the address of an empty schema for this test only.
func (s *Server) URL(tb testing.TB) string {
	tb.Helper()
	schema := "s" + strings.ToLower(rand.Text())
	err := s.exec("CREATE SCHEMA " + schema)
	if err != nil {
		tb.Fatal(err)
	}
	return s.url(schema)
}

// Close stops the server and removes its data.
func (s *Server) Close() {
	if s.process != nil {
		_ = s.process.Process.Signal(os.Interrupt) // it may have ended
		select {
		case <-s.exited:
		case <-time.After(patience):
			_ = s.process.Process.Kill() // its data are removed next
		}
	}
	_ = os.RemoveAll(s.dir) // it is in the folder for temporary files
}
