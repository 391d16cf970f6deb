package hosted_test

import (
	"crypto/sha256"
	"encoding/base64"
	"html"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/cognate-auth/cognate/userpool/internal/pooltest"
	"github.com/cognate-auth/cognate/userpool/pool"
)

const csrf = "abcdefab-0000-4000-8000-00000000000f"

// target is the address that the sign-in form posts to.
func target(pairs ...string) string { return "/login?" + pooltest.Query(pairs...).Encode() }

func credentials(username, password string) url.Values {
	return url.Values{
		"_csrf": {csrf}, "username": {username}, "password": {password}, "cognitoAsfData": {""},
		"signInSubmitButton": {"Sign in"},
	}
}

// fromPage is the header of a form that a browser posts from our page.
func fromPage(cookies ...string) http.Header {
	cookies = append([]string{"XSRF-TOKEN=" + csrf}, cookies...)
	return http.Header{
		"Cookie": {strings.Join(cookies, "; ")}, "Sec-Fetch-Site": {"same-origin"}, "Origin": {pooltest.BaseURL},
	}
}

func sessionCookie(a pooltest.Answer) *http.Cookie {
	for _, c := range a.Cookies() {
		if c.Name == "cognito" {
			return c
		}
	}
	return nil
}

// TestSignIn pins the answer to the right password.
func TestSignIn(t *testing.T) {
	t.Parallel()
	e := pooltest.New(t)
	a := e.Post(t, target("state", "a&b=c"), credentials("ann", pooltest.Password), fromPage())
	to := a.Target(t)
	if a.StatusCode != http.StatusFound || !strings.HasPrefix(to.String(), pooltest.Callback+"?") {
		t.Fatalf("got %d to %s", a.StatusCode, to)
	}
	if to.Query().Get("state") != "a&b=c" || to.Query().Get("code") == "" || len(to.Query()) != 2 {
		t.Errorf("got %s, want code and state", to.RawQuery)
	}
	form := regexp.MustCompile(`^cognito=[\w-]{43}; Path=/; Max-Age=3600; HttpOnly; SameSite=Lax$`)
	if got := a.Header.Values("Set-Cookie"); len(got) != 1 || !form.MatchString(got[0]) {
		t.Errorf("got cookies %q", got)
	}
	if again := e.Redeem(t, to.Query().Get("code")); again.StatusCode != http.StatusOK {
		t.Errorf("the code gives %d %s", again.StatusCode, again.Body)
	}
}

