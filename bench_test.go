package cognate_test

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/cognate-auth/cognate"
	"github.com/cognate-auth/cognate/internal/fakeprovider"
	"github.com/cognate-auth/cognate/sessionstore"
)

// BenchmarkRequest is a signed-in request without the network: the handler alone, and behind
// RequireLogin with the session in its various places.
func BenchmarkRequest(b *testing.B) {
	const url = "https://app.test/private"
	handler := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("hello\n")) })
	run := func(b *testing.B, h http.Handler, cookies ...string) {
		b.Helper()
		requests := make([]*http.Request, len(cookies))
		for i, c := range cookies {
			requests[i] = httptest.NewRequestWithContext(b.Context(), http.MethodGet, url, nil)
			requests[i].Header.Set("Cookie", c)
		}
		w := &discard{header: http.Header{}}
		b.ReportAllocs()
		i := 0
		for b.Loop() {
			clear(w.header)
			h.ServeHTTP(w, requests[i%len(requests)])
			i++
		}
		if w.status != 0 {
			b.Fatalf("status %d", w.status)
		}
	}
	b.Run("bare", func(b *testing.B) { run(b, handler, "a=b") })
	for name, session := range map[string]cognate.SessionConfig{
		"cookie": {}, "tokens in cookies": {TokensInCookie: true}, "memory store": {Store: sessionstore.NewMemory(0)},
	} {
		auth, cookie := signedIn(b, session)
		b.Run(name, func(b *testing.B) { run(b, auth.RequireLogin(handler), cookie) })
	}
}

// discard is a ResponseWriter that costs nothing.
type discard struct {
	header http.Header
	status int
}

func (d *discard) Header() http.Header         { return d.header }
func (d *discard) Write(p []byte) (int, error) { return len(p), nil }
func (d *discard) WriteHeader(status int)      { d.status = status }

// signedIn returns an Auth and a Cookie header that it takes.
func signedIn(b testing.TB, session cognate.SessionConfig) (*cognate.Auth, string) {
	b.Helper()
	p := fakeprovider.New(b)
	auth, err := cognate.New(cognate.Config{
		Issuer: p.Issuer, ClientID: clientID, ClientSecret: clientSecret, RedirectURL: appOrigin + "/oidc_callback",
		Keys:   []cognate.Secret{cognate.Secret(strings.Repeat("k", 32))},
		Logger: slog.New(slog.DiscardHandler), Session: session,
	})
	if err != nil {
		b.Fatal(err)
	}
	x := &app{auth: auth, handler: auth.Handler(auth.RequireLogin(http.NotFoundHandler()))}
	visitor := x.browser(b)
	visitor.signIn(p)
	return auth, cookieHeader(visitor)
}

// cognitoToken is a token as long as Cognito's, some 1,080 bytes.
func cognitoToken(key *rsa.PrivateKey, issuer, id string) string {
	now := time.Now()
	return fakeprovider.SignRS256(key, cognitoKeyID, jwt.MapClaims{
		"sub": "f3a4b5c6-7d8e-4f90-a1b2-c3d4e5f60718", "username": "f3a4b5c6-7d8e-4f90-a1b2-c3d4e5f60718",
		"iss": issuer, "version": 2, "client_id": clientID, "cognito:groups": []string{"admins", "staff"},
		"origin_jti": "0d1e2f3a-4b5c-6d7e-8f90-a1b2c3d4e5f6", "event_id": "5f0e3c9a-1b2d-4c3e-9f80-7a6b5c4d3e2f",
		"token_use": "access", "jti": id,
		"scope":     "openid profile email orders/read orders/write phone aws.cognito.signin.user.admin",
		"auth_time": now.Unix(), "exp": now.Add(time.Hour).Unix(), "iat": now.Unix(),
	})
}

const (
	cognitoIssuer = "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_Abcdefghi"
	cognitoKeyID  = "aVCqtzWMfKzPQqRVZcJTQnVoOxyBwxvGbvHOGMXxWkU="
)

// cognitoAPI is a resource server for a user pool, and more tokens than it remembers, so that
// each comes back as a new one.
func cognitoAPI(t testing.TB, key *rsa.PrivateKey) (api *cognate.Bearer, raws []string) {
	t.Helper()
	api, err := cognate.NewBearer(cognate.BearerConfig{
		Issuers: []cognate.BearerIssuer{{
			Issuer: cognitoIssuer, Clients: []string{clientID}, JWKS: "https://issuer.test/keys",
		}},
		CacheSize: 32,
		HTTPClient: &http.Client{Transport: fakeprovider.RoundTripFunc(func(*http.Request) (*http.Response, error) {
			return fakeprovider.JSONResponse(map[string]any{"keys": []any{fakeprovider.JWK(key, cognitoKeyID)}}), nil
		})},
	})
	if err != nil {
		t.Fatal(err)
	}
	raws = make([]string, 256)
	for i := range raws {
		raws[i] = cognitoToken(key, cognitoIssuer, rand.Text())
	}
	return api, raws
}

// BenchmarkBearer is the whole check of an access token that was never seen, and of one
// that was, beside the one RSA verification that can't be saved and the check by another
// library, which looks at fewer claims.
func BenchmarkBearer(b *testing.B) {
	key := fakeprovider.Keys()[0]
	api, raws := cognitoAPI(b, key)
	b.Run("raw RSA", func(b *testing.B) {
		parts := strings.Split(raws[0], ".")
		digest := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
		signature, _ := base64.RawURLEncoding.DecodeString(parts[2])
		b.ReportAllocs()
		for b.Loop() {
			err := rsa.VerifyPKCS1v15(&key.PublicKey, crypto.SHA256, digest[:], signature)
			if err != nil {
				b.Fatal(err)
			}
		}
	})
	verify := func(b *testing.B, raws []string) {
		b.Helper()
		b.ReportAllocs()
		i := 0
		for b.Loop() {
			_, err := api.Verify(b.Context(), raws[i%len(raws)], "orders/read")
			if err != nil {
				b.Fatal(err)
			}
			i++
		}
	}
	b.Run("cold", func(b *testing.B) { verify(b, raws) })
	b.Run("warm", func(b *testing.B) { verify(b, raws[:1]) })
	b.Run("warm request", func(b *testing.B) {
		h := api.Require("orders/read")(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
		r := httptest.NewRequestWithContext(b.Context(), http.MethodGet, "/", nil)
		r.Header.Set("Authorization", "Bearer "+raws[0])
		w := &discard{header: http.Header{}}
		b.ReportAllocs()
		for b.Loop() {
			clear(w.header)
			h.ServeHTTP(w, r)
		}
		if w.status != 0 {
			b.Fatalf("status %d", w.status)
		}
	})
	b.Run("golang-jwt", func(b *testing.B) {
		parser := jwt.NewParser(jwt.WithValidMethods([]string{"RS256"}), jwt.WithIssuer(cognitoIssuer),
			jwt.WithExpirationRequired())
		b.ReportAllocs()
		i := 0
		for b.Loop() {
			_, err := parser.ParseWithClaims(raws[i%len(raws)], jwt.MapClaims{},
				func(*jwt.Token) (any, error) { return &key.PublicKey, nil })
			if err != nil {
				b.Fatal(err)
			}
			i++
		}
	})
}
