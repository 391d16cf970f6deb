package cognate_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/cognate-auth/cognate"
	"github.com/cognate-auth/cognate/internal/cases"
	"github.com/cognate-auth/cognate/internal/fakeprovider"
	"github.com/cognate-auth/cognate/sessionstore"
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
		{"page known", "Referer", appOrigin + "/private/list?a=1&b=2",
			"/login?return_to=%2Fprivate%2Flist%3Fa%3D1%26b%3D2"},
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
		t.Errorf("status %d to %q, want 302 (a GET) to the home page: the form's own address may answer no GET",
			resp.StatusCode, resp.Header.Get("Location"))
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
	if resp := b.request(http.MethodPost, "/login"); resp.StatusCode != http.StatusMethodNotAllowed ||
		resp.Header.Get("Allow") != "GET" {
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
		resp := b.get(path, "Sec-Purpose", "prefetch;prerender", "Sec-Fetch-Site", "same-origin",
			"Sec-Fetch-Mode", "navigate")
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
	resp := b.request(http.MethodPost, "/private/save", "Sec-Fetch-Mode", "navigate", "Referer",
		appOrigin+"/private/edit?id=1")
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
	if resp.StatusCode != http.StatusInternalServerError ||
		!strings.Contains(x.log.String(), "put Handler around RequireLogin") {
		t.Errorf("status %d, log:\n%s", resp.StatusCode, x.log)
	}
}