// TestRefusedSignIn shows the page again, with the name and without the
// password.
func TestRefusedSignIn(t *testing.T) {
	t.Parallel()
	a := pooltest.New(t).Post(t, target(), credentials(`Ann"><b>`, "wrong-password-1"), fromPage())
	if a.StatusCode != http.StatusUnauthorized || sessionCookie(a) != nil || a.Header.Get("Location") != "" {
		t.Errorf("got %d, headers %v", a.StatusCode, a.Header)
	}
	for _, want := range []string{
		`role="alert"`, "Incorrect username or password.", `value="Ann&#34;&gt;&lt;b&gt;"`,
		`aria-describedby="message"`, `id="message"`, "<title>Error: ",
	} {
		if !strings.Contains(a.Body, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if strings.Contains(a.Body, "wrong-password-1") || strings.Contains(a.Body, "<b>") {
		t.Error("the page repeats the password, or the name unescaped")
	}
}

// TestUnknownUserLooksTheSame compares status, headers and body, until the lock
// and beyond, for a user, and a name that nobody has.
func TestUnknownUserLooksTheSame(t *testing.T) {
	t.Parallel()
	e := pooltest.New(t)
	for i := range 8 {
		e.Clock.Advance(time.Duration(i%3) * time.Second)
		known := e.Post(t, target(), credentials("ann", "wrong"), fromPage())
		unknown := e.Post(t, target(), credentials("eve", "wrong"), fromPage())
		known.Body = strings.ReplaceAll(known.Body, "ann", "eve")
		for _, a := range []pooltest.Answer{known, unknown} {
			a.Header.Del("X-Amz-Cognito-Request-Id")
		}
		if known.StatusCode != unknown.StatusCode || known.Body != unknown.Body ||
			!maps.EqualFunc(known.Header, unknown.Header, func(a, b []string) bool { return a[0] == b[0] }) {
			t.Errorf("attempt %d: the answers differ:\n%v\n%v", i, known, unknown)
		}
	}
	if a := e.Post(t, target(), credentials("eve", "x"), fromPage()); !strings.Contains(a.Body, "exceeded") {
		t.Error("the unknown name was never locked")
	}
}

// TestLockedPage shows the lock's text, also for the right password.
func TestLockedPage(t *testing.T) {
	t.Parallel()
	e := pooltest.New(t)
	for range 5 {
		e.Post(t, target(), credentials("ann", "wrong"), fromPage())
	}
	a := e.Post(t, target(), credentials("ann", pooltest.Password), fromPage())
	if a.StatusCode != http.StatusUnauthorized || !strings.Contains(a.Body, "Password attempts exceeded") {
		t.Errorf("got %d, want 401 and the lock's text", a.StatusCode)
	}
}

// TestForgedForms has posts that did not come from our page in this browser.
// None may sign in, not even with the right password.
func TestForgedForms(t *testing.T) {
	t.Parallel()
	good := credentials("ann", pooltest.Password)
	change := func(name, value string) url.Values {
		v := maps.Clone(good)
		v[name] = []string{value}
		return v
	}
	site := func(pairs ...string) http.Header {
		h := fromPage()
		for i := 0; i < len(pairs); i += 2 {
			h.Set(pairs[i], pairs[i+1])
		}
		return h
	}
	twice := maps.Clone(good)
	twice["_csrf"] = []string{csrf, csrf}
	names := maps.Clone(good)
	names["username"] = []string{"ann", "bob"}
	big := maps.Clone(good)
	big["cognitoAsfData"] = []string{strings.Repeat("x", 70<<10)}
	tests := []struct {
		name   string
		header http.Header
		form   url.Values
		status int
	}{
		{"no cookie", http.Header{}, good, 403},
		{"empty cookie and field", http.Header{"Cookie": {"XSRF-TOKEN="}}, change("_csrf", ""), 403},
		{"no cookie, empty field", http.Header{}, change("_csrf", ""), 403},
		{"no field", fromPage(), change("_csrf", ""), 403},
		{"other token", fromPage(), change("_csrf", strings.Repeat("a", 36)), 403},
		{"upper case", fromPage(), change("_csrf", strings.ToUpper(csrf)), 403},
		{"two cookies", http.Header{"Cookie": {"XSRF-TOKEN=" + csrf + "; XSRF-TOKEN=x"}}, good, 403},
		{"cross site", site("Sec-Fetch-Site", "cross-site"), good, 403},
		{"same site", site("Sec-Fetch-Site", "same-site"), good, 403},
		{"other origin, old browser", site("Sec-Fetch-Site", "", "Origin", "https://evil.test"), good, 403},
		{"origin null, old browser", site("Sec-Fetch-Site", "", "Origin", "null"), good, 403},
		{"token twice", fromPage(), twice, 400},
		{"user name twice", fromPage(), names, 400},
		{"JSON", site("Content-Type", "application/json"), good, 400},
		{"plain text", site("Content-Type", "text/plain"), good, 400},
		{"oversized", fromPage(), big, 413},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			e := pooltest.New(t)
			a := e.Post(t, target(), tt.form, tt.header)
			if a.StatusCode != tt.status || sessionCookie(a) != nil || a.Header.Get("Location") != "" {
				t.Errorf("got %d, headers %v; want %d and no effect", a.StatusCode, a.Header, tt.status)
			}
			if strings.Contains(e.Logs.String(), "signed in") {
				t.Error("the password was tried")
			}
			checkPage(t, a)
		})
	}
}

