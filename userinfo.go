package cognate

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/cognate-auth/cognate/internal/refusal"
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

// wantsUserInfo decides whether to ask.
func (a *Auth) wantsUserInfo(c claims, e Endpoints) bool {
	switch a.userInfo {
	case UserInfoAlways:
		return true
	case UserInfoNever:
		return false
	}
	_, said := c["email_verified"]
	lacking := c.text("email") == "" || a.sessions.verifiedEmail && !said
	return e.UserInfo != "" && lacking && slices.Contains(a.client.scopes, "email")
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
	m, err := a.provider.ready(ctx)
	if err != nil {
		return nil, exported(err)
	}
	info, err := a.askUserInfo(ctx, m.Endpoints, accessToken)
	if err == nil {
		err = checkSubject(info)
	}
	if err != nil {
		return nil, exported(err)
	}
	return a.userOf(info), nil
}

// askUserInfo returns the claims of userInfo, which may be about anybody.
func (a *Auth) askUserInfo(ctx context.Context, e Endpoints, accessToken string) (claims, error) {
	if e.UserInfo == "" {
		return nil, refusal.New(refusal.UserInfo, "the provider has no userInfo endpoint")
	}
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, e.UserInfo, nil)
	if err != nil {
		return nil, refusal.New(refusal.UserInfo, "asking userInfo: %w", err)
	}
	req.Header.Set("Authorization", "Bearer "+accessToken)
	req.Header.Set("Accept", "application/json, application/jwt")
	body, mediaType, err := fetchDocument(a.provider.http, req)
	if err != nil {
		return nil, refusal.New(refusal.UserInfo, "asking userInfo: %w", err)
	}
	var info claims
	if mediaType == "application/jwt" {
		info, err = a.verifier.verifyUserInfo(ctx, strings.TrimSpace(string(body)))
	} else if info.UnmarshalJSON(body) != nil {
		err = refusal.New(refusal.UserInfo, "asking userInfo: the answer is not the JSON expected")
	}
	return info, withoutSecrets(err, accessToken)
}

// verifyUserInfo checks an answer of userInfo that is signed: by the provider, and for this
// client (OpenID Connect Core 1.0, 5.3.2). It need not have a date.
func (v *verifier) verifyUserInfo(ctx context.Context, raw string) (claims, error) {
	if strings.Count(raw, ".") == 4 { // RFC 7516, 7.1
		return nil, refusal.New(refusal.UserInfo, "userInfo is encrypted, which is not supported; "+
			"have the provider sign it for this client, or send it as plain JSON")
	}
	token, c, err := v.verifySignature(ctx, raw)
	if refusal.ProviderFault(err) {
		return nil, err
	}
	if err != nil {
		return nil, refusal.New(refusal.UserInfo, "userInfo is signed: %w", err)
	}
	if token.typ != "" && token.typ != "jwt" && token.typ != "userinfo-response+jwt" {
		return nil, refusal.New(refusal.UserInfo, "userInfo is signed: its typ is %.40q, expected none or \"JWT\"", token.typ)
	}
	err = v.checkOrigin(c)
	if err != nil {
		return nil, refusal.New(refusal.UserInfo, "userInfo is signed: %w", err)
	}
	aud, err := v.audience(c)
	if err == nil {
		err = v.checkTrusted(aud)
	}
	if err != nil {
		return nil, refusal.New(refusal.UserInfo, "userInfo is signed: %w", err)
	}
	err = v.checkGivenDates(c)
	if err != nil {
		return nil, refusal.New(refusal.UserInfo, "userInfo is signed: %w", err)
	}
	return c, nil
}

// addUserInfo adds the claims of userInfo to those of the ID token, which it must be about.
func (a *Auth) addUserInfo(ctx context.Context, c claims, e Endpoints, accessToken string) (claims, error) {
	info, err := a.askUserInfo(ctx, e, accessToken)
	if err != nil {
		return nil, err
	}
	// Without this, an access token that was swapped on its way would make the
	// visitor somebody else (5.3.2).
	sub, err := info.str("sub")
	if err != nil || sub != c.text("sub") {
		return nil, refusal.New(refusal.UserInfoSubject, "userInfo is about another subject than the ID token")
	}
	return merge(c, info), nil
}

// protocolClaims say what a token is worth, not who the user is. userInfo does not
// change them.
var protocolClaims = []string{
	"iss", "sub", "aud", "azp", "exp", "iat", "nbf", "jti", "nonce", "at_hash", "c_hash", "auth_time", "acr", "amr", "sid",
}

// merge puts the claims of userInfo over those of the ID token. An address and whether
// it is verified belong together: email_verified of one never vouches for the email of
// the other.
func merge(token, info claims) claims {
	out := make(claims, len(token)+len(info))
	for name, raw := range token {
		out[name] = raw
	}
	if _, ok := info["email"]; ok {
		delete(out, "email_verified")
	}
	for name, raw := range info {
		if slices.Contains(protocolClaims, name) {
			continue
		}
		if _, ok := info["email"]; name == "email_verified" && !ok {
			continue
		}
		out[name] = raw
	}
	return out
}

// userOf reads the user from checked claims.
func (a *Auth) userOf(c claims) *User {
	d := a.provider.dialect
	groups, _ := c.strings(d.GroupsClaim)
	authTime, _, _ := c.date("auth_time")
	u := &User{
		Issuer: a.provider.issuer, Subject: c.text("sub"), Username: c.text(d.UsernameClaim),
		Email: c.text("email"), Name: c.text("name"), Groups: groups, AuthTime: authTime,
	}
	u.EmailVerified = u.Email != "" && c.truth("email_verified")
	u.extra = c
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
				out.extra = make(claims)
			}
			out.extra[name] = raw
		}
	}
	return &out
}
