package cognate_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cognate-auth/cognate"
	"github.com/cognate-auth/cognate/internal/fakeprovider"
)

// TestRequire asks rules on a route, of people and of scripts.
func TestRequire(t *testing.T) {
	p := fakeprovider.New(t)
	x := newApp(t, p, nil)
	down := cognate.RuleFunc(func(ctx context.Context, _ *cognate.User) error { return context.DeadlineExceeded })
	mux := http.NewServeMux()
	hello := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = w.Write([]byte(cognate.UserFrom(r.Context()).Subject))
	})
	mux.Handle("/admins", x.auth.Require(cognate.Group("admins"))(hello))
	mux.Handle("/both", x.auth.Require(cognate.Group("admins"), cognate.Group("gods"))(hello))
	mux.Handle("/none", x.auth.Require()(hello))
	mux.Handle("/tier", x.auth.Require(cognate.Claim("custom:level", "7"))(hello))
	mux.Handle("/down", x.auth.Require(down)(hello))
	mux.Handle("/inside", x.auth.RequireLogin(x.auth.Require(cognate.Group("gods"))(hello)))
	x.handler = x.auth.Handler(mux)
	p.EditClaims = func(c map[string]any) { c["custom:level"] = "7" }
	b := x.browser(t)
	if status, _ := b.fetch("/admins"); status != http.StatusFound {
		t.Errorf("nobody: status %d, want a sign-in", status)
	}
	b.get("/oidc_callback?" + p.SignIn(t, b.get("/none").Header.Get("Location")).Encode())
	for _, tt := range []struct {
		path   string
		status int
		text   string
	}{
		{"/admins", 200, "user-1"},
		{"/none", 200, "user-1"},
		{"/tier", 200, "user-1"}, // kept without being named in Config.Claims
		{"/both", 403, "Use another account"},
		{"/inside", 403, "Use another account"},
		{"/down", 503, "try again"},
	} {
		wantFetch(t, b, tt.path, tt.status, tt.text)
	}
	resp := b.get("/both", "Sec-Fetch-Mode", "cors")
	var answer map[string]string
	err := json.NewDecoder(resp.Body).Decode(&answer)
	if resp.StatusCode != http.StatusForbidden || err != nil || answer["error"] != "denied" || answer["reference"] == "" ||
		!strings.Contains(x.log.String(), answer["reference"]) {
		t.Errorf("script: status %d, %v, %v", resp.StatusCode, answer, err)
	}
}

// TestLoginRules refuses people at the door, with all claims of the ID token.
func TestLoginRules(t *testing.T) {
	p := fakeprovider.New(t)
	x := newApp(t, p, func(c *cognate.Config) {
		c.LoginRules = []cognate.Rule{cognate.HostedDomain("example.com"), cognate.RuleFunc(func(_ context.Context, u *cognate.User) error {
			if u.Claim("sub") == nil {
				return errors.New("not every claim is here")
			}
			return nil
		})}
	})
	b := x.browser(t)
	if resp := b.signIn(p); resp.StatusCode != http.StatusForbidden || b.signedIn() {
		t.Errorf("without a domain: status %d, signed in: %v", resp.StatusCode, b.signedIn())
	}
	p.EditClaims = func(c map[string]any) { c["hd"] = "example.com" }
	b.signIn(p)
	if u := b.user(); u == nil || u.Claim("hd") != nil || u.Claim("custom:tier") != "gold" {
		t.Errorf("user %+v: want one with the claims that are kept and no others", u)
	}
}

