package server_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/cognate-auth/cognate/userpool/internal/pooltest"
	"github.com/cognate-auth/cognate/userpool/pool"
	"github.com/cognate-auth/cognate/userpool/trace"
)

// BenchmarkTrace is a refresh, with two signatures, and a request without any:
// each with and without a trace.
func BenchmarkTrace(b *testing.B) {
	for name, tr := range map[string]*trace.Trace{"off": nil, "on": trace.New(nil)} {
		e := pooltest.New(b, func(c *pool.Config) { c.Trace = tr })
		token, _ := e.Tokens(b)["refresh_token"].(string)
		form := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {token}}.Encode()
		header := pooltest.Basic("app", e.App.Secret)
		header.Set("Content-Type", "application/x-www-form-urlencoded")
		bench := func(method, target, body string, header http.Header) func(*testing.B) {
			return func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					r := httptest.NewRequestWithContext(b.Context(), method, pooltest.BaseURL+
						target, strings.NewReader(body))
					r.Header = header
					e.Handler.ServeHTTP(httptest.NewRecorder(), r)
				}
			}
		}
		b.Run("refresh/"+name, bench(http.MethodPost, "/oauth2/token", form, header))
		b.Run("authorize/"+name, bench(http.MethodGet, "/oauth2/authorize?"+pooltest.Query().Encode(), "", nil))
		b.Run("discovery/"+name, bench(http.MethodGet, "/local_test1/.well-known/openid-configuration", "", nil))
	}
}
