package listen

import (
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cognate-auth/cognate/internal/pipes"
)

// TestSlowClients has clients that send little, or read nothing, and stay connected:
// the server closes each connection. It is the real server with its timeouts, and time
// is virtual.
func TestSlowClients(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		sends   string
		reads   bool // it reads the answer until its end
		reached bool // the handler is called
		fails   bool // the handler fails
	}{
		"nothing":       {"", true, false, false},
		"half a header": {"GET / HTTP/1.1\r\nHost: x\r\nX: ", true, false, false},
		"half a body":   {"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\ncode=1", true, true, true},
		"no reading":    {"GET /much HTTP/1.1\r\nHost: x\r\n\r\n", false, true, true},
		"nothing more":  {"GET / HTTP/1.1\r\nHost: x\r\n\r\n", true, true, false},
		"a long header": {"GET / HTTP/1.1\r\nHost: x\r\nX: " + strings.Repeat("x", 100<<10) + "\r\n\r\n",
			true, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				handled := make(chan error, 1)
				srv := newServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					_, err := io.ReadAll(r.Body)
					if r.URL.Path == "/much" {
						_, err = w.Write(make([]byte, 1<<20))
					}
					handled <- err
				}), slog.New(slog.DiscardHandler))
				l := pipes.Listen()
				go func() { _ = srv.Serve(l) }()
				t.Cleanup(func() { _ = srv.Close() })

				conn := l.Dial()
				t.Cleanup(func() { _ = conn.Close() })
				go func() { _, _ = io.WriteString(conn, tt.sends) }() // a long header is refused before its end
				const most = 2 * time.Minute
				if tt.reads {
					_ = conn.SetReadDeadline(time.Now().Add(most + time.Second))
					_, err := io.Copy(io.Discard, conn)
					if err != nil {
						t.Errorf("the connection stays open: %v", err)
					}
				}
				time.Sleep(most)
				select {
				case err := <-handled:
					if !tt.reached || (err != nil) != tt.fails {
						t.Errorf("the handler was reached, and got %v", err)
					}
				default:
					if tt.reached {
						t.Error("the handler still waits, or was not reached")
					}
				}
				// No goroutine is left that waits for a client that does not read.
				_ = conn.SetReadDeadline(time.Now().Add(time.Second))
				_, err := io.Copy(io.Discard, conn)
				if err != nil && !errors.Is(err, io.ErrClosedPipe) {
					t.Errorf("after all that time, the connection is open: %v", err)
				}
			})
		})
	}
}
