package grants

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"time"

	"github.com/cognate-auth/cognate/userpool"
	"github.com/cognate-auth/cognate/userpool/accounts"
	"github.com/cognate-auth/cognate/userpool/internal/clock"
	"github.com/cognate-auth/cognate/userpool/internal/core"
	"github.com/cognate-auth/cognate/userpool/internal/decision"
	"github.com/cognate-auth/cognate/userpool/internal/records"
	"github.com/cognate-auth/cognate/userpool/internal/triggers"
)

// TokenSet is the answer to a token request.
type TokenSet struct {
	IDToken      userpool.Secret // empty: openid was not granted
	AccessToken  userpool.Secret
	RefreshToken userpool.Secret // empty: the one that was used stays valid
	ExpiresIn    time.Duration
}

// CodeGrant is a token request of grant type authorization_code.
type CodeGrant struct {
	Code        userpool.Secret
	RedirectURI string
	Verifier    userpool.Secret // PKCE; empty: none was sent
}

// maxAccessLife is the longest life an access token can have: a family of
// tokens is remembered that long after its refresh token, so that revoking it
// still means something.
const maxAccessLife = 24 * time.Hour

// RedeemCode answers a token request with a code. The client was authenticated
// before; from here on the code is spent, whatever the outcome, so that every
// guess costs one. Refusals are an [*userpool.Error].
func (g *Grants) RedeemCode(ctx context.Context, c userpool.Client, r CodeGrant) (TokenSet, error) {
	switch {
	case !c.AllowsFlow(userpool.FlowCode):
		return TokenSet{}, g.refuseFlow(ctx, c, decision.CodesNotAllowed, userpool.FlowCode)
	case r.Code == "":
		return TokenSet{}, userpool.InvalidRequest("code is missing")
	}
	now := g.core.Now()
	g.core.Collect(ctx, now)
	code, ok, err := g.core.Records.TakeCode(ctx, r.Code.Digest())
	if err != nil {
		return TokenSet{}, fmt.Errorf("userpool: taking code: %w", err)
	}
	reason, refusal := decision.CodeUnknown, errGrant
	if ok {
		reason, refusal = checkCode(code, c, r, now)
	}
	if refusal != nil {
		return TokenSet{}, g.refuseGrant(ctx, c, reason, refusal)
	}
	return g.startFamily(ctx, c, code, now)
}

var (
	errGrant = &userpool.Error{Code: userpool.CodeInvalidGrant}
)

// checkCode compares a code with the request that brings it. The answer tells apart
// only what Cognito tells apart; the reason goes to the log.
func checkCode(
	code records.Code, c userpool.Client, r CodeGrant, now time.Time,
) (reason string, refusal *userpool.Error) {
	switch {
	case code.ClientID != c.ID:
		return decision.CodeOfAnotherClient, errGrant
	case !clock.InTime(now, code.Expires, CodeLifetime):
		return decision.CodeExpired, errGrant
	case r.RedirectURI == "" && !code.RedirectOmitted:
		return decision.RedirectURIMissing,
			&userpool.Error{Code: userpool.CodeInvalidRequest, Description: "redirect_uri is missing"}
	case r.RedirectURI != "" && r.RedirectURI != code.RedirectURI:
		return decision.RedirectURIDiffers, &userpool.Error{
			Code: userpool.CodeUnauthorizedClient, Description: "invalid_redirect",
			Hint: "send the redirect_uri of the authorization request, to the letter, with the code",
		}
	case !verifierMatches(code.Challenge, r.Verifier):
		return decision.VerifierWrong, errGrant
	}
	return "", nil
}

// codeVerifier is the form of RFC 7636 section 4.1.
var codeVerifier = regexp.MustCompile(`^[A-Za-z0-9._~-]{43,128}$`)

// verifierMatches checks PKCE. A verifier without a challenge is refused too:
// someone may have stripped the challenge from the authorization request (RFC
// 9700 section 4.8.2).
func verifierMatches(challenge string, verifier userpool.Secret) bool {
	if challenge == "" {
		return verifier == ""
	}
	sum := sha256.Sum256([]byte(verifier))
	got := userpool.Secret(base64.RawURLEncoding.EncodeToString(sum[:]))
	return codeVerifier.MatchString(string(verifier)) && got.Equal(userpool.Secret(challenge))
}

// refuseGrant writes down why a grant is refused, which the app is not told.
func (g *Grants) refuseGrant(
	ctx context.Context, c userpool.Client, reason string, refusal *userpool.Error, more ...slog.Attr,
) error {
	attrs := append(more, core.ClientAttr(c.ID), core.ReasonAttr(reason))
	if refusal.Hint != "" {
		g.core.AuditMistake(ctx, decision.GrantRefused, refusal.Hint, attrs...)
	} else {
		g.core.Audit(ctx, decision.GrantRefused, attrs...)
	}
	return refusal
}

// refuseFlow is refuseGrant for a client that may not use a flow.
func (g *Grants) refuseFlow(ctx context.Context, c userpool.Client, reason, flow string) error {
	return g.refuseGrant(ctx, c, reason, &userpool.Error{
		Code: userpool.CodeUnauthorizedClient, Hint: flowHint(c, flow),
	})
}

