package grants

import (
	"crypto/sha256"
	"encoding/base64"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/cognate-auth/cognate/userpool"
	"github.com/cognate-auth/cognate/userpool/internal/oauthscope"
	"github.com/cognate-auth/cognate/userpool/internal/records"
)

// issuance is one answer with tokens for a person: to whom, about whom, why.
type issuance struct {
	client userpool.Client
	user   userpool.User
	family records.RefreshToken
	nonce  string
	source string // of the trigger: why tokens are issued
	now    time.Time
}

// tokenClaims are the claims of the two tokens of one answer.
type tokenClaims struct {
	access map[string]any
	id     map[string]any // nil: no ID token
	scopes []string
}

// newClaims works out the claims of an answer, as they are without a trigger.
func (g *Grants) newClaims(i issuance) tokenClaims {
	t := tokenClaims{scopes: g.liveScopes(i.family.Scopes)}
	event, groups := userpool.NewUUID(), g.groupClaims(i.user.Groups)
	t.access = g.accessClaims(i, t.scopes)
	t.access["event_id"] = event
	groups.apply(t.access, false)
	if !slices.Contains(i.family.Scopes, oauthscope.OpenID) {
		return t
	}
	t.id = g.idClaims(i)
	t.id["event_id"] = event
	groups.apply(t.id, true)
	return t
}

// commonClaims are those of both kinds (developer guide, the pages on using the
// ID token and the access token).
func (g *Grants) commonClaims(i issuance, use string, life time.Duration) map[string]any {
	claims := map[string]any{
		"sub": i.user.Sub, "iss": g.core.Issuer, "token_use": use,
		"auth_time": i.family.AuthTime.Unix(), "iat": i.now.Unix(), "exp": i.now.Add(life).Unix(),
	}
	if i.client.CarriesJTI() {
		claims["jti"], claims["origin_jti"] = userpool.NewUUID(), i.family.OriginJTI
	}
	if acr := acrClaim(i.family.Methods); acr != "" {
		claims["acr"], claims["amr"] = acr, amrClaim(i.family.Methods)
	}
	return claims
}

// accessClaims has client_id where other servers have aud, which is there only
// for a resource.
func (g *Grants) accessClaims(i issuance, scopes []string) map[string]any {
	claims := g.commonClaims(i, "access", i.client.AccessTokenValidity)
	claims["client_id"] = i.client.ID
	claims["username"] = i.user.Username
	claims["scope"] = strings.Join(scopes, " ")
	claims["version"] = 2
	if i.family.Resource != "" {
		claims["aud"] = i.family.Resource
	}
	return claims
}

func (g *Grants) idClaims(i issuance) map[string]any {
	claims := g.commonClaims(i, "id", i.client.IDTokenValidity)
	claims["aud"] = i.client.ID
	claims["cognito:username"] = i.user.Username
	if i.nonce != "" {
		claims["nonce"] = i.nonce
	}
	if len(i.user.Identities) > 0 {
		claims["identities"] = i.user.IdentitiesClaim()
	}
	for name, value := range visibleAttributes(i.client, i.user.Attributes, i.family.Scopes) {
		switch {
		case userpool.IsVerifiedFlag(name):
			claims[name] = value == "true"
		case name == "address": // OpenID Connect Core section 5.1.1
			claims[name] = map[string]string{"formatted": value}
		default:
			claims[name] = value
		}
	}
	return claims
}

// apply puts the groups into the claims of a token, instead of those that are
// there. Roles are for the ID token alone.
func (g groupClaims) apply(claims map[string]any, roles bool) {
	delete(claims, "cognito:groups")
	delete(claims, "cognito:roles")
	delete(claims, "cognito:preferred_role")
	if len(g.Groups) > 0 {
		claims["cognito:groups"] = g.Groups
	}
	if roles && len(g.Roles) > 0 {
		claims["cognito:roles"] = g.Roles
	}
	if roles && g.Preferred != nil && *g.Preferred != "" {
		claims["cognito:preferred_role"] = *g.Preferred
	}
}

// atHash is the left half of the SHA-256 (OpenID Connect Core section 3.1.3.6).
func atHash(access userpool.Secret) string {
	sum := sha256.Sum256([]byte(access))
	return base64.RawURLEncoding.EncodeToString(sum[:16])
}

// visibleAttributes returns the attributes that the scopes open and the client
// may read.
func visibleAttributes(c userpool.Client, all map[string]string, scopes []string) map[string]string {
	out := scopedAttributes(all, scopes)
	maps.DeleteFunc(out, func(name, _ string) bool { return !c.CanRead(name) })
	return out
}

// unreadable returns an attribute that a scope promises and the client may not
// read: then there are no tokens (developer guide, page "token-endpoint"). The
// scope profile promises only what the client can read.
func unreadable(c userpool.Client, scopes []string) string {
	for _, scope := range scopes {
		var names []string
		switch scope {
		case oauthscope.Email:
			names = []string{"email", "email_verified"}
		case oauthscope.Phone:
			names = []string{"phone_number", "phone_number_verified"}
		}
		for _, name := range names {
			if !c.CanRead(name) {
				return name
			}
		}
	}
	return ""
}

// scopedAttributes returns the attributes that the scopes open: all of them for
// openid alone, otherwise those of email, phone and profile. profile is read as
// the userInfo page has it: the OpenID Connect list and the custom attributes,
// without e-mail address and phone number.
func scopedAttributes(all map[string]string, scopes []string) map[string]string {
	has := func(scope string) bool { return slices.Contains(scopes, scope) }
	everything := !has(oauthscope.Email) && !has(oauthscope.Phone) && !has(oauthscope.Profile)
	out := make(map[string]string, len(all))
	for name, value := range all {
		switch {
		case everything,
			has(oauthscope.Email) && (name == "email" || name == "email_verified"),
			has(oauthscope.Phone) && (name == "phone_number" || name == "phone_number_verified"),
			has(oauthscope.Profile) && (slices.Contains(userpool.ProfileAttributes, name) ||
				strings.HasPrefix(name, "custom:")):
			out[name] = value
		}
	}
	return out
}