func TestRedirectURLInAnotherSpelling(t *testing.T) {
	b := newApp(t, fakeprovider.New(t),
		func(c *cognate.Config) { c.RedirectURL = "https://App.Test:443/oidc_callback" }).browser(t)
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
		{"authorization endpoint is a script",
			func(d map[string]any) { d["authorization_endpoint"] = "javascript:alert(1)" }},
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
			if again := resp.Header.Get("Retry-After") != ""; resp.StatusCode != want ||
				again != (want == http.StatusServiceUnavailable) {
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
	spelled := newApp(t, fakeprovider.New(t),
		func(c *cognate.Config) { c.RedirectURL = "https://App.Test:443/oidc_callback" })
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
	if n := strings.Count(x.log.String(), "another host"); n != 1 ||
		!strings.Contains(x.log.String(), "expected=app.test") {
		t.Errorf("reported %d times, want once:\n%s", n, x.log)
	}
}

func TestProviderWithoutDiscovery(t *testing.T) {
	p := fakeprovider.New(t)
	p.EditDiscovery = func(d map[string]any) { clear(d) }
	b := newApp(t, p, func(c *cognate.Config) {
		c.Endpoints = cognate.Endpoints{
			Authorization: p.URL + "/authorize", Token: p.URL + "/token", JWKS: p.URL + "/keys",
		}
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
		if got := mustURL(t, w.Header().Get("Location")).Query().Get("redirect_uri"); got != appOrigin+
			"/oidc_callback" {
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
	mux.Handle("/hello",
		x.auth.RequireLogin(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusNoContent)
		})))
	x.handler = x.auth.Handler(http.StripPrefix("/app", mux))
	b := x.browser(t)
	resp := b.get("/app/hello?x=1")
	if got := mustURL(t, resp.Header.Get("Location")).Query().Get("redirect_uri"); got != appOrigin+
		"/app/oidc_callback" {
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

// A roundTripper plays a browser while the provider's session is open: nobody is asked for
// anything, and every redirect is followed.
type roundTripper struct {
	*browser
	p *fakeprovider.Provider
	// cookies changes the Cookie header of each request.
	cookies func(path string, cookies []*http.Cookie) []*http.Cookie
	// apps answer in turn.
	apps []*app
	seen int
	// headers are sent with each request, in pairs.
	headers []string
}

// follow opens a page, and follows at most 25 redirects. It returns the last answer and how
// many sign-ins it took.
func (f *roundTripper) follow(path string) (resp *http.Response, signIns int) {
	f.t.Helper()
	before := len(f.p.TokenRequests())
	for range 25 {
		r := httptest.NewRequestWithContext(f.t.Context(), http.MethodGet, appOrigin+path, nil)
		for i := 0; i < len(f.headers); i += 2 {
			r.Header.Set(f.headers[i], f.headers[i+1])
		}
		cookies := f.jar.Cookies(appURL)
		if f.cookies != nil {
			cookies = f.cookies(path, cookies)
		}
		for _, c := range cookies {
			r.AddCookie(c)
		}
		w := httptest.NewRecorder()
		handler := f.app.handler
		if len(f.apps) > 0 {
			handler = f.apps[f.seen%len(f.apps)].handler
			f.seen++
		}
		handler.ServeHTTP(w, r)
		resp = w.Result()
		f.jar.SetCookies(appURL, resp.Cookies())
		location := resp.Header.Get("Location")
		switch {
		case location == "":
			return resp, len(f.p.TokenRequests()) - before
		case strings.HasPrefix(location, "/"):
			path = location
		default:
			path = "/oidc_callback?" + f.p.SignIn(f.t, location).Encode()
		}
	}
	return resp, len(f.p.TokenRequests()) - before
}

func isSession(c *http.Cookie) bool { return c.Name == "__Host-cognate" || c.Name == "cognate" }

// TestLoginLoop loses the session in each way, and ends on a page that says which; trying
// again, after it was corrected, signs in.
func TestLoginLoop(t *testing.T) {
	lose := func(_ string, cookies []*http.Cookie) (kept []*http.Cookie) {
		for _, c := range cookies {
			if !isSession(c) && !strings.HasPrefix(c.Name, "__Host-cognate.") {
				kept = append(kept, c)
			}
		}
		return kept
	}
	keep := func(_ string, cookies []*http.Cookie) []*http.Cookie { return cookies }
	plant := func(path string, cookies []*http.Cookie) []*http.Cookie {
		if strings.HasPrefix(path, "/private") {
			cookies = append([]*http.Cookie{{Name: "__Host-cognate", Value: "planted"}}, cookies...)
		}
		return cookies
	}
	otherKeys := func(c *cognate.Config) { c.Keys = []cognate.Secret{cognate.Secret(strings.Repeat("o", 32))} }
	for _, tt := range []struct {
		name    string
		change  func(*cognate.Config)
		cookies func(path string, cookies []*http.Cookie) []*http.Cookie
		claims  func(map[string]any)
		reason  cognate.Reason
		page    string
	}{
		{"cookie blocked", nil, lose, nil, cognate.ReasonCookieBlocked, "doesn’t send this site’s cookie back"},
		{"cookie blocked, with a store",
			func(c *cognate.Config) { c.Session.Store = sessionstore.NewMemory(0) }, lose, nil,
			cognate.ReasonCookieBlocked, "doesn’t send this site’s cookie back"},
		{"cookies too large", nil, lose, func(m map[string]any) { m["custom:tier"] = strings.Repeat("x", 6000) },
			cognate.ReasonSessionTooLarge, "has more to it"},
		{"one of the cookies too large", nil, func(_ string, cookies []*http.Cookie) (kept []*http.Cookie) {
			for _, c := range cookies {
				if c.Name != "__Host-cognate.1" {
					kept = append(kept, c)
				}
			}
			return kept
		}, func(m map[string]any) { m["custom:tier"] = strings.Repeat("x", 6000) },
			cognate.ReasonSessionTooLarge, "has more to it"},
		{"two of one name", nil, plant, nil, cognate.ReasonCookieTwice, "two cookies with the same name"},
		{"two of a further name", nil, func(path string, cookies []*http.Cookie) []*http.Cookie {
			if strings.HasPrefix(path, "/private") {
				cookies = append(cookies, &http.Cookie{Name: "__Host-cognate.1", Value: "planted"})
			}
			return cookies
		}, func(m map[string]any) { m["custom:tier"] = strings.Repeat("x", 6000) }, cognate.ReasonCookieTwice,
			"two cookies with the same name"},
		{"another app's", nil, func(path string, cookies []*http.Cookie) []*http.Cookie {
			for _, c := range cookies {
				if isSession(c) {
					c.Value = "another"
				}
			}
			return cookies
		}, nil, cognate.ReasonCookieUnknown, "doesn’t recognise the cookie"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := fakeprovider.New(t)
			p.EditClaims = tt.claims
			var got *cognate.Error
			x := newApp(t, p, func(c *cognate.Config) {
				if tt.change != nil {
					tt.change(c)
				}
			})
			f := &roundTripper{browser: x.browser(t), p: p, cookies: tt.cookies}
			resp, n := f.follow("/private/page?x=1")
			page := body(t, resp)
			if n != 3 || resp.StatusCode < 400 || !strings.Contains(page, tt.page) ||
				!strings.Contains(x.log.String(), "reason="+string(tt.reason)) {
				t.Errorf("status %d after %d sign-ins, %v, want 3 and %s:\n%s\n%s", resp.StatusCode, n, got,
					tt.reason, page, x.log)
			}
			const again = "/login?return_to=%2Fprivate%2Fpage%3Fx%3D1"
			if !strings.Contains(page, `href="`+again+`"`) {
				t.Errorf("no way to try again:\n%s", page)
			}
			f.cookies = keep
			if resp, n = f.follow(again); resp.StatusCode != http.StatusOK || n > 1 {
				t.Errorf("corrected: status %d after %d sign-ins", resp.StatusCode, n)
			}
		})
	}
	t.Run("processes that don't know each other's sessions", func(t *testing.T) {
		// One process begins and ends the sign-ins, the other one has the pages.
		p := fakeprovider.New(t)
		store := func(c *cognate.Config) { c.Session.Store = sessionstore.NewMemory(0) }
		first, second := newApp(t, p, store), newApp(t, p, store)
		pages := first.handler
		f := &roundTripper{browser: first.browser(t), p: p}
		first.handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if strings.HasPrefix(r.URL.Path, "/private") {
				second.handler.ServeHTTP(w, r)
				return
			}
			pages.ServeHTTP(w, r)
		})
		resp, n := f.follow("/private/")
		if n != 3 || !strings.Contains(second.log.String(), "reason=cookie_unknown") {
			t.Errorf("status %d after %d sign-ins:\n%s", resp.StatusCode, n, second.log)
		}
	})
	t.Run("processes with other keys", func(t *testing.T) {
		p := fakeprovider.New(t)
		first, second := newApp(t, p, nil), newApp(t, p, otherKeys)
		f := &roundTripper{browser: first.browser(t), p: p, apps: []*app{first, first, second}}
		if resp, n := f.follow("/private/"); n > 3 || resp.StatusCode < 400 {
			t.Errorf("status %d after %d sign-ins:\n%s%s", resp.StatusCode, n, first.log, second.log)
		}
	})
	t.Run("behind three processes", func(t *testing.T) {
		p := fakeprovider.New(t)
		clocks := []time.Duration{0, 20 * time.Second, -20 * time.Second}
		f := &roundTripper{p: p, cookies: lose}
		for _, d := range clocks {
			f.apps = append(f.apps,
				newApp(t, p, func(c *cognate.Config) { c.Now = func() time.Time { return time.Now().Add(d) } }))
		}
		f.browser = f.apps[0].browser(t)
		if resp, n := f.follow("/private/"); n != 3 || resp.StatusCode != http.StatusBadRequest {
			t.Errorf("status %d after %d sign-ins", resp.StatusCode, n)
		}
	})
}