// startFamily turns a code into the first tokens of a family.
func (g *Grants) startFamily(
	ctx context.Context, c userpool.Client, code records.Code, now time.Time,
) (TokenSet, error) {
	user, err := g.tokenUser(ctx, c, code.Sub)
	if err != nil {
		return TokenSet{}, err
	}
	refresh := userpool.NewSecret()
	family := records.RefreshToken{
		Hash: refresh.Digest(), ClientID: c.ID, Sub: code.Sub, Scopes: code.Scopes, OriginJTI: userpool.NewUUID(),
		AuthTime: code.AuthTime, Methods: code.Methods, Resource: code.Resource,
		ValidUntil: now.Add(c.RefreshTokenValidity), Expires: now.Add(c.RefreshTokenValidity + maxAccessLife),
	}
	tokens, err := g.issue(ctx, issuance{
		client: c, user: user, family: family, nonce: code.Nonce, source: triggers.SourceTokensHosted, now: now,
	})
	if err != nil {
		return TokenSet{}, err
	}
	err = g.keepFamily(ctx, c, user, family)
	if err != nil {
		return TokenSet{}, err
	}
	tokens.RefreshToken = refresh
	g.core.Audit(ctx, "code redeemed", core.ClientAttr(c.ID), core.SubAttr(user.Sub))
	return tokens, nil
}

// keepFamily stores the first token of a family of the user u. A sign-out everywhere, or
// the removal of the user, may have come while the tokens were made, which may take a
// trigger's time, and missed them: then the answer has no tokens.
func (g *Grants) keepFamily(
	ctx context.Context, c userpool.Client, u userpool.User, family records.RefreshToken,
) error {
	err := g.core.Records.PutRefreshToken(ctx, family, maxRefreshTokens)
	if err != nil {
		return fmt.Errorf("userpool: storing a token family: %w", err)
	}
	is, err := g.tokenUser(ctx, c, u.Sub)
	if err == nil && !is.SignedOut.Equal(u.SignedOut) {
		err = g.refuseGrant(ctx, c, decision.UserSignedOut, errGrant)
	}
	if err == nil {
		return nil
	}
	failed := g.core.Records.DeleteFamily(ctx, family.OriginJTI)
	if failed != nil {
		return fmt.Errorf("userpool: removing a token family: %w", failed)
	}
	return err
}

// tokenUser returns the user whom tokens are to be about, or invalid_grant if
// there can be none.
func (g *Grants) tokenUser(ctx context.Context, c userpool.Client, sub string) (userpool.User, error) {
	u, err := g.users.BySub(ctx, sub)
	reason := tokenRefusal(u)
	if errors.Is(err, accounts.ErrGone) {
		reason, err = decision.UserGone, nil
	}
	switch {
	case err != nil:
		return userpool.User{}, err
	case reason != "":
		return userpool.User{}, g.refuseGrant(ctx, c, reason, errGrant)
	}
	return u, nil
}

// tokenRefusal says why the user can have no tokens, or nothing.
func tokenRefusal(u userpool.User) string {
	switch {
	case u.Disabled:
		return decision.UserDisabled
	case u.Status == userpool.UserUnconfirmed:
		return decision.UserNotConfirmed
	case u.Status == userpool.UserForceChange, u.Status == userpool.UserResetRequired:
		return decision.UserMustChangePassword
	}
	return ""
}

// issue signs the tokens of an answer for the user as they are now.
func (g *Grants) issue(ctx context.Context, i issuance) (TokenSet, error) {
	if name := unreadable(i.client, i.family.Scopes); name != "" {
		attribute := slog.String("attribute", name)
		return TokenSet{}, g.refuseGrant(ctx, i.client, decision.AttributeUnreadable, errGrant, attribute)
	}
	claims, err := g.customize(ctx, i, g.newClaims(i))
	if err != nil {
		return TokenSet{}, err
	}
	return g.sign(ctx, claims, i.client.AccessTokenValidity)
}

// sign makes tokens of the claims.
func (g *Grants) sign(ctx context.Context, claims tokenClaims, life time.Duration) (TokenSet, error) {
	pairs, err := g.keys.known(ctx)
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
func (g *Grants) Revoke(ctx context.Context, c userpool.Client, token userpool.Secret) error {
	switch {
	case token == "":
		return userpool.InvalidRequest("token is missing")
	case c.DisableRevocation:
		return userpool.InvalidRequest("the client's tokens cannot be revoked")
	}
	t, ok, err := g.core.Records.RefreshToken(ctx, token.Digest())
	if err != nil {
		return fmt.Errorf("userpool: reading refresh token: %w", err)
	}
	if !ok && g.isOwnJWT(ctx, token) {
		return &userpool.Error{Code: userpool.CodeUnsupportedTokenType}
	}
	if !ok || t.ClientID != c.ID {
		g.core.Audit(ctx, decision.NothingToRevoke, core.ClientAttr(c.ID))
		return nil
	}
	err = g.core.Records.DeleteFamily(ctx, t.OriginJTI)
	if err != nil {
		return fmt.Errorf("userpool: revoking: %w", err)
	}
	g.core.Audit(ctx, "tokens revoked", core.ClientAttr(c.ID), core.SubAttr(t.Sub))
	return nil
}
