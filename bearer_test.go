package cognate_test

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/cognate-auth/cognate"
	"github.com/cognate-auth/cognate/internal/fakeprovider"
)

// TestAccessTokenChecks changes one thing of a good access token at a time.
func TestAccessTokenChecks(t *testing.T) {
	c := fakeprovider.NewClock()
	at := func(d time.Duration) int64 { return c.Now().Add(d).Unix() }
	set := func(pairs ...any) func(jwt.MapClaims) {
		return func(m jwt.MapClaims) {
			for i := 0; i < len(pairs); i += 2 {
				name := pairs[i].(string)
				if m[name] = pairs[i+1]; pairs[i+1] == nil {
					delete(m, name)
				}
			}
		}
	}
	const ok = cognate.Reason("")
	for _, tt := range []struct {
		name   string
		claims func(jwt.MapClaims)
		want   cognate.Reason
	}{
		{"unchanged", set(), ok},

		{"other issuer", set("iss", "https://evil.test"), cognate.ReasonTokenIssuer},
		{"issuer with a slash more", func(m jwt.MapClaims) { m["iss"] = m["iss"].(string) + "/" },
			cognate.ReasonTokenIssuer},
		{"no issuer", set("iss", nil), cognate.ReasonTokenIssuer},
		{"issuer under another case", func(m jwt.MapClaims) { m["ISS"] = m["iss"]; delete(m, "iss") },
			cognate.ReasonTokenIssuer},
		{"list of issuers", func(m jwt.MapClaims) { m["iss"] = []any{m["iss"]} }, cognate.ReasonTokenIssuer},

		{"audiences with ours among them", set("aud", []string{"https://other.test", bearerAudience}), ok},
		{"other audience", set("aud", "https://other.test"), cognate.ReasonTokenAudience},
		{"audience with a slash more", set("aud", bearerAudience+"/"), cognate.ReasonTokenAudience},
		{"no audience", set("aud", nil), cognate.ReasonTokenAudience},
		{"empty list of audiences", set("aud", []string{}), cognate.ReasonTokenAudience},
		{"audience is a number", set("aud", 1), cognate.ReasonTokenAudience},
		{"any client", set("client_id", "another"), ok},

		{"expired at the end of the skew", set("exp", at(-60*time.Second)), cognate.ReasonTokenExpired},
		{"expired within the skew", set("exp", at(-59*time.Second), "iat", at(-time.Hour)), ok},
		{"expires before it was issued", set("exp", at(10*time.Second), "iat", at(11*time.Second)),
			cognate.ReasonTokenMalformed},
		{"expires before it is valid", set("exp", at(10*time.Second), "nbf", at(11*time.Second)),
			cognate.ReasonTokenMalformed},
		{"expires as it was issued", set("exp", at(10*time.Second), "iat", at(10*time.Second)), ok},
		{"no exp", set("exp", nil), cognate.ReasonTokenMalformed},
		{"exp is a string", set("exp", "4102444800"), cognate.ReasonTokenMalformed},
		{"exp beyond time", set("exp", 1e300), cognate.ReasonTokenMalformed},
		{"issued in the future", set("iat", at(61*time.Second)), cognate.ReasonTokenNotYetValid},
		{"issued in the future within the skew", set("iat", at(59*time.Second)), ok},
		{"no iat", set("iat", nil), cognate.ReasonTokenMalformed},
		{"not yet valid", set("nbf", at(61*time.Second)), cognate.ReasonTokenNotYetValid},
		{"nbf is null", func(m jwt.MapClaims) { m["nbf"] = nil }, cognate.ReasonTokenMalformed},

		{"no subject", set("sub", nil), cognate.ReasonTokenMalformed},
		{"empty subject", set("sub", ""), cognate.ReasonTokenMalformed},
		{"long subject", set("sub", strings.Repeat("s", 256)), cognate.ReasonTokenMalformed},
		{"scope is a list", set("scope", []string{"openid"}), cognate.ReasonTokenMalformed},
		{"scp is a number", set("scope", nil, "scp", 1), cognate.ReasonTokenMalformed},

		{"ID token by its nonce", set("nonce", "n"), cognate.ReasonTokenUse},
		{"ID token by its at_hash", set("at_hash", "x"), cognate.ReasonTokenUse},
		{"ID token by its c_hash", set("c_hash", "x"), cognate.ReasonTokenUse},
		{"ID token by its s_hash", set("s_hash", "x"), cognate.ReasonTokenUse},
		{"ID token by token_use", set("token_use", "id"), cognate.ReasonTokenUse},
		{"ID token by typ", set("typ", "ID"), cognate.ReasonTokenUse},
		{"refresh token by typ", set("typ", "Refresh"), cognate.ReasonTokenUse},
		{"access token by typ", set("typ", "Bearer"), ok},
		{"logout token",
			set("events", map[string]any{"http://schemas.openid.net/event/backchannel-logout": map[string]any{}}),
			cognate.ReasonTokenUse},
		{"bound to a key", set("cnf", map[string]any{"jkt": "x"}), cognate.ReasonTokenUse},
	} {
		t.Run(tt.name, func(t *testing.T) {
			x := newBearerAPI(t, nil)
			resp := x.call("/api", x.token(tt.claims))
			if tt.want == ok {
				if resp.StatusCode != http.StatusOK {
					t.Fatalf("status %d: %s", resp.StatusCode, x.log)
				}
				return
			}
			if resp.StatusCode != http.StatusUnauthorized || x.metrics.count(tt.want) != 1 {
				t.Errorf("status %d, denials %v; want 401 and %s", resp.StatusCode, x.metrics.m, tt.want)
			}
			if m := jsonBody(t, resp); m["error"] != "invalid_token" {
				t.Errorf("error %q, want invalid_token", m["error"])
			}
		})
	}
}

