package cognate_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/cognate-auth/cognate"
	"github.com/cognate-auth/cognate/internal/fakeprovider"
)

// TestIDTokenChecks changes one thing of a good ID token at a time.
func TestIDTokenChecks(t *testing.T) {
	c := fakeprovider.NewClock()
	at := func(d time.Duration) int64 { return c.Now().Add(d).Unix() }
	set := func(name string, value any) func(map[string]any) {
		return func(m map[string]any) {
			if m[name] = value; value == nil {
				delete(m, name)
			}
		}
	}
	all := func(changes ...func(map[string]any)) func(map[string]any) {
		return func(m map[string]any) {
			for _, change := range changes {
				change(m)
			}
		}
	}
	const ok = cognate.Reason("")
	for _, tt := range []struct {
		name   string
		claims func(map[string]any)
		want   cognate.Reason
	}{
		{"unchanged", func(map[string]any) {}, ok},

		{"other issuer", set("iss", "https://evil.test"), cognate.ReasonTokenIssuer},
		{"issuer with a slash more", func(m map[string]any) { m["iss"] = m["iss"].(string) + "/" },
			cognate.ReasonTokenIssuer},
		{"part of the issuer", func(m map[string]any) { m["iss"] = m["iss"].(string)[:10] }, cognate.ReasonTokenIssuer},
		{"no issuer", set("iss", nil), cognate.ReasonTokenIssuer},
		{"list of issuers", func(m map[string]any) { m["iss"] = []any{m["iss"]} }, cognate.ReasonTokenIssuer},
		{"issuer under another case", func(m map[string]any) { m["ISS"] = m["iss"]; delete(m, "iss") },
			cognate.ReasonTokenIssuer},

		{"other audience", set("aud", "client-2"), cognate.ReasonTokenAudience},
		{"no audience", set("aud", nil), cognate.ReasonTokenAudience},
		{"empty audience", set("aud", []string{}), cognate.ReasonTokenAudience},
		{"audience is an object", set("aud", map[string]any{"a": 1}), cognate.ReasonTokenAudience},
		{"audience as a list", set("aud", []string{clientID}), ok},
		{"two audiences without azp", set("aud", []string{clientID, "client-2"}), cognate.ReasonTokenAuthorizedParty},
		{"two audiences with our azp", all(set("aud", []string{"client-2", clientID}), set("azp", clientID)),
			cognate.ReasonTokenAudience},
		{"two audiences with another azp", all(set("aud", []string{clientID, "client-2"}), set("azp", "client-2")),
			cognate.ReasonTokenAuthorizedParty},
		{"our azp", set("azp", clientID), ok},
		{"another azp", set("azp", "client-2"), cognate.ReasonTokenAuthorizedParty},
		{"azp is a number", set("azp", 1), cognate.ReasonTokenAuthorizedParty},

		{"expired", set("exp", at(-61*time.Second)), cognate.ReasonTokenExpired},
		{"expired at the end of the skew", set("exp", at(-60*time.Second)), cognate.ReasonTokenExpired},
		{"expired within the skew", all(set("exp", at(-59*time.Second)), set("iat", at(-time.Hour))), ok},
		{"expires before it was issued", all(set("exp", at(10*time.Second)), set("iat", at(11*time.Second))),
			cognate.ReasonTokenMalformed},
		{"expires before it is valid", all(set("exp", at(10*time.Second)), set("nbf", at(11*time.Second))),
			cognate.ReasonTokenMalformed},
		{"no exp", set("exp", nil), cognate.ReasonTokenMalformed},
		{"exp is a string", set("exp", "4102444800"), cognate.ReasonTokenMalformed},
		{"exp is negative", set("exp", -1), cognate.ReasonTokenMalformed},
		{"exp beyond time", set("exp", 1e300), cognate.ReasonTokenMalformed},
		{"exp with a fraction", set("exp", float64(at(time.Hour))+.5), ok},
		{"issued in the future", set("iat", at(61*time.Second)), cognate.ReasonTokenNotYetValid},
		{"issued in the future within the skew", set("iat", at(59*time.Second)), ok},
		{"issued five minutes ago", set("iat", at(-5*time.Minute)), ok},
		{"no iat", set("iat", nil), cognate.ReasonTokenMalformed},
		{"not yet valid", set("nbf", at(61*time.Second)), cognate.ReasonTokenNotYetValid},
		{"valid since now", set("nbf", at(0)), ok},
		{"nbf is a string", set("nbf", "0"), cognate.ReasonTokenMalformed},

		{"other nonce", set("nonce", "other"), cognate.ReasonTokenNonce},
		{"no nonce", set("nonce", nil), cognate.ReasonTokenNonce},
		{"empty nonce", set("nonce", ""), cognate.ReasonTokenNonce},
		{"nonce in a list", func(m map[string]any) { m["nonce"] = []any{m["nonce"]} }, cognate.ReasonTokenNonce},

		{"other at_hash", set("at_hash", fakeprovider.AccessTokenHash("another")), cognate.ReasonTokenAccessHash},
		{"empty at_hash", set("at_hash", ""), cognate.ReasonTokenAccessHash},
		{"at_hash is null", func(m map[string]any) { m["at_hash"] = nil }, cognate.ReasonTokenAccessHash},
		{"no at_hash", func(m map[string]any) { delete(m, "at_hash") }, ok},

		{"no subject", set("sub", nil), cognate.ReasonTokenMalformed},
		{"empty subject", set("sub", ""), cognate.ReasonTokenMalformed},
		{"long subject", set("sub", strings.Repeat("s", 256)), cognate.ReasonTokenMalformed},
		{"subject is a number", set("sub", 1), cognate.ReasonTokenMalformed},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := fakeprovider.New(t)
			p.Now = c.Now
			p.EditClaims = tt.claims
			expectReason(t, p, nil, tt.want)
		})
	}
}

