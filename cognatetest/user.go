package cognatetest

import (
	"encoding/json"
	"net/http"
	"testing"

	"github.com/cognate-auth/cognate"
	"github.com/cognate-auth/cognate/internal/testhook"
)

// WithUser returns a copy of r in which u is signed in: cognate.UserFrom returns u. It
// is for handlers that are called directly. Middleware in front of the handler would
// ignore it and look for a session. A user without Subject ends the test.
func WithUser(tb testing.TB, r *http.Request, u *cognate.User) *http.Request {
	tb.Helper()
	if u == nil || u.Subject == "" {
		tb.Fatal("cognatetest: the user has no Subject, which every user has")
	}
	return r.WithContext(testhook.Context(r.Context(), u))
}

// SignedIn adds a session of u to r, and returns r. The cookie is a real one, sealed
// with auth's keys: RequireLogin and auth.User open and check it like any other. No
// request is sent to a provider; auth may be configured for one that does not exist. A
// session that r already has is replaced. If auth keeps tokens, the session has an
// invented access token, which no API accepts.
//
// u's Issuer may be empty. A user whom no sign-in could bring ends the test: one
// without Subject, with an unverified address if auth requires a verified one, or with
// a claim that auth does not keep.
func SignedIn(tb testing.TB, auth *cognate.Auth, r *http.Request, u *cognate.User) *http.Request {
	tb.Helper()
	if auth == nil || u == nil {
		tb.Fatal("cognatetest: SignedIn needs an Auth and a User")
	}
	cookies, err := testhook.Session(r.Context(), auth, u)
	if err != nil {
		tb.Fatalf("cognatetest: making a session: %v", err)
	}
	addCookies(r, cookies)
	return r
}

// Bearer adds to r an access token of u with the given scopes, and returns r. The token
// is a random word. For an hour auth treats it as a token that it has already verified:
// RequireBearer, RequireLoginOrBearer and VerifyAccessToken accept it, and no other
// Auth does. No request is sent to a provider.
func Bearer(tb testing.TB, auth *cognate.Auth, r *http.Request, u *cognate.User, scopes ...string) *http.Request {
	tb.Helper()
	if auth == nil || u == nil {
		tb.Fatal("cognatetest: Bearer needs an Auth and a User")
	}
	granted := *u
	granted.Scopes = scopes
	token, err := testhook.Bearer(auth, &granted)
	if err != nil {
		tb.Fatalf("cognatetest: making an access token: %v", err)
	}
	r.Header.Set("Authorization", "Bearer "+token)
	return r
}

// addCookies adds the cookies to r, instead of those of the same name.
func addCookies(r *http.Request, cookies []*http.Cookie) {
	fresh := make(map[string]bool)
	for _, c := range cookies {
		fresh[c.Name] = true
	}
	before := r.Cookies()
	r.Header.Del("Cookie")
	for _, c := range before {
		if !fresh[c.Name] {
			r.AddCookie(c)
		}
	}
	for _, c := range cookies {
		r.AddCookie(c) // only name and value
	}
}

// WithClaims returns a copy of u that has these claims and no others, for u.Claim and
// everything else that reads claims. The values are encoded as JSON.
func WithClaims(tb testing.TB, u *cognate.User, claims map[string]any) *cognate.User {
	tb.Helper()
	if u == nil {
		tb.Fatal("cognatetest: WithClaims needs a User")
	}
	encoded := make(map[string]json.RawMessage, len(claims))
	for name, value := range claims {
		raw, err := json.Marshal(value)
		if err != nil {
			tb.Fatalf("cognatetest: claim %s: %v", name, err)
		}
		encoded[name] = raw
	}
	return testhook.Claims(u, encoded).(*cognate.User)
}