// TestAccessTokenType looks at the header's typ (RFC 9068, 2.1).
func TestAccessTokenType(t *testing.T) {
	for _, tt := range []struct {
		typ   any
		nonce bool
		want  int
	}{
		{nil, false, 200}, {"JWT", false, 200}, {"at+jwt", false, 200}, {"application/at+jwt", false, 200},
		{"AT+JWT", true, 200},
		{"JWT", true, 401}, {"logout+jwt", false, 401}, {"id+jwt", false, 401},
		{"dpop+jwt", false, 401}, {7, false, 401},
	} {
		x := newBearerAPI(t, nil)
		now := x.clock.Now()
		tok := jwt.NewWithClaims(jwt.SigningMethodRS256, jwt.MapClaims{
			"iss": x.p.Issuer, "sub": "user-1", "aud": bearerAudience, "iat": now.Unix(),
			"exp": now.Add(time.Hour).Unix(),
		})
		if tt.nonce {
			tok.Claims.(jwt.MapClaims)["nonce"] = "n"
		}
		tok.Header["kid"] = x.p.KeyID
		if tok.Header["typ"] = tt.typ; tt.typ == nil {
			delete(tok.Header, "typ")
		}
		raw, err := tok.SignedString(x.p.Key)
		if err != nil {
			t.Fatal(err)
		}
		if resp := x.call("/api", raw); resp.StatusCode != tt.want {
			t.Errorf("typ %v, nonce %v: status %d, want %d", tt.typ, tt.nonce, resp.StatusCode, tt.want)
		}
	}
}

func TestAccessTokenSignature(t *testing.T) {
	x := newBearerAPI(t, nil)
	good := x.token(nil)
	parts := strings.Split(good, ".")
	claims := jwt.MapClaims{
		"iss": x.p.Issuer, "sub": "admin", "aud": bearerAudience, "iat": x.clock.Now().Unix(),
		"exp": x.clock.Now().Add(time.Hour).Unix(),
	}
	for _, tt := range []struct {
		name, raw string
		want      cognate.Reason
	}{
		{"another key", fakeprovider.SignRS256(fakeprovider.Keys()[1], x.p.KeyID, claims),
			cognate.ReasonTokenSignature},
		{"unknown kid", fakeprovider.SignRS256(x.p.Key, "other", claims), cognate.ReasonTokenKey},
		{"none", fakeprovider.SignWith(jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, x.p.KeyID, claims),
			cognate.ReasonTokenAlgorithm},
		{"HS256", fakeprovider.SignWith(jwt.SigningMethodHS256, []byte(clientSecret), x.p.KeyID, claims),
			cognate.ReasonTokenAlgorithm},
		{"RS512", fakeprovider.SignWith(jwt.SigningMethodRS512, x.p.Key, x.p.KeyID, claims),
			cognate.ReasonTokenAlgorithm},
		{"no signature", parts[0] + "." + parts[1] + ".", cognate.ReasonTokenSignature},
		{"other payload", parts[0] + "." + b64(string(mustJSON(t, claims))) + "." + parts[2],
			cognate.ReasonTokenSignature},
		{"second spelling", respell(good), cognate.ReasonTokenMalformed},
		{"two parts", parts[0] + "." + parts[1], cognate.ReasonTokenMalformed},
		{"opaque", "abcdef", cognate.ReasonTokenMalformed},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := x.bearer.Verify(t.Context(), tt.raw)
			if got := reasonOf(err); got != tt.want {
				t.Errorf("refused because of %q, want %q", got, tt.want)
			}
			if resp := x.call("/api", tt.raw); resp.StatusCode != http.StatusUnauthorized {
				t.Errorf("status %d, want 401", resp.StatusCode)
			}
		})
	}
	if x.p.KeyFetches() > 2 {
		t.Errorf("%d key fetches, want the first and one for the unknown kid", x.p.KeyFetches())
	}
	_, err := x.bearer.Verify(t.Context(), good)
	if err != nil {
		t.Errorf("the good one: %v", err)
	}
}

