package devview_test

import (
	"html"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/cognate-auth/cognate/userpool"
	"github.com/cognate-auth/cognate/userpool/internal/pooltest"
)

// TestPendingStep lets an app that reports nothing stop in the middle. After a while the view
// has the likely causes, and what it saw itself.
func TestPendingStep(t *testing.T) {
	t.Parallel()
	from := func(origin string) http.Header { return http.Header{"Referer": {origin + "/page?secret=1"}} }
	tests := map[string]struct {
		callback string
		header   http.Header
		redeem   bool
		verified string
		outcome  string
		want     []string
		not      string
	}{
		"code": {
			callback: pooltest.Callback, outcome: "Back at the app, the code is not redeemed yet",
			want: []string{
				"did not redeem it", "another address of the app than https://app.test", "The browser keeps no cookies",
				"a bookmark", "Nothing listens at " + pooltest.Callback,
			},
			not: "The browser came from",
		},
		"code, from the other name": {
			callback: "http://localhost:5000/callback", header: from("http://127.0.0.1:5000"),
			outcome: "Back at the app, the code is not redeemed yet",
			want: []string{
				"The browser came from http://127.0.0.1:5000, and the sign-in ends at http://localhost:5000",
			},
			not: "secret=1",
		},
		"code, over the other scheme": {
			callback: pooltest.Callback, header: from("http://app.test"),
			outcome: "Back at the app, the code is not redeemed yet",
			want:    []string{"The browser came from http://app.test, and the sign-in ends at https://app.test"},
		},
		"code, from a page elsewhere": {
			callback: pooltest.Callback, header: from("https://news.test"), want: []string{"did not redeem it"},
			outcome: "Back at the app, the code is not redeemed yet", not: "The browser came from",
		},
		"tokens": {
			callback: pooltest.Callback, redeem: true, verified: "true", outcome: "Tokens issued",
			want: []string{"If the app shows nobody signed in", "compare its clock", "own cookie", "rule of its own"},
			not:  "not verified",
		},
		"tokens, unverified address": {
			callback: pooltest.Callback, redeem: true, verified: "false", outcome: "Tokens issued",
			want: []string{"The address is not verified"},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newEnv(t)
			e.AddClient(t, userpool.Client{
				ID: "dev", AllowedOAuthScopes: []string{"openid", "email"}, CallbackURLs: []string{tt.callback},
			})
			if tt.redeem {
				_, err := e.Pool.Users.UpdateAttributes(t.Context(), "ann",
					map[string]string{"email_verified": tt.verified})
				if err != nil {
					t.Fatal(err)
				}
			}
			q := pooltest.Query("client_id", "dev", "redirect_uri", tt.callback, "scope", "openid email")
			cookies, _ := e.signIn(t, pooltest.Password, q)
			for name, values := range tt.header {
				cookies[name] = values
			}
			code := e.Get(t, "/oauth2/authorize", q, cookies).Target(t).Query().Get("code")
			if tt.redeem {
				e.Post(t, "/oauth2/token", url.Values{
					"grant_type": {"authorization_code"}, "code": {code}, "client_id": {"dev"},
					"redirect_uri": {tt.callback},
				}, nil)
			}
			s := e.flows(t, "")[0]
			early := e.look(t, "/_cognate/flows/"+s.ID)
			if s.Outcome != tt.outcome || strings.Contains(early, `class="pending"`) ||
				!strings.Contains(early, `data-renew="3000"`) {
				t.Errorf("at once: %+v\n%s", s, early)
			}
			e.Clock.Advance(3 * time.Second)
			s = e.flows(t, "")[0]
			hint := s.Steps[len(s.Steps)-1].Hint
			page := html.UnescapeString(e.look(t, "/_cognate/flows/"+s.ID))
			for _, want := range tt.want {
				if !strings.Contains(page, want) || !strings.Contains(hint, want) {
					t.Errorf("after a while, %q is missing in %q, or in\n%s", want, hint, page)
				}
			}
			if tt.not != "" && strings.Contains(page, tt.not) {
				t.Errorf("the page has %q:\n%s", tt.not, page)
			}
			if s.Failed || strings.Contains(page, "data-renew") {
				t.Errorf("it failed, or the page goes on renewing itself: %+v", s)
			}
		})
	}
}
