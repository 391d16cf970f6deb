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

// What package cognatetest needs of the inside. None of it can be reached but through
// that package, whose functions ask for a testing.TB.
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
// place, for a user whom a sign-in could have brought. Where sessions hold tokens, it has a
// made-up access token that no API will take.
func testSession(ctx context.Context, a *Auth, u User) ([]*http.Cookie, error) {
	err := couldSignIn(ctx, a, &u)
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

// cookieWriter is a ResponseWriter for its header.
type cookieWriter http.Header

// Header returns what is kept.
func (w cookieWriter) Header() http.Header { return http.Header(w) }

// Write throws p away.
func (w cookieWriter) Write(p []byte) (int, error) { return len(p), nil }

// WriteHeader does nothing.
func (w cookieWriter) WriteHeader(int) {}

// testBearer makes up an access token that is taken for one that was checked, for an hour.
func testBearer(a *Auth, u User) (string, error) {
	if u.Subject == "" {
		return "", errors.New("the user has no Subject, which every access token has")
	}
	if u.Issuer == "" {
		u.Issuer = a.client.Provider.Issuer()
	}
	token := seal.Encoding.EncodeToString([]byte(seal.Random(16)))
	now := a.now()
	a.bearer.seen.Put(tokenKey(token), &seenToken{user: &u, from: now, until: now.Add(time.Hour)})
	return token, nil
}

// couldSignIn says why no sign-in could have brought this user, so that a test doesn't
// pass with a user whom nobody will ever meet.
func couldSignIn(ctx context.Context, a *Auth, u *User) error {
	switch {
	case u.Subject == "":
		return errors.New("the user has no Subject, which every user has")
	case u.Issuer != "" && u.Issuer != a.client.Provider.Issuer():
		return fmt.Errorf("the user's Issuer is %.200q, expected %q or nothing", u.Issuer, a.client.Provider.Issuer())
	case !a.admission.vouchedFor(u):
		return errors.New("the user's e-mail address is not verified, and Config.RequireVerifiedEmail is set; " +
			"set Email and EmailVerified")
	}
	e := checkRules(ctx, a.admission.rules, u)
	if e != nil {
		return fmt.Errorf("Config.LoginRules refuse the user: %w", e)
	}
	kept := a.admission.claims.trim(u)
	for name := range u.extra {
		if _, ok := kept.extra[name]; !ok {
			return fmt.Errorf("the claim %.200q is not kept in sessions; name it in Config.Claims", name)
		}
	}
	return nil
}
