package cognate_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/cognate-auth/cognate"
	"github.com/cognate-auth/cognate/internal/cases"
	"github.com/cognate-auth/cognate/internal/fakeprovider"
)

func TestPublicPageSetsNoCookie(t *testing.T) {
	p := fakeprovider.New(t)
	b := newApp(t, p, nil).browser(t)
	resp := b.get("/")
	if resp.StatusCode != http.StatusOK || len(resp.Header["Set-Cookie"]) != 0 || p.Discoveries() != 0 {
		t.Errorf("status %d, cookies %q, %d requests to the provider; want 200 and none",
			resp.StatusCode, resp.Header["Set-Cookie"], p.Discoveries())
	}
	b.signIn(p)
	resp = b.get("/")
	if got := body(t, resp); got != "public, hello ann@example.com" || len(resp.Header["Set-Cookie"]) != 0 {
		t.Errorf("signed in, the public page says %q and sets %q", got, resp.Header["Set-Cookie"])
	}
}

func TestNavigationOrScript(t *testing.T) {
	for _, tt := range []struct {
		name    string
		method  string
		headers []string
		status  int
	}{
		{"browser", "GET", []string{"Accept", "text/html,*/*;q=0.8", "Sec-Fetch-Mode", "navigate"}, 302},
		{"old browser", "GET", []string{"Accept", "text/html,application/xhtml+xml,*/*;q=0.8"}, 302},
		{"no headers", "GET", nil, 302},
		{"head", "HEAD", nil, 302},
		{"form", "POST", []string{"Accept", "text/html", "Sec-Fetch-Mode", "navigate"}, 303},
		{"fetch", "GET", []string{"Accept", "*/*", "Sec-Fetch-Mode", "cors"}, 401},
		{"fetch that accepts html", "GET", []string{"Accept", "text/html", "Sec-Fetch-Mode", "same-origin"}, 401},
		{"json", "GET", []string{"Accept", "application/json"}, 401},
		{"axios", "GET", []string{"Accept", "application/json, text/plain, */*"}, 401},
		{"xhr", "GET", []string{"Accept", "text/html", "X-Requested-With", "XMLHttpRequest"}, 401},
		{"htmx", "GET", []string{"HX-Request", "true"}, 401},
		{"fetch of an old browser", "GET", []string{"Accept", "*/*", "Referer", appOrigin + "/private/"}, 401},
		{"curl", "GET", []string{"Accept", "*/*"}, 302},
		{"put", "PUT", nil, 401},
		{"delete", "DELETE", nil, 401},
		{"image", "GET", []string{"Accept", "image/avif,image/webp"}, 401},
		{"prefetch", "GET", []string{"Sec-Fetch-Mode", "navigate", "Sec-Purpose", "prefetch"}, 401},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := fakeprovider.New(t)
			b := newApp(t, p, nil).browser(t)
			resp := b.request(tt.method, "/private/", tt.headers...)
			if resp.StatusCode != tt.status {
				t.Fatalf("status %d, want %d", resp.StatusCode, tt.status)
			}
			if redirected := resp.Header.Get("Location") != ""; redirected != (tt.status < 400) {
				t.Errorf("Location %q", resp.Header.Get("Location"))
			}
			if tt.status == 401 && (len(b.cookies()) != 0 || p.Discoveries() != 0) {
				t.Errorf("cookies %q, %d requests to the provider; want none", b.cookies(), p.Discoveries())
			}
		})
	}
}