// TestTrustedAudiences takes tokens that are for others too, if the configuration names them.
func TestTrustedAudiences(t *testing.T) {
	for _, tt := range []struct {
		name    string
		trusted []string
		aud     []string
		want    cognate.Reason
	}{
		{"named", []string{"api", "client-2"}, []string{"client-2", clientID}, ""},
		{"not all named", []string{"client-2"}, []string{"client-2", clientID, "client-3"},
			cognate.ReasonTokenAudience},
		{"named, and not for us", []string{"client-2"}, []string{"client-2"}, cognate.ReasonTokenAudience},
		{"us twice", nil, []string{clientID, clientID}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := fakeprovider.New(t)
			p.EditClaims = func(c map[string]any) { c["aud"], c["azp"] = tt.aud, clientID }
			expectReason(t, p, func(c *cognate.Config) { c.TrustedAudiences = tt.trusted }, tt.want)
		})
	}
}

// expectReason signs in and compares why it was refused; "" is a session.
func expectReason(t *testing.T, p *fakeprovider.Provider, change func(*cognate.Config), want cognate.Reason) {
	t.Helper()
	var got cognate.Reason
	x := newApp(t, p, func(c *cognate.Config) {
		c.ErrorHandler = func(w http.ResponseWriter, _ *http.Request, e *cognate.Error) {
			got = e.Reason
			w.WriteHeader(e.Status)
		}
		if change != nil {
			change(c)
		}
	})
	b := x.browser(t)
	b.signIn(p)
	if got != want {
		t.Errorf("refused because of %q, want %q", got, want)
	}
	if b.signedIn() != (want == "") {
		t.Errorf("signed in: %v", b.signedIn())
	}
	if n := len(p.TokenRequests()); n != 1 {
		t.Errorf("%d token requests, want 1", n)
	}
}

