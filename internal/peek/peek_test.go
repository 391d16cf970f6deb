package peek_test

import (
	"errors"
	"io"
	"net"
	"testing"

	"github.com/cognate-auth/cognate/internal/peek"
)

// one is a listener with one connection.
type one struct {
	net.Listener
	conn net.Conn
}

func (l one) Accept() (net.Conn, error) { return l.conn, nil }

// accept returns a connection of a peeking listener, and its client's end.
func accept(t *testing.T, look func(net.Conn, []byte) error) (served, client net.Conn) {
	t.Helper()
	client, inner := net.Pipe()
	served, err := peek.Listener(one{conn: inner}, look).Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = client.Close(), served.Close() })
	return served, client
}

// TestFirstBytesStay checks that look is asked once, about what came first, and that
// nothing is lost to the reader.
func TestFirstBytesStay(t *testing.T) {
	var seen []string
	served, client := accept(t, func(_ net.Conn, first []byte) error {
		seen = append(seen, string(first))
		return nil
	})
	go func() {
		_, _ = io.WriteString(client, "hel")
		_, _ = io.WriteString(client, "lo")
		_ = client.Close()
	}()
	got, err := io.ReadAll(served)
	if err != nil || string(got) != "hello" {
		t.Errorf("read %q, %v", got, err)
	}
	if len(seen) != 1 || seen[0] != "hel" {
		t.Errorf("look saw %q, want only the first bytes", seen)
	}
}

// TestRefused has look refuse: the reader gets no byte, and the error.
func TestRefused(t *testing.T) {
	wrong := errors.New("wrong protocol")
	served, client := accept(t, func(net.Conn, []byte) error { return wrong })
	go func() { _, _ = io.WriteString(client, "hello") }()
	n, err := served.Read(make([]byte, 8))
	if n != 0 || !errors.Is(err, wrong) {
		t.Errorf("read %d bytes, %v", n, err)
	}
}

// TestCloseWrite ends one direction of a TCP connection, as a server does so that its
// answer arrives.
func TestCloseWrite(t *testing.T) {
	inner, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := peek.Listener(inner, func(net.Conn, []byte) error { return nil })
	t.Cleanup(func() { _ = l.Close() })
	client, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	served, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = served.Close() })
	err = served.(interface{ CloseWrite() error }).CloseWrite()
	if err != nil {
		t.Fatal(err)
	}
	rest, err := io.ReadAll(client) // waits for ever if nothing was closed
	if err != nil || len(rest) != 0 {
		t.Errorf("the client read %q, %v", rest, err)
	}
}
