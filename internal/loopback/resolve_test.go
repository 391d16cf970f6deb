package loopback

import (
	"context"
	"errors"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/cognate-auth/cognate/internal/freeport"
)

// TestResolving follows where connections go to when the resolver is asked: names below
// localhost that it knows are where it says, and everything else is where it was.
func TestResolving(t *testing.T) {
	closed := errors.New("nobody listens")
	var asked, dialled []string
	dial := func(_ context.Context, _, address string) (net.Conn, error) {
		dialled = append(dialled, address)
		return nil, closed
	}
	lookup := func(ctx context.Context, host string) ([]string, error) {
		if _, ok := ctx.Deadline(); !ok {
			t.Error("the resolver may take for ever")
		}
		asked = append(asked, host)
		switch host {
		case "pool.localhost.":
			return []string{"192.0.2.1"}, nil
		case "empty.localhost.":
			return nil, nil
		}
		return nil, &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
	}
	loop := func(port string) []string { return []string{"127.0.0.1:" + port, "[::1]:" + port} }
	for _, tt := range []struct {
		address        string
		asked, dialled []string
	}{
		{"pool.localhost:80", []string{"pool.localhost."}, []string{"pool.localhost.:80"}},
		{"pool.localhost.:80", []string{"pool.localhost."}, []string{"pool.localhost.:80"}},
		{"shop.localhost:81", []string{"shop.localhost."}, loop("81")},
		{"empty.localhost:81", []string{"empty.localhost."}, loop("81")},
		{"localhost:80", nil, loop("80")},
		{"127.0.0.1:80", nil, []string{"127.0.0.1:80"}},
		{"pool.test:80", nil, []string{"pool.test:80"}},
		{"no-port", nil, []string{"no-port"}},
	} {
		asked, dialled = nil, nil
		_, err := resolving(lookup, dial, dialBy(dial))(t.Context(), "tcp", tt.address)
		if !errors.Is(err, closed) || !slices.Equal(asked, tt.asked) || !slices.Equal(dialled, tt.dialled) {
			t.Errorf("%s: asked %q, dialled %q (%v); want %q, %q",
				tt.address, asked, dialled, err, tt.asked, tt.dialled)
		}
	}
}

// TestNobodyThere says what to do when a name below localhost was meant to be another
// machine's.
func TestNobodyThere(t *testing.T) {
	port, err := freeport.Find(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://pool.localhost:"+strconv.Itoa(port), nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := RoundTripper{}.RoundTrip(r)
	if err == nil {
		_ = resp.Body.Close()
		t.Fatal("somebody answers")
	}
	if !strings.Contains(err.Error(), "if pool.localhost is another one, such as a container, set InsecureHTTP") {
		t.Error(err)
	}
}
