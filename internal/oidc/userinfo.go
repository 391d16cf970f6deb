package oidc

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"github.com/cognate-auth/cognate/internal/refusal"
)

// UserInfo returns what the provider's userInfo endpoint (OpenID Connect Core 1.0, 5.3) says
// about the user of an access token, who may be anybody.
func (c *Client) UserInfo(ctx context.Context, accessToken string) (Claims, error) {
	info, err := c.askUserInfo(ctx, accessToken)
	if err != nil {
		return nil, err
	}
	return info, checkSubject(info)
}

// A UserInfoMode says when userInfo is asked for more claims than the ID token has.
type UserInfoMode int

// The modes.
const (
	// UserInfoIfNeeded asks if the client requests the scope email, and the ID token has no
	// email claim, or has no email_verified claim although Client.VerifiedEmail is set.
	UserInfoIfNeeded UserInfoMode = iota
	// UserInfoAlways asks each time.
	UserInfoAlways
	// UserInfoNever uses only the claims of the ID token.
	UserInfoNever
)

// withUserInfo returns the claims of an ID token, with those of userInfo if UserInfoMode
// asks for them.
func (c *Client) withUserInfo(ctx context.Context, token Claims, accessToken string) (Claims, error) {
	wanted := c.UserInfoMode == UserInfoAlways
	_, hasVerified := token["email_verified"]
	incomplete := token.Text("email") == "" || c.VerifiedEmail && !hasVerified
	if c.UserInfoMode == UserInfoIfNeeded && incomplete && slices.Contains(c.Scopes, "email") {
		m, err := c.Provider.Ready(ctx)
		wanted = err == nil && m.UserInfo != ""
	}
	if !wanted {
		return token, nil
	}
	return c.AddUserInfo(ctx, token, accessToken)
}

// AddUserInfo adds the claims of userInfo to those of an ID token. Both must have the same
// subject.
func (c *Client) AddUserInfo(ctx context.Context, token Claims, accessToken string) (Claims, error) {
	info, err := c.askUserInfo(ctx, accessToken)
	if err != nil {
		return nil, err
	}
	// Without this check, an attacker who substitutes an access token would make the
	// visitor another user (5.3.2).
	sub, err := info.String("sub")
	if err != nil || sub != token.Text("sub") {
		return nil, refusal.New(refusal.UserInfoSubject, "userInfo has another subject than the ID token")
	}
	return merge(token, info), nil
}

// askUserInfo requests userInfo and returns its claims.
func (c *Client) askUserInfo(ctx context.Context, accessToken string) (Claims, error) {
	m, err := c.Provider.Ready(ctx)
	if err != nil {
		return nil, err
	}
	if m.UserInfo == "" {
		return nil, refusal.New(refusal.UserInfo, "the provider has no userInfo endpoint")
	}
	ctx, cancel := context.WithTimeout(ctx, RequestTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, m.UserInfo, nil)
	if err != nil {
		return nil, refusal.New(refusal.UserInfo, "asking userInfo: %w", err)
	}
	req.Header.Set("Authorization", "Bearer "+accessToken)
	req.Header.Set("Accept", "application/json, application/jwt")
	body, mediaType, err := fetchDocument(c.Provider.http, req)
	if err != nil {
		return nil, refusal.New(refusal.UserInfo, "asking userInfo: %w", err)
	}
	var info Claims
	if mediaType == "application/jwt" {
		info, err = c.Verifier.verifyUserInfo(ctx, strings.TrimSpace(string(body)))
	} else if info.UnmarshalJSON(body) != nil {
		err = refusal.New(refusal.UserInfo, "asking userInfo: the answer is not the JSON expected")
	}
	return info, Secrets{accessToken}.Redact(err)
}

// verifyUserInfo checks that a signed userInfo response was signed by the provider, for this
// client (OpenID Connect Core 1.0, 5.3.2). Dates are optional.
func (v *Verifier) verifyUserInfo(ctx context.Context, raw string) (Claims, error) {
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
		return nil, refusal.New(refusal.UserInfo,
			"userInfo is signed: its typ is %.40q, expected none or \"JWT\"", token.typ)
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
	err = v.checkOptionalDates(c)
	if err != nil {
		return nil, refusal.New(refusal.UserInfo, "userInfo is signed: %w", err)
	}
	return c, nil
}

// protocolClaims are the claims that userInfo does not change.
var protocolClaims = []string{
	"iss", "sub", "aud", "azp", "exp", "iat", "nbf", "jti", "nonce", "at_hash", "c_hash",
	"auth_time", "acr", "amr", "sid",
}

// IsProtocolClaim reports whether a claim is about the token or the sign-in, not the user.
func IsProtocolClaim(name string) bool { return slices.Contains(protocolClaims, name) }

// merge returns the claims of the ID token, replaced by those of userInfo where it has
// them. email and email_verified are taken from the same source: email_verified of one must
// not vouch for the email of the other.
func merge(token, info Claims) Claims {
	out := make(Claims, len(token)+len(info))
	for name, raw := range token {
		out[name] = raw
	}
	if _, ok := info["email"]; ok {
		delete(out, "email_verified")
	}
	for name, raw := range info {
		if IsProtocolClaim(name) {
			continue
		}
		if _, ok := info["email"]; name == "email_verified" && !ok {
			continue
		}
		out[name] = raw
	}
	return out
}