func TestScriptGetsLoginURL(t *testing.T) {
	for _, tt := range []struct {
		name, header, value, want string
	}{
		{"page known", "Referer", appOrigin + "/private/list?a=1&b=2", "/login?return_to=%2Fprivate%2Flist%3Fa%3D1%26b%3D2"},
		{"htmx page", "HX-Current-URL", appOrigin + "/private/x", "/login?return_to=%2Fprivate%2Fx"},
		{"other site", "Referer", "https://evil.test/private", "/login"},
		{"look-alike", "Referer", appOrigin + ".evil.test/private", "/login"},
		{"unknown", "X-Nothing", "x", "/login"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := newApp(t, fakeprovider.New(t), nil).browser(t)
			resp := b.get("/private/", "Accept", "application/json", tt.header, tt.value, "HX-Request", "true")
			var got struct {
				Error    string `json:"error"`
				LoginURL string `json:"login_url"`
			}
			err := json.NewDecoder(resp.Body).Decode(&got)
			if err != nil {
				t.Fatal(err)
			}
			if got.Error != "login_required" || got.LoginURL != tt.want || resp.Header.Get("HX-Redirect") != tt.want {
				t.Errorf("answer %+v, HX-Redirect %q; want %q", got, resp.Header.Get("HX-Redirect"), tt.want)
			}
			if resp.Header.Get("WWW-Authenticate") == "" || resp.Header.Get("Cache-Control") != "no-store" {
				t.Errorf("headers %v", resp.Header)
			}
		})
	}
}

func TestPostIsNotReplayed(t *testing.T) {
	p := fakeprovider.New(t)
	b := newApp(t, p, nil).browser(t)
	resp := b.request(http.MethodPost, "/private/form?step=2", "Sec-Fetch-Mode", "navigate")
	resp = b.get("/oidc_callback?" + p.SignIn(t, resp.Header.Get("Location")).Encode())
	if resp.StatusCode != http.StatusFound || resp.Header.Get("Location") != "/" {
		t.Errorf("status %d to %q, want 302 (a GET) to the home page: the form's own address may answer no GET", resp.StatusCode, resp.Header.Get("Location"))
	}
}

func TestLoginPath(t *testing.T) {
	p := fakeprovider.New(t)
	b := newApp(t, p, nil).browser(t)
	resp := b.get("/login?return_to=" + url.QueryEscape("/private/a?b=c"))
	resp = b.get("/oidc_callback?" + p.SignIn(t, resp.Header.Get("Location")).Encode())
	if got := resp.Header.Get("Location"); got != "/private/a?b=c" {
		t.Errorf("returned to %q", got)
	}
	if resp := b.get("/login?return_to=/private/b"); resp.Header.Get("Location") != "/private/b" {
		t.Errorf("signed in already: redirected to %q, want the page", resp.Header.Get("Location"))
	}
	if resp := b.request(http.MethodPost, "/login"); resp.StatusCode != http.StatusMethodNotAllowed || resp.Header.Get("Allow") != "GET" {
		t.Errorf("POST: status %d, Allow %q", resp.StatusCode, resp.Header.Get("Allow"))
	}
}

// TestLoginFromAPageOfTheApp follows a page that begins a sign-in: it must not lead back
// to itself.
func TestLoginFromAPageOfTheApp(t *testing.T) {
	p := fakeprovider.New(t)
	x := newApp(t, p, nil)
	x.handler = x.auth.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { x.auth.Login(w, r) }))
	b := x.browser(t)
	resp := b.get("/oidc_callback?" + p.SignIn(t, b.get("/signin").Header.Get("Location")).Encode())
	if got := resp.Header.Get("Location"); got != "/" {
		t.Errorf("returned to %q, want the home page", got)
	}
}

// TestLookingAhead lets a browser fetch what is behind links that nobody has followed.
func TestLookingAhead(t *testing.T) {
	p := fakeprovider.New(t)
	b := newApp(t, p, func(c *cognate.Config) { c.AllowGETLogout = true }).browser(t)
	b.signIn(p)
	for _, path := range []string{"/logout", "/login"} {
		resp := b.get(path, "Sec-Purpose", "prefetch;prerender", "Sec-Fetch-Site", "same-origin", "Sec-Fetch-Mode", "navigate")
		if resp.StatusCode != http.StatusServiceUnavailable || len(resp.Header["Set-Cookie"]) != 0 {
			t.Errorf("%s: status %d, cookies %q; want 503 and none", path, resp.StatusCode, resp.Header["Set-Cookie"])
		}
	}
	if !b.signedIn() {
		t.Error("looking ahead signed out")
	}
}

