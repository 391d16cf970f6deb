package cognate_test

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/cognate-auth/cognate"
	"github.com/cognate-auth/cognate/internal/fakeprovider"
	"github.com/cognate-auth/cognate/sessionstore"
)

// BenchmarkRequest is a signed-in request without the network: the handler alone, and behind
// RequireLogin with the session in its various places.
func BenchmarkRequest(b *testing.B) {
	const url = "https://app.test/private"
	handler := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("hello\n")) })
	run := func(b *testing.B, h http.Handler, cookies ...string) {
		b.Helper()
		requests := make([]*http.Request, len(cookies))
		for i, c := range cookies {
			requests[i] = httptest.NewRequestWithContext(b.Context(), http.MethodGet, url, nil)
			requests[i].Header.Set("Cookie", c)
		}
		w := &discard{header: http.Header{}}
		b.ReportAllocs()
		i := 0
		for b.Loop() {
			clear(w.header)
			h.ServeHTTP(w, requests[i%len(requests)])
			i++
		}
		if w.status != 0 {
			b.Fatalf("status %d", w.status)
		}
	}
	b.Run("bare", func(b *testing.B) { run(b, handler, "a=b") })
	for name, session := range map[string]cognate.SessionConfig{
		"cookie": {}, "tokens in cookies": {TokensInCookie: true}, "memory store": {Store: sessionstore.NewMemory(0)},
	} {
		auth, cookie := signedIn(b, session)
		b.Run(name, func(b *testing.B) { run(b, auth.RequireLogin(handler), cookie) })
	}
}

// discard is a ResponseWriter that costs nothing.
type discard struct {
	header http.Header
	status int
}

func (d *discard) Header() http.Header         { return d.header }
func (d *discard) Write(p []byte) (int, error) { return len(p), nil }
func (d *discard) WriteHeader(status int)      { d.status = status }

// signedIn returns an Auth and a Cookie header that it takes.
func signedIn(b *testing.B, session cognate.SessionConfig) (*cognate.Auth, string) {
	b.Helper()
	p := fakeprovider.New(b)
	auth, err := cognate.New(cognate.Config{
		Issuer: p.Issuer, ClientID: clientID, ClientSecret: clientSecret, RedirectURL: appOrigin + "/oidc_callback",
		Keys:   []cognate.Secret{cognate.Secret(strings.Repeat("k", 32))},
		Logger: slog.New(slog.DiscardHandler), Session: session,
	})
	if err != nil {
		b.Fatal(err)
	}
	x := &app{auth: auth, handler: auth.Handler(auth.RequireLogin(http.NotFoundHandler()))}
	visitor := x.browser(b)
	visitor.signIn(p)
	return auth, cookieHeader(visitor)
}
