package userpool

import (
	"context"
	"crypto/rsa"
	"errors"
	"fmt"
	"slices"
	"time"

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

// The two texts are Cognito's.
var (
	errToken = &Error{Code: CodeInvalidToken,
		Description: "Access token is expired, disabled, or deleted, or the user has globally signed out."}
	errNoOpenID = &Error{Code: CodeInvalidToken, Description: "Access token does not contain openid scope"}
)

// UserInfo returns the claims about the user of an access token, all of them
// strings, booleans too, which is Cognito's way. A token that is not one of
// this pool's live access tokens, or lacks openid, is an [*Error] invalid_token.
func (p *Pool) UserInfo(ctx context.Context, token Secret) (map[string]string, error) {
	claims, err := p.accessToken(ctx, token)
	if err != nil {
		return nil, err
	}
	scopes := spaced(claims.Scope)
	if !slices.Contains(scopes, scopeOpenID) {
		return nil, errNoOpenID
	}
	c, ok, err := p.Client(ctx, claims.ClientID)
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, errToken
	}
	u, err := p.liveUser(ctx, c, claims)
	if err != nil {
		return nil, err
	}
	info := visibleAttributes(c, u.Attributes, scopes)
	if len(u.Identities) > 0 && c.CanRead("identities") {
		info["identities"] = identitiesText(u.Identities)
	}
	info["sub"], info["username"] = u.Sub, u.Username
	return info, nil
}

// accessToken verifies signature, issuer, expiry and kind.
func (p *Pool) accessToken(ctx context.Context, token Secret) (accessClaims, error) {
	var claims accessClaims
	if len(token) > maxToken {
		return claims, errToken
	}
	_, err := p.knownKeys(ctx)
	if err != nil {
		return claims, err // no fault of the token
	}
	_, err = p.jwtParser().ParseWithClaims(string(token), &claims, p.verifyingKey(ctx, false))
	if err != nil || claims.TokenUse != "access" {
		return claims, errToken
	}
	return claims, nil
}

// liveUser returns the user of an access token that was not revoked.
func (p *Pool) liveUser(ctx context.Context, c Client, claims accessClaims) (User, error) {
	u, err := p.user(ctx, claims.Subject)
	if errors.Is(err, errGone) || err == nil && tokenRefusal(u) != "" {
		return User{}, errToken
	}
	if err != nil {
		return User{}, err
	}
	alive := !c.carriesJTI() && claims.issuedAfter(u.SignedOut, p.now())
	if claims.OriginJTI != "" {
		alive, err = p.store.FamilyAlive(ctx, claims.OriginJTI)
	}
	if err != nil {
		return User{}, fmt.Errorf("userpool: reading token family: %w", err)
	}
	if !alive {
		return User{}, errToken
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
	case t.Sub(now) > maxAccessLife+clockSlack:
		return c.IssuedAt.Sub(now) <= clockSlack
	}
	return c.IssuedAt.Unix() > t.Unix()
}

// isOwnJWT reports whether this is an access or ID token of the pool, expired
// or not.
func (p *Pool) isOwnJWT(ctx context.Context, token Secret) bool {
	if len(token) > maxToken {
		return false
	}
	parser := p.jwtParser(jwt.WithoutClaimsValidation())
	_, err := parser.Parse(string(token), p.verifyingKey(ctx, true))
	return err == nil
}

// jwtParser accepts RS256 and nothing else, whatever a token's header says.
func (p *Pool) jwtParser(more ...jwt.ParserOption) *jwt.Parser {
	return jwt.NewParser(append([]jwt.ParserOption{
		jwt.WithValidMethods([]string{jwt.SigningMethodRS256.Alg()}), jwt.WithStrictDecoding(),
		jwt.WithTimeFunc(p.now), jwt.WithIssuer(p.issuer), jwt.WithExpirationRequired(),
	}, more...)...)
}

// verifyingKey finds the key by kid among those that may have signed an access
// token or, if alsoID is set, an ID token.
func (p *Pool) verifyingKey(ctx context.Context, alsoID bool) jwt.Keyfunc {
	return func(t *jwt.Token) (any, error) {
		kid, _ := t.Header["kid"].(string)
		key, ok := p.findKey(ctx, func(s *SigningKeys) (*rsa.PublicKey, bool) {
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