func reasonOf(err error) cognate.Reason {
	if e, ok := errors.AsType[*cognate.Error](err); ok {
		return e.Reason
	}
	return ""
}

// TestBearerUser looks at what a handler gets to know.
func TestBearerUser(t *testing.T) {
	x := newBearerAPI(t, nil)
	raw := x.token(func(m jwt.MapClaims) {
		m["preferred_username"], m["email"], m["email_verified"] = "ann", "ann@example.com", "true"
	})
	for range 2 { // verified, and remembered
		u, err := x.bearer.Verify(t.Context(), raw, "openid", "orders/read")
		if err != nil {
			t.Fatal(err)
		}
		if u.Issuer != x.p.Issuer || u.Subject != "user-1" || u.Username != "ann" ||
			u.Email != "ann@example.com" || !u.EmailVerified {
			t.Errorf("user %+v", u)
		}
		if fmt.Sprint(u.Scopes, u.Groups) != "[orders/read openid] [staff]" {
			t.Errorf("scopes %q, groups %q", u.Scopes, u.Groups)
		}
		if u.Claim("client_id") != "machine" || fmt.Sprint(u.Claim("tier")) != "map[n:1]" || u.Claim("none") != nil {
			t.Errorf("claims %v, %v, %v", u.Claim("client_id"), u.Claim("tier"), u.Claim("none"))
		}
	}
	if resp := x.call("/api", raw); resp.Header.Get("Cache-Control") != "private, no-cache" {
		t.Errorf("Cache-Control %q", resp.Header.Get("Cache-Control"))
	}
	if resp := x.call("/optional", ""); resp.Header.Get("Vary") != "Authorization" {
		t.Errorf("Vary %q", resp.Header.Get("Vary"))
	}
}

func TestBearerScopeClaims(t *testing.T) {
	for _, tt := range []struct {
		name   string
		claims func(jwt.MapClaims)
		want   string
	}{
		{"scope", func(jwt.MapClaims) {}, "[orders/read openid]"},
		{"blanks", func(m jwt.MapClaims) { m["scope"] = " a  b " }, "[a b]"},
		{"empty", func(m jwt.MapClaims) { m["scope"] = "" }, "[]"},
		{"none", func(m jwt.MapClaims) { delete(m, "scope") }, "[]"},
		{"scp as a list", func(m jwt.MapClaims) { delete(m, "scope"); m["scp"] = []string{"a", "b"} }, "[a b]"},
		{"scp as a string", func(m jwt.MapClaims) { delete(m, "scope"); m["scp"] = "a b" }, "[a b]"},
		{"scope wins over scp", func(m jwt.MapClaims) { m["scp"] = []string{"admin"} }, "[orders/read openid]"},
	} {
		x := newBearerAPI(t, nil)
		u, err := x.bearer.Verify(t.Context(), x.token(tt.claims))
		if err != nil || fmt.Sprint(u.Scopes) != tt.want {
			t.Errorf("%s: user %v, error %v; want scopes %s", tt.name, u, err, tt.want)
		}
	}
}

