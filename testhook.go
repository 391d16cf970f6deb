package cognate

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"github.com/cognate-auth/cognate/internal/testhook"
)

// What package cognatetest needs of the inside. None of it can be reached but through
// that package, whose functions ask for a testing.TB.
func init() {
	testhook.Context = func(ctx context.Context, user any) context.Context {
		return &userContext{ctx, user.(*User)}
	}
	testhook.Claims = func(user any, c map[string]json.RawMessage) any {
		u := *user.(*User)
		u.extra = c
		return &u
	}
	testhook.Session = func(_ context.Context, auth, user any) ([]*http.Cookie, error) {
		return auth.(*Auth).testSession(*user.(*User))
	}
}

// testSession seals a session as a sign-in would, with the same keys, for a user whom a
// sign-in could have brought.
func (a *Auth) testSession(u User) ([]*http.Cookie, error) {
	err := a.couldSignIn(&u)
	if err != nil {
		return nil, err
	}
	u.Issuer = a.provider.issuer
	// Not by way of sessions.write, which remembers the session opened: the request is
	// to be opened and checked like every other.
	value := a.sessions.sealer.seal(a.sessions.cookie.name, a.sessions.create(&u).encode())
	if len(value) > maxSealed {
		return nil, fmt.Errorf("the identity takes %d bytes sealed, more than a cookie's %d", len(value), maxSealed)
	}
	return []*http.Cookie{a.sessions.cookie.cookie(a.sessions.cookie.name, value, 0)}, nil
}

// couldSignIn says why no sign-in could have brought this user, so that a test doesn't
// pass with a user whom nobody will ever meet.
func (a *Auth) couldSignIn(u *User) error {
	switch {
	case u.Subject == "":
		return errors.New("the user has no Subject, which every user has")
	case u.Issuer != "" && u.Issuer != a.provider.issuer:
		return fmt.Errorf("the user's Issuer is %.200q, expected %q or nothing", u.Issuer, a.provider.issuer)
	case !a.sessions.admits(u):
		return errors.New("the user's e-mail address is not verified, and Config.RequireVerifiedEmail is set; " +
			"set Email and EmailVerified")
	}
	kept := a.userOf(u.extra).extra
	for name := range u.extra {
		if _, ok := kept[name]; !ok {
			return fmt.Errorf("the claim %.200q is not kept in sessions; name it in Config.Claims", name)
		}
	}
	return nil
}