// TestFormWithoutFetchMetadata is an old browser on our page, and a script
// without a browser: the token decides.
func TestFormWithoutFetchMetadata(t *testing.T) {
	t.Parallel()
	for name, header := range map[string]http.Header{
		"origin alone": {"Cookie": {"XSRF-TOKEN=" + csrf}, "Origin": {pooltest.BaseURL}},
		"neither":      {"Cookie": {"XSRF-TOKEN=" + csrf}},
	} {
		a := pooltest.New(t).Post(t, target(), credentials("ann", pooltest.Password), header)
		if a.StatusCode != http.StatusFound || sessionCookie(a) == nil {
			t.Errorf("%s: got %d, want 302 and a session", name, a.StatusCode)
		}
	}
}

// TestPostChecksTheRequestAgain changes the request between page and form.
func TestPostChecksTheRequestAgain(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ target, want string }{
		"redirect_uri": {target("redirect_uri", "https://evil.test/"),
			pooltest.BaseURL + "/error?error=redirect_mismatch&client_id=app"},
		"client": {target("client_id", "x"), pooltest.BaseURL + "/error?error=Client+does+not+exist&client_id=x"},
		"scope": {target("scope", "admin"),
			pooltest.Callback + "?error_description=invalid_scope&state=S&error=invalid_request"},
		"prompt": {target("prompt", "none"), pooltest.Callback + "?state=S&error=login_required"},
		"no query": {"/login", pooltest.BaseURL +
			"/error?error=Required+String+parameter+%27client_id%27+is+not+present"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := pooltest.New(t).Post(t, tt.target, credentials("ann", pooltest.Password), fromPage())
			if got := a.Header.Get("Location"); got != tt.want || sessionCookie(a) != nil {
				t.Errorf("got %d to %s\nwant %s and no session", a.StatusCode, got, tt.want)
			}
		})
	}
}

// TestSessionFixation checks that a sign-in never continues under an id that
// was there before, and that the one before is over.
func TestSessionFixation(t *testing.T) {
	t.Parallel()
	e := pooltest.New(t)
	planted := strings.Repeat("A", 43)
	form := credentials("ann", pooltest.Password)
	first := sessionCookie(e.Post(t, target(), form, fromPage("cognito="+planted)))
	second := sessionCookie(e.Post(t, target(), form, fromPage("cognito="+first.Value)))
	if first.Value == planted || second.Value == first.Value {
		t.Error("the session id did not change")
	}
	for value, want := range map[string]bool{planted: false, first.Value: false, second.Value: true} {
		a := e.Get(t, "/oauth2/authorize", pooltest.Query(), http.Header{"Cookie": {"cognito=" + value}})
		if got := a.Target(t).Query().Get("code") != ""; got != want {
			t.Errorf("session alive: got %t, want %t", got, want)
		}
	}
}

// TestSessionIsNotExtended checks that use does not prolong the hour.
func TestSessionIsNotExtended(t *testing.T) {
	t.Parallel()
	e := pooltest.New(t)
	c := sessionCookie(e.Post(t, target(), credentials("ann", pooltest.Password), fromPage()))
	header := http.Header{"Cookie": {"cognito=" + c.Value}}
	for minutes, want := range []bool{true, true, false} {
		a := e.Get(t, "/oauth2/authorize", pooltest.Query(), header)
		if got := a.Target(t).Query().Get("code") != ""; got != want {
			t.Errorf("after %d minutes: session alive %t, want %t", minutes*30, got, want)
		}
		e.Clock.Advance(30 * time.Minute)
	}
}

