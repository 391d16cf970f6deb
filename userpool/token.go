package userpool

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"regexp"
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
func (p *Pool) RedeemCode(ctx context.Context, c Client, r CodeGrant) (TokenSet, error) {
	switch {
	case !c.allowsFlow(FlowCode):
		return TokenSet{}, p.refuseGrant(ctx, c, "the client may not use codes", errFlow)
	case r.Code == "":
		return TokenSet{}, badRequest("code is missing")
	}
	now := p.now()
	p.collect(ctx, now)
	code, ok, err := p.store.TakeCode(ctx, r.Code.digest())
	if err != nil {
		return TokenSet{}, fmt.Errorf("userpool: taking code: %w", err)
	}
	reason, refusal := "unknown or used code", errGrant
	if ok {
		reason, refusal = checkCode(code, c, r, now)
	}
	if refusal != nil {
		return TokenSet{}, p.refuseGrant(ctx, c, reason, refusal)
	}
	return p.startFamily(ctx, c, code, now)
}

var (
	errGrant = &Error{Code: CodeInvalidGrant}
	errFlow  = &Error{Code: CodeUnauthorizedClient}
)

// checkCode compares a code with the request that brings it. The answer tells apart
// only what Cognito tells apart; the reason goes to the log.
func checkCode(code Code, c Client, r CodeGrant, now time.Time) (reason string, refusal *Error) {
	switch {
	case code.ClientID != c.ID:
		return "the code was issued to another client", errGrant
	case !inTime(now, code.Expires, CodeLifetime):
		return "the code is expired", errGrant
	case r.RedirectURI == "" && !code.RedirectOmitted:
		return "redirect_uri is missing",
			&Error{Code: CodeInvalidRequest, Description: "redirect_uri is missing"}
	case r.RedirectURI != "" && r.RedirectURI != code.RedirectURI:
		return "redirect_uri differs from the authorization request",
			&Error{Code: CodeUnauthorizedClient, Description: "invalid_redirect"}
	case !verifierMatches(code.Challenge, r.Verifier):
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
	user, err := p.tokenUser(ctx, c, code.Sub)
	if err != nil {
		return TokenSet{}, err
	}
	refresh := newOpaque()
	family := RefreshToken{
		Hash: refresh.digest(), ClientID: c.ID, Sub: code.Sub, Scopes: code.Scopes, OriginJTI: NewUUID(),
		AuthTime: code.AuthTime, Methods: code.Methods, Resource: code.Resource,
		ValidUntil: now.Add(c.RefreshTokenValidity), Expires: now.Add(c.RefreshTokenValidity + maxAccessLife),
	}
	tokens, err := p.issue(ctx, issuance{
		client: c, user: user, family: family, nonce: code.Nonce, source: sourceTokensHosted, now: now,
	})
	if err != nil {
		return TokenSet{}, err
	}
	err = p.keepFamily(ctx, c, user, family)
	if err != nil {
		return TokenSet{}, err
	}
	tokens.RefreshToken = refresh
	p.audit(ctx, "code redeemed", clientAttr(c.ID), subAttr(user.Sub))
	return tokens, nil
}

// keepFamily stores the first token of a family of the user u. Who signed him out
// or removed him while the tokens were made did not meet them, which may have
// taken a trigger's time: then there are none.
func (p *Pool) keepFamily(ctx context.Context, c Client, u User, family RefreshToken) error {
	err := p.store.PutRefreshToken(ctx, family, maxRefreshTokens)
	if err != nil {
		return fmt.Errorf("userpool: storing a token family: %w", err)
	}
	is, err := p.tokenUser(ctx, c, u.Sub)
	if err == nil && !is.SignedOut.Equal(u.SignedOut) {
		err = p.refuseGrant(ctx, c, "the user was signed out meanwhile", errGrant)
	}
	if err == nil {
		return nil
	}
	failed := p.store.DeleteFamily(ctx, family.OriginJTI)
	if failed != nil {
		return fmt.Errorf("userpool: removing a token family: %w", failed)
	}
	return err
}

// tokenUser returns the user whom tokens are to be about, or invalid_grant if
// there can be none.
func (p *Pool) tokenUser(ctx context.Context, c Client, sub string) (User, error) {
	u, err := p.user(ctx, sub)
	reason := tokenRefusal(u)
	if errors.Is(err, errGone) {
		reason, err = "the user is gone", nil
	}
	switch {
	case err != nil:
		return User{}, err
	case reason != "":
		return User{}, p.refuseGrant(ctx, c, reason, errGrant)
	}
	return u, nil
}

// tokenRefusal says why the user can have no tokens, or nothing.
func tokenRefusal(u User) string {
	switch {
	case u.Disabled:
		return "the user is disabled"
	case u.Status == UserUnconfirmed:
		return "the user is not confirmed"
	case u.Status == UserForceChange, u.Status == UserResetRequired:
		return "the user must change the password first"
	}
	return ""
}

// issue signs the tokens of an answer for the user as he is now.
func (p *Pool) issue(ctx context.Context, i issuance) (TokenSet, error) {
	if name := unreadable(i.client, i.family.Scopes); name != "" {
		reason := "a scope asks for the attribute " + name + ", which the client may not read"
		return TokenSet{}, p.refuseGrant(ctx, i.client, reason, errGrant)
	}
	claims, err := p.customize(ctx, i, p.newClaims(i))
	if err != nil {
		return TokenSet{}, err
	}
	return p.sign(ctx, claims, i.client.AccessTokenValidity)
}

// sign makes tokens of the claims.
func (p *Pool) sign(ctx context.Context, claims tokenClaims, life time.Duration) (TokenSet, error) {
	pairs, err := p.knownKeys(ctx)
	if err != nil {
		return TokenSet{}, err
	}
	out := TokenSet{ExpiresIn: life}
	out.AccessToken, err = pairs[0].SignAccess(claims.access)
	if err != nil {
		return TokenSet{}, fmt.Errorf("userpool: access token: %w", err)
	}
	if claims.id == nil {
		return out, nil
	}
	claims.id["at_hash"] = atHash(out.AccessToken)
	out.IDToken, err = pairs[0].SignID(claims.id)
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
	switch {
	case token == "":
		return badRequest("token is missing")
	case c.DisableRevocation:
		return badRequest("the client's tokens cannot be revoked")
	}
	t, ok, err := p.store.RefreshToken(ctx, token.digest())
	if err != nil {
		return fmt.Errorf("userpool: reading refresh token: %w", err)
	}
	if !ok && p.isOwnJWT(ctx, token) {
		return &Error{Code: CodeUnsupportedTokenType}
	}
	if !ok || t.ClientID != c.ID {
		p.audit(ctx, "nothing to revoke", clientAttr(c.ID))
		return nil
	}
	err = p.store.DeleteFamily(ctx, t.OriginJTI)
	if err != nil {
		return fmt.Errorf("userpool: revoking: %w", err)
	}
	p.audit(ctx, "tokens revoked", clientAttr(c.ID), subAttr(t.Sub))
	return nil
}
