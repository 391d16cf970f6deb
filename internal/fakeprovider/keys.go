package fakeprovider

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"math/big"
	"sync"
	"testing"

	"github.com/golang-jwt/jwt/v5"
)

// Keys returns three RSA keys. They are generated once, because that is slow.
var Keys = sync.OnceValue(func() []*rsa.PrivateKey {
	keys := make([]*rsa.PrivateKey, 3)
	for i := range keys {
		k, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			panic(err)
		}
		keys[i] = k
	}
	return keys
})

// SigningKeys returns a private key for every signing algorithm, by its name (RFC 7518, 3.1).
var SigningKeys = sync.OnceValue(func() map[string]any {
	keys := map[string]any{}
	for _, alg := range []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"} {
		keys[alg] = Keys()[0]
	}
	for alg, curve := range map[string]elliptic.Curve{
		"ES256": elliptic.P256(), "ES384": elliptic.P384(), "ES512": elliptic.P521(),
	} {
		key, err := ecdsa.GenerateKey(curve, rand.Reader)
		if err != nil {
			panic(err)
		}
		keys[alg] = key
	}
	return keys
})

// JWK returns the public half of a key for RS256, as a member of a key set (RFC 7517).
func JWK(key *rsa.PrivateKey, kid string) map[string]any {
	return map[string]any{
		"kty": "RSA", "use": "sig", "alg": "RS256", "kid": kid,
		"n": base64.RawURLEncoding.EncodeToString(key.N.Bytes()),
		"e": base64.RawURLEncoding.EncodeToString(big.NewInt(int64(key.E)).Bytes()),
	}
}

// BareJWK returns the public half of an RSA or ECDSA key, as a member of a key set that does
// not name the algorithm.
func BareJWK(t testing.TB, key any, kid string) map[string]any {
	t.Helper()
	switch key := key.(type) {
	case *rsa.PrivateKey:
		j := JWK(key, kid)
		delete(j, "alg")
		return j
	case *ecdsa.PrivateKey:
		point, err := key.PublicKey.Bytes()
		if err != nil {
			t.Fatal(err)
		}
		size := (len(point) - 1) / 2
		return map[string]any{
			"kty": "EC", "kid": kid, "crv": key.Curve.Params().Name,
			"x": base64.RawURLEncoding.EncodeToString(point[1 : 1+size]),
			"y": base64.RawURLEncoding.EncodeToString(point[1+size:]),
		}
	}
	t.Fatalf("no key: %T", key)
	return nil
}

// SignRS256 signs claims with RS256. An empty kid stays out of the header.
func SignRS256(key *rsa.PrivateKey, kid string, c jwt.MapClaims) string {
	return SignWith(jwt.SigningMethodRS256, key, kid, c)
}

// SignWith signs claims with a method. An empty kid stays out of the header.
func SignWith(method jwt.SigningMethod, key any, kid string, c jwt.MapClaims) string {
	tok := jwt.NewWithClaims(method, c)
	delete(tok.Header, "typ")
	if kid != "" {
		tok.Header["kid"] = kid
	}
	s, err := tok.SignedString(key)
	if err != nil {
		panic(err)
	}
	return s
}

// AccessTokenHash returns at_hash for an access token, in an ID token signed with RS256
// (OpenID Connect Core, 3.1.3.6).
func AccessTokenHash(access string) string {
	sum := sha256.Sum256([]byte(access))
	return base64.RawURLEncoding.EncodeToString(sum[:len(sum)/2])
}

// CodeChallenge returns the S256 code challenge of a verifier (RFC 7636, 4.2).
func CodeChallenge(verifier string) string {
	sum := sha256.Sum256([]byte(verifier))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}