// TestLoginLoopWithoutCookies takes every cookie out of the answers that end sign-ins, with
// those that count them.
func TestLoginLoopWithoutCookies(t *testing.T) {
	for name, mode := range map[string]func(*cognate.Config){
		"cookies":           func(*cognate.Config) {},
		"tokens in cookies": tokenModes["cookies"],
		"store":             func(c *cognate.Config) { c.Session.Store = sessionstore.NewMemory(0) },
	} {
		t.Run(name, func(t *testing.T) {
			p := fakeprovider.New(t)
			x := newApp(t, p, mode)
			inner, lost := x.handler, true
			x.handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				answer := httptest.NewRecorder()
				inner.ServeHTTP(answer, r)
				if lost && r.URL.Path == "/oidc_callback" {
					answer.Header().Del("Set-Cookie")
				}
				maps.Copy(w.Header(), answer.Header())
				w.WriteHeader(answer.Code)
				_, _ = w.Write(answer.Body.Bytes())
			})
			f := &roundTripper{browser: x.browser(t), p: p}
			if resp, n := f.follow("/private/page"); n != 3 || resp.StatusCode != http.StatusBadRequest ||
				!strings.Contains(x.log.String(), "reason=cookie_blocked") {
				t.Errorf("status %d after %d sign-ins:\n%s", resp.StatusCode, n, x.log)
			}
			lost = false
			if resp, n := f.follow("/login?return_to=/private/page"); n != 1 || resp.StatusCode != http.StatusOK {
				t.Errorf("corrected: status %d after %d sign-ins", resp.StatusCode, n)
			}
		})
	}
}