// TestTwoTabs opens two sign-in pages in one browser and uses both.
func TestTwoTabs(t *testing.T) {
	t.Parallel()
	e := pooltest.New(t)
	first := e.Get(t, "/login", pooltest.Query("state", "1"), nil)
	cookies := first.Cookies()
	if len(cookies) != 1 || cookies[0].Name != "XSRF-TOKEN" {
		t.Fatalf("got cookies %v", cookies)
	}
	browser := http.Header{"Cookie": {"XSRF-TOKEN=" + cookies[0].Value}}
	second := e.Get(t, "/login", pooltest.Query("state", "2"), browser)
	for state, page := range map[string]pooltest.Answer{"1": first, "2": second} {
		form := credentials("ann", pooltest.Password)
		form.Set("_csrf", field(t, page.Body, "_csrf"))
		to := e.Post(t, action(t, page.Body), form, browser).Target(t)
		if to.Query().Get("state") != state || to.Query().Get("code") == "" {
			t.Errorf("tab %s: got %s", state, to)
		}
	}
}

func field(t *testing.T, page, name string) string {
	t.Helper()
	m := regexp.MustCompile(`name="` + name + `"[^>]*\svalue="([^"]*)"`).FindStringSubmatch(page)
	if m == nil {
		t.Fatalf("the page has no field %s", name)
	}
	return html.UnescapeString(m[1])
}

func action(t *testing.T, page string) string {
	t.Helper()
	form := regexp.MustCompile(`<form name="cognitoSignInForm" method="post" action="([^"]*)">`)
	m := form.FindStringSubmatch(page)
	if m == nil {
		t.Fatal("the page has no form")
	}
	return html.UnescapeString(m[1])
}

// TestLoginPage pins what scripts and password managers look for.
func TestLoginPage(t *testing.T) {
	t.Parallel()
	q := pooltest.Query("state", `"><script>`, "login_hint", `a"n<n`, "lang", "en")
	a := pooltest.New(t).Get(t, "/login", q, nil)
	checkPage(t, a)
	if a.StatusCode != http.StatusOK || action(t, a.Body) != "/login?"+q.Encode() {
		t.Errorf("got %d, form to %s", a.StatusCode, action(t, a.Body))
	}
	for _, want := range []string{
		`<input type="hidden" name="cognitoAsfData" value="">`, `name="signInSubmitButton"`,
		`<label for="signInFormUsername">Username</label>`, `<label for="signInFormPassword">Password</label>`,
		`autocomplete="username"`, `autocomplete="current-password"`, `value="a&#34;n&lt;n"`,
		`<strong>The App</strong>`, `<html lang="en">`, `name="viewport"`,
	} {
		if !strings.Contains(a.Body, want) {
			t.Errorf("the page lacks %s", want)
		}
	}
	if strings.Contains(a.Body, "<script") || strings.Contains(a.Body, `role="alert"`) {
		t.Error("the page holds a script or an alert")
	}
}

// TestLoginPageIgnoresSession checks that the page, opened directly, always asks.
func TestLoginPageIgnoresSession(t *testing.T) {
	t.Parallel()
	e := pooltest.New(t)
	a := e.Get(t, "/login", pooltest.Query(), e.Session(t))
	if a.StatusCode != http.StatusOK || !strings.Contains(a.Body, "signInFormPassword") {
		t.Errorf("got %d to %s, want the page", a.StatusCode, a.Header.Get("Location"))
	}
}

// TestLoginOption has a request for an identity provider that is not there.
func TestLoginOption(t *testing.T) {
	t.Parallel()
	a := pooltest.New(t).Get(t, "/login", pooltest.Query("identity_provider", "Google"), nil)
	const text = "Login option is not available. Please try another one"
	if a.StatusCode != http.StatusUnauthorized || !strings.Contains(a.Body, text) {
		t.Errorf("got %d, want 401 and %q", a.StatusCode, text)
	}
}

