package loopback_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/cognate-auth/cognate/internal/loopback"
)

// TestTransport reaches a server on this machine under names that resolvers may not know,
// without a resolver and without a proxy.
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
	client := &http.Client{Transport: loopback.Default()}
	t.Cleanup(client.CloseIdleConnections)
	for _, host := range []string{
		"localhost", "myapp.localhost", "a.b.localhost", "MyApp.LocalHost", "myapp.localhost.", "127.0.0.1",
		"[::ffff:127.0.0.1]",
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

// TestNoProxy checks that only requests to other machines use the proxy.
func TestNoProxy(t *testing.T) {
	t.Setenv("HTTP_PROXY", "http://proxy.test:3128")
	for host, want := range map[string]bool{
		"myapp.localhost": false, "localhost": false, "127.0.0.1": false, "[::1]": false, "localhost.example": true,
		"notlocalhost": true,
	} {
		got, err := loopback.Default().Proxy(&http.Request{URL: &url.URL{Scheme: "http", Host: host}})
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

func TestBelow(t *testing.T) {
	for host, want := range map[string]bool{
		"shop.localhost": true, "a.b.LocalHost": true, "shop.localhost.": true,
		"localhost": false, "localhost.": false, "127.0.0.1": false, "shop.localhost.evil.test": false,
		"notlocalhost": false, "": false,
	} {
		if got := loopback.Below(host); got != want {
			t.Errorf("%q: %v, want %v", host, got, want)
		}
	}
}

// TestWayOut follows where connections go to, and by which proxy.
func TestWayOut(t *testing.T) {
	closed := errors.New("nobody listens")
	var dialled []string
	base := &http.Transport{
		Proxy: func(*http.Request) (*url.URL, error) { return url.Parse("http://proxy.test") },
		DialContext: func(_ context.Context, _, address string) (net.Conn, error) {
			dialled = append(dialled, address)
			return nil, closed
		},
	}
	tr := loopback.Transport(base)
	for host, want := range map[string][]string{
		"shop.localhost": {"127.0.0.1:80", "[::1]:80"}, "SHOP.LOCALHOST.": {"127.0.0.1:80", "[::1]:80"},
		"shop.test": {"proxy.test:80"}, "localhost.test": {"proxy.test:80"},
	} {
		dialled = nil
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+host+"/", nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := tr.RoundTrip(r)
		if err == nil {
			_ = resp.Body.Close()
		}
		if !errors.Is(err, closed) || !slices.Equal(dialled, want) {
			t.Errorf("%s: %q, %v; want %q", host, dialled, err, want)
		}
	}
	if plain := loopback.Transport(&http.Transport{}); plain.DialContext == nil {
		t.Error("a transport without a dialer has none")
	}
}
