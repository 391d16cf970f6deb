package loopback

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

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

// TestSpellings asks this machine under every spelling of its name, in a process whose
// environment has a proxy for plain http: none of these requests may get there.
func TestSpellings(t *testing.T) {
	if os.Getenv("TEST_SPELLINGS") == "" {
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestSpellings$")
		cmd.Env = append(os.Environ(), "TEST_SPELLINGS=1", "HTTP_PROXY=http://192.0.2.1:3128", "NO_PROXY=", "no_proxy=")
		out, err := cmd.CombinedOutput() // the environment is read once for each process
		if err != nil {
			t.Errorf("%v\n%s", err, out)
		}
		return
	}
	srv := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	t.Cleanup(srv.Close)
	_, port, err := net.SplitHostPort(srv.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	t.Cleanup(cancel)
	for _, insecure := range []bool{false, true} {
		for _, host := range []string{
			"localhost", "localhost.", "LOCALHOST", "LocalHost.", "127.0.0.1", "[::ffff:127.0.0.1]", "shop.localhost",
			"Shop.LocalHost.",
		} {
			r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+host+":"+port, nil)
			if err != nil {
				t.Fatal(err)
			}
			resp, err := RoundTripper{AskResolver: insecure}.RoundTrip(r)
			if err != nil {
				t.Errorf("%s: %v", host, err)
				continue
			}
			_ = resp.Body.Close()
		}
	}
	if ordinary("::1%lo") {
		t.Error("an address with a zone goes to the proxy")
	}
}