// TestSignInWithEmail checks the three kinds of pools, and what they ask for.
func TestSignInWithEmail(t *testing.T) {
	t.Parallel()
	email := []string{"email"}
	alias := func(c *pool.Config) { c.Settings.AliasAttributes = email }
	tests := []struct {
		name   string
		change func(*pool.Config)
		typed  string
		want   bool
	}{
		{"user name", func(*pool.Config) {}, " ANN ", true},
		{"no alias", func(*pool.Config) {}, "ann@example.com", false},
		{"alias", alias, "Ann@Example.com", true},
		{"alias, user name", alias, "ann", true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			a := pooltest.New(t, tt.change).Post(t, target(), credentials(tt.typed, pooltest.Password), fromPage())
			if got := sessionCookie(a) != nil; got != tt.want {
				t.Errorf("signed in: got %t, want %t", got, tt.want)
			}
		})
	}
}

// TestFormAction checks that no page with a form says where its answer may lead:
// browsers hold every redirect that follows to that, and an app's callback may send
// people on to any origin. A page without a form allows none.
func TestFormAction(t *testing.T) {
	t.Parallel()
	pages(t, func(t *testing.T, s stop) {
		for name, v := range map[string]*pooltest.Visitor{"page": s.v, "refusal": s.v.Copy().Submit(t)} {
			if policy := v.Page.Header.Get("Content-Security-Policy"); strings.Contains(policy, "form-action") &&
				strings.Contains(v.Page.Body, "<form") {
				t.Errorf("%s at %s: policy %s stops redirects", name, v.At, policy)
			}
		}
		for _, path := range []string{"/error?error=redirect_mismatch", "/"} {
			v := s.e.NewVisitor().Open(t, path)
			if !strings.Contains(v.Page.Header.Get("Content-Security-Policy"), "form-action 'none'") {
				t.Errorf("%s: policy %s allows forms", path, v.Page.Header.Get("Content-Security-Policy"))
			}
		}
	})
}

// TestOpener checks who keeps hold of a page that it opened in a window: the app
// that signs people in there, and nobody else.
func TestOpener(t *testing.T) {
	t.Parallel()
	const free, cut = "unsafe-none", "same-origin"
	for name, tt := range map[string]struct {
		site, referer string
		want          string
	}{
		"an old browser":          {"", "", cut},
		"typed":                   {"none", "", cut},
		"another site":            {"cross-site", "", cut},
		"it says who it is":       {"cross-site", "https://evil.test/", cut},
		"a name like the app's":   {"cross-site", "https://app.test.evil.test/", cut},
		"the app as user name":    {"cross-site", "https://app.test@evil.test/", cut},
		"the app's other port":    {"cross-site", "https://app.test:8443/", cut},
		"the app, without TLS":    {"cross-site", "http://app.test/", cut},
		"no web page":             {"cross-site", "about:blank", cut},
		"malformed":               {"cross-site", "https://app.test:x/", cut},
		"the app":                 {"cross-site", "https://app.test/", free},
		"the app in capitals":     {"cross-site", "HTTPS://APP.test/some?page", free},
		"the app, an old browser": {"", "https://app.test/", free},
		"a neighbour":             {"same-site", "", free},
		"the page before":         {"same-origin", pooltest.BaseURL + "/login", free},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := pooltest.New(t)
			h := http.Header{}
			if tt.site != "" {
				h.Set("Sec-Fetch-Site", tt.site)
			}
			if tt.referer != "" {
				h.Set("Referer", tt.referer)
			}
			for _, path := range []string{"/login", "/forgotPassword"} {
				got := e.Get(t, path, pooltest.Query(), h).Header.Get("Cross-Origin-Opener-Policy")
				if got != tt.want {
					t.Errorf("%s: got %q, want %q", path, got, tt.want)
				}
			}
			want := tt.want
			if tt.site != "same-site" && tt.site != "same-origin" {
				want = cut // no app is known there
			}
			for _, path := range []string{"/", "/error"} {
				if got := e.Get(t, path, nil, h).Header.Get("Cross-Origin-Opener-Policy"); got != want {
					t.Errorf("%s: got %q, want %q", path, got, want)
				}
			}
		})
	}
}

var styleElement = regexp.MustCompile(`(?s)<style>(.*)</style>`)

