package server_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/cognate-auth/cognate/userpool"
	"github.com/cognate-auth/cognate/userpool/devview"
	"github.com/cognate-auth/cognate/userpool/internal/pooltest"
	"github.com/cognate-auth/cognate/userpool/memstore"
	"github.com/cognate-auth/cognate/userpool/pool"
	"github.com/cognate-auth/cognate/userpool/server"
	"github.com/cognate-auth/cognate/userpool/trace"
)

func newPool(t *testing.T, issuer string, changes ...func(*pool.Config)) *pool.Pool {
	t.Helper()
	keys, err := pooltest.Keys()
	if err != nil {
		t.Fatal(err)
	}
	cfg := pool.Config{ID: "local_a1", Issuer: issuer, Store: memstore.New(), Keys: keys, Hashing: pooltest.Cheap}
	for _, change := range changes {
		change(&cfg)
	}
	p, err := pool.New(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	_, err = p.Clients.Create(t.Context(), userpool.Client{
		ID: "app", CallbackURLs: []string{"https://app.test/"}, LogoutURLs: []string{"https://app.test/"},
	})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestConfig has configurations that New must not accept.
func TestConfig(t *testing.T) {
	t.Parallel()
	p := newPool(t, "http://localhost:9229/")
	for name, cfg := range map[string]server.Config{
		"no pool": {BaseURL: "http://localhost"}, "no URL": {Pool: p},
		"slash": {Pool: p, BaseURL: "http://localhost/"}, "path": {Pool: p, BaseURL: "http://localhost/a"},
		"no scheme": {Pool: p, BaseURL: "localhost:9229"}, "scheme": {Pool: p, BaseURL: "ftp://localhost"},
		"query": {Pool: p, BaseURL: "http://localhost?a"}, "user": {Pool: p, BaseURL: "http://a@localhost"},
		"no token":                 {Pool: p, BaseURL: "http://localhost", DevView: true},
		"one click without a view": {Pool: p, BaseURL: "http://localhost", OneClickSignIn: true},
		"short token":              {Pool: p, BaseURL: "http://localhost", DevView: true, DevViewToken: "hunter2"},
	} {
		_, err := server.New(cfg)
		if err == nil || !strings.Contains(err.Error(), "Config.") || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: got error %v", name, err)
		}
	}
}

// TestReportEndpoint: discovery has one member more than Cognito's if the developer's view
// takes reports, and they can be sent there.
func TestReportEndpoint(t *testing.T) {
	t.Parallel()
	const base = "http://localhost:9229"
	for name, tt := range map[string]struct{ view, remembers, want bool }{
		"view": {true, true, true}, "no view": {false, true, false}, "nothing to show": {true, false, false},
	} {
		p := newPool(t, base+"/")
		if tt.remembers {
			p = newPool(t, base+"/", func(c *pool.Config) { c.Trace = trace.New(nil) })
		}
		h, err := server.New(server.Config{Pool: p, BaseURL: base, DevView: tt.view, DevViewToken: devview.NewToken()})
		if err != nil {
			t.Fatal(err)
		}
		ask := func(method, path string) *httptest.ResponseRecorder {
			w := httptest.NewRecorder()
			h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), method, base+path, nil))
			return w
		}
		var document map[string]any
		err = json.Unmarshal(ask(http.MethodGet, "/local_a1/.well-known/openid-configuration").Body.Bytes(), &document)
		if err != nil {
			t.Fatal(err)
		}
		endpoint, has := document["cognate_sign_in_report_endpoint"]
		if has != tt.want || tt.want && endpoint != base+"/_cognate/report" || tt.want == (len(document) == 12) {
			t.Errorf("%s: discovery says %v", name, document)
		}
		if got := ask(http.MethodPost, "/_cognate/report").Code; (got == http.StatusUnsupportedMediaType) != tt.view {
			t.Errorf("%s: a report is answered %d", name, got)
		}
	}
}

// TestSecureCookies checks that the domain's scheme decides, for the cookie
// that is set and for the one that is cleared.
func TestSecureCookies(t *testing.T) {
	t.Parallel()
	q := url.Values{
		"client_id": {"app"}, "redirect_uri": {"https://app.test/"}, "response_type": {"code"},
	}.Encode()
	for base, want := range map[string]bool{"http://localhost:9229": false, "https://auth.test": true} {
		handler, err := server.New(server.Config{Pool: newPool(t, base+"/local_a1"), BaseURL: base})
		if err != nil {
			t.Fatal(err)
		}
		for _, target := range []string{"/login?" + q, "/logout?" + q} {
			w := httptest.NewRecorder()
			handler.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), "GET", base+target, nil))
			got := w.Header().Get("Set-Cookie")
			if got == "" || strings.Contains(got, "; Secure") != want || strings.Contains(got, "Domain") {
				t.Errorf("%s%.8s: got cookie %s, want Secure %t", base, target, got, want)
			}
		}
	}
}

// TestIssuerOnAnotherHost checks that issuer and domain are two things.
func TestIssuerOnAnotherHost(t *testing.T) {
	t.Parallel()
	p := newPool(t, "https://issuer.test/local_a1")
	handler, err := server.New(server.Config{Pool: p, BaseURL: "https://auth.test"})
	if err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	target := "/local_a1/.well-known/openid-configuration"
	handler.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), "GET", target, nil))
	for _, want := range []string{
		`"issuer":"https://issuer.test/local_a1"`, `"token_endpoint":"https://auth.test/oauth2/token"`,
		`"jwks_uri":"https://issuer.test/local_a1/.well-known/jwks.json"`,
	} {
		if !strings.Contains(w.Body.String(), want) {
			t.Errorf("discovery lacks %s:\n%s", want, w.Body)
		}
	}
}

// TestHeaders looks at what every answer has, a missing page's included.
func TestHeaders(t *testing.T) {
	t.Parallel()
	handler, err := server.New(
		server.Config{Pool: newPool(t, "http://localhost:9229/local_a1"), BaseURL: "http://localhost:9229"},
	)
	if err != nil {
		t.Fatal(err)
	}
	for _, target := range []string{"/", "/login", "/nothing", "/oauth2/userInfo"} {
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), "GET", target, nil))
		h := w.Header()
		if len(h.Get("X-Amz-Cognito-Request-Id")) != 36 || h.Get("X-Frame-Options") != "DENY" ||
			h.Get("X-Content-Type-Options") != "nosniff" || h.Get("X-XSS-Protection") != "" ||
			!strings.Contains(h.Get("Cache-Control"), "no-store") {
			t.Errorf("%s: headers %v", target, h)
		}
	}
}