// TestVerifyNothing is the verify function without a token, as programs may call it.
func TestVerifyNothing(t *testing.T) {
	x := newBearerAPI(t, nil)
	for raw, want := range map[string]cognate.Reason{
		"": cognate.ReasonBearerMissing, " ": cognate.ReasonTokenMalformed,
		strings.Repeat("a", 1<<20): cognate.ReasonBearerMalformed,
	} {
		u, err := x.bearer.Verify(t.Context(), raw)
		if u != nil || reasonOf(err) != want || x.metrics.count(want) != 1 {
			t.Errorf("%.20q: user %v, error %v, denials %v; want %s", raw, u, err, x.metrics.m, want)
		}
	}
	_, err := x.bearer.Verify(t.Context(), x.token(nil), "admin")
	if reasonOf(err) != cognate.ReasonInsufficientScope {
		t.Errorf("error %v, want a missing scope", err)
	}
	if x.p.KeyFetches() != 1 {
		t.Errorf("%d key fetches, want one for the good token", x.p.KeyFetches())
	}
}

// TestCognitoAccessTokens is about tokens that name the client and not the audience.
func TestCognitoAccessTokens(t *testing.T) {
	for _, tt := range []struct {
		name      string
		audiences []string
		claims    func(jwt.MapClaims)
		want      cognate.Reason
	}{
		{"right client", nil, func(jwt.MapClaims) {}, ""},
		{"second client", nil, func(m jwt.MapClaims) { m["client_id"] = "mobile" }, ""},
		{"wrong client", nil, func(m jwt.MapClaims) { m["client_id"] = "other" }, cognate.ReasonTokenClient},
		{"no client", nil, func(m jwt.MapClaims) { delete(m, "client_id") }, cognate.ReasonTokenClient},
		{"list of clients", nil, func(m jwt.MapClaims) { m["client_id"] = []string{clientID} },
			cognate.ReasonTokenClient},
		{"ID token", nil, func(m jwt.MapClaims) {
			m["token_use"], m["aud"] = "id", clientID
			delete(m, "client_id")
		}, cognate.ReasonTokenAudience},
		{"ID token with client_id", nil, func(m jwt.MapClaims) { m["token_use"] = "id" }, cognate.ReasonTokenUse},
		{"no token_use", nil, func(m jwt.MapClaims) { delete(m, "token_use") }, cognate.ReasonTokenUse},
		{"token_use of another case", nil, func(m jwt.MapClaims) { m["token_use"] = "Access" }, cognate.ReasonTokenUse},
		{"bound to this API", []string{bearerAudience}, func(m jwt.MapClaims) { m["aud"] = bearerAudience }, ""},
		{"bound to another API", []string{bearerAudience}, func(m jwt.MapClaims) { m["aud"] = "https://other.test" },
			cognate.ReasonTokenAudience},
		{"bound to an API, and this one has no name", nil, func(m jwt.MapClaims) { m["aud"] = "https://other.test" },
			cognate.ReasonTokenAudience},
		{"not bound, and this one has a name", []string{bearerAudience}, func(jwt.MapClaims) {}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			x := newBearerAPI(t, func(c *cognate.BearerConfig) {
				i := &c.Issuers[0]
				i.Dialect, i.Audiences, i.Clients = cognate.CognitoDialect(), tt.audiences, []string{clientID, "mobile"}
			})
			u, err := x.bearer.Verify(t.Context(), x.token(func(m jwt.MapClaims) {
				delete(m, "aud")
				m["token_use"], m["client_id"], m["username"], m["cognito:groups"] = "access", clientID,
					"ann", []string{"admins"}
				tt.claims(m)
			}))
			if reasonOf(err) != tt.want {
				t.Fatalf("error %v, want %q", err, tt.want)
			}
			if err == nil && (u.Username != "ann" || fmt.Sprint(u.Groups) != "[admins]") {
				t.Errorf("user %+v", u)
			}
		})
	}
}

// TestClientCredentialsToken is a token of a program of its own: its subject is the client.
func TestClientCredentialsToken(t *testing.T) {
	x := newBearerAPI(t, func(c *cognate.BearerConfig) {
		c.Issuers[0].Dialect, c.Issuers[0].Clients = cognate.CognitoDialect(), []string{"batch"}
	})
	u, err := x.bearer.Verify(t.Context(), x.token(func(m jwt.MapClaims) {
		delete(m, "aud")
		delete(m, "groups")
		m["sub"], m["client_id"], m["token_use"], m["version"] = "batch", "batch", "access", 2
	}), "orders/read")
	if err != nil || u.Subject != "batch" || u.Username != "" || u.Groups != nil {
		t.Errorf("user %+v, error %v", u, err)
	}
}

