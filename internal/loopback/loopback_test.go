package loopback_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/cognate-auth/cognate/internal/loopback"
)

// TestTransport reaches a server of this machine under names that resolvers may not
// know: nobody is asked for them, and no proxy.
func TestTransport(t *testing.T) {
	t.Parallel()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, r.Host)
	}))
	t.Cleanup(srv.Close)
	_, port, err := net.SplitHostPort(srv.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Transport: loopback.Transport()}
	t.Cleanup(client.CloseIdleConnections)
	for _, host := range []string{
		"localhost", "myapp.localhost", "a.b.localhost", "MyApp.LocalHost", "myapp.localhost.", "127.0.0.1", "[::ffff:127.0.0.1]",
	} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+host+":"+port, nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := client.Do(r)
		if err != nil {
			t.Errorf("%s: %v", host, err)
			continue
		}
		body, _ := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if string(body) != host+":"+port {
			t.Errorf("%s: the server was asked for %s", host, body)
		}
	}
}

// TestNoProxy checks who is asked through a proxy: other machines.
func TestNoProxy(t *testing.T) {
	t.Setenv("HTTP_PROXY", "http://proxy.test:3128")
	for host, want := range map[string]bool{
		"myapp.localhost": false, "localhost": false, "127.0.0.1": false, "[::1]": false, "localhost.example": true, "notlocalhost": true,
	} {
		got, err := loopback.Transport().Proxy(&http.Request{URL: &url.URL{Scheme: "http", Host: host}})
		if err != nil || (got != nil) != want {
			t.Errorf("%s: proxy %v (%v), want one %t", host, got, err, want)
		}
	}
}

// TestOthersAreResolved leaves other names to the resolver.
func TestOthersAreResolved(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, address := range []string{"localhost.example:80", "notlocalhost:80", "no-port"} {
		conn, err := loopback.Dial(ctx, "tcp", address)
		if err == nil {
			_ = conn.Close()
			t.Errorf("%s: connected", address)
		} else if strings.Contains(err.Error(), "127.0.0.1") {
			t.Errorf("%s: %v", address, err)
		}
	}
}
