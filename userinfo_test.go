package cognate_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/cognate-auth/cognate"
	"github.com/cognate-auth/cognate/internal/fakeprovider"
)

func TestVerifiedEmail(t *testing.T) {
	for _, tt := range []struct {
		name  string
		value any
		want  bool
	}{
		{"true", true, true}, {"string true", "true", true}, {"false", false, false},
		{"string false", "false", false}, {"absent", nil, false}, {"number", 1, false}, {"string True", "True", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := fakeprovider.New(t)
			p.ServeUserInfo = func(w http.ResponseWriter, _ *http.Request) {
				fakeprovider.ServeJSON(w, 200, map[string]any{"sub": "user-1", "email": "ann@example.com"})
			}
			p.EditClaims = func(c map[string]any) {
				if c["email_verified"] = tt.value; tt.value == nil {
					delete(c, "email_verified")
				}
			}
			b := newApp(t, p, func(c *cognate.Config) { c.RequireVerifiedEmail = true }).browser(t)
			resp := b.signIn(p)
			if got := b.signedIn(); got != tt.want {
				t.Errorf("signed in: %v, want %v", got, tt.want)
			}
			if !tt.want && (resp.StatusCode != http.StatusForbidden || !strings.Contains(body(t, resp), "verified")) {
				t.Errorf("status %d, want 403 and a page that says why", resp.StatusCode)
			}
		})
	}
}

func TestUserInfo(t *testing.T) {
	noEmail := func(c map[string]any) { delete(c, "email"); delete(c, "email_verified") }
	info := func(v map[string]any) func(http.ResponseWriter, *http.Request) {
		return func(w http.ResponseWriter, _ *http.Request) { fakeprovider.ServeJSON(w, 200, v) }
	}
	for _, tt := range []struct {
		name     string
		mode     cognate.UserInfoMode
		claims   func(map[string]any)
		answer   func(http.ResponseWriter, *http.Request)
		calls    int
		email    string // "" means no session
		verified bool
	}{
		{"not needed", cognate.UserInfoIfNeeded, nil, nil, 0, "ann@example.com", true},
		{"needed", cognate.UserInfoIfNeeded, noEmail, nil, 1, "ann@example.com", true},
		{"never", cognate.UserInfoNever, nil, nil, 0, "ann@example.com", true},
		{"always, string false", cognate.UserInfoAlways, nil, info(map[string]any{"sub": "user-1", "email": "b@example.com", "email_verified": "false"}), 1, "b@example.com", false},
		{"other address without a word on it", cognate.UserInfoAlways, nil, info(map[string]any{"sub": "user-1", "email": "b@example.com"}), 1, "b@example.com", false},
		{"verified without an address", cognate.UserInfoAlways, func(c map[string]any) { c["email_verified"] = false }, info(map[string]any{"sub": "user-1", "email_verified": true}), 1, "ann@example.com", false},
		{"other subject", cognate.UserInfoAlways, nil, info(map[string]any{"sub": "user-2", "email": "eve@example.com"}), 1, "", false},
		{"no subject", cognate.UserInfoAlways, nil, info(map[string]any{"email": "eve@example.com"}), 1, "", false},
		{"protocol claims", cognate.UserInfoAlways, nil, info(map[string]any{"sub": "user-1", "email": "ann@example.com", "email_verified": true, "auth_time": 1}), 1, "ann@example.com", true},
		{"subject twice", cognate.UserInfoAlways, nil, func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, `{"sub":"user-1","sub":"user-2","email":"eve@example.com"}`)
		}, 1, "", false},
		{"html", cognate.UserInfoAlways, nil, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "<html>") }, 1, "", false},
		{"500", cognate.UserInfoAlways, nil, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) }, 1, "", false},
		{"null", cognate.UserInfoAlways, nil, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "null") }, 1, "", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := fakeprovider.New(t)
			p.ServeUserInfo = tt.answer
			if tt.claims != nil {
				p.EditClaims = func(c map[string]any) { tt.claims(c) }
			}
			x := newApp(t, p, func(c *cognate.Config) { c.UserInfo = tt.mode })
			b := x.browser(t)
			b.signIn(p)
			if p.UserInfoRequests() != tt.calls {
				t.Errorf("%d userInfo requests, want %d", p.UserInfoRequests(), tt.calls)
			}
			u := b.user()
			if tt.email == "" && u != nil {
				t.Errorf("signed in as %v", u)
			}
			if u != nil && u.AuthTime.Unix() == 1 {
				t.Error("userInfo changed when the user signed in")
			}
			if tt.email != "" && (u == nil || u.Email != tt.email || u.EmailVerified != tt.verified) {
				t.Errorf("user %+v, want %s, verified %v", u, tt.email, tt.verified)
			}
		})
	}
}

// TestVerifiedOnlyInUserInfo asks userInfo for what the ID token does not say and the
// app insists on.
func TestVerifiedOnlyInUserInfo(t *testing.T) {
	p := fakeprovider.New(t)
	p.EditClaims = func(c map[string]any) { delete(c, "email_verified") }
	b := newApp(t, p, func(c *cognate.Config) { c.RequireVerifiedEmail = true }).browser(t)
	b.signIn(p)
	if u := b.user(); u == nil || !u.EmailVerified || p.UserInfoRequests() != 1 {
		t.Errorf("user %+v after %d userInfo requests", u, p.UserInfoRequests())
	}
}

// TestUserInfoOfToken asks about a token that came from elsewhere.
func TestUserInfoOfToken(t *testing.T) {
	p := fakeprovider.New(t)
	var asked string
	answer := map[string]any{"sub": "user-9", "email": "eve@example.com", "email_verified": "false", "shoe": 43}
	p.ServeUserInfo = func(w http.ResponseWriter, r *http.Request) {
		asked = r.Header.Get("Authorization")
		fakeprovider.ServeJSON(w, http.StatusOK, answer)
	}
	x := newApp(t, p, nil)
	u, err := x.auth.UserInfo(t.Context(), "t0ken")
	if err != nil || asked != "Bearer t0ken" || u.Subject != "user-9" || u.Issuer != p.Issuer || u.EmailVerified || u.Claim("shoe") != 43.0 {
		t.Errorf("user %+v, %v; asked with %q", u, err, asked)
	}
	_, err = x.auth.UserInfo(t.Context(), "")
	expectError(t, err, cognate.ReasonBearerMissing)
	delete(answer, "sub")
	_, err = x.auth.UserInfo(t.Context(), "t0ken")
	expectError(t, err, cognate.ReasonTokenMalformed)
	p.ServeUserInfo = func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusUnauthorized) }
	_, err = x.auth.UserInfo(t.Context(), "t0ken")
	expectError(t, err, cognate.ReasonUserInfo)
}

func TestUserFields(t *testing.T) {
	p := fakeprovider.New(t)
	b := newApp(t, p, nil).browser(t)
	b.signIn(p)
	u := b.user()
	if u == nil {
		t.Fatal("not signed in")
	}
	if u.Issuer != p.Issuer || u.Subject != "user-1" || u.Username != "ann" || u.Name != "Ann Example" ||
		strings.Join(u.Groups, " ") != "staff admins" || u.AuthTime.IsZero() {
		t.Errorf("user = %+v", u)
	}
	if got := u.Claim("custom:tier"); got != "gold" {
		t.Errorf("custom:tier = %v, want gold", got)
	}
	if got := u.Claim("nonce"); got != nil {
		t.Errorf("a claim that was not asked for is %v, want nil", got)
	}
}