// checkPage checks the headers that every page has, and that the policy's hash
// is the style sheet's.
func checkPage(t *testing.T, a pooltest.Answer) {
	t.Helper()
	for name, want := range map[string]string{
		"Content-Type": "text/html; charset=utf-8", "X-Frame-Options": "DENY", "X-Content-Type-Options": "nosniff",
		"Referrer-Policy": "same-origin", "Cache-Control": "no-cache, no-store, max-age=0, must-revalidate",
	} {
		if got := a.Header.Get(name); got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
	style := styleElement.FindStringSubmatch(a.Body)
	if style == nil {
		t.Fatal("the page has no style")
	}
	sum := sha256.Sum256([]byte(style[1]))
	policy := a.Header.Get("Content-Security-Policy")
	hash := base64.StdEncoding.EncodeToString(sum[:])
	if !strings.HasPrefix(policy, "default-src 'none'; style-src 'sha256-"+hash+"'; ") ||
		a.Header.Get("Cross-Origin-Opener-Policy") == "" ||
		!strings.HasSuffix(policy, "; base-uri 'none'; frame-ancestors 'none'") {
		t.Errorf("policy is %s", policy)
	}
}

// TestErrorPage checks every code, and that the page repeats nothing else.
func TestErrorPage(t *testing.T) {
	t.Parallel()
	e := pooltest.New(t)
	for code, status := range map[string]int{
		"redirect_mismatch": 400, "Required String parameter 'client_id' is not present": 400,
		"Required String parameter 'redirect_uri' is not present": 400, "Client does not exist": 400,
		"invalid_request": 400, "server_error": 500,
	} {
		a := e.Get(t, "/error", url.Values{"error": {code}, "client_id": {"app"}}, nil)
		checkPage(t, a)
		if a.StatusCode != status || !strings.Contains(a.Body, "<code>"+html.EscapeString(code)+"</code>") ||
			!strings.Contains(a.Body, "An error was encountered with the requested page.") {
			t.Errorf("%s: got %d, want %d with the code on the page", code, a.StatusCode, status)
		}
	}
	for _, code := range []string{"", "Call 555-0100 now", "<script>alert(1)</script>", "\x00\xff"} {
		a := e.Get(t, "/error", url.Values{"error": {code}, "client_id": {"<b>app"}}, nil)
		checkPage(t, a)
		if a.StatusCode != 400 || strings.Contains(a.Body, "555") || strings.Contains(a.Body, "<script") ||
			strings.Contains(a.Body, "<b>") || !strings.Contains(a.Body, "unknown_error") {
			t.Errorf("%q: got %d %s", code, a.StatusCode, a.Body)
		}
	}
}

// TestFormLimits sends names and passwords of all sizes; the answer is the page.
func TestFormLimits(t *testing.T) {
	t.Parallel()
	e := pooltest.New(t)
	for name, form := range map[string]url.Values{
		"empty": credentials("", ""), "long": credentials(strings.Repeat("é", 5000), strings.Repeat("p", 20_000)),
		"not UTF-8": credentials("\xff\xfe", "\xff"), "zero": credentials("a\x00b", "\x00"),
		"no fields": {"_csrf": {csrf}},
	} {
		a := e.Post(t, target(), form, fromPage())
		odd := !utf8.ValidString(a.Body) || strings.Contains(a.Body, "\x00")
		if a.StatusCode != http.StatusUnauthorized || len(a.Body) > 20_000 || odd {
			t.Errorf("%s: got %d with %d bytes", name, a.StatusCode, len(a.Body))
		}
	}
}

// TestIndexPage opens the address of the pool itself.
func TestIndexPage(t *testing.T) {
	t.Parallel()
	e := pooltest.New(t)
	a := e.Get(t, "/", nil, nil)
	checkPage(t, a)
	if a.StatusCode != 200 || !strings.Contains(a.Body, "/.well-known/openid-configuration") ||
		a.Header.Get("Set-Cookie") != "" {
		t.Errorf("got %d %s", a.StatusCode, a.Body)
	}
}