func TestIDTokenSignature(t *testing.T) {
	keys := fakeprovider.Keys()
	publicPEM := func() []byte {
		der, err := x509.MarshalPKIXPublicKey(&keys[0].PublicKey)
		if err != nil {
			t.Fatal(err)
		}
		return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
	}()
	const kid = "key/1+=="
	part := func(v any) string {
		b, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return base64.RawURLEncoding.EncodeToString(b)
	}
	good := func(c jwt.MapClaims) string { return fakeprovider.SignRS256(keys[0], kid, c) }
	replaceHeader := func(c jwt.MapClaims, header map[string]any) string {
		_, rest, _ := strings.Cut(good(c), ".")
		return part(header) + "." + rest
	}
	for _, tt := range []struct {
		name string
		sign func(jwt.MapClaims) string
		want cognate.Reason
	}{
		{"another key", func(c jwt.MapClaims) string { return fakeprovider.SignRS256(keys[1], kid, c) },
			cognate.ReasonTokenSignature},
		{"unknown kid", func(c jwt.MapClaims) string { return fakeprovider.SignRS256(keys[0], "other", c) },
			cognate.ReasonTokenKey},
		{"no kid and one key", func(c jwt.MapClaims) string { return fakeprovider.SignRS256(keys[0], "", c) }, ""},
		{"alg none", func(c jwt.MapClaims) string {
			return fakeprovider.SignWith(jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, kid, c)
		}, cognate.ReasonTokenAlgorithm},
		{"alg nOnE without signature", func(c jwt.MapClaims) string {
			return part(map[string]any{"alg": "nOnE", "kid": kid}) + "." + part(c) + "."
		}, cognate.ReasonTokenAlgorithm},
		{"HS256 with the public key", func(c jwt.MapClaims) string {
			return fakeprovider.SignWith(jwt.SigningMethodHS256, publicPEM, kid, c)
		}, cognate.ReasonTokenAlgorithm},
		{"HS256 with the client secret", func(c jwt.MapClaims) string {
			return fakeprovider.SignWith(jwt.SigningMethodHS256, []byte(clientSecret), kid, c)
		}, cognate.ReasonTokenAlgorithm},
		{"RS512 by the right key", func(c jwt.MapClaims) string {
			return fakeprovider.SignWith(jwt.SigningMethodRS512, keys[0], kid, c)
		}, cognate.ReasonTokenAlgorithm},
		{"no alg", func(c jwt.MapClaims) string { return replaceHeader(c, map[string]any{"kid": kid}) },
			cognate.ReasonTokenAlgorithm},
		{"critical extension", func(c jwt.MapClaims) string {
			tok := jwt.NewWithClaims(jwt.SigningMethodRS256, c)
			tok.Header["kid"], tok.Header["crit"], tok.Header["x"] = kid, []string{"x"}, 1
			s, _ := tok.SignedString(keys[0])
			return s
		}, cognate.ReasonTokenMalformed},
		{"changed payload", func(c jwt.MapClaims) string {
			parts := strings.Split(good(c), ".")
			c["sub"] = "admin"
			return parts[0] + "." + part(c) + "." + parts[2]
		}, cognate.ReasonTokenSignature},
		{"no signature", func(c jwt.MapClaims) string {
			s := good(c)
			return s[:strings.LastIndex(s, ".")+1]
		}, cognate.ReasonTokenSignature},
		{"two parts", func(c jwt.MapClaims) string { s := good(c); return s[:strings.LastIndex(s, ".")] },
			cognate.ReasonTokenMalformed},
		{"four parts", func(c jwt.MapClaims) string { return good(c) + ".x" }, cognate.ReasonTokenMalformed},
		{"padding", func(c jwt.MapClaims) string { return good(c) + "==" }, cognate.ReasonTokenMalformed},
		{"not a token", func(jwt.MapClaims) string { return "x" }, cognate.ReasonTokenMalformed},
		{"huge", func(jwt.MapClaims) string { return strings.Repeat("x", 70<<10) }, cognate.ReasonTokenMalformed},
		{"good but huge", func(c jwt.MapClaims) string { c["x"] = strings.Repeat("x", 70<<10); return good(c) },
			cognate.ReasonTokenMalformed},
		{"second spelling of the signature", func(c jwt.MapClaims) string { return respell(good(c)) },
			cognate.ReasonTokenMalformed},
		{"claim twice", func(c jwt.MapClaims) string {
			return signRaw(keys[0], kid, `{"sub":"admin",`+string(mustJSON(t, c))[1:])
		}, cognate.ReasonTokenMalformed},
		{"payload is a list", func(jwt.MapClaims) string { return signRaw(keys[0], kid, `[]`) },
			cognate.ReasonTokenMalformed},
		{"payload is null", func(jwt.MapClaims) string { return signRaw(keys[0], kid, `null`) },
			cognate.ReasonTokenMalformed},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := fakeprovider.New(t)
			p.Sign = tt.sign
			expectReason(t, p, nil, tt.want)
		})
	}
}

// respell changes bits of the last base64url character that carry no data.
func respell(s string) string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	last := strings.IndexByte(alphabet, s[len(s)-1])
	return s[:len(s)-1] + string(alphabet[last^1])
}