// TestSeveralIssuers has two issuers that use the same key ID.
func TestSeveralIssuers(t *testing.T) {
	second := fakeprovider.New(t)
	second.Key = fakeprovider.Keys()[1]
	x := newBearerAPI(t, func(c *cognate.BearerConfig) {
		c.Audiences = []string{"https://shared.test"}
		c.Issuers = append(c.Issuers, cognate.BearerIssuer{Issuer: second.Issuer, Clients: []string{"partner"}})
	})
	claims := func(issuer, audience, client string) func(jwt.MapClaims) {
		return func(m jwt.MapClaims) { m["iss"], m["aud"], m["client_id"] = issuer, audience, client }
	}
	sign := func(change func(jwt.MapClaims)) string {
		x.p.Key = second.Key
		defer func() { x.p.Key = fakeprovider.Keys()[0] }()
		return x.token(change)
	}
	for _, tt := range []struct {
		name, raw string
		want      cognate.Reason
	}{
		{"first", x.token(nil), ""},
		{"second", sign(claims(second.Issuer, "https://shared.test", "partner")), ""},
		{"second, of another client", sign(claims(second.Issuer, "https://shared.test", "x")),
			cognate.ReasonTokenClient},
		{"second, for the first's audience", sign(claims(second.Issuer, bearerAudience, "partner")),
			cognate.ReasonTokenAudience},
		{"first, for the shared audience", x.token(claims(x.p.Issuer, "https://shared.test", "x")),
			cognate.ReasonTokenAudience},
		{"second's key in the first's name", sign(nil), cognate.ReasonTokenSignature},
		{"first's key in the second's name", x.token(claims(second.Issuer, "https://shared.test", "partner")),
			cognate.ReasonTokenSignature},
		{"a third", x.token(claims("https://third.test", bearerAudience, "x")), cognate.ReasonTokenIssuer},
	} {
		_, err := x.bearer.Verify(t.Context(), tt.raw)
		if reasonOf(err) != tt.want {
			t.Errorf("%s: error %v, want %q", tt.name, err, tt.want)
		}
	}
}

// TestUnknownIssuerAsksNobody lets every connection fail the test.
func TestUnknownIssuerAsksNobody(t *testing.T) {
	b, err := cognate.NewBearer(cognate.BearerConfig{
		Issuers: []cognate.BearerIssuer{{Issuer: bearerIssuer, Audiences: []string{bearerAudience}}},
		HTTPClient: &http.Client{Transport: fakeprovider.RoundTripFunc(func(r *http.Request) (*http.Response, error) {
			t.Errorf("request to %s", r.URL)
			return nil, errors.New("no network")
		})},
	})
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	for _, iss := range []any{
		"https://evil.test", "https://issuer.test/", "http://issuer.test", "", nil, 1, []string{bearerIssuer},
	} {
		raw := fakeprovider.SignRS256(fakeprovider.Keys()[1], "k",
			jwt.MapClaims{
				"iss": iss, "sub": "x", "aud": bearerAudience, "iat": now.Unix(), "exp": now.Add(time.Hour).Unix(),
			})
		_, err := b.Verify(t.Context(), raw)
		if reasonOf(err) != cognate.ReasonTokenIssuer {
			t.Errorf("issuer %v: error %v", iss, err)
		}
	}
}

// TestRememberedToken moves the clock while a token is remembered.
func TestRememberedToken(t *testing.T) {
	x := newBearerAPI(t, nil)
	raw := x.token(func(m jwt.MapClaims) { m["exp"] = x.clock.Now().Add(2 * time.Minute).Unix() })
	good := func(when string, want cognate.Reason) {
		t.Helper()
		_, err := x.bearer.Verify(t.Context(), raw)
		if reasonOf(err) != want {
			t.Errorf("%s: error %v, want %q", when, err, want)
		}
	}
	good("new", "")
	x.clock.Advance(2*time.Minute + 59*time.Second)
	good("within the skew", "")
	x.clock.Advance(time.Second)
	good("expired", cognate.ReasonTokenExpired)
	x.clock.Advance(-time.Hour)
	good("before it was issued", cognate.ReasonTokenNotYetValid)
	x.clock.Advance(time.Hour - 2*time.Minute)
	good("again in its time", "")
	other := raw[:len(raw)-10] + strings.Repeat("A", 10)
	_, err := x.bearer.Verify(t.Context(), other)
	if reasonOf(err) != cognate.ReasonTokenSignature {
		t.Errorf("another signature: error %v", err)
	}
	_, err = x.bearer.Verify(t.Context(), raw, "admin")
	if reasonOf(err) != cognate.ReasonInsufficientScope {
		t.Errorf("a scope that was not asked for before: error %v", err)
	}
}

