package cognate_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/cognate-auth/cognate"
	"github.com/cognate-auth/cognate/internal/fakeprovider"
)

// TestCookieOfAnotherClient takes a session of one app client to another one's app that has
// the same provider and the same keys.
func TestCookieOfAnotherClient(t *testing.T) {
	p := fakeprovider.New(t)
	b := newApp(t, p, nil).browser(t)
	b.signIn(p)
	other := newApp(t, p, func(c *cognate.Config) { c.ClientID = "client-2" }).browser(t)
	other.jar.SetCookies(appURL, b.jar.Cookies(appURL))
	if !b.signedIn() || other.signedIn() {
		t.Errorf("signed in at its own app: %v, at the other's: %v; want true and false", b.signedIn(), other.signedIn())
	}
}

// TestPageHeaders keeps other sites from showing the library's pages inside of their own,
// where a visitor could be made to click on them.
func TestPageHeaders(t *testing.T) {
	p := fakeprovider.New(t)
	x := newApp(t, p, nil)
	for _, path := range []string{"/logout", "/oidc_callback"} { // the question, and an error
		resp := x.browser(t).get(path)
		csp := resp.Header.Get("Content-Security-Policy")
		if !strings.Contains(csp, "frame-ancestors 'none'") || resp.Header.Get("X-Frame-Options") != "DENY" {
			t.Errorf("%s: Content-Security-Policy %q, X-Frame-Options %q", path, csp, resp.Header.Get("X-Frame-Options"))
		}
		if page := body(t, resp); resp.StatusCode == http.StatusFound || !strings.Contains(page, "<h1>") || strings.Contains(page, "<script") {
			t.Errorf("%s: status %d and\n%s", path, resp.StatusCode, page)
		}
	}
}

// TestRuleTextIsNotShown refuses somebody for a reason that is not theirs to know.
func TestRuleTextIsNotShown(t *testing.T) {
	p := fakeprovider.New(t)
	x := newApp(t, p, nil)
	rule := cognate.RuleFunc(func(context.Context, *cognate.User) error { return errors.New("on the list of the fraud team") })
	x.handler = x.auth.Handler(x.auth.Require(rule)(http.NotFoundHandler()))
	b := x.browser(t)
	b.signIn(p)
	for _, mode := range []string{"navigate", "cors"} {
		resp := b.get("/private/", "Sec-Fetch-Mode", mode)
		if text := body(t, resp); resp.StatusCode != http.StatusForbidden || strings.Contains(text, "fraud") {
			t.Errorf("%s: status %d and %s", mode, resp.StatusCode, text)
		}
	}
	if !strings.Contains(x.log.String(), "fraud team") {
		t.Errorf("the log does not say why:\n%s", x.log)
	}
}

// TestLogHoldsNoSecret goes through good and bad requests and looks for everything secret in
// the log, at its most talkative.
func TestLogHoldsNoSecret(t *testing.T) {
	p, c := fakeprovider.New(t), fakeprovider.NewClock()
	p.Now, p.Rotate = c.Now, true
	log := &logBuffer{}
	x := newApp(t, p, func(cfg *cognate.Config) {
		tokenModes["store"](cfg)
		cfg.Logger = slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	})
	b := x.browser(t)
	q := p.SignIn(t, b.get("/private/").Header.Get("Location"))
	secrets := []string{clientSecret, q.Get("code"), q.Get("state"), b.jar.Cookies(appURL)[0].Value}
	b.get("/oidc_callback?" + q.Encode())
	secrets = append(secrets, sessionCookie(t, b).Value, p.TokenRequests()[0].PostForm.Get("code_verifier"))
	x.browser(t).get("/oidc_callback?" + q.Encode()) // another browser's
	c.Advance(time.Hour)
	b.get("/token")
	c.Advance(time.Hour)
	p.ServeRefresh = func(w http.ResponseWriter, _ *http.Request) {
		fakeprovider.ServeJSON(w, http.StatusBadRequest, map[string]any{"error": "invalid_grant", "access_token": "access-9"})
	}
	b.get("/token")
	p.ServeRefresh = nil
	b.signIn(p)
	_, err := x.auth.VerifyAccessToken(t.Context(), signedByStranger(p.UserClaims("")))
	if err == nil {
		t.Error("a stranger's token is accepted")
	}
	b.request(http.MethodPost, "/logout")
	secrets = append(secrets, "access-", "refresh-0", "refresh-1", "eyJ") // tokens, and how every JWT begins

	text := log.String()
	if !strings.Contains(text, "signed in") || !strings.Contains(text, "reason=state") || !strings.Contains(text, "signed out") {
		t.Errorf("the log does not tell what happened:\n%s", text)
	}
	for _, s := range secrets {
		if s == "" || strings.Contains(text, s) {
			t.Errorf("the log has %q:\n%s", s, text)
		}
	}
}