// signRaw signs a payload as it is.
func signRaw(key any, kid, payload string) string {
	header := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"RS256","kid":"` + kid + `"}`))
	text := header + "." + base64.RawURLEncoding.EncodeToString([]byte(payload))
	sig, err := jwt.SigningMethodRS256.Sign(text, key)
	if err != nil {
		panic(err)
	}
	return text + "." + base64.RawURLEncoding.EncodeToString(sig)
}

func mustJSON(t *testing.T, v any) []byte {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestIDTokenOtherAlgorithms(t *testing.T) {
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	point, err := ec.PublicKey.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	p := fakeprovider.New(t)
	mux := http.NewServeMux()
	mux.HandleFunc("/", p.Config.Handler.ServeHTTP)
	mux.HandleFunc("GET /keys", func(w http.ResponseWriter, _ *http.Request) {
		fakeprovider.ServeJSON(w, 200, map[string]any{"keys": []any{
			map[string]any{"kty": "oct", "kid": "h", "k": "c2VjcmV0"},
			map[string]any{"kty": "RSA", "kid": "short", "n": "AQAB", "e": "AQAB"},
			map[string]any{"kty": "EC", "kid": "off", "crv": "P-256", "x": strings.Repeat("A", 43),
				"y": strings.Repeat("A", 43)},
			map[string]any{
				"kty": "EC", "kid": "ec", "crv": "P-256", "x": base64.RawURLEncoding.EncodeToString(point[1:33]),
				"y": base64.RawURLEncoding.EncodeToString(point[33:]),
			},
		}})
	})
	p.Config.Handler = mux
	p.Sign = func(c jwt.MapClaims) string { return fakeprovider.SignWith(jwt.SigningMethodES256, ec, "ec", c) }
	t.Run("ES256 not allowed", func(t *testing.T) { expectReason(t, p, nil, cognate.ReasonTokenAlgorithm) })
	p.ForgetTokenRequests()
	t.Run("ES256 allowed", func(t *testing.T) {
		expectReason(t, p, func(c *cognate.Config) { c.SigningAlgorithms = []string{"ES256"} }, "")
	})
	p.ForgetTokenRequests()
	p.Sign = func(c jwt.MapClaims) string {
		return fakeprovider.SignWith(jwt.SigningMethodRS256, fakeprovider.Keys()[0], "ec", c)
	}
	t.Run("RS256 with the key of ES256", func(t *testing.T) {
		expectReason(t, p, func(c *cognate.Config) { c.SigningAlgorithms = []string{"RS256", "ES256"} },
			cognate.ReasonTokenKey)
	})
}

// TestOddKeySets has the right key among others that can't be used, or are in its way.
func TestOddKeySets(t *testing.T) {
	keys := fakeprovider.Keys()
	with := func(key map[string]any, change ...any) map[string]any {
		for i := 0; i < len(change); i += 2 {
			key[change[i].(string)] = change[i+1]
		}
		return key
	}
	const kid = "key/1+=="
	good := func() map[string]any { return fakeprovider.JWK(keys[0], kid) }
	many := []any{good()}
	for range 300 {
		many = append(many, map[string]any{"kty": "oct", "kid": rand.Text()})
	}
	manyOfOne := []any{good()}
	for range 4 { // odd numbers, and no keys of anybody's
		n := make([]byte, 256)
		_, _ = rand.Read(n)
		n[0], n[255] = n[0]|0x80, n[255]|1
		manyOfOne = append(manyOfOne, with(good(), "n", base64.RawURLEncoding.EncodeToString(n)))
	}
	noKid := with(good(), "kid", "")
	for _, tt := range []struct {
		name string
		kid  string // the token's
		keys []any
		want cognate.Reason
	}{
		{"another kind of the same ID", kid, []any{map[string]any{
			"kty": "EC", "kid": kid, "crv": "P-256",
			"x": base64.RawURLEncoding.EncodeToString(elliptic.P256().Params().Gx.Bytes()),
			"y": base64.RawURLEncoding.EncodeToString(elliptic.P256().Params().Gy.Bytes()),
		}, good()}, ""},
		{"for encryption, of the same ID", kid, []any{with(fakeprovider.JWK(keys[1], kid), "use", "enc"), good()}, ""},
		{"only for encryption", kid, []any{with(good(), "use", "enc")}, cognate.ReasonProviderDown},
		{"without IDs beside it", kid,
			[]any{with(fakeprovider.JWK(keys[1], ""), "alg", "RS512"), fakeprovider.JWK(keys[2], ""), good()}, ""},
		{"wrong types", kid,
			[]any{"key", 7, map[string]any{"kty": 7}, with(fakeprovider.JWK(keys[1], "x"), "n", []int{1}), good()}, ""},
		{"many", kid, many, ""},
		{"two of one ID", kid, []any{fakeprovider.JWK(keys[1], kid), good()}, ""},
		{"one twice", kid, []any{good(), good()}, ""},
		{"one twice and no kid", "", []any{fakeprovider.JWK(keys[0], "a"), fakeprovider.JWK(keys[0], "b")}, ""},
		{"none of two of one ID", kid, []any{fakeprovider.JWK(keys[1], kid), fakeprovider.JWK(keys[2], kid)},
			cognate.ReasonTokenSignature},
		{"many of one ID", kid, manyOfOne, cognate.ReasonTokenKey},
		{"not for verifying", kid, []any{with(good(), "key_ops", []string{"sign"})}, cognate.ReasonProviderDown},
		{"for verifying, too", kid, []any{with(good(), "key_ops", []string{"sign", "verify"})}, ""},
		{"members that say nothing", kid,
			[]any{with(good(), "key_ops", []string{}, "d", nil, "p", "", "oth", []string{})}, ""},
		{"private half", kid, []any{with(good(), "d", "AQAB")}, cognate.ReasonProviderDown},
		{"private half, beside a good one", kid, []any{with(fakeprovider.JWK(keys[1], "x"), "p", "AQAB"), good()}, ""},
		{"private half, and the same key without it", kid,
			[]any{with(fakeprovider.JWK(keys[0], "x"), "d", "AQAB"), good()}, cognate.ReasonProviderDown},
		{"the same, in the other order", kid,
			[]any{good(), with(fakeprovider.JWK(keys[0], "x"), "use", "enc", "q", "AQAB"),
				fakeprovider.JWK(keys[1], "y")}, cognate.ReasonTokenKey},
		{"exponent as a machine word", kid, []any{with(good(), "e", "AAAAAAABAAE")}, ""},
		{"with padding", kid, []any{with(good(), "n", base64.URLEncoding.EncodeToString(keys[0].N.Bytes()))}, ""},
		{"standard base64", kid, []any{with(good(), "n", base64.StdEncoding.EncodeToString(keys[0].N.Bytes()))}, ""},
		{"no base64", kid, []any{with(good(), "n", "%%%")}, cognate.ReasonProviderDown},
		{"no kid and two keys", "", []any{fakeprovider.JWK(keys[1], "a"), fakeprovider.JWK(keys[0], "b")},
			cognate.ReasonTokenKey},
		{"no kid and one key that fits", "", []any{with(fakeprovider.JWK(keys[1], "a"), "alg", "RS512"), noKid}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := fakeprovider.New(t)
			p.KeySet, p.KeyID = tt.keys, tt.kid
			expectReason(t, p, nil, tt.want)
		})
	}
}

func TestKeyForAnotherAlgorithm(t *testing.T) {
	p := fakeprovider.New(t)
	p.Sign = func(c jwt.MapClaims) string {
		return fakeprovider.SignWith(jwt.SigningMethodRS512, fakeprovider.Keys()[0], p.KeyID, c)
	}
	expectReason(t, p, func(c *cognate.Config) { c.SigningAlgorithms = []string{"RS256", "RS512"} },
		cognate.ReasonTokenKey)
}

func TestWeakKeyIsNotUsed(t *testing.T) {
	weak, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	p := fakeprovider.New(t)
	p.Key = weak
	expectReason(t, p, nil, cognate.ReasonProviderDown)
}

func TestCognitoTokenUse(t *testing.T) {
	for _, tt := range []struct {
		use  any
		want cognate.Reason
	}{{"id", ""}, {"access", cognate.ReasonTokenUse}, {nil, cognate.ReasonTokenUse}, {1, cognate.ReasonTokenUse}} {
		p := fakeprovider.New(t)
		p.EditClaims = func(c map[string]any) {
			if c["token_use"] = tt.use; tt.use == nil {
				delete(c, "token_use")
			}
		}
		expectReason(t, p, func(c *cognate.Config) { c.Dialect = cognate.CognitoDialect() }, tt.want)
	}
}

func TestKeyRotation(t *testing.T) {
	p := fakeprovider.New(t)
	x := newApp(t, p, nil)
	b := x.browser(t)
	b.signIn(p)
	p.Key, p.KeyID = fakeprovider.Keys()[1], "new"
	b = x.browser(t)
	b.signIn(p)
	if !b.signedIn() || p.KeyFetches() != 2 {
		t.Errorf("signed in: %v after %d key fetches, want 2", b.signedIn(), p.KeyFetches())
	}
}

func TestKeyRotationParallel(t *testing.T) {
	p := fakeprovider.New(t)
	x := newApp(t, p, nil)
	x.browser(t).signIn(p)
	p.Key, p.KeyID = fakeprovider.Keys()[1], "new"
	browsers := make([]*browser, 10)
	var wg sync.WaitGroup
	for i := range browsers {
		browsers[i] = x.browser(t)
		wg.Go(func() { browsers[i].signIn(p) })
	}
	wg.Wait()
	for i, b := range browsers {
		if !b.signedIn() {
			t.Errorf("browser %d is not signed in", i)
		}
	}
	if p.KeyFetches() != 2 {
		t.Errorf("%d key fetches, want 2", p.KeyFetches())
	}
}

func TestUnknownKeyFlood(t *testing.T) {
	c := fakeprovider.NewClock()
	p := fakeprovider.New(t)
	p.Now = c.Now
	n := 0
	p.Sign = func(m jwt.MapClaims) string {
		n++
		return fakeprovider.SignRS256(fakeprovider.Keys()[2], "made-up-"+string(rune('a'+n)), m)
	}
	x := newApp(t, p, nil)
	for range 20 {
		x.browser(t).signIn(p)
	}
	if p.KeyFetches() != 2 {
		t.Errorf("20 unknown key IDs caused %d key fetches, want the first and one more", p.KeyFetches())
	}
	c.Advance(31 * time.Second)
	x.browser(t).signIn(p)
	if p.KeyFetches() != 3 {
		t.Errorf("half a minute later: %d key fetches, want 3", p.KeyFetches())
	}
}

func TestBadSignatureFetchesNothing(t *testing.T) {
	p := fakeprovider.New(t)
	p.Sign = func(m jwt.MapClaims) string { return fakeprovider.SignRS256(fakeprovider.Keys()[1], p.KeyID, m) }
	x := newApp(t, p, nil)
	for range 5 {
		x.browser(t).signIn(p)
	}
	if p.KeyFetches() != 1 {
		t.Errorf("%d key fetches, want 1", p.KeyFetches())
	}
}

// TestLastGoodKeys lets the provider's documents go away after the first sign-in. The keys
// are good for a day then, the discovery document for as long as there is no other.
func TestLastGoodKeys(t *testing.T) {
	c := fakeprovider.NewClock()
	p := fakeprovider.New(t)
	p.Now = c.Now
	x := newApp(t, p, nil)
	x.browser(t).signIn(p)
	p.Down = true
	for range 3 {
		c.Advance(7 * time.Hour)
		b := x.browser(t)
		b.signIn(p)
		if !b.signedIn() {
			t.Fatal("the last good keys were not kept")
		}
	}
	c.Advance(4 * time.Hour)
	b := x.browser(t)
	if resp := b.signIn(p); resp.StatusCode != http.StatusServiceUnavailable || b.signedIn() {
		t.Errorf("status %d with keys that nobody has seen for a day, want 503", resp.StatusCode)
	}
}

func TestClockJumpsBack(t *testing.T) {
	c := fakeprovider.NewClock()
	p := fakeprovider.New(t)
	p.Now = c.Now
	x := newApp(t, p, nil)
	x.browser(t).signIn(p)
	c.Advance(-365 * 24 * time.Hour)
	b := x.browser(t)
	b.signIn(p)
	if !b.signedIn() {
		t.Error("no sign-in works after the clock jumped back")
	}

	p = fakeprovider.New(t)
	p.Now, p.Down = c.Now, true
	x = newApp(t, p, nil)
	x.browser(t).get("/private/")
	p.Down = false
	c.Advance(-time.Hour)
	b = x.browser(t)
	b.signIn(p)
	if !b.signedIn() {
		t.Error("a pause that began in the future goes on")
	}
}