// TestWithdrawnKey takes the provider's key away while tokens signed with it live.
func TestWithdrawnKey(t *testing.T) {
	x := newBearerAPI(t, nil)
	raw := x.token(func(m jwt.MapClaims) { m["exp"] = x.clock.Now().Add(24 * time.Hour).Unix() })
	call := func() int { return x.call("/api", raw).StatusCode }
	if call() != http.StatusOK {
		t.Fatal("a good token was refused")
	}
	x.p.Key, x.p.KeyID = fakeprovider.Keys()[1], "new"
	x.clock.Advance(59 * time.Minute)
	if call() != http.StatusOK {
		t.Error("refused although the keys are less than an hour old")
	}
	x.clock.Advance(6 * time.Minute)
	if call() != http.StatusUnauthorized {
		t.Error("the key is good an hour and five minutes after it was last seen")
	}
	if got := x.call("/api", x.token(nil)).StatusCode; got != http.StatusOK {
		t.Errorf("status %d with the new key", got)
	}
}

func TestUnknownKeyFloodAtAPI(t *testing.T) {
	x := newBearerAPI(t, nil)
	x.call("/api", x.token(nil))
	parts := strings.Split(x.token(nil), ".")
	flood := func(n int) {
		t.Helper()
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				for range n / 8 {
					raw := b64(`{"alg":"RS256","kid":"`+rand.Text()+`"}`) + "." + parts[1] + "." + parts[2]
					if resp := x.call("/api", raw); resp.StatusCode != http.StatusUnauthorized {
						t.Errorf("status %d, want 401", resp.StatusCode)
					}
				}
			})
		}
		wg.Wait()
	}
	flood(2_000)
	if x.p.KeyFetches() != 2 {
		t.Errorf("%d key fetches, want the first and one more", x.p.KeyFetches())
	}
	x.clock.Advance(31 * time.Second)
	flood(80)
	if x.p.KeyFetches() != 3 {
		t.Errorf("half a minute later: %d key fetches, want 3", x.p.KeyFetches())
	}
	for range 100 {
		x.call("/api", parts[0]+"."+parts[1]+"."+b64(rand.Text()))
	}
	if x.p.KeyFetches() != 3 {
		t.Errorf("after bad signatures: %d key fetches, want 3", x.p.KeyFetches())
	}
}

// TestKeysDown has no keys at first: that is nobody's fault who sent a token.
func TestKeysDown(t *testing.T) {
	x := newBearerAPI(t, nil)
	x.p.Down = true
	raw := x.token(nil)
	for range 20 {
		resp := x.call("/api", raw)
		if resp.StatusCode != http.StatusServiceUnavailable || resp.Header.Get("Retry-After") == "" ||
			resp.Header.Get("WWW-Authenticate") != "" {
			t.Fatalf("status %d, header %v; want 503 with Retry-After", resp.StatusCode, resp.Header)
		}
		if m := jsonBody(t, resp); m["error"] != "temporarily_unavailable" {
			t.Errorf("error %q", m["error"])
		}
	}
	if n := strings.Count(x.log.String(), "level=WARN"); n != 1 {
		t.Errorf("%d warnings, want 1", n)
	}
	x.clock.Advance(11 * time.Second)
	x.call("/api", raw)
	if n := strings.Count(x.log.String(), "level=WARN"); n != 2 {
		t.Errorf("%d warnings ten seconds later, want 2", n)
	}
	if x.call("/optional", "").StatusCode != http.StatusOK {
		t.Error("a request without a token needs no keys")
	}
	x.p.Down = false
	x.clock.Advance(time.Minute)
	if resp := x.call("/api", raw); resp.StatusCode != http.StatusOK {
		t.Errorf("status %d when the provider is back", resp.StatusCode)
	}
}

