package oidc_test

import (
	"crypto/ecdsa"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/cognate-auth/cognate/internal/fakeprovider"
	"github.com/cognate-auth/cognate/internal/oidc"
	"github.com/cognate-auth/cognate/internal/refusal"
)

// with changes members of a key.
func with(key map[string]any, change ...any) map[string]any {
	for i := 0; i < len(change); i += 2 {
		key[change[i].(string)] = change[i+1]
	}
	return key
}

// TestKeySets verifies a token with sets that have its key, and others, in many ways.
func TestKeySets(t *testing.T) {
	keys := fakeprovider.Keys()
	jwk := func(n int, kid string, change ...any) map[string]any {
		return with(fakeprovider.JWK(keys[n], kid), change...)
	}
	ec := func(change ...any) map[string]any {
		key := fakeprovider.SigningKeys()["ES256"].(*ecdsa.PrivateKey)
		return with(fakeprovider.BareJWK(t, key, "k"), change...)
	}
	for _, tt := range []struct {
		name, kid string
		set       []any
		want      refusal.Reason
	}{
		{"the key", "k", []any{jwk(0, "k")}, ""},
		{"no key ID, and one key", "", []any{jwk(0, "k")}, ""},
		{"no key ID, and two keys", "", []any{jwk(0, "k"), jwk(1, "l")}, refusal.TokenKey},
		{"another key ID", "k", []any{jwk(0, "l")}, refusal.TokenKey},
		{"two of one ID", "k", []any{jwk(1, "k"), jwk(0, "k")}, ""},
		{"one twice", "k", []any{jwk(0, "k"), jwk(0, "k")}, ""},
		{"another key", "k", []any{jwk(1, "k")}, refusal.TokenSignature},
		{"another algorithm", "k", []any{jwk(0, "k", "alg", "RS512")}, refusal.TokenKey},
		{"a curve beside it", "k", []any{ec(), jwk(0, "k")}, ""},
		{"a curve of another kind", "k", []any{ec("crv", "secp256k1"), jwk(0, "k")}, ""},
		{"no point of the curve", "k", []any{ec("y", strings.Repeat("A", 43)), jwk(0, "k")}, ""},
		{"half a point", "k", []any{ec("y", "AQAB"), jwk(0, "k")}, ""},
		{"for encryption", "k", []any{jwk(0, "k", "use", "enc"), jwk(1, "l")}, refusal.TokenKey},
		{
			"for nothing that is known", "k",
			[]any{jwk(0, "k", "use", "", "key_ops", []string{"wrapKey"}), jwk(1, "l")}, refusal.TokenKey,
		},
		{"for signing", "k", []any{jwk(0, "k", "key_ops", []string{"sign"}), jwk(1, "l")}, refusal.TokenKey},
		{"for verifying", "k", []any{jwk(0, "k", "key_ops", []string{"verify"})}, ""},
		{"padded, in base64", "k", []any{jwk(0, "k", "e", "AQAB==")}, ""},
		{"exponent as a whole word", "k", []any{jwk(0, "k", "e", "AAEAAQ")}, ""},
		{"even exponent", "k", []any{jwk(0, "k", "e", "Ag"), jwk(1, "l")}, refusal.TokenKey},
		{"no exponent", "k", []any{jwk(0, "k", "e", ""), jwk(1, "l")}, refusal.TokenKey},
		{"short key", "k", []any{jwk(0, "k", "n", "AQAB"), jwk(1, "l")}, refusal.TokenKey},
		{"with its private half", "k", []any{jwk(0, "k", "d", "AQAB"), jwk(1, "l")}, refusal.TokenKey},
		{
			"with its private half elsewhere", "k", []any{jwk(0, "k"), jwk(0, "m", "d", "AQAB"), jwk(1, "l")},
			refusal.TokenKey,
		},
		{"with empty private parts", "k", []any{jwk(0, "k", "d", "", "p", nil, "oth", []any{})}, ""},
		{"no key at all", "k", []any{}, refusal.ProviderDown},
		{"no keys among them", "k", []any{"key", 7, map[string]any{"kty": "oct"}, jwk(0, "k")}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			now := time.Now()
			raw := fakeprovider.SignRS256(keys[0], tt.kid, jwt.MapClaims{
				"iss": issuer, "sub": "u", "aud": fakeprovider.ClientID, "nonce": "n",
				"iat": now.Unix(), "exp": now.Add(time.Hour).Unix(),
			})
			_, err := newVerifier(time.Now, tt.set...).Verify(t.Context(), raw, "", oidc.Attempt{Nonce: "n"})
			if refusal.Of(err) != tt.want {
				t.Errorf("%v, want %q", err, tt.want)
			}
		})
	}
}