// TestExpiredForm sends a form after the session has ended: the person comes back to the
// page with the form, whose own address answers no GET.
func TestExpiredForm(t *testing.T) {
	p := fakeprovider.New(t)
	b := newApp(t, p, nil).browser(t)
	resp := b.request(http.MethodPost, "/private/save", "Sec-Fetch-Mode", "navigate", "Referer", appOrigin+"/private/edit?id=1")
	resp = b.get("/oidc_callback?" + p.SignIn(t, resp.Header.Get("Location")).Encode())
	if got := resp.Header.Get("Location"); got != "/private/edit?id=1" {
		t.Errorf("returned to %q, want the page with the form", got)
	}
}

// TestRequireLoginAroundHandler is put together the wrong way round. It must not send the
// browser round and round.
func TestRequireLoginAroundHandler(t *testing.T) {
	p := fakeprovider.New(t)
	x := newApp(t, p, nil)
	x.handler = x.auth.RequireLogin(x.auth.Handler(nil))
	b := x.browser(t)
	resp := b.signIn(p)
	if resp.StatusCode != http.StatusInternalServerError || !strings.Contains(x.log.String(), "put Handler around it") {
		t.Errorf("status %d, log:\n%s", resp.StatusCode, x.log)
	}
}

func TestRedirectURLInAnotherSpelling(t *testing.T) {
	b := newApp(t, fakeprovider.New(t), func(c *cognate.Config) { c.RedirectURL = "https://App.Test:443/oidc_callback" }).browser(t)
	resp := b.get("/private/", "Accept", "application/json", "Referer", appOrigin+"/private/x")
	if !strings.Contains(body(t, resp), "return_to=%2Fprivate%2Fx") {
		t.Error("the page of the script is not taken as one of this site")
	}
}

func TestOwnPathsAreNoReturnTarget(t *testing.T) {
	p := fakeprovider.New(t)
	for _, target := range []string{"/logout", "/login", "/oidc_callback?code=x", "/%6Cogout", "/logout#x"} {
		b := newApp(t, p, nil).browser(t)
		resp := b.get("/login?return_to=" + url.QueryEscape(target))
		resp = b.get("/oidc_callback?" + p.SignIn(t, resp.Header.Get("Location")).Encode())
		if got := resp.Header.Get("Location"); got != "/" {
			t.Errorf("%q: returned to %q, want /", target, got)
		}
	}
}

func TestProviderDown(t *testing.T) {
	c := fakeprovider.NewClock()
	p := fakeprovider.New(t)
	p.Now = c.Now
	p.Down = true
	x := newApp(t, p, nil)
	b := x.browser(t)
	for i, want := range []int{1, 1, 1} { // discovery requests: the pause is kept
		resp := b.get("/private/")
		if resp.StatusCode != http.StatusServiceUnavailable || resp.Header.Get("Retry-After") == "" {
			t.Fatalf("status %d, Retry-After %q", resp.StatusCode, resp.Header.Get("Retry-After"))
		}
		if p.Discoveries() != want {
			t.Errorf("request %d: %d discoveries, want %d", i, p.Discoveries(), want)
		}
	}
	if len(b.cookies()) != 0 {
		t.Errorf("cookies %q, want none", b.cookies())
	}
	if resp := b.get("/"); resp.StatusCode != http.StatusOK {
		t.Errorf("public page: status %d", resp.StatusCode)
	}
	p.Down = false
	c.Advance(2 * time.Second)
	b.signIn(p)
	if !b.signedIn() {
		t.Error("not signed in after the provider came back")
	}
	p.Down = true
	if !b.signedIn() {
		t.Error("a provider that is down ended a session")
	}
}