// TestHookOrder follows sign-ins, refreshes and sign-outs through the hooks and the metrics.
func TestHookOrder(t *testing.T) {
	var got []string
	note := func(format string, args ...any) { got = append(got, fmt.Sprintf(format, args...)) }
	var veto error
	hooks := cognate.Hooks{
		OnLoginStart: func(_ context.Context, e cognate.LoginStart) error { note("start %s", e.ReturnTo); return nil },
		OnCallback:   func(_ context.Context, r *http.Request) { note("callback %s", r.URL.Path) },
		OnLogin: func(_ context.Context, e cognate.LoginEvent) error {
			note("login %s %s %v", e.User.Subject, e.ReturnTo, e.User.Claim("aud"))
			return veto
		},
		OnLoginError: func(_ context.Context, e *cognate.Error) { note("error %s", e.Reason) },
		OnRefresh:    func(_ context.Context, e cognate.RefreshEvent) error { note("refresh %s", e.User.Subject); return nil },
		OnLogout:     func(_ context.Context, e cognate.LogoutEvent) { note("logout %s %s", e.Reason, e.Subject) },
	}
	m := &counter{}
	x, p, _, c := storeApp(t, func(cfg *cognate.Config) { cfg.Hooks, cfg.Metrics = hooks, m })
	b := x.browser(t)
	expect := func(what string, want ...string) {
		t.Helper()
		if !slices.Equal(got, want) {
			t.Errorf("%s:\ngot  %q\nwant %q", what, got, want)
		}
		got = nil
	}
	b.signIn(p)
	expect("sign-in", "start /private/page?x=1", "callback /oidc_callback", "login user-1 /private/page?x=1 client-1")
	c.Advance(time.Hour)
	b.get("/token")
	expect("refresh", "refresh user-1")
	b.request(http.MethodPost, "/logout")
	expect("sign-out", "logout user user-1")
	veto = errors.New("not today")
	if resp := b.signIn(p); resp.StatusCode != http.StatusForbidden || b.signedIn() {
		t.Errorf("veto: status %d, signed in: %v", resp.StatusCode, b.signedIn())
	}
	expect("veto", "start /private/page?x=1", "callback /oidc_callback", "login user-1 /private/page?x=1 client-1", "error vetoed")
	state := p.SignIn(t, b.get("/private/").Header.Get("Location")).Get("state")
	b.get("/oidc_callback?error=access_denied&state=" + state)
	expect("refused by the provider", "start /private/", "callback /oidc_callback", "error provider_error")
	want := "login, refresh , logout user, denied vetoed, denied provider_error"
	if s := strings.Join(m.got, ", "); s != want {
		t.Errorf("counted %s, want %s", s, want)
	}
}

// counter is Metrics that remembers.
type counter struct {
	mu  sync.Mutex
	got []string
}

func (c *counter) add(s string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.got = append(c.got, s)
}

func (c *counter) Login(time.Duration)                       { c.add("login") }
func (c *counter) Denied(r cognate.Reason)                   { c.add("denied " + string(r)) }
func (c *counter) Refresh(_ time.Duration, r cognate.Reason) { c.add("refresh " + string(r)) }
func (c *counter) Logout(r cognate.LogoutReason)             { c.add("logout " + string(r)) }

// TestFail answers what handlers can't.
func TestFail(t *testing.T) {
	p := fakeprovider.New(t)
	x := newApp(t, p, nil)
	var err error
	mux := http.NewServeMux()
	mux.Handle("/", x.auth.RequireLogin(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { x.auth.Fail(w, r, err) })))
	x.handler = x.auth.Handler(mux)
	b := x.browser(t)
	b.get("/oidc_callback?" + p.SignIn(t, b.get("/page").Header.Get("Location")).Encode())
	for _, tt := range []struct {
		err    error
		status int
	}{
		{errors.New("secret detail"), 500},
		{fmt.Errorf("wrapped: %w", &cognate.Error{Reason: cognate.ReasonDenied, Status: 403}), 403},
		{&cognate.Error{}, 403},
		{&cognate.Error{Reason: "own", Status: 200}, 403},
		{&cognate.Error{Reason: "own", Status: 507}, 507},
		{&cognate.Error{Reason: cognate.ReasonStoreDown}, 503},
		{&cognate.Error{Reason: cognate.ReasonRefreshRefused, Status: 401}, 302},
	} {
		err = tt.err
		status, text := b.fetch("/page")
		if status != tt.status || strings.Contains(text, "secret detail") || status != http.StatusFound && !strings.Contains(text, "<h1") {
			t.Errorf("%v: status %d, want %d; %s", tt.err, status, tt.status, text)
		}
	}
}

