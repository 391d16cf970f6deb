package userpool

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"time"
)

// TokenSet is the answer to a token request.
type TokenSet struct {
	IDToken      Secret // empty: openid was not granted
	AccessToken  Secret
	RefreshToken Secret // empty: the one that was used stays valid
	ExpiresIn    time.Duration
}

// CodeGrant is a token request of grant type authorization_code.
type CodeGrant struct {
	Code        Secret
	RedirectURI string
	Verifier    Secret // PKCE; empty: none was sent
}

// maxAccessLife is the longest life an access token can have: a family of
// tokens is remembered that long after its refresh token, so that revoking it
// still means something.
const maxAccessLife = 24 * time.Hour

// RedeemCode answers a token request with a code. The client was authenticated
// before; from here on the code is spent, whatever the outcome, so that every
// guess costs one. Refusals are an [*Error].
func (p *Pool) RedeemCode(ctx context.Context, c Client, g CodeGrant) (TokenSet, error) {
	if g.Code == "" {
		return TokenSet{}, badRequest("code is missing")
	}
	now := p.now()
	p.collect(ctx, now)
	code, ok, err := p.store.TakeCode(ctx, p.id, g.Code.digest())
	if err != nil {
		return TokenSet{}, fmt.Errorf("userpool: taking code: %w", err)
	}
	reason, refusal := "unknown or used code", errGrant
	if ok {
		reason, refusal = code.check(c, g, now)
	}
	if refusal != nil {
		return TokenSet{}, p.refuseGrant(ctx, c, reason, refusal)
	}
	return p.startFamily(ctx, c, code, now)
}

var errGrant = &Error{Code: CodeInvalidGrant}

// check compares a code with the request that brings it. The answer tells apart
// only what Cognito tells apart; the reason goes to the log.
func (code Code) check(c Client, g CodeGrant, now time.Time) (reason string, refusal *Error) {
	switch {
	case code.ClientID != c.ID:
		return "the code was issued to another client", errGrant
	case !now.Before(code.Expires):
		return "the code is expired", errGrant
	case g.RedirectURI == "" && !code.RedirectOmitted:
		return "redirect_uri is missing",
			&Error{Code: CodeInvalidRequest, Description: "redirect_uri is missing"}
	case g.RedirectURI != "" && g.RedirectURI != code.RedirectURI:
		return "redirect_uri differs from the authorization request",
			&Error{Code: CodeUnauthorizedClient, Description: "invalid_redirect"}
	case !verifierMatches(code.Challenge, g.Verifier):
		return "code_verifier does not match", errGrant
	}
	return "", nil
}

// codeVerifier is the form of RFC 7636 section 4.1.
var codeVerifier = regexp.MustCompile(`^[A-Za-z0-9._~-]{43,128}$`)

// verifierMatches checks PKCE. A verifier without a challenge is refused too:
// someone may have stripped the challenge from the authorization request (RFC
// 9700 section 4.8.2).
func verifierMatches(challenge string, verifier Secret) bool {
	if challenge == "" {
		return verifier == ""
	}
	sum := sha256.Sum256([]byte(verifier))
	got := Secret(base64.RawURLEncoding.EncodeToString(sum[:]))
	return codeVerifier.MatchString(string(verifier)) && got.Equal(Secret(challenge))
}

func (p *Pool) refuseGrant(ctx context.Context, c Client, reason string, refusal *Error) error {
	p.audit(ctx, "grant refused", clientAttr(c.ID), reasonAttr(reason))
	return refusal
}

// startFamily turns a code into the first tokens of a family.
func (p *Pool) startFamily(ctx context.Context, c Client, code Code, now time.Time) (TokenSet, error) {
	user, err := p.user(ctx, code.Sub)
	if errors.Is(err, errGone) {
		return TokenSet{}, p.refuseGrant(ctx, c, "the user is gone", errGrant)
	}
	if err != nil {
		return TokenSet{}, err
	}
	refresh := newOpaque()
	family := RefreshToken{
		Hash: refresh.digest(), ClientID: c.ID, Sub: code.Sub, Scopes: code.Scopes, OriginJTI: NewUUID(),
		AuthTime: code.AuthTime, Methods: code.Methods, Resource: code.Resource, ValidUntil: now.Add(c.RefreshTokenValidity),
		Expires: now.Add(c.RefreshTokenValidity + maxAccessLife),
	}
	tokens, err := p.issue(c, user, family, code.Nonce, now)
	if err != nil {
		return TokenSet{}, err
	}
	err = p.store.PutRefreshToken(ctx, p.id, family, maxRefreshTokens)
	if err != nil {
		return TokenSet{}, fmt.Errorf("userpool: storing refresh token: %w", err)
	}
	tokens.RefreshToken = refresh
	p.audit(ctx, "code redeemed", clientAttr(c.ID), subAttr(user.Sub))
	return tokens, nil
}

// issue signs the tokens of a family for the user as he is now.
func (p *Pool) issue(c Client, u User, t RefreshToken, nonce string, now time.Time) (TokenSet, error) {
	claims := tokenClaims{
		issuer: p.issuer, client: c.ID, user: u, family: t, nonce: nonce, now: now, eventID: NewUUID(),
	}
	out, keys := TokenSet{ExpiresIn: c.AccessTokenValidity}, p.keys.signing()
	var err error
	out.AccessToken, err = keys.access.sign(claims.access(c.AccessTokenValidity))
	if err != nil {
		return TokenSet{}, fmt.Errorf("userpool: access token: %w", err)
	}
	if !slices.Contains(t.Scopes, scopeOpenID) {
		return out, nil
	}
	out.IDToken, err = keys.id.sign(claims.id(c.IDTokenValidity, out.AccessToken))
	if err != nil {
		return TokenSet{}, fmt.Errorf("userpool: ID token: %w", err)
	}
	return out, nil
}

// Revoke ends the family of a refresh token (RFC 7009): the token itself and
// all access tokens with its origin_jti, as far as the pool is asked. What is
// no token, is revoked already or belongs to another client is not an error and
// changes nothing. A token of the pool's other kinds is unsupported_token_type.
func (p *Pool) Revoke(ctx context.Context, c Client, token Secret) error {
	if token == "" {
		return badRequest("token is missing")
	}
	t, ok, err := p.store.RefreshToken(ctx, p.id, token.digest())
	if err != nil {
		return fmt.Errorf("userpool: reading refresh token: %w", err)
	}
	if !ok && p.isOwnJWT(token) {
		return &Error{Code: CodeUnsupportedTokenType}
	}
	if !ok || t.ClientID != c.ID {
		p.audit(ctx, "nothing to revoke", clientAttr(c.ID))
		return nil
	}
	err = p.store.DeleteFamily(ctx, p.id, t.OriginJTI)
	if err != nil {
		return fmt.Errorf("userpool: revoking: %w", err)
	}
	p.audit(ctx, "tokens revoked", clientAttr(c.ID), subAttr(t.Sub))
	return nil
}