func TestDiscoveryRefused(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(map[string]any)
	}{
		{"other issuer", func(d map[string]any) { d["issuer"] = "https://evil.test" }},
		{"issuer with a slash", func(d map[string]any) { d["issuer"] = d["issuer"].(string) + "/" }},
		{"no authorization endpoint", func(d map[string]any) { delete(d, "authorization_endpoint") }},
		{"no token endpoint", func(d map[string]any) { delete(d, "token_endpoint") }},
		{"no keys", func(d map[string]any) { delete(d, "jwks_uri") }},
		{"token endpoint in the clear", func(d map[string]any) { d["token_endpoint"] = "http://provider.test/token" }},
		{"authorization endpoint is a script", func(d map[string]any) { d["authorization_endpoint"] = "javascript:alert(1)" }},
		{"too large", func(d map[string]any) { d["x"] = strings.Repeat("x", 300<<10) }},
		{"too large, of blanks", func(d map[string]any) { d["pad"] = strings.Repeat(" ", 300<<10) }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := fakeprovider.New(t)
			p.EditDiscovery = tt.change
			b := newApp(t, p, nil).browser(t)
			want := http.StatusServiceUnavailable
			if strings.Contains(tt.name, "issuer") { // which another try does not change
				want = http.StatusBadGateway
			}
			resp := b.get("/private/")
			if again := resp.Header.Get("Retry-After") != ""; resp.StatusCode != want || again != (want == http.StatusServiceUnavailable) {
				t.Errorf("status %d, Retry-After %q; want %d", resp.StatusCode, resp.Header.Get("Retry-After"), want)
			}
		})
	}
}

// TestOtherHostIsReported opens the app under a name that the callback does not have.
func TestOtherHostIsReported(t *testing.T) {
	x := newApp(t, fakeprovider.New(t), nil)
	b := x.browser(t)
	b.get("/private/")
	spelled := newApp(t, fakeprovider.New(t), func(c *cognate.Config) { c.RedirectURL = "https://App.Test:443/oidc_callback" })
	spelled.browser(t).get("/private/")
	if log := x.log.String() + spelled.log.String(); strings.Contains(log, "another host") {
		t.Errorf("reported without a reason: %s", log)
	}
	inner := x.handler
	x.handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Host = "localhost:5000"
		inner.ServeHTTP(w, r)
	})
	b.get("/private/")
	b.get("/private/")
	if n := strings.Count(x.log.String(), "another host"); n != 1 || !strings.Contains(x.log.String(), "expected=app.test") {
		t.Errorf("reported %d times, want once:\n%s", n, x.log)
	}
}

func TestProviderWithoutDiscovery(t *testing.T) {
	p := fakeprovider.New(t)
	p.EditDiscovery = func(d map[string]any) { clear(d) }
	b := newApp(t, p, func(c *cognate.Config) {
		c.Endpoints = cognate.Endpoints{Authorization: p.URL + "/authorize", Token: p.URL + "/token", JWKS: p.URL + "/keys"}
	}).browser(t)
	b.signIn(p)
	if !b.signedIn() || p.Discoveries() != 0 {
		t.Errorf("signed in: %v, after %d requests for a discovery document", b.signedIn(), p.Discoveries())
	}
}

func TestHostHeaderChangesNothing(t *testing.T) {
	p := fakeprovider.New(t)
	x := newApp(t, p, nil)
	r := httptest.NewRequest(http.MethodGet, "https://evil.test/private/", nil)
	r.Header.Set("X-Forwarded-Host", "evil.test")
	w := httptest.NewRecorder()
	x.handler.ServeHTTP(w, r)
	if got := mustURL(t, w.Header().Get("Location")).Query().Get("redirect_uri"); got != appOrigin+"/oidc_callback" {
		t.Errorf("redirect_uri = %q", got)
	}
}

