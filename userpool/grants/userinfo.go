package grants

import (
	"context"
	"crypto/rsa"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/cognate-auth/cognate/userpool"
	"github.com/cognate-auth/cognate/userpool/accounts"
	"github.com/cognate-auth/cognate/userpool/internal/clock"
	"github.com/cognate-auth/cognate/userpool/internal/oauthscope"
	"github.com/cognate-auth/cognate/userpool/internal/text"
	"github.com/cognate-auth/cognate/userpool/keys"
	"github.com/golang-jwt/jwt/v5"
)

// accessClaims is what the pool reads of its own access tokens. Those that
// RegisteredClaims has are checked by the parser.
type accessClaims struct {
	jwt.RegisteredClaims
	TokenUse  string `json:"token_use"`
	ClientID  string `json:"client_id"`
	Scope     string `json:"scope"`
	OriginJTI string `json:"origin_jti"`
}

// maxToken bounds an access token: with as many groups as a user can have it
// still fits.
const maxToken = 64 << 10

// What userInfo says of a token that it does not take, in Cognito's words.
const (
	TextTokenEnded = "Access token is expired, disabled, or deleted, or the user has globally signed out."
	TextNoOpenID   = "Access token does not contain openid scope"
	TextNoToken    = "Bad OAuth2 request at UserInfo Endpoint"
)

var (
	errToken    = &userpool.Error{Code: userpool.CodeInvalidToken, Description: TextTokenEnded}
	errNoOpenID = &userpool.Error{Code: userpool.CodeInvalidToken, Description: TextNoOpenID}
)

// UserInfo returns the claims about the user of an access token, all of them
// strings, booleans too, which is Cognito's way. A token that is not one of
// this pool's live access tokens, or lacks openid, is an [*userpool.Error] invalid_token.
func (g *Grants) UserInfo(ctx context.Context, token userpool.Secret) (map[string]string, error) {
	claims, err := g.accessToken(ctx, token)
	if err != nil {
		return nil, err
	}
	scopes := text.Fields(claims.Scope)
	if !slices.Contains(scopes, oauthscope.OpenID) {
		return nil, errNoOpenID
	}
	c, ok, err := g.clients.Get(ctx, claims.ClientID)
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, errToken
	}
	u, err := g.liveUser(ctx, c, claims)
	if err != nil {
		return nil, err
	}
	info := visibleAttributes(c, u.Attributes, scopes)
	if len(u.Identities) > 0 && c.CanRead("identities") {
		info["identities"] = u.IdentitiesText()
	}
	info["sub"], info["username"] = u.Sub, u.Username
	return info, nil
}

// accessToken verifies signature, issuer, expiry and kind.
func (g *Grants) accessToken(ctx context.Context, token userpool.Secret) (accessClaims, error) {
	var claims accessClaims
	if len(token) > maxToken {
		return claims, errToken
	}
	_, err := g.keys.known(ctx)
	if err != nil {
		return claims, err // no fault of the token
	}
	_, err = g.jwtParser().ParseWithClaims(string(token), &claims, g.verifyingKey(ctx, false))
	if err != nil || claims.TokenUse != "access" {
		return claims, errToken
	}
	return claims, nil
}

// liveUser returns the user of an access token that was not revoked.
func (g *Grants) liveUser(ctx context.Context, c userpool.Client, claims accessClaims) (userpool.User, error) {
	u, err := g.users.BySub(ctx, claims.Subject)
	if errors.Is(err, accounts.ErrGone) || err == nil && tokenRefusal(u) != "" {
		return userpool.User{}, errToken
	}
	if err != nil {
		return userpool.User{}, err
	}
	alive := !c.CarriesJTI() && claims.issuedAfter(u.SignedOut, g.core.Now())
	if claims.OriginJTI != "" {
		alive, err = g.core.Records.FamilyAlive(ctx, claims.OriginJTI)
	}
	if err != nil {
		return userpool.User{}, fmt.Errorf("userpool: reading token family: %w", err)
	}
	if !alive {
		return userpool.User{}, errToken
	}
	return u, nil
}

// issuedAfter reports whether the token is from a later second than t. It is
// for tokens without origin_jti, which can be revoked in no other way. If the clock
// was set back so far that no token of before t can be as young as now, t ends
// nothing any more but what is from a time to come.
func (c accessClaims) issuedAfter(t, now time.Time) bool {
	switch {
	case t.IsZero():
		return true
	case c.IssuedAt == nil:
		return false
	case t.Sub(now) > maxAccessLife+clock.Slack:
		return c.IssuedAt.Sub(now) <= clock.Slack
	}
	return c.IssuedAt.Unix() > t.Unix()
}

// isOwnJWT reports whether this is an access or ID token of the pool, expired
// or not.
func (g *Grants) isOwnJWT(ctx context.Context, token userpool.Secret) bool {
	if len(token) > maxToken {
		return false
	}
	parser := g.jwtParser(jwt.WithoutClaimsValidation())
	_, err := parser.Parse(string(token), g.verifyingKey(ctx, true))
	return err == nil
}

// jwtParser accepts RS256 and nothing else, whatever a token's header says.
func (g *Grants) jwtParser(more ...jwt.ParserOption) *jwt.Parser {
	return jwt.NewParser(append([]jwt.ParserOption{
		jwt.WithValidMethods([]string{jwt.SigningMethodRS256.Alg()}), jwt.WithStrictDecoding(),
		jwt.WithTimeFunc(g.core.Now), jwt.WithIssuer(g.core.Issuer), jwt.WithExpirationRequired(),
	}, more...)...)
}

// verifyingKey finds the key by kid among those that may have signed an access
// token or, if alsoID is set, an ID token.
func (g *Grants) verifyingKey(ctx context.Context, alsoID bool) jwt.Keyfunc {
	return func(t *jwt.Token) (any, error) {
		kid, _ := t.Header["kid"].(string)
		key, ok := g.keys.find(ctx, func(s *keys.Pair) (*rsa.PublicKey, bool) {
			key, ok := s.AccessKey(kid)
			if !ok && alsoID {
				key, ok = s.IDKey(kid)
			}
			return key, ok
		})
		if !ok {
			return nil, errors.New("unknown kid")
		}
		return key, nil
	}
}
