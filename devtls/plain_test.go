package devtls_test

import (
	"bufio"
	"crypto/tls"
	"io"
	"log"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cognate-auth/cognate/devtls"
	"github.com/cognate-auth/cognate/internal/pipes"
)

// startServer serves TLS, and returns a function that connects to it without TLS. No
// request may reach the handler.
func startServer(t *testing.T) (dial func() net.Conn, logged *strings.Builder) {
	t.Helper()
	config, err := devtls.Config()
	if err != nil {
		t.Fatal(err)
	}
	logged = new(strings.Builder)
	inner := pipes.Listen()
	srv := &http.Server{
		Handler:  http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the handler was reached") }),
		ErrorLog: log.New(logged, "", 0), ReadHeaderTimeout: 5 * time.Second,
	}
	go func() { _ = srv.Serve(devtls.NewListener(inner, config)) }()
	t.Cleanup(func() { _ = srv.Close() })
	return func() net.Conn {
		client := inner.Dial()
		t.Cleanup(func() { _ = client.Close() })
		return client
	}, logged
}

// TestPlainHTTP speaks plain HTTP to a listener that serves TLS. Whoever opens a page
// is redirected; everybody else is told.
func TestPlainHTTP(t *testing.T) {
	const (
		page = "Accept: text/html,application/xhtml+xml\r\n"
		nav  = "Sec-Fetch-Mode: navigate\r\n"
	)
	tests := []struct {
		name, request, location, says string
	}{
		{"a page", "GET /a?b=c%20d HTTP/1.1\r\nHost: localhost:9229\r\n" + page + "\r\n",
			"https://localhost:9229/a?b=c%20d", "Open https://localhost:9229/a?b=c%20d"},
		{"as new browsers say it", "GET / HTTP/1.1\r\nHost: [::1]:9229\r\n" + nav + "\r\n",
			"https://[::1]:9229/", "Open https://[::1]:9229/"},
		{"the absolute form", "GET http://127.0.0.1:5000/x HTTP/1.1\r\nHost: other\r\n" + nav + "\r\n",
			"https://127.0.0.1:5000/x", "Open https://127.0.0.1:5000/x"},
		{"a tool", "GET / HTTP/1.1\r\nHost: localhost:9229\r\nAccept: */*\r\n\r\n", "",
			"This address speaks https, and was asked in plain http. Open https://localhost:9229/"},
		{"a script", "GET / HTTP/1.1\r\nHost: localhost\r\n" + page + "Sec-Fetch-Mode: cors\r\n\r\n", "", "Open https"},
		{"a form", "POST /login HTTP/1.1\r\nHost: localhost:9229\r\n" + nav + "Content-Length: 3\r\n\r\na=b", "",
			"Open https://localhost:9229/login"},
		{"no host", "GET / HTTP/1.0\r\n" + page + "\r\n", "", "Use a URL that starts with https://"},
		{"a host of its own making", "GET / HTTP/1.1\r\nHost: a/b?c\r\n" + page + "\r\n", "", "Use a URL that"},
		{"a name and a password", "GET / HTTP/1.1\r\nHost: u:p@h\r\n" + page + "\r\n", "", "Use a URL that"},
		{"all of a server", "OPTIONS * HTTP/1.1\r\nHost: localhost\r\n\r\n", "", "Use a URL that"},
		{"a proxy's request", "CONNECT x:1 HTTP/1.1\r\nHost: x:1\r\n\r\n", "", "Use a URL that"},
		{"HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "", "Use a URL that"},
		{"no HTTP at all", "HELO mail\r\n\r\n", "", "Use a URL that"},
		{"a long header", "GET / HTTP/1.1\r\nHost: h\r\nX: " + strings.Repeat("x", 20<<10) + "\r\n\r\n", "",
			"Use a URL that"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				dial, logged := startServer(t)
				conn := dial()
				go func() { _, _ = io.WriteString(conn, tt.request) }() // a long one is answered before its end
				in := bufio.NewReader(conn)
				resp, err := http.ReadResponse(in, nil)
				if err != nil {
					t.Fatal(err)
				}
				body, err := io.ReadAll(resp.Body)
				if err != nil {
					t.Fatal(err)
				}
				want := http.StatusBadRequest
				if tt.location != "" {
					want = http.StatusFound
				}
				if resp.StatusCode != want || resp.Header.Get("Location") != tt.location || !resp.Close ||
					resp.Header.Get("Cache-Control") != "no-store" {
					t.Errorf("answer: %d %v, closes: %v", resp.StatusCode, resp.Header, resp.Close)
				}
				if !strings.Contains(string(body), tt.says) {
					t.Errorf("it says %q, want %q", body, tt.says)
				}
				_, err = in.ReadByte()
				if err == nil {
					t.Error("the connection stays open")
				}
				synctest.Wait()
				if !strings.Contains(logged.String(), "the client spoke plain http") {
					t.Errorf("it logs %q", logged)
				}
			})
		})
	}
}

// TestPlainHTTPHead asks for the header alone.
func TestPlainHTTPHead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dial, _ := startServer(t)
		conn := dial()
		_, err := io.WriteString(conn, "HEAD / HTTP/1.1\r\nHost: localhost\r\nAccept: text/html\r\n\r\n")
		if err != nil {
			t.Fatal(err)
		}
		all, err := io.ReadAll(conn)
		text := string(all)
		if err != nil || !strings.HasPrefix(text, "HTTP/1.1 302 ") || !strings.HasSuffix(text, "\r\n\r\n") {
			t.Errorf("answer: %q, %v", all, err)
		}
	})
}

// TestPlainHTTPSlow has clients that stop in the middle, or don't read: each connection
// ends in bounded time.
func TestPlainHTTPSlow(t *testing.T) {
	for name, sends := range map[string]string{
		"one letter":    "G",
		"half a header": "GET / HTTP/1.1\r\nHost: x\r\nX: ",
		"not reading":   "GET / HTTP/1.1\r\nHost: x\r\n\r\n",
		"nothing":       "",
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				dial, logged := startServer(t)
				conn := dial()
				_, err := io.WriteString(conn, sends)
				if err != nil {
					t.Fatal(err)
				}
				time.Sleep(21 * time.Second)
				synctest.Wait()
				if !strings.Contains(logged.String(), "handshake error") {
					t.Error("the server still waits for the client")
				}
			})
		})
	}
}

// TestPlainHTTPWaitsForNobody has a client that sends nothing: others are served.
func TestPlainHTTPWaitsForNobody(t *testing.T) {
	ln, err := devtls.Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	srv := &http.Server{
		Handler: http.NotFoundHandler(), ErrorLog: log.New(io.Discard, "", 0), ReadHeaderTimeout: time.Minute,
	}
	go func() { _ = srv.Serve(ln) }()
	t.Cleanup(func() { _ = srv.Close() })
	silent, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = silent.Close() })
	client := &http.Client{
		Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}},
		CheckRedirect: func(r *http.Request, _ []*http.Request) error {
			if r.URL.Scheme != "https" {
				t.Errorf("redirected to %s", r.URL)
			}
			return nil
		},
	}
	// This browser opens the page with http, follows the redirect, and is served.
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+ln.Addr().String()+"/page", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Accept", "text/html")
	resp, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusNotFound || resp.Request.URL.String() != "https://"+ln.Addr().String()+"/page" {
		t.Errorf("got %d from %s", resp.StatusCode, resp.Request.URL)
	}
	client.CloseIdleConnections()
}
