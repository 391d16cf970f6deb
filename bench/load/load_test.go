package load_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cognate-auth/cognate/bench/load"
)

// TestRun counts requests at both ends.
func TestRun(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	seen, cookies := 0, map[string]int{}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		seen++
		cookies[r.Header.Get("Cookie")]++
		if r.URL.Path != "/hello" || r.Method != http.MethodGet {
			w.WriteHeader(http.StatusNotFound)
		}
		fmt.Fprint(w, "hello\n")
	}))
	t.Cleanup(srv.Close)
	c := dial(t, load.Target{
		Addr: srv.Listener.Addr().String(), Path: "/hello", Cookies: []string{"a=1", "b=2; c=3"}, Status: http.StatusOK,
	}, 4)

	got, err := c.Run(t.Context(), 50*time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	if got.Requests != seen || seen < 4 {
		t.Errorf("counted %d requests, the server %d; want the same, and one for each connection at least",
			got.Requests, seen)
	}
	if len(cookies) != 2 || cookies["a=1"] == 0 || cookies["b=2; c=3"] == 0 {
		t.Errorf("cookies: %v, want both", cookies)
	}
	if got.P50 <= 0 || got.P99 < got.P50 || got.Elapsed < 50*time.Millisecond {
		t.Errorf("got %+v: want 0 < P50 <= P99, and the time asked for", got)
	}
}

// TestRotation posts a refresh token, and then the token of each answer, which is
// chunked.
func TestRotation(t *testing.T) {
	t.Parallel()
	tokens := make(chan string, 1_000)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		old := r.PostFormValue("refresh_token")
		if len(tokens) < cap(tokens) {
			tokens <- r.PostFormValue("n") + old
		}
		_, _ = fmt.Fprintf(w, `{"refresh_token":"%sx"}%s`, old[:min(len(old), 50)], strings.Repeat(" ", 3_000))
	}))
	t.Cleanup(server.Close)
	target := load.Target{
		Addr: strings.TrimPrefix(server.URL, "http://"), Path: "/", Status: http.StatusOK, Rotates: true,
		Bodies: []string{"n=1&refresh_token=a", "refresh_token=b&n=2"},
		Header: "Content-Type: application/x-www-form-urlencoded\r\n",
	}
	c := dial(t, target, 2)
	for range 3 { // each of them sends at least one request on each connection
		_, err := c.Run(t.Context(), 10*time.Millisecond)
		if err != nil {
			t.Fatal(err)
		}
	}
	close(tokens)
	next := map[byte]string{'1': "1a", '2': "2b"}
	for got := range tokens {
		if got != next[got[0]] {
			t.Fatalf("got %q, want %q", got, next[got[0]])
		}
		next[got[0]] = got[:min(len(got), 51)] + "x"
	}
	if target.Bodies[0] == "n=1&refresh_token=a" {
		t.Error("another client would begin with a used token")
	}
}

// TestRunRefuses has a server with another answer than expected.
func TestRunRefuses(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ answer, want string }{
		"status":      {"HTTP/1.1 302 Found\r\nContent-Length: 0\r\n\r\n", "status 302, expected 200"},
		"no length":   {"HTTP/1.1 200 OK\r\n\r\n", "no valid Content-Length"},
		"chunks":      {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n\r\n", "malformed chunk"},
		"cut chunks":  {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab", "EOF"},
		"length":      {"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", "no valid Content-Length"},
		"protocol":    {"SSH-2.0\r\n\r\n", "not HTTP/1.1"},
		"more":        {"HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\nab", "longer than its Content-Length"},
		"large":       {"HTTP/1.1 200 OK\r\nContent-Length: 2000000000\r\n\r\n", "longer than 65536"},
		"endless":     {"HTTP/1.1 200 OK\r\nX: " + strings.Repeat("x", 70_000), "longer than 65536"},
		"cut":         {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab", "EOF"},
		"nothing":     {"", "EOF"},
		"short line":  {"HTTP/1.1 2\r\n\r\n", "not HTTP/1.1"},
		"status text": {"HTTP/1.1 abc\r\n\r\n", "not HTTP/1.1"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := dial(t, load.Target{Addr: answering(t, tt.answer), Path: "/", Status: http.StatusOK}, 1)
			_, err := c.Run(t.Context(), time.Hour)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got error %v, want %q", err, tt.want)
			}
		})
	}
}

// TestRunEnds ends the context while a server does not answer.
func TestRunEnds(t *testing.T) {
	t.Parallel()
	listener := listen(t)
	c := dial(t, load.Target{Addr: listener.Addr().String(), Path: "/", Status: http.StatusOK}, 2)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	_, err := c.Run(ctx, time.Hour)
	if err == nil {
		t.Error("got no error, want one")
	}
}

func dial(t *testing.T, target load.Target, connections int) *load.Client {
	t.Helper()
	c, err := load.Dial(t.Context(), target, connections)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func listen(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

// answering returns the address of a server that reads a little, sends this answer and
// closes.
func answering(t *testing.T, answer string) string {
	t.Helper()
	l := listen(t)
	go func() {
		c, err := l.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		_, _ = c.Read(make([]byte, 1024))
		_, _ = c.Write([]byte(answer))
	}()
	return l.Addr().String()
}
