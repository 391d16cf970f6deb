package main

import (
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"
)

// TestSlowClients has visitors that send little, or read nothing, and stay: each
// is let go of. The server is the real one with all its patience a fiftieth.
func TestSlowClients(t *testing.T) {
	t.Parallel()
	handled := make(chan error, 10)
	srv := newServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, err := io.ReadAll(r.Body)
		if r.URL.Path == "/much" {
			_, err = w.Write(make([]byte, 64<<20))
		}
		handled <- err
	}), slog.New(slog.DiscardHandler))
	for name, patience := range map[string]*time.Duration{
		"header": &srv.ReadHeaderTimeout, "body": &srv.ReadTimeout, "answer": &srv.WriteTimeout, "idle": &srv.IdleTimeout,
	} {
		if *patience <= 0 || *patience > 2*time.Minute {
			t.Errorf("%s: waits %v", name, *patience)
		}
		*patience /= 50
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = srv.Serve(l) }()
	t.Cleanup(func() { _ = srv.Close() })
	for name, tt := range map[string]struct {
		sends   string
		reads   bool // what comes back, until the end
		reached bool // the handler
		fails   bool // what it does with the request
	}{
		"nothing":       {"", true, false, false},
		"half a header": {"GET / HTTP/1.1\r\nHost: x\r\nX: ", true, false, false},
		"half a body":   {"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\ncode=1", true, true, true},
		"no reading":    {"GET /much HTTP/1.1\r\nHost: x\r\n\r\n", false, true, true},
		"nothing more":  {"GET / HTTP/1.1\r\nHost: x\r\n\r\n", true, true, false},
		"a long header": {"GET / HTTP/1.1\r\nHost: x\r\nX: " + strings.Repeat("x", 100<<10) + "\r\n\r\n", true, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			conn, err := net.Dial("tcp", l.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = conn.Close() })
			_, err = conn.Write([]byte(tt.sends))
			if err != nil && name != "a long header" { // which is refused before its end
				t.Fatal(err)
			}
			_ = conn.SetReadDeadline(time.Now().Add(30 * time.Second))
			if tt.reads {
				_, err = io.Copy(io.Discard, conn)
				if errors.Is(err, os.ErrDeadlineExceeded) {
					t.Error("the connection stays open")
				}
			}
			if !tt.reached {
				return
			}
			select {
			case err := <-handled:
				if (err != nil) != tt.fails {
					t.Errorf("the handler got %v", err)
				}
			case <-time.After(30 * time.Second):
				t.Error("the handler still waits, or was not reached")
			}
		})
	}
}