// TestStepUpLoop has pages that ask for one more sign-in than any provider would satisfy.
func TestStepUpLoop(t *testing.T) {
	for name, page := range map[string]func(x *app) http.HandlerFunc{
		"the page itself": func(x *app) http.HandlerFunc {
			return func(w http.ResponseWriter, r *http.Request) { x.auth.Login(w, r, cognate.ReturnTo("/strict")) }
		},
		"by another page": func(x *app) http.HandlerFunc {
			return func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/strict" {
					http.Redirect(w, r, "/step-up", http.StatusFound)
					return
				}
				x.auth.Login(w, r, cognate.Prompt("login"), cognate.ReturnTo("/strict"))
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			p := fakeprovider.New(t)
			x := newApp(t, p, nil)
			x.handler = x.auth.Handler(x.auth.RequireLogin(page(x)))
			f := &roundTripper{browser: x.browser(t), p: p}
			resp, n := f.follow("/strict")
			if text := body(t, resp); n != 3 || resp.StatusCode != http.StatusBadRequest ||
				!strings.Contains(text, "You are signed in") ||
				!strings.Contains(x.log.String(), "reason=login_loop") {
				t.Errorf("status %d after %d sign-ins:\n%s\n%s", resp.StatusCode, n, text, x.log)
			}
		})
	}
}

// TestNoLoginLoop does what a person does, fast, and is never stopped.
func TestNoLoginLoop(t *testing.T) {
	t.Run("in and out", func(t *testing.T) {
		for name, out := range map[string]func(x *app, b *browser){
			"by the form": func(_ *app, b *browser) { b.request(http.MethodPost, "/logout") },
			"everywhere": func(x *app, b *browser) {
				b.get("/private/")
				_, err := x.auth.LogoutEverywhere(b.t.Context(), "user-1")
				if err != nil {
					b.t.Error(err)
				}
			},
		} {
			p := fakeprovider.New(t)
			x := newApp(t, p, func(c *cognate.Config) { c.Session.Store = sessionstore.NewMemory(0) })
			f := &roundTripper{browser: x.browser(t), p: p}
			for i := range 10 {
				if resp, n := f.follow("/private/"); resp.StatusCode != http.StatusOK || n != 1 {
					t.Fatalf("%s: status %d after %d sign-ins, the %dth time", name, resp.StatusCode, n, i+1)
				}
				out(x, f.browser)
			}
		}
	})
	t.Run("many tabs", func(t *testing.T) {
		p := fakeprovider.New(t)
		b := newApp(t, p, nil).browser(t)
		var callbacks []string
		for i := range 20 {
			callbacks = append(callbacks,
				"/oidc_callback?"+p.SignIn(t, b.get(fmt.Sprint("/private/", i)).Header.Get("Location")).Encode())
		}
		for i, path := range callbacks {
			if got := b.get(path).Header.Get("Location"); got != fmt.Sprint("/private/", i) {
				t.Errorf("tab %d returned to %q", i, got)
			}
			if resp := b.get(fmt.Sprint("/private/", i)); resp.StatusCode != http.StatusOK {
				t.Errorf("tab %d: status %d", i, resp.StatusCode)
			}
		}
	})
	t.Run("a page that wants a new sign-in, twice", func(t *testing.T) {
		p := fakeprovider.New(t)
		x := newApp(t, p, nil)
		f := &roundTripper{browser: x.browser(t), p: p}
		f.follow("/private/")
		for range 2 {
			b := f.browser
			b.get("/oidc_callback?" + p.SignIn(t, loginAgain(b).Header.Get("Location")).Encode())
			if resp := b.get("/private/"); resp.StatusCode != http.StatusOK {
				t.Errorf("status %d", resp.StatusCode)
			}
		}
	})
	t.Run("a lost session now and then", func(t *testing.T) {
		c := fakeprovider.NewClock()
		p := fakeprovider.New(t)
		p.Now = c.Now
		f := &roundTripper{browser: newApp(t, p, nil).browser(t), p: p}
		for range 10 {
			if resp, n := f.follow("/private/"); resp.StatusCode != http.StatusOK || n != 1 {
				t.Fatalf("status %d after %d sign-ins", resp.StatusCode, n)
			}
			f.jar.SetCookies(appURL, []*http.Cookie{{Name: "__Host-cognate", Path: "/", Secure: true, MaxAge: -1}})
			c.Advance(3 * time.Minute)
		}
	})
}

