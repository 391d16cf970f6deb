package cognate

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/cognate-auth/cognate/internal/seal"
	"github.com/cognate-auth/cognate/internal/session"
	"github.com/cognate-auth/cognate/internal/testhook"
)

// The functions that package cognatetest needs. They can be reached only through that
// package, whose functions require a testing.TB.
func init() {
	testhook.Context = func(ctx context.Context, user any) context.Context {
		return &requestContext{Context: ctx, user: user.(*User)}
	}
	testhook.Claims = func(user any, c map[string]json.RawMessage) any {
		u := *user.(*User)
		u.extra = c
		return &u
	}
	testhook.Session = func(ctx context.Context, auth, user any) ([]*http.Cookie, error) {
		return testSession(ctx, auth.(*Auth), *user.(*User))
	}
	testhook.Bearer = func(auth, user any) (string, error) {
		return testBearer(auth.(*Auth), *user.(*User))
	}
}

// testSession begins a session as a sign-in would, with the same keys and in the same
// place, for a user who could sign in. If sessions hold tokens, it has a made-up access
// token that no API accepts.
func testSession(ctx context.Context, a *Auth, u User) ([]*http.Cookie, error) {
	err := checkSignIn(ctx, a, &u)
	if err != nil {
		return nil, err
	}
	u.Issuer = a.client.Provider.Issuer()
	answer := cookieWriter{}
	var t *session.Tokens
	if a.sessions.KeepTokens() {
		t = &session.Tokens{Access: "made-up-by-cognatetest"}
	}
	err = a.sessions.Begin(answer, (&http.Request{}).WithContext(ctx), a.sessions.Create(identity{&u}, ""), t)
	if err != nil {
		return nil, err
	}
	return (&http.Response{Header: http.Header(answer)}).Cookies(), nil
}

// cookieWriter is a ResponseWriter that keeps only the header.
type cookieWriter http.Header

// Header returns the header.
func (w cookieWriter) Header() http.Header { return http.Header(w) }

// Write discards p.
func (w cookieWriter) Write(p []byte) (int, error) { return len(p), nil }

// WriteHeader does nothing.
func (w cookieWriter) WriteHeader(int) {}

// testBearer makes up an access token that is accepted as verified for an hour.
func testBearer(a *Auth, u User) (string, error) {
	if u.Subject == "" {
		return "", errors.New("the user has no Subject; every access token has one")
	}
	if u.Issuer == "" {
		u.Issuer = a.client.Provider.Issuer()
	}
	token := seal.Encoding.EncodeToString([]byte(seal.Random(16)))
	now := a.now()
	a.bearer.verified.Put(tokenKey(token), &verifiedToken{user: &u, from: now, until: now.Add(time.Hour)})
	return token, nil
}

// checkSignIn returns why this user could not have signed in, so that a test doesn't
// pass with a user who can't exist.
func checkSignIn(ctx context.Context, a *Auth, u *User) error {
	switch {
	case u.Subject == "":
		return errors.New("the user has no Subject; every user has one")
	case u.Issuer != "" && u.Issuer != a.client.Provider.Issuer():
		return fmt.Errorf("the user's Issuer is %.200q, expected %q or nothing", u.Issuer, a.client.Provider.Issuer())
	case !a.admission.acceptsEmail(u):
		return errors.New("the user's e-mail address is not verified, and Config.RequireVerifiedEmail is set; " +
			"set Email and EmailVerified")
	}
	kept, err := a.admission.admit(ctx, u)
	if err != nil {
		return fmt.Errorf("Config.LoginRules refuse the user: %w", err)
	}
	for name := range u.extra {
		if _, ok := kept.extra[name]; !ok {
			return fmt.Errorf("the claim %.200q is not kept in sessions; name it in Config.Claims", name)
		}
	}
	return nil
}