// TestBehindATLSProxy is reached in the clear, whatever a header says of it.
func TestBehindATLSProxy(t *testing.T) {
	for _, proto := range []string{"", "http", "https"} {
		x := newApp(t, fakeprovider.New(t), nil)
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "http://backend.internal:8080/private/", nil)
		if proto != "" {
			r.Header.Set("X-Forwarded-Proto", proto)
			r.Header.Set("Forwarded", "proto="+proto)
		}
		w := httptest.NewRecorder()
		x.handler.ServeHTTP(w, r)
		if got := mustURL(t, w.Header().Get("Location")).Query().Get("redirect_uri"); got != appOrigin+"/oidc_callback" {
			t.Errorf("%q: redirect_uri = %q", proto, got)
		}
		if c := w.Result().Cookies(); len(c) != 1 || !c[0].Secure {
			t.Errorf("%q: cookies %v, want one that is Secure", proto, c)
		}
	}
}

func TestSubPath(t *testing.T) {
	p := fakeprovider.New(t)
	x := newApp(t, p, func(c *cognate.Config) { c.RedirectURL = appOrigin + "/app/oidc_callback" })
	mux := http.NewServeMux()
	mux.Handle("/hello", x.auth.RequireLogin(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })))
	x.handler = x.auth.Handler(http.StripPrefix("/app", mux))
	b := x.browser(t)
	resp := b.get("/app/hello?x=1")
	if got := mustURL(t, resp.Header.Get("Location")).Query().Get("redirect_uri"); got != appOrigin+"/app/oidc_callback" {
		t.Errorf("redirect_uri = %q", got)
	}
	resp = b.get("/app/oidc_callback?" + p.SignIn(t, resp.Header.Get("Location")).Encode())
	if got := resp.Header.Get("Location"); got != "/app/hello?x=1" {
		t.Errorf("returned to %q", got)
	}
	if resp := b.get("/app/hello"); resp.StatusCode != http.StatusNoContent {
		t.Errorf("status %d, want 204", resp.StatusCode)
	}
	if resp := b.get("/app/logout"); resp.StatusCode != http.StatusOK {
		t.Errorf("logout page: status %d", resp.StatusCode)
	}
}

func TestHandlerWithoutNext(t *testing.T) {
	x := newApp(t, fakeprovider.New(t), nil)
	x.handler = x.auth.Handler(nil)
	if resp := x.browser(t).get("/other"); resp.StatusCode != http.StatusNotFound {
		t.Errorf("status %d, want 404", resp.StatusCode)
	}
}

// TestCallbackAlias answers at an old callback URL beside a new one: two values of one
// configuration share sessions, and each redeems its codes with its own redirect URI.
func TestCallbackAlias(t *testing.T) {
	p := fakeprovider.New(t)
	x := newApp(t, p, func(c *cognate.Config) { c.RedirectURL = appOrigin + "/auth/callback" })
	old := newApp(t, p, nil)
	x.handler = old.auth.Handler(x.handler)
	for login, callback := range map[string]string{"/login": "/oidc_callback", "/auth/login": "/auth/callback"} {
		b := x.browser(t)
		location := b.get(login).Header.Get("Location")
		if got := mustURL(t, location).Query().Get("redirect_uri"); got != appOrigin+callback {
			t.Errorf("%s: redirect_uri = %q", login, got)
		}
		b.get(callback + "?" + p.SignIn(t, location).Encode())
		if !b.signedIn() {
			t.Errorf("%s: not signed in:\n%s%s", login, x.log, old.log)
		}
	}
}

// TestHostileReturnTargetsEndToEnd follows each through a whole sign-in, from the login
// path and from a protected page of that name, and resolves where the browser lands as
// a browser does.
func TestHostileReturnTargetsEndToEnd(t *testing.T) {
	p := fakeprovider.New(t)
	x := newApp(t, p, nil)
	for _, target := range cases.HostileTargets {
		b := x.browser(t)
		resp := b.get("/login?return_to=" + url.QueryEscape(target))
		resp = b.get("/oidc_callback?" + p.SignIn(t, resp.Header.Get("Location")).Encode())
		if got := resp.Header.Get("Location"); resp.StatusCode != http.StatusFound || got != "/" {
			t.Errorf("%q: status %d to %q, want the home page", target, resp.StatusCode, got)
		}
	}
}