// TestForgedRow sends what is no count, and one of long ago.
func TestForgedRow(t *testing.T) {
	p := fakeprovider.New(t)
	now := time.Now().Unix()
	for value, stopped := range map[string]bool{
		fmt.Sprintf("3.%d.400", now):          true,
		fmt.Sprintf("4000000000.%d.400", now): true,
		fmt.Sprintf("2.%d.400", now):          false,
		fmt.Sprintf("3.%d.400", now-600):      false,
		fmt.Sprintf("3.%d.400", now+600):      false,
		fmt.Sprintf("3.%d", now):              false,
		fmt.Sprintf("3.%d.4.5", now):          false,
		"":                                    false,
		"x":                                   false,
		"-3.0.0":                              false,
		strings.Repeat("9", 4000):             false,
		"99999999999999999999.0.0":            false,
	} {
		resp := newApp(t, p, nil).browser(t).get("/private/", "Cookie", "__Host-cognate-tx-row="+value)
		if (resp.StatusCode == http.StatusBadRequest) != stopped {
			t.Errorf("%.40q: status %d", value, resp.StatusCode)
		}
	}
}

// TestOtherAddress begins a sign-in where its cookie does not come back from.
func TestOtherAddress(t *testing.T) {
	secure := []string{"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document"}
	for _, tt := range []struct {
		name        string
		from, to    string // hosts, as the app sees them
		start, back []string
		reason      cognate.Reason
	}{
		{"localhost and 127.0.0.1", "localhost:5000", "127.0.0.1:5000", nil, nil, cognate.ReasonOtherAddress},
		{"www", "www.app.test", "app.test", secure, secure, cognate.ReasonOtherAddress},
		{"http", "app.test", "app.test", nil, secure, cognate.ReasonOtherAddress},
		{"a proxy that changes the host", "backend:80", "backend:80", secure, secure, cognate.ReasonState},
		{"cookies blocked", "app.test", "app.test", secure, secure, cognate.ReasonState},
		{"cookies blocked, old browser", "app.test", "APP.test", nil, nil, cognate.ReasonState},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := fakeprovider.New(t)
			x := newApp(t, p, nil)
			host := tt.from
			inner := x.handler
			x.handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				r.Host, r.TLS = host, nil
				inner.ServeHTTP(w, r)
			})
			location := x.browser(t).get("/private/x", tt.start...).Header.Get("Location")
			host = tt.to
			resp := x.browser(t).get("/oidc_callback?"+p.SignIn(t, location).Encode(), tt.back...)
			page := body(t, resp)
			if resp.StatusCode != http.StatusBadRequest ||
				!strings.Contains(x.log.String(), "reason="+string(tt.reason)+" ") ||
				!strings.Contains(page, `href="/login?return_to=%2Fprivate%2Fx"`) || len(p.TokenRequests()) != 0 ||
				strings.Contains(page, "another address") != (tt.reason == cognate.ReasonOtherAddress) ||
				strings.Contains(page, "blocks this site’s cookies") != (tt.reason == cognate.ReasonState) {
				t.Errorf("status %d:\n%s\n%s", resp.StatusCode, x.log, page)
			}
		})
	}
}
