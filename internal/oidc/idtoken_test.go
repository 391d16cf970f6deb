package oidc_test

import (
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/cognate-auth/cognate/internal/fakeprovider"
	"github.com/cognate-auth/cognate/internal/oidc"
)

// FuzzIDToken mutates tokens. None but the one that was signed may pass.
func FuzzIDToken(f *testing.F) {
	c := fakeprovider.NewClock()
	key := fakeprovider.Keys()[0]
	good := jwt.MapClaims{
		"iss": issuer, "sub": "user-1", "aud": fakeprovider.ClientID, "nonce": "n",
		"iat": c.Now().Unix(), "exp": c.Now().Add(time.Hour).Unix(),
	}
	signed := fakeprovider.SignRS256(key, "k", good)
	verifier := newVerifier(c.Now, fakeprovider.JWK(key, "k"))
	attempt := oidc.Attempt{Nonce: "n"}
	_, err := verifier.Verify(f.Context(), signed, "", attempt)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(signed)
	f.Add(fakeprovider.SignRS256(fakeprovider.Keys()[1], "k", good))
	f.Add(fakeprovider.SignWith(jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, "k", good))
	f.Add(fakeprovider.SignWith(jwt.SigningMethodHS256, []byte(fakeprovider.ClientSecret), "k", good))
	for _, s := range []string{"", ".", "..", "...", "e30.e30.", "eyJhbGciOiJSUzI1NiJ9.bnVsbA.",
		"bnVsbA.bnVsbA.bnVsbA"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		_, err := verifier.Verify(t.Context(), raw, "", attempt)
		if err == nil && raw != signed {
			t.Fatalf("%q passed", raw)
		}
	})
}

// goodIDToken is an ID token of the nonce "n", and who verifies it.
func goodIDToken() (raw string, verifier *oidc.Verifier) {
	key := fakeprovider.Keys()[0]
	now := time.Now()
	raw = fakeprovider.SignRS256(key, "k", jwt.MapClaims{
		"iss": issuer, "sub": "user-1", "aud": fakeprovider.ClientID, "nonce": "n", "email": "ann@example.com",
		"iat": now.Unix(), "exp": now.Add(time.Hour).Unix(),
	})
	return raw, newVerifier(time.Now, fakeprovider.JWK(key, "k"))
}

// BenchmarkIDToken is the whole check of an ID token.
func BenchmarkIDToken(b *testing.B) {
	raw, verifier := goodIDToken()
	b.ReportAllocs()
	for b.Loop() {
		_, err := verifier.Verify(b.Context(), raw, "", oidc.Attempt{Nonce: "n"})
		if err != nil {
			b.Fatal(err)
		}
	}
}
