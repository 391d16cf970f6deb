package cognate_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cognate-auth/cognate"
	"github.com/cognate-auth/cognate/internal/fakeprovider"
)

// TestEveryReasonHasAHint looks each up, and reads it as a sentence. Two reasons have no hint
// in common: it would name the mend of only one of them.
func TestEveryReasonHasAHint(t *testing.T) {
	seen := map[string]cognate.Reason{}
	for _, reason := range reasons(t, "reasons.go") {
		hint := (&cognate.Error{Reason: reason}).Hint()
		if len(hint) < 30 || len(hint) > 300 || !strings.ContainsRune(".?", rune(hint[len(hint)-1])) {
			t.Errorf("%s: the hint is %q", reason, hint)
		}
		if other, twice := seen[hint]; twice {
			t.Errorf("%s and %s have one hint", reason, other)
		}
		seen[hint] = reason
	}
	if hint := (&cognate.Error{Reason: "the app's own"}).Hint(); hint != "" {
		t.Errorf("a reason of the app's own has the hint %q", hint)
	}
	general := (&cognate.Error{Reason: cognate.ReasonClientRefused}).Hint()
	for _, code := range []string{"invalid_scope", "unauthorized_client"} {
		e := &cognate.Error{Reason: cognate.ReasonClientRefused, ProviderCode: code}
		if hint := e.Hint(); hint == "" || hint == general {
			t.Errorf("%s: the hint is %q", code, hint)
		}
		e.Reason = cognate.ReasonCodeRefused // the code is of another endpoint, and may mean something else
		if hint := e.Hint(); hint != (&cognate.Error{Reason: cognate.ReasonCodeRefused}).Hint() {
			t.Errorf("%s at another reason: the hint is %q", code, hint)
		}
	}
}

// TestLogSaysHowClocksDiffer has the app's clock wrong in both directions: the line says by
// how much, which clock said what, and what to do.
func TestLogSaysHowClocksDiffer(t *testing.T) {
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for name, tt := range map[string]struct {
		off  time.Duration
		want []string
	}{
		"behind": {-2 * time.Hour, []string{
			"reason=token_not_yet_valid", "iat is 2h0m0s in the future: the provider's clock said " +
				"2026-03-01T12:00:00Z, and this machine's says 2026-03-01T10:00:00Z",
			`hint="This machine's clock is behind`,
		}},
		"ahead": {2 * time.Hour, []string{
			"reason=token_expired", "the token expired 1h0m0s ago: its exp is 2026-03-01T13:00:00Z, " +
				"and this machine's clock says 2026-03-01T14:00:00Z", "this machine's clock is ahead",
		}},
	} {
		t.Run(name, func(t *testing.T) {
			p := fakeprovider.New(t)
			p.Now = func() time.Time { return at }
			x := newApp(t, p, func(c *cognate.Config) { c.Now = func() time.Time { return at.Add(tt.off) } })
			if resp := x.browser(t).signIn(p); resp.StatusCode != http.StatusUnauthorized {
				t.Errorf("status %d, want 401", resp.StatusCode)
			}
			for _, want := range tt.want {
				if log := x.log.String(); !strings.Contains(log, want) {
					t.Errorf("the log lacks %q:\n%s", want, log)
				}
			}
		})
	}
}

// TestLogSaysWhereASignInBegan opens the app at an address that is not RedirectURL's. The log
// names it, if it is one that is often mistaken for the other.
func TestLogSaysWhereASignInBegan(t *testing.T) {
	for began, want := range map[string]string{
		"127.0.0.1:5000": `began at \"127.0.0.1:5000\", and ends at \"localhost:5000\"`,
		"[::1]:5000":     `began at \"[::1]:5000\", and ends at \"localhost:5000\"`,
		"localhost":      `began at \"localhost\", and ends at \"localhost:5000\"`,
		"LOCALHOST:5001": `began at another host, and ends at \"localhost:5000\"`,
	} {
		p := fakeprovider.New(t)
		x := newApp(t, p, func(c *cognate.Config) { c.RedirectURL = "http://localhost:5000/oidc_callback" })
		visit := func(host, path string) *http.Response {
			r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+host+path, nil)
			w := httptest.NewRecorder()
			x.handler.ServeHTTP(w, r)
			return w.Result()
		}
		resp := visit(began, "/private/")
		visit("localhost:5000", "/oidc_callback?"+p.SignIn(t, resp.Header.Get("Location")).Encode())
		if log := x.log.String(); !strings.Contains(log, "reason=other_address") || !strings.Contains(log, want) ||
			!strings.Contains(log, "Use one address for all") {
			t.Errorf("from %s the log lacks %q:\n%s", began, want, log)
		}
	}
}

// developerWords are in what a developer reads, and in nothing that a visitor does.
var developerWords = []string{"developer", "What to do:", "cause", "hint"}

// TestOnlyTheDeveloperReadsTheHint answers every reason, as a page and as JSON. What a
// developer reads is there if the app and its provider are on this machine, and nothing of it
// if one of them is not.
func TestOnlyTheDeveloperReadsTheHint(t *testing.T) {
	const here, elsewhere = "http://localhost:5000/oidc_callback", appOrigin + "/oidc_callback"
	for name, tt := range map[string]struct {
		issuer, redirectURL string
		development         bool
	}{
		"both here":              {"http://127.0.0.1:9229/pool", here, true},
		"names below localhost":  {"http://pool.localhost:9229/pool", "http://app.localhost:5000/oidc_callback", true},
		"the app elsewhere":      {"http://127.0.0.1:9229/pool", elsewhere, false},
		"the provider elsewhere": {"https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_abc", here, false},
		"both elsewhere":         {"https://login.example.com", elsewhere, false},
		"a name that looks like": {"https://localhost.example.com", "http://localhost:5000/oidc_callback", false},
	} {
		t.Run(name, func(t *testing.T) {
			x := newApp(t, fakeprovider.New(t), func(c *cognate.Config) {
				c.Issuer, c.RedirectURL, c.Claims = tt.issuer, tt.redirectURL, nil
			})
			for reason := range cognate.Rows {
				if reason == cognate.ReasonNotSignedIn || reason == cognate.ReasonRefreshRefused {
					continue // they lead to a sign-in
				}
				for _, accept := range []string{"text/html", "application/json"} {
					r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, tt.redirectURL, nil)
					r.Header.Set("Accept", accept)
					w := httptest.NewRecorder()
					e := &cognate.Error{Reason: reason, Err: errors.New("<it> failed at https://x.test/?code=secret")}
					x.auth.Fail(w, r, e)
					text := w.Body.String()
					has := func(word string) bool { return strings.Contains(text, word) }
					found := slices.ContainsFunc(developerWords, has)
					shown := strings.Contains(text, "failed at https://x.test/?…")
					if found != tt.development || shown != tt.development {
						t.Fatalf("%s as %s, for the developer %v:\n%s", reason, accept, tt.development, text)
					}
					if strings.Contains(text, "<it>") || strings.Contains(text, "code=secret") {
						t.Errorf("%s as %s is not escaped, or quotes a query:\n%s", reason, accept, text)
					}
				}
			}
		})
	}
}
