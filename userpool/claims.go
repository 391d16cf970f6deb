package userpool

import (
	"crypto/sha256"
	"encoding/base64"
	"slices"
	"strings"
	"time"
)

// tokenClaims is what the two tokens of one answer have in common.
type tokenClaims struct {
	issuer, client string
	user           User
	family         RefreshToken
	nonce          string
	eventID        string
	now            time.Time
}

// common returns the claims of both kinds (developer guide, the pages on using
// the ID token and the access token).
func (t tokenClaims) common(use string, life time.Duration) map[string]any {
	claims := map[string]any{
		"sub": t.user.Sub, "iss": t.issuer, "token_use": use,
		"auth_time": t.family.AuthTime.Unix(), "iat": t.now.Unix(), "exp": t.now.Add(life).Unix(),
		"jti": NewUUID(), "origin_jti": t.family.OriginJTI, "event_id": t.eventID,
	}
	if len(t.user.Groups) > 0 {
		claims["cognito:groups"] = t.user.Groups
	}
	return claims
}

// access returns the claims of the access token: client_id instead of aud.
func (t tokenClaims) access(life time.Duration) map[string]any {
	claims := t.common("access", life)
	claims["client_id"] = t.client
	claims["username"] = t.user.Username
	claims["scope"] = strings.Join(t.family.Scopes, " ")
	claims["version"] = 2
	return claims
}

// id returns the claims of the ID token that goes with the access token.
func (t tokenClaims) id(life time.Duration, access Secret) map[string]any {
	claims := t.common("id", life)
	claims["aud"] = t.client
	claims["cognito:username"] = t.user.Username
	claims["at_hash"] = atHash(access)
	if t.nonce != "" {
		claims["nonce"] = t.nonce
	}
	for name, value := range scopedAttributes(t.user.Attributes, t.family.Scopes) {
		switch {
		case isBoolean(name):
			claims[name] = value == "true"
		case name == "address": // OpenID Connect Core section 5.1.1
			claims[name] = map[string]string{"formatted": value}
		default:
			claims[name] = value
		}
	}
	return claims
}

// atHash is the left half of the SHA-256 (OpenID Connect Core section 3.1.3.6).
func atHash(access Secret) string {
	sum := sha256.Sum256([]byte(access))
	return base64.RawURLEncoding.EncodeToString(sum[:16])
}

// scopedAttributes returns the attributes that the scopes open: all of them for
// openid alone, otherwise those of email, phone and profile. profile is read as
// the userInfo page has it: the OpenID Connect list and the custom attributes,
// without e-mail address and phone number.
func scopedAttributes(all map[string]string, scopes []string) map[string]string {
	has := func(scope string) bool { return slices.Contains(scopes, scope) }
	everything := !has(scopeEmail) && !has(scopePhone) && !has(scopeProfile)
	out := make(map[string]string, len(all))
	for name, value := range all {
		switch {
		case everything,
			has(scopeEmail) && (name == "email" || name == "email_verified"),
			has(scopePhone) && (name == "phone_number" || name == "phone_number_verified"),
			has(scopeProfile) && (slices.Contains(profileAttributes, name) || strings.HasPrefix(name, "custom:")):
			out[name] = value
		}
	}
	return out
}
