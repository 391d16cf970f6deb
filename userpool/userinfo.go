package userpool

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/golang-jwt/jwt/v5"
)

// accessClaims is what the pool reads of its own access tokens. Those that
// RegisteredClaims has are checked by the parser.
type accessClaims struct {
	jwt.RegisteredClaims
	TokenUse  string `json:"token_use"`
	Scope     string `json:"scope"`
	OriginJTI string `json:"origin_jti"`
}

const maxToken = 16 << 10

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
	scopes := strings.Fields(claims.Scope)
	if !slices.Contains(scopes, scopeOpenID) {
		return nil, errNoOpenID
	}
	u, err := p.user(ctx, claims.Subject)
	if errors.Is(err, errGone) {
		return nil, errToken
	}
	if err != nil {
		return nil, err
	}
	info := scopedAttributes(u.Attributes, scopes)
	info["sub"], info["username"] = u.Sub, u.Username
	return info, nil
}

// accessToken verifies signature, issuer, expiry and kind, and asks the store
// whether the token was revoked.
func (p *Pool) accessToken(ctx context.Context, token Secret) (accessClaims, error) {
	var claims accessClaims
	if len(token) > maxToken {
		return claims, errToken
	}
	_, err := p.jwtParser().ParseWithClaims(string(token), &claims, p.verifyingKey(false))
	if err != nil || claims.TokenUse != "access" {
		return claims, errToken
	}
	alive, err := p.store.FamilyAlive(ctx, p.id, claims.OriginJTI)
	if err != nil {
		return claims, fmt.Errorf("userpool: reading token family: %w", err)
	}
	if !alive {
		return claims, errToken
	}
	return claims, nil
}

// isOwnJWT reports whether this is an access or ID token of the pool, expired
// or not.
func (p *Pool) isOwnJWT(token Secret) bool {
	if len(token) > maxToken {
		return false
	}
	parser := p.jwtParser(jwt.WithoutClaimsValidation())
	_, err := parser.Parse(string(token), p.verifyingKey(true))
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
func (p *Pool) verifyingKey(alsoID bool) jwt.Keyfunc {
	return func(t *jwt.Token) (any, error) {
		for _, set := range p.keys.all() {
			switch {
			case t.Header["kid"] == set.access.kid:
				return &set.access.key.PublicKey, nil
			case alsoID && t.Header["kid"] == set.id.kid:
				return &set.id.key.PublicKey, nil
			}
		}
		return nil, errors.New("unknown kid")
	}
}
