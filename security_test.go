package cognate_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/cognate-auth/cognate"
)

// TestCookieOfAnotherClient takes a session of one app client to another one's app that has
// the same provider and the same keys.
func TestCookieOfAnotherClient(t *testing.T) {
	p := newFakeProvider(t)
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
	p := newFakeProvider(t)
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
