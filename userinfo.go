package cognate

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/cognate-auth/cognate/internal/oidc"
)

// UserInfoMode says when the userInfo endpoint is asked at sign-in.
type UserInfoMode int

const (
	// UserInfoIfNeeded asks when the scope email is wanted and the ID token has no
	// e-mail address, or says nothing on whether it is verified although
	// RequireVerifiedEmail is set. It is the default; with Cognito it seldom asks.
	UserInfoIfNeeded UserInfoMode = iota
	// UserInfoAlways asks at every sign-in; its claims win over the ID token's.
	UserInfoAlways
	// UserInfoNever takes the ID token's claims only.
	UserInfoNever
)

// addUserInfo adds the claims of userInfo to those of an ID token, if it is to be asked.
func (a *Auth) addUserInfo(ctx context.Context, c oidc.Claims, accessToken string) (oidc.Claims, error) {
	if !a.wantsUserInfo(ctx, c) {
		return c, nil
	}
	return a.client.AddUserInfo(ctx, c, accessToken)
}

// wantsUserInfo decides whether to ask.
func (a *Auth) wantsUserInfo(ctx context.Context, c oidc.Claims) bool {
	switch a.userInfo {
	case UserInfoAlways:
		return true
	case UserInfoNever:
		return false
	}
	_, said := c["email_verified"]
	lacking := c.Text("email") == "" || a.verifiedEmail && !said
	if !lacking || !slices.Contains(a.client.Scopes, "email") {
		return false
	}
	m, err := a.client.Provider.Ready(ctx)
	return err == nil && m.UserInfo != ""
}

// UserInfo asks the provider's userInfo endpoint (OpenID Connect Core 1.0, 5.3) about an
// access token. All claims of the answer can be read with [User.Claim]. The error is an
// [*Error]; an empty token is refused with [ReasonBearerMissing].
//
// It says whose the token is, and not that it was meant for this app: a provider answers for
// tokens of all its clients. For who may pass, see [Auth.VerifyAccessToken].
func (a *Auth) UserInfo(ctx context.Context, accessToken string) (*User, error) {
	if accessToken == "" {
		return nil, refuse(ReasonBearerMissing, "the token is empty")
	}
	info, err := a.client.UserInfo(ctx, accessToken)
	if err != nil {
		return nil, exported(err)
	}
	return userOf(info, a.client.Provider.Issuer(), a.dialect, nil), nil
}

// userOf reads the user from checked claims of an issuer, all of which stay readable.
func userOf(c oidc.Claims, issuer string, d *Dialect, scopes []string) *User {
	groups, _ := c.Strings(d.GroupsClaim)
	authTime, _, _ := c.Date("auth_time")
	u := &User{
		Issuer: issuer, Subject: c.Text("sub"), Username: c.Text(d.UsernameClaim),
		Email: c.Text("email"), Name: c.Text("name"), Groups: groups, AuthTime: authTime, Scopes: scopes, extra: c,
	}
	u.EmailVerified = u.Email != "" && c.Truth("email_verified")
	return u
}

// keptClaims are the patterns of the claims that a session keeps: those of Config.Claims and
// those that rules of routes read. It is safe for concurrent use.
type keptClaims struct {
	mu       sync.Mutex
	patterns atomic.Pointer[[]string]
}

func (k *keptClaims) add(patterns ...string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	var all []string
	if old := k.patterns.Load(); old != nil {
		all = slices.Clone(*old)
	}
	for _, p := range patterns {
		if !slices.Contains(all, p) {
			all = append(all, p)
		}
	}
	k.patterns.Store(&all)
}

// trim returns the user with the claims that are kept.
func (k *keptClaims) trim(u *User) *User {
	out := *u
	out.extra = nil
	for name, raw := range u.extra {
		if keeps(*k.patterns.Load(), name) {
			if out.extra == nil {
				out.extra = make(oidc.Claims)
			}
			out.extra[name] = raw
		}
	}
	return &out
}