// TestOwnProviderDefaults leaves Config.Bearer empty: tokens for the app's own client are
// good, and the keys are those of sign-in.
func TestOwnProviderDefaults(t *testing.T) {
	for _, tt := range []struct {
		name    string
		cognito bool
		claims  func(jwt.MapClaims)
		want    cognate.Reason
	}{
		{"standard", false, func(m jwt.MapClaims) { m["aud"] = clientID }, ""},
		{"standard, other audience", false, func(m jwt.MapClaims) { m["aud"] = "other" }, cognate.ReasonTokenAudience},
		{"standard, an ID token without nonce", false, func(m jwt.MapClaims) {
			m["aud"] = clientID
			delete(m, "scope")
			delete(m, "client_id")
		}, cognate.ReasonTokenUse},
		{"Cognito", true,
			func(m jwt.MapClaims) { delete(m, "aud"); m["client_id"], m["token_use"] = clientID, "access" }, ""},
		{"Cognito, other client", true,
			func(m jwt.MapClaims) { delete(m, "aud"); m["client_id"], m["token_use"] = "x", "access" },
			cognate.ReasonTokenClient},
		{"Cognito, an ID token", true, func(m jwt.MapClaims) {
			m["aud"], m["token_use"] = clientID, "id"
			delete(m, "client_id")
		}, cognate.ReasonTokenAudience},
	} {
		p := fakeprovider.New(t)
		c := fakeprovider.NewClock()
		p.Now = c.Now
		x := newApp(t, p, func(cfg *cognate.Config) {
			if tt.cognito {
				cfg.Dialect = cognate.CognitoDialect()
				p.EditClaims = func(m map[string]any) { m["token_use"] = "id" }
			}
		})
		x.browser(t).signIn(p)
		_, err := x.auth.VerifyAccessToken(t.Context(), (&bearerAPI{p: p, clock: c}).token(tt.claims))
		if reasonOf(err) != tt.want {
			t.Errorf("%s: error %v, want %q", tt.name, err, tt.want)
		}
		if p.KeyFetches() != 1 {
			t.Errorf("%s: %d key fetches, want 1 for sign-in and tokens", tt.name, p.KeyFetches())
		}
	}
}

// TestAccessTokenAsIDToken has the provider send an access token in the ID token's place.
func TestAccessTokenAsIDToken(t *testing.T) {
	for typ, want := range map[string]cognate.Reason{
		"JWT": "", "at+jwt": cognate.ReasonTokenUse, "logout+jwt": cognate.ReasonTokenUse,
	} {
		p := fakeprovider.New(t)
		p.Sign = func(c jwt.MapClaims) string {
			tok := jwt.NewWithClaims(jwt.SigningMethodRS256, c)
			tok.Header["kid"], tok.Header["typ"] = p.KeyID, typ
			s, _ := tok.SignedString(p.Key)
			return s
		}
		expectReason(t, p, nil, want)
	}
}

// TestBearerCancelled gives up on a request while the keys are fetched: the provider answers
// only afterwards.
func TestBearerCancelled(t *testing.T) {
	gone := make(chan struct{})
	p := fakeprovider.New(t)
	x := newBearerAPIOf(t, p, func(c *cognate.BearerConfig) {
		c.HTTPClient = &http.Client{Transport: fakeprovider.RoundTripFunc(func(*http.Request) (*http.Response, error) {
			<-gone
			return nil, io.EOF
		})}
	})
	defer close(gone)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := x.bearer.Verify(ctx, x.token(nil))
	if reasonOf(err) != cognate.ReasonProviderDown || !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}

// TestOldClientClaim: providers older than RFC 9068 name the client in azp.
func TestOldClientClaim(t *testing.T) {
	x := newBearerAPI(t, func(c *cognate.BearerConfig) { c.Clients = []string{"web"} })
	for _, tt := range []struct {
		client, azp any
		want        cognate.Reason
	}{
		{nil, "web", ""}, {nil, "other", cognate.ReasonTokenClient}, {nil, nil, cognate.ReasonTokenClient},
		{"other", "web", cognate.ReasonTokenClient}, {"web", "other", ""}, {"", "web", cognate.ReasonTokenClient},
	} {
		_, err := x.bearer.Verify(t.Context(), x.token(func(m jwt.MapClaims) {
			delete(m, "client_id")
			if tt.client != nil {
				m["client_id"] = tt.client
			}
			if tt.azp != nil {
				m["azp"] = tt.azp
			}
		}))
		if reasonOf(err) != tt.want {
			t.Errorf("client_id %v, azp %v: error %v, want %q", tt.client, tt.azp, err, tt.want)
		}
	}
}

