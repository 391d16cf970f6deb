package cognate_test

import (
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/cognate-auth/cognate"
	"github.com/cognate-auth/cognate/internal/fakeprovider"
	"github.com/cognate-auth/cognate/sessionstore"
)

// TestNothingButPeopleBeginsSignIns asks for each page that begins a sign-in as something
// else than a person would: no cookie is set, and the provider isn't asked.
func TestNothingButPeopleBeginsSignIns(t *testing.T) {
	const old = "Mozilla/5.0 (iPad; CPU OS 12_5 like Mac OS X)"
	for _, tt := range []struct {
		name    string
		headers []string
		begins  bool
	}{
		{"image of a neighbour",
			[]string{"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "no-cors", "Sec-Fetch-Dest", "image"}, false},
		{"image of a sibling",
			[]string{"Sec-Fetch-Site", "same-site", "Sec-Fetch-Mode", "no-cors", "Sec-Fetch-Dest", "image"}, false},
		{"script",
			[]string{"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "no-cors", "Sec-Fetch-Dest", "script"}, false},
		{"style",
			[]string{"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "no-cors", "Sec-Fetch-Dest", "style"}, false},
		{"fetch", []string{"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "cors", "Sec-Fetch-Dest", "empty"}, false},
		{"fetch of our own",
			[]string{"Sec-Fetch-Site", "same-origin", "Sec-Fetch-Mode", "cors", "Sec-Fetch-Dest", "empty"}, false},
		{"frame of a neighbour",
			[]string{"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "iframe"}, false},
		{"frame of a sibling",
			[]string{"Sec-Fetch-Site", "same-site", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "frame"}, false},
		{"object",
			[]string{"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "object"}, false},
		{"embed",
			[]string{"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "embed"}, false},
		{"frame that doesn't say whose", []string{"Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "iframe"}, false},
		{"image of an old browser", []string{"Accept", "image/png,image/*;q=0.8,*/*;q=0.5", "User-Agent", old}, false},
		{"script of an old browser that says no referrer", []string{"Accept", "*/*", "User-Agent", old}, false},
		{"prefetch", []string{"Sec-Purpose", "prefetch", "Sec-Fetch-Mode", "navigate"}, false},
		{"prerender",
			[]string{"Sec-Purpose", "prefetch;prerender", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document"},
			false},
		{"prefetch as it was", []string{"Purpose", "prefetch"}, false},
		{"prefetch of Firefox as it was", []string{"X-Moz", "prefetch"}, false},
		{"preview", []string{"X-Purpose", "preview"}, false},
		{"person",
			[]string{"Sec-Fetch-Site", "none", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document"}, true},
		{"link on another site",
			[]string{"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document"}, true},
		{"frame of our own",
			[]string{"Sec-Fetch-Site", "same-origin", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "iframe"}, true},
		{"old browser", []string{"Accept", "text/html,application/xhtml+xml,*/*;q=0.8", "User-Agent", old}, true},
		{"curl", []string{"Accept", "*/*", "User-Agent", "curl/8.5.0"}, true},
		{"nothing said", nil, true},
	} {
		for _, path := range []string{"/login", "/login?return_to=/private/x", "/private/", "/own"} {
			t.Run(tt.name+" "+path, func(t *testing.T) {
				p := fakeprovider.New(t)
				x := newApp(t, p, nil)
				inner := x.handler
				x.handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					if r.URL.Path == "/own" {
						x.auth.Login(w, r)
						return
					}
					inner.ServeHTTP(w, r)
				})
				resp := x.browser(t).get(path, tt.headers...)
				began := resp.StatusCode == http.StatusFound && strings.HasPrefix(resp.Header.Get("Location"), p.URL)
				if began != tt.begins || len(resp.Cookies()) > 0 != tt.begins || p.Discoveries() > 0 != tt.begins ||
					!began && resp.StatusCode != http.StatusUnauthorized &&
						resp.StatusCode != http.StatusServiceUnavailable {
					t.Errorf("status %d to %q, cookies %v", resp.StatusCode,
						resp.Header.Get("Location"), resp.Cookies())
				}
			})
		}
	}
}

// TestWayBackFromForms offers, in each answer to a form, a page to come back to: the one with
// the form, or the home page, and never the form's own address.
func TestWayBackFromForms(t *testing.T) {
	for name, answer := range map[string]func(x *app) http.Handler{
		"nobody signed in": func(x *app) http.Handler { return x.auth.RequireLogin(nil) },
		"a rule": func(x *app) http.Handler {
			return x.auth.Require(cognate.Group("nobody"))(nil)
		},
		"an error of the app": func(x *app) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				x.auth.Fail(w, r, errors.New("no"))
			})
		},
		"a store that is down": func(*app) http.Handler { return nil },
	} {
		for referer, want := range map[string]string{
			"": "/", appOrigin + "/private/edit?id=1": "/private/edit?id=1", "https://evil.test/private": "/",
		} {
			t.Run(name+" "+referer, func(t *testing.T) {
				p := fakeprovider.New(t)
				store := &logoutStore{records: map[string]sessionstore.Record{}, fails: map[string]bool{}, now: p.Now}
				x := newApp(t, p, func(c *cognate.Config) {
					if name == "a store that is down" {
						c.Session.Store = store
					}
				})
				b := x.browser(t)
				if name != "nobody signed in" {
					b.signIn(p)
				}
				store.fails["Load"] = true
				h := answer(x)
				if h == nil {
					h = x.auth.RequireLogin(nil)
				}
				x.handler = x.auth.Handler(h)
				resp := b.request(http.MethodPost, "/private/save", "Sec-Fetch-Mode", "navigate", "Referer", referer)
				got := "/"
				if page := body(t, resp); resp.StatusCode == http.StatusSeeOther {
					store.fails["Load"] = false
					got = b.get("/oidc_callback?" +
						p.SignIn(t, resp.Header.Get("Location")).Encode()).Header.Get("Location")
				} else if strings.Contains(page, "return_to=%2Fprivate%2Fedit%3Fid%3D1") {
					got = "/private/edit?id=1"
				} else if !strings.Contains(page, `href="/login"`) {
					t.Errorf("status %d:\n%s", resp.StatusCode, page)
				}
				if got != want {
					t.Errorf("back to %q, want %q", got, want)
				}
			})
		}
	}
	t.Run("several providers", func(t *testing.T) {
		x := newSeveral(t, nil)
		page := body(t, x.browser(t).request(http.MethodPost, "/private/save", "Sec-Fetch-Mode", "navigate"))
		if strings.Contains(page, "return_to") {
			t.Errorf("the choice leads to the form's own address:\n%s", page)
		}
	})
}

// TestUselessCookieAndScripts leaves the cookies alone in an answer to a script: it may come
// after a sign-in in another tab.
func TestUselessCookieAndScripts(t *testing.T) {
	several := newSeveral(t, nil)
	single := newApp(t, fakeprovider.New(t), nil)
	failing := newApp(t, fakeprovider.New(t), nil)
	failing.handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		failing.auth.Fail(w, r, &cognate.Error{Reason: cognate.ReasonNotSignedIn})
	})
	for name, x := range map[string]*app{"several": several.app, "one": single, "Fail": failing} {
		const cookies = "__Host-a=x; __Host-b=x; __Host-cognate=x"
		for _, script := range [][]string{
			{"Sec-Fetch-Mode", "cors"}, {"Accept", "application/json"}, {"HX-Request", "true"},
			{"Sec-Purpose", "prefetch"},
		} {
			resp := x.browser(t).get("/private/", append(script, "Cookie", cookies)...)
			if resp.StatusCode != http.StatusUnauthorized || len(resp.Cookies()) != 0 {
				t.Errorf("%s, %q: status %d, cookies %v", name, script, resp.StatusCode, resp.Cookies())
			}
		}
		removed := false
		for _, c := range x.browser(t).get("/private/", "Sec-Fetch-Mode", "navigate", "Cookie", cookies).Cookies() {
			removed = removed || c.MaxAge < 0
		}
		if !removed {
			t.Errorf("%s: a person keeps the useless cookie", name)
		}
	}
}

// TestDenialNamesSubject reads the log lines of refusals of somebody who is known.
func TestDenialNamesSubject(t *testing.T) {
	for name, tt := range map[string]struct {
		change func(*cognate.Config)
		route  func(x *app) http.Handler
	}{
		"rule of a route": {nil,
			func(x *app) http.Handler { return x.auth.Require(cognate.Group("nobody"))(nil) }},
		"rule of sign-in": {func(c *cognate.Config) { c.LoginRules = []cognate.Rule{cognate.Group("nobody")} },
			nil},
		"address not verified": {func(c *cognate.Config) { c.RequireVerifiedEmail = true }, nil},
		"no tokens":            {nil, func(x *app) http.Handler { return x.auth.RequireAccessToken(nil) }},
	} {
		t.Run(name, func(t *testing.T) {
			p := fakeprovider.New(t)
			p.EditClaims = func(m map[string]any) { m["email_verified"] = false }
			x := newApp(t, p, tt.change)
			b := x.browser(t)
			b.signIn(p)
			if tt.route != nil {
				x.handler = tt.route(x)
				b.get("/")
			}
			line := lineWith(x.log.String(), "cognate: refused")
			if !strings.Contains(line, "sub=user-1") {
				t.Errorf("the line names nobody: %s", x.log)
			}
		})
	}
}

func lineWith(log, text string) string {
	for line := range strings.Lines(log) {
		if strings.Contains(line, text) {
			return line
		}
	}
	return ""
}

// TestLogLeavesOutQueries has the provider quote addresses as it refuses them.
func TestLogLeavesOutQueries(t *testing.T) {
	p := fakeprovider.New(t)
	x := newApp(t, p, nil)
	b := x.browser(t)
	for _, description := range []string{
		"The redirect URI 'https://app.test/oidc_callback?tenant=s3cret&x=s3cret' is not registered.",
		"redirect_mismatch: https://app.test/oidc_callback?s3cret",
		`see <http://app.test?s3cret=1> and "https://b.test/a?s3cret#s3cret"`,
	} {
		q := p.SignIn(t, b.get("/private/").Header.Get("Location"))
		q.Set("error", "redirect_mismatch")
		q.Set("error_description", description)
		b.get("/oidc_callback?" + q.Encode())
	}
	q := p.SignIn(t, b.get("/private/").Header.Get("Location"))
	q.Set("iss", "https://evil.test/?s3cret")
	b.get("/oidc_callback?" + q.Encode())
	if log := x.log.String(); strings.Contains(log, "s3cret") ||
		!strings.Contains(log, "https://app.test/oidc_callback?…") {
		t.Errorf("log:\n%s", log)
	}
	_, err := cognate.New(cognate.Config{
		Issuer: p.Issuer, ClientID: clientID, RedirectURL: appOrigin + "/cb?s3cret=1",
		ClientSecrets: &cognate.ClientSecrets{RedirectURIs: []string{appOrigin + "/cb?s3cret=2"}},
	})
	if err == nil || strings.Contains(err.Error(), "s3cret") || !strings.Contains(err.Error(), "queries") {
		t.Errorf("error %v", err)
	}
}

// TestCookieNamesWithWhiteSpace sends what a sibling site can plant: browsers take such a
// name for one without the prefix.
func TestCookieNamesWithWhiteSpace(t *testing.T) {
	p := fakeprovider.New(t)
	x := newApp(t, p, nil)
	attacker := x.browser(t)
	q := p.SignIn(t, attacker.get("/private/").Header.Get("Location"))
	mine := attacker.jar.Cookies(appURL)[0]
	row := fmt.Sprintf("__Host-cognate-tx-row=3.%d.1", p.Now().Unix())
	for _, space := range []string{"\u2003", "\u00a0", "\u0085", "\u3000", "\v", "\f"} {
		for _, header := range []string{space + mine.Name + "=" + mine.Value, mine.Name + space + "=" + mine.Value} {
			resp := x.browser(t).get("/oidc_callback?"+q.Encode(), "Cookie", header)
			if resp.StatusCode != http.StatusBadRequest || len(p.TokenRequests()) != 0 {
				t.Errorf("%q: status %d", header, resp.StatusCode)
			}
		}
		if resp := x.browser(t).get("/private/", "Cookie", space+row); resp.StatusCode != http.StatusFound {
			t.Errorf("%q: status %d", space, resp.StatusCode)
		}
		resp := x.browser(t).request(http.MethodPost, "/logout", "Cookie", space+mine.Name+"=x")
		for _, c := range resp.Cookies() {
			t.Errorf("%q: a cookie of another name was taken for ours, and removed: %v", space, c)
		}
		c := goodConfig()
		for _, name := range []string{space + "name", "name" + space, "na" + space + "me"} {
			c.CookieName = name
			_, err := cognate.New(c)
			if err == nil {
				t.Errorf("the CookieName %q is taken", name)
			}
		}
	}
}

// TestPagesOfPeopleWhoAreSignedIn has things fail for somebody who is signed in. The page
// speaks of the page, not of a sign-in that did not work.
func TestPagesOfPeopleWhoAreSignedIn(t *testing.T) {
	for _, reason := range reasons(t, "reasons.go") {
		if reason == cognate.ReasonRefreshRefused || reason == cognate.ReasonNotSignedIn {
			continue // they lead to a sign-in
		}
		p := fakeprovider.New(t)
		x := newApp(t, p, nil)
		b := x.browser(t)
		b.signIn(p)
		x.handler = x.auth.RequireLogin(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			x.auth.Fail(w, r, &cognate.Error{Reason: reason, Err: errors.New("it failed")})
		}))
		resp := b.get("/private/x", "Sec-Fetch-Mode", "navigate")
		page := body(t, resp)
		if strings.Contains(page, "Sign-in didn’t work") || strings.Contains(page, "nobody was signed in") ||
			strings.Contains(page, "<h1></h1>") ||
			strings.Contains(page, "Sign-in is not available") || resp.StatusCode < 400 {
			t.Errorf("%s: status %d:\n%s", reason, resp.StatusCode, page)
		}
	}
}

// reasons reads the constants of type Reason that a file declares, by their name without a
// leading Reason.
func reasons(t *testing.T, name string) map[string]cognate.Reason {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]cognate.Reason{}
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok || len(spec.Values) != 1 {
			return true
		}
		kind, _ := spec.Type.(*ast.Ident)
		value, _ := spec.Values[0].(*ast.BasicLit)
		if kind != nil && kind.Name == "Reason" && value != nil {
			text, err := strconv.Unquote(value.Value)
			if err != nil {
				t.Fatal(err)
			}
			all[strings.TrimPrefix(spec.Names[0].Name, "Reason")] = cognate.Reason(text)
		}
		return true
	})
	return all
}

// TestEveryReasonHasAPage looks each up that the documentation names.
func TestEveryReasonHasAPage(t *testing.T) {
	all := reasons(t, "reasons.go")
	if n := len(all); n < 45 {
		t.Fatalf("%d reasons", n)
	}
	x := newApp(t, fakeprovider.New(t), nil)
	for _, reason := range all {
		if !cognate.HasPage(reason) {
			t.Errorf("%s has no page", reason)
		}
	}
	w := httptest.NewRecorder()
	x.auth.Fail(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil), errors.New("something else"))
	if page := w.Body.String(); w.Code != http.StatusInternalServerError || strings.Contains(page, "<h1></h1>") ||
		strings.Contains(page, "something else") {
		t.Errorf("status %d:\n%s", w.Code, page)
	}
}

// TestOneRowForEachReason: a reason without a row would be answered like a reason of the app's
// own, and one that the checks below have under another value would be another reason.
func TestOneRowForEachReason(t *testing.T) {
	all := reasons(t, "reasons.go")
	values := slices.Sorted(maps.Values(all))
	if rows := slices.Sorted(maps.Keys(cognate.Rows)); !slices.Equal(rows, values) {
		t.Errorf("the table has rows for\n%q, want\n%q", rows, values)
	}
	checks := reasons(t, "internal/refusal/refusal.go")
	if len(checks) < 30 {
		t.Fatalf("%d reasons of checks", len(checks))
	}
	for name, value := range checks {
		if all[name] != value {
			t.Errorf("refusal.%s is %q, and Reason%s is %q", name, value, name, all[name])
		}
	}
}
