package oidc

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"github.com/cognate-auth/cognate/internal/refusal"
)

// UserInfo asks the provider's userInfo endpoint (OpenID Connect Core 1.0, 5.3) whose an
// access token is. It may be anybody's.
func (c *Client) UserInfo(ctx context.Context, accessToken string) (Claims, error) {
	info, err := c.askUserInfo(ctx, accessToken)
	if err != nil {
		return nil, err
	}
	return info, checkSubject(info)
}

// A UserInfoMode says when userInfo is asked about whom an ID token is about.
type UserInfoMode int

// The modes.
const (
	// UserInfoIfNeeded asks when the scope email is wanted and the ID token has no e-mail
	// address, or says nothing on whether it is verified although Client.VerifiedEmail is set.
	UserInfoIfNeeded UserInfoMode = iota
	// UserInfoAlways asks each time.
	UserInfoAlways
	// UserInfoNever takes the claims of the ID token only.
	UserInfoNever
)

// withUserInfo returns the claims of an ID token, with those of userInfo if it is wanted.
func (c *Client) withUserInfo(ctx context.Context, token Claims, accessToken string) (Claims, error) {
	wanted := c.UserInfoMode == UserInfoAlways
	_, saysVerified := token["email_verified"]
	lacking := token.Text("email") == "" || c.VerifiedEmail && !saysVerified
	if c.UserInfoMode == UserInfoIfNeeded && lacking && slices.Contains(c.Scopes, "email") {
		m, err := c.Provider.Ready(ctx)
		wanted = err == nil && m.UserInfo != ""
	}
	if !wanted {
		return token, nil
	}
	return c.AddUserInfo(ctx, token, accessToken)
}

// AddUserInfo adds the claims of userInfo to those of the ID token, which it must be about.
func (c *Client) AddUserInfo(ctx context.Context, token Claims, accessToken string) (Claims, error) {
	info, err := c.askUserInfo(ctx, accessToken)
	if err != nil {
		return nil, err
	}
	// Without this, an access token that was swapped on its way would make the
	// visitor somebody else (5.3.2).
	sub, err := info.String("sub")
	if err != nil || sub != token.Text("sub") {
		return nil, refusal.New(refusal.UserInfoSubject, "userInfo is about another subject than the ID token")
	}
	return merge(token, info), nil
}

// askUserInfo returns the claims of userInfo as they came.
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

// verifyUserInfo checks an answer of userInfo that is signed: by the provider, and for this
// client (OpenID Connect Core 1.0, 5.3.2). It need not have a date.
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
	err = v.checkGivenDates(c)
	if err != nil {
		return nil, refusal.New(refusal.UserInfo, "userInfo is signed: %w", err)
	}
	return c, nil
}

// protocolClaims are those that userInfo does not change.
var protocolClaims = []string{
	"iss", "sub", "aud", "azp", "exp", "iat", "nbf", "jti", "nonce", "at_hash", "c_hash",
	"auth_time", "acr", "amr", "sid",
}

// IsProtocolClaim reports whether a claim says what a token is worth, and not who the user is.
func IsProtocolClaim(name string) bool { return slices.Contains(protocolClaims, name) }

// merge puts the claims of userInfo over those of the ID token. An address and whether
// it is verified belong together: email_verified of one never vouches for the email of
// the other.
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