// TestAnswerKeepsItsAbilities streams, hijacks and copies behind RequireLogin with tokens in
// cookies, on a real connection.
func TestAnswerKeepsItsAbilities(t *testing.T) {
	p := fakeprovider.New(t)
	x := newApp(t, p, tokenModes["cookies"])
	b := x.browser(t)
	b.signIn(p)
	server := httptest.NewServer(x.auth.RequireLogin(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/copy":
			_, _ = io.Copy(w, struct{ io.Reader }{strings.NewReader("copied")})
		case "/deadline":
			err := http.NewResponseController(w).SetWriteDeadline(time.Now().Add(time.Minute))
			if err != nil {
				t.Errorf("deadline: %v", err)
			}
		case "/hijack":
			conn, buf, err := w.(http.Hijacker).Hijack()
			if err != nil {
				t.Errorf("hijack: %v", err)
				return
			}
			_, _ = buf.WriteString("HTTP/1.1 101 Switching Protocols\r\n\r\nmine")
			_ = buf.Flush()
			_ = conn.Close()
		}
	})))
	defer server.Close()
	for path, want := range map[string]string{"/copy": "copied", "/deadline": "200 OK", "/hijack": "mine"} {
		var d net.Dialer
		conn, err := d.DialContext(t.Context(), "tcp", server.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		_, _ = fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: app.test\r\nConnection: close\r\nCookie: %s\r\n\r\n", path, cookieHeader(b))
		answer, err := io.ReadAll(bufio.NewReader(conn))
		_ = conn.Close()
		if err != nil || !strings.Contains(string(answer), want) {
			t.Errorf("%s: %q, %v", path, answer, err)
		}
	}
}

func cookieHeader(b *browser) string {
	var parts []string
	for _, c := range b.jar.Cookies(appURL) {
		parts = append(parts, c.Name+"="+c.Value)
	}
	return strings.Join(parts, "; ")
}

// TestKeysOfTokenCookies rotates the keys: identity and tokens are sealed anew.
func TestKeysOfTokenCookies(t *testing.T) {
	first, second := cognate.Secret(strings.Repeat("1", 32)), cognate.Secret(strings.Repeat("2", 32))
	p := fakeprovider.New(t)
	process := func(keys ...cognate.Secret) *app {
		return newApp(t, p, func(c *cognate.Config) { c.Session.TokensInCookie, c.Keys = true, keys })
	}
	b := process(first).browser(t)
	b.signIn(p)
	for _, keys := range [][]cognate.Secret{{second, first}, {second}} {
		b.app = process(keys...)
		wantFetch(t, b, "/token", http.StatusOK, "access-token")
	}
}

// TestUndecidedHook lets people try again after a hook that ran out of time.
func TestUndecidedHook(t *testing.T) {
	p := fakeprovider.New(t)
	b := newApp(t, p, func(c *cognate.Config) {
		c.Hooks.OnLogin = func(context.Context, cognate.LoginEvent) error {
			return fmt.Errorf("database: %w", context.DeadlineExceeded)
		}
	}).browser(t)
	if resp := b.signIn(p); resp.StatusCode != http.StatusServiceUnavailable || b.signedIn() {
		t.Errorf("status %d, signed in: %v; want 503", resp.StatusCode, b.signedIn())
	}
}

// TestScriptKeepsCookies leaves the cookies alone in the answer to a script: it may come after
// that of a sign-in in another tab.
func TestScriptKeepsCookies(t *testing.T) {
	p, c := fakeprovider.New(t), fakeprovider.NewClock()
	p.Now = c.Now
	b := newApp(t, p, nil).browser(t)
	b.signIn(p)
	c.Advance(9 * time.Hour)
	if resp := b.get("/private/", "Sec-Fetch-Mode", "cors"); resp.StatusCode != http.StatusUnauthorized || len(resp.Cookies()) != 0 {
		t.Errorf("script: status %d, cookies %v", resp.StatusCode, resp.Cookies())
	}
	if resp := b.get("/private/", "Sec-Fetch-Mode", "navigate"); len(resp.Cookies()) != 2 {
		t.Errorf("person: cookies %v, want the old one removed and a sign-in begun", resp.Cookies())
	}
}

// TestFlushTells passes on that nothing can flush.
func TestFlushTells(t *testing.T) {
	p := fakeprovider.New(t)
	x := newApp(t, p, tokenModes["cookies"])
	b := x.browser(t)
	b.signIn(p)
	var err error
	h := x.auth.RequireLogin(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { err = http.NewResponseController(w).Flush() }))
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
	r.Header.Set("Cookie", cookieHeader(b))
	h.ServeHTTP(&discard{header: http.Header{}}, r)
	if !errors.Is(err, http.ErrNotSupported) {
		t.Errorf("error %v, want not supported", err)
	}
}