// TestIssuerWithoutSignIn is a provider that only issues tokens to machines. What its
// discovery document says beside the keys does not matter.
func TestIssuerWithoutSignIn(t *testing.T) {
	x := newBearerAPI(t, nil)
	x.p.EditDiscovery = func(doc map[string]any) {
		doc["authorization_endpoint"] = "urn:nobody"
		delete(doc, "token_endpoint")
	}
	if resp := x.call("/api", x.token(nil)); resp.StatusCode != http.StatusOK {
		t.Errorf("status %d: %s", resp.StatusCode, x.log)
	}
	x = newBearerAPI(t, nil)
	x.p.EditDiscovery = func(doc map[string]any) { doc["jwks_uri"] = "http://provider.test/keys" }
	if resp := x.call("/api", x.token(nil)); resp.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("keys in the clear: status %d, want 503", resp.StatusCode)
	}
	x = newBearerAPI(t, func(c *cognate.BearerConfig) { c.Issuers[0].JWKS = c.Issuers[0].Issuer + "/keys" })
	if resp := x.call("/api", x.token(nil)); resp.StatusCode != http.StatusOK || x.p.Discoveries() != 0 {
		t.Errorf("configured keys: status %d after %d discoveries, want none", resp.StatusCode, x.p.Discoveries())
	}
}

// TestKeysThatCannotBeUsed serves one broken key at a time beside the good one, under the
// good one's ID: it is passed over.
func TestKeysThatCannotBeUsed(t *testing.T) {
	ec := func(pairs ...string) map[string]any {
		j := fakeprovider.BareJWK(t, fakeprovider.SigningKeys()["ES256"], "key/1+==")
		for i := 0; i < len(pairs); i += 2 {
			j[pairs[i]] = pairs[i+1]
		}
		return j
	}
	rsaKey := func(pairs ...string) map[string]any {
		j := fakeprovider.JWK(fakeprovider.Keys()[1], "key/1+==")
		for i := 0; i < len(pairs); i += 2 {
			j[pairs[i]] = pairs[i+1]
		}
		return j
	}
	for name, key := range map[string]map[string]any{
		"modulus in another alphabet": rsaKey("n", "+/+/"), "no exponent": rsaKey("e", ""),
		"long exponent": rsaKey("e", "AQABAQABAQAB"),
		"even exponent": rsaKey("e", "Ag"), "exponent 1": rsaKey("e", "AQ"), "short modulus": rsaKey("n", "AQAB"),
		"no modulus":     rsaKey("n", ""),
		"for encryption": rsaKey("use", "enc"), "unknown kind": rsaKey("kty", "OKP"),
		"for another algorithm": rsaKey("alg", "PS256"),
		"unknown curve":         ec("crv", "secp256k1"), "coordinate in another alphabet": ec("x", "+/+/"),
		"short coordinate":      ec("y", "AQAB"),
		"curve of another size": ec("crv", "P-384"), "point that is nowhere": ec("x", strings.Repeat("A", 43)),
		"another kind": ec(),
	} {
		x := newBearerAPI(t, nil)
		x.p.KeySet = []any{key, fakeprovider.JWK(x.p.Key, x.p.KeyID)}
		_, err := x.bearer.Verify(t.Context(), x.token(nil))
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestIDTokenForAClientThatIsAnAPI is a provider without names for APIs: the tokens of both
// kinds are for the client.
func TestIDTokenForAClientThatIsAnAPI(t *testing.T) {
	x := newBearerAPI(t, func(c *cognate.BearerConfig) {
		c.Issuers[0].Audiences, c.Issuers[0].Clients = []string{"app"}, []string{"app"}
	})
	token := func(names ...string) string {
		return x.token(func(m jwt.MapClaims) {
			m["aud"], m["azp"] = "app", "app"
			delete(m, "scope")
			delete(m, "client_id")
			for _, n := range names {
				m[n] = "app"
			}
		})
	}
	for want, raw := range map[int]string{
		http.StatusUnauthorized: token(), http.StatusOK: token("scope"),
	} {
		if resp := x.call("/api", raw); resp.StatusCode != want {
			t.Errorf("status %d, want %d: %s", resp.StatusCode, want, x.log)
		}
	}
}

func b64(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }
