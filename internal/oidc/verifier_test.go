package oidc_test

import (
	"maps"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/cognate-auth/cognate/internal/fakeprovider"
	"github.com/cognate-auth/cognate/internal/oidc"
	"github.com/cognate-auth/cognate/internal/refusal"
)

// claims are those that every kind of token has here, but for change: names and values, of
// which nil takes one out.
func claims(c *fakeprovider.Clock, change ...any) jwt.MapClaims {
	m := jwt.MapClaims{
		"iss": issuer, "sub": "user-1", "aud": fakeprovider.ClientID,
		"iat": c.Now().Unix(), "exp": c.Now().Add(time.Hour).Unix(),
	}
	for i := 0; i < len(change); i += 2 {
		name := change[i].(string)
		if m[name] = change[i+1]; change[i+1] == nil {
			delete(m, name)
		}
	}
	return m
}

func signed(c jwt.MapClaims) string { return fakeprovider.SignRS256(fakeprovider.Keys()[0], "k", c) }

func verifierAt(c *fakeprovider.Clock) *oidc.Verifier {
	return newVerifier(c.Now, fakeprovider.JWK(fakeprovider.Keys()[0], "k"))
}

// TestVerify compares an ID token with what the sign-in asked for.
func TestVerify(t *testing.T) {
	c := fakeprovider.NewClock()
	at := func(d time.Duration) int64 { return c.Now().Add(d).Unix() }
	plain := oidc.Attempt{Nonce: "n"}
	recent := oidc.Attempt{Nonce: "n", NotBefore: c.Now().Add(-time.Hour)}
	strong := oidc.Attempt{Nonce: "n", ACR: []string{"a", "b"}}
	for _, tt := range []struct {
		name   string
		of     oidc.Attempt
		change []any
		want   refusal.Reason
	}{
		{"good", plain, nil, ""},
		{"another nonce", plain, []any{"nonce", "m"}, refusal.TokenNonce},
		{"no nonce on both sides", oidc.Attempt{}, []any{"nonce", ""}, refusal.TokenNonce},
		{"no auth_time", recent, nil, refusal.TokenAuthTime},
		{"auth_time of old", recent, []any{"auth_time", at(-time.Hour - 61*time.Second)}, refusal.TokenAuthTime},
		{"auth_time within the skew", recent, []any{"auth_time", at(-time.Hour - time.Minute)}, ""},
		{"auth_time that is none", recent, []any{"auth_time", "now"}, refusal.TokenAuthTime},
		{"no acr", strong, nil, refusal.TokenACR},
		{"one acr of two", strong, []any{"acr", "b"}, ""},
		{"another acr", strong, []any{"acr", "c"}, refusal.TokenACR},
		{"another issuer", plain, []any{"iss", "https://other.test"}, refusal.TokenIssuer},
		{"another audience", plain, []any{"aud", "other"}, refusal.TokenAudience},
		{
			"an audience more", plain,
			[]any{"aud", []string{fakeprovider.ClientID, "api"}, "azp", fakeprovider.ClientID}, "",
		},
		{
			"an audience more, not named", plain,
			[]any{"aud", []string{fakeprovider.ClientID, "x"}, "azp", fakeprovider.ClientID}, refusal.TokenAudience,
		},
		{
			"two audiences and no azp", plain, []any{"aud", []string{fakeprovider.ClientID, "api"}},
			refusal.TokenAuthorizedParty,
		},
		{"an access token by its use", plain, []any{"token_use", "access"}, refusal.TokenUse},
		{"expired", plain, []any{"exp", at(-time.Minute)}, refusal.TokenExpired},
		{"of tomorrow", plain, []any{"nbf", at(2 * time.Minute)}, refusal.TokenNotYetValid},
		{"no iat", plain, []any{"iat", nil}, refusal.TokenMalformed},
		{"exp is a string", plain, []any{"exp", "never"}, refusal.TokenMalformed},
		{"nbf is a string", plain, []any{"nbf", "now"}, refusal.TokenMalformed},
		{
			"over before it began", plain, []any{"iat", at(2 * time.Second), "exp", at(time.Second)},
			refusal.TokenMalformed,
		},
		{"hash is a number", plain, []any{"at_hash", 7}, refusal.TokenAccessHash},
		{
			"hash of another access token", plain, []any{"at_hash", fakeprovider.AccessTokenHash("b")},
			refusal.TokenAccessHash,
		},
		{"hash of the access token", plain, []any{"at_hash", fakeprovider.AccessTokenHash("a")}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			v := verifierAt(c)
			v.Trusted, v.TokenUseClaim = []string{"api"}, "token_use"
			m := claims(c, append([]any{"nonce", "n", "token_use", "id"}, tt.change...)...)
			_, err := v.Verify(t.Context(), signed(m), "a", tt.of)
			if refusal.Of(err) != tt.want {
				t.Errorf("%v, want %q", err, tt.want)
			}
		})
	}
}

// TestOtherTokens checks that tokens of other kinds are not accepted as ID tokens.
func TestOtherTokens(t *testing.T) {
	c := fakeprovider.NewClock()
	token := jwt.NewWithClaims(jwt.SigningMethodRS256, claims(c, "nonce", "n"))
	token.Header["kid"] = "k"
	of := oidc.Attempt{Nonce: "n"}
	for typ, want := range map[string]refusal.Reason{"JWT": "", "at+jwt": refusal.TokenUse,
		"logout+jwt": refusal.TokenUse} {
		token.Header["typ"] = typ
		raw, err := token.SignedString(fakeprovider.Keys()[0])
		if err != nil {
			t.Fatal(err)
		}
		_, err = verifierAt(c).Verify(t.Context(), raw, "", of)
		if refusal.Of(err) != want {
			t.Errorf("%s: %v, want %q", typ, err, want)
		}
	}
	none := fakeprovider.SignWith(jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, "k", claims(c, "nonce", "n"))
	for raw, want := range map[string]string{
		none: "alg is not one of", "a.b.c.d.e": "encrypted", "a.b": "can't be read",
	} {
		_, err := verifierAt(c).Verify(t.Context(), raw, "", of)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.20s: %v, want %q in it", raw, err, want)
		}
	}
}

// TestVerifyRefreshed compares an ID token with that of the sign-in.
func TestVerifyRefreshed(t *testing.T) {
	c := fakeprovider.NewClock()
	of := oidc.SignIn{Subject: "user-1", Nonce: "n", AuthTime: c.Now()}
	for _, tt := range []struct {
		name   string
		change []any
		want   refusal.Reason
		keeps  bool // auth_time
	}{
		{"no nonce", nil, "", true},
		{"empty nonce", []any{"nonce", ""}, "", true},
		{"the nonce", []any{"nonce", "n", "auth_time", c.Now().Unix()}, "", true},
		{"another nonce", []any{"nonce", "m"}, refusal.TokenNonce, false},
		{"nonce is a number", []any{"nonce", 1}, refusal.TokenNonce, false},
		{"another subject", []any{"sub", "user-2"}, refusal.TokenSubject, false},
		{"another auth_time", []any{"auth_time", c.Now().Unix() + 1}, "", false},
		{"auth_time that is none", []any{"auth_time", "x"}, "", false},
		{"expired", []any{"exp", c.Now().Add(-time.Hour).Unix(), "iat", 1}, refusal.TokenExpired, false},
	} {
		got, err := verifierAt(c).VerifyRefreshed(t.Context(), signed(claims(c, tt.change...)), "", of)
		if refusal.Of(err) != tt.want || err == nil && of.KeepsAuthTime(got) != tt.keeps {
			t.Errorf("%s: %v, keeps auth_time: %v; want %q, %v", tt.name, err, of.KeepsAuthTime(got), tt.want, tt.keeps)
		}
	}
}

// TestVerifyLogout reads logout tokens.
func TestVerifyLogout(t *testing.T) {
	c := fakeprovider.NewClock()
	at := func(d time.Duration) int64 { return c.Now().Add(d).Unix() }
	events := map[string]any{"http://schemas.openid.net/event/backchannel-logout": map[string]any{}}
	long := strings.Repeat("x", 256)
	for _, tt := range []struct {
		name   string
		change []any
		ok     bool
	}{
		{"good", nil, true},
		{"session alone", []any{"sub", nil}, true},
		{"subject alone", []any{"sid", nil}, true},
		{"nobody", []any{"sub", nil, "sid", nil}, false},
		{"no ID", []any{"jti", nil}, false},
		{"long ID", []any{"jti", long}, false},
		{"another issuer", []any{"iss", "https://other.test"}, false},
		{"another audience", []any{"aud", "other"}, false},
		{"others too", []any{"aud", []string{"other", fakeprovider.ClientID}}, true},
		{"a nonce", []any{"nonce", "n"}, false},
		{"no events", []any{"events", nil}, false},
		{"another event", []any{"events", map[string]any{"x": map[string]any{}}}, false},
		{"expired", []any{"exp", at(-time.Minute)}, false},
		{"of the future", []any{"iat", at(2 * time.Minute)}, false},
		{"of old", []any{"iat", at(-12 * time.Minute)}, false},
		{"over before it began", []any{"iat", at(30 * time.Second), "exp", at(20 * time.Second)}, false},
	} {
		m := claims(c, append([]any{"jti", "1", "sid", "s", "events", events}, tt.change...)...)
		got, err := verifierAt(c).VerifyLogout(t.Context(), signed(m))
		if (err == nil) != tt.ok || err != nil && refusal.Of(err) != refusal.LogoutToken {
			t.Errorf("%s: %v", tt.name, err)
		}
		// The last process that accepts it has a clock two minutes behind this one.
		if want := c.Now().Add(12 * time.Minute); err == nil && (got.ID != "1" || !got.Over.Equal(want)) {
			t.Errorf("%s: %+v, want it over at %s", tt.name, got, want)
		}
	}
	token := jwt.NewWithClaims(jwt.SigningMethodRS256, claims(c, "jti", "1", "sid", "s", "events", events))
	for typ, ok := range map[string]bool{"logout+jwt": true, "at+jwt": false} {
		token.Header["kid"], token.Header["typ"] = "k", typ
		raw, err := token.SignedString(fakeprovider.Keys()[0])
		if err != nil {
			t.Fatal(err)
		}
		_, err = verifierAt(c).VerifyLogout(t.Context(), raw)
		if (err == nil) != ok {
			t.Errorf("typ %s: %v", typ, err)
		}
	}
	_, err := verifierAt(c).VerifyLogout(t.Context(), "x.y.z")
	if refusal.Of(err) != refusal.LogoutToken {
		t.Errorf("no token: %v", err)
	}
	_, err = newVerifier(c.Now).VerifyLogout(t.Context(), signed(claims(c)))
	if refusal.Of(err) != refusal.ProviderDown {
		t.Errorf("no keys: %v", err)
	}
}

// TestAddUserInfo puts userInfo over the ID token, which it must be about.
func TestAddUserInfo(t *testing.T) {
	p := fakeprovider.New(t)
	answer := map[string]any{"sub": "user-1", "email": "new@example.com", "iss": "https://other.test", "aud": "x",
		"nickname": "a"}
	p.ServeUserInfo = func(w http.ResponseWriter, _ *http.Request) { fakeprovider.ServeJSON(w, http.StatusOK, answer) }
	token := oidc.Claims{
		"sub": []byte(`"user-1"`), "iss": []byte(`"i"`), "email": []byte(`"old@example.com"`),
		"email_verified": []byte("true"),
	}
	got, err := newClient(p).AddUserInfo(t.Context(), token, "access-token")
	want := map[string]string{"sub": "user-1", "iss": "i", "email": "new@example.com", "nickname": "a"}
	texts := map[string]string{}
	for name := range got {
		texts[name] = got.Text(name)
	}
	if err != nil || !maps.Equal(texts, want) {
		t.Errorf("%v, %v; want %v", texts, err, want)
	}
	answer = map[string]any{"sub": "user-1", "email_verified": true} // of no address
	got, err = newClient(p).AddUserInfo(t.Context(), oidc.Claims{"sub": token["sub"], "email": token["email"]},
		"access-token")
	if err != nil || got["email_verified"] != nil {
		t.Errorf("%v, %v: vouches for the token's address", got, err)
	}
	answer = map[string]any{"sub": "user-2"}
	_, err = newClient(p).AddUserInfo(t.Context(), token, "access-token")
	if refusal.Of(err) != refusal.UserInfoSubject {
		t.Errorf("another subject: %v", err)
	}
}

// TestSignedUserInfo has the answer signed, well and badly.
func TestSignedUserInfo(t *testing.T) {
	c := fakeprovider.NewClock()
	p := fakeprovider.New(t)
	p.Now = c.Now
	raw := ""
	p.ServeUserInfo = func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/jwt")
		_, _ = w.Write([]byte(raw + "\n"))
	}
	sign := func(change ...any) string {
		m := claims(c, append([]any{"iss", p.Issuer, "iat", nil, "exp", nil}, change...)...)
		return fakeprovider.SignRS256(p.Key, p.KeyID, m)
	}
	typed := jwt.NewWithClaims(jwt.SigningMethodRS256, claims(c, "iss", p.Issuer))
	typed.Header["typ"], typed.Header["kid"] = "at+jwt", p.KeyID
	accessToken, err := typed.SignedString(p.Key)
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		raw string
		ok  bool
	}{
		"good":             {sign(), true},
		"another issuer":   {sign("iss", issuer), false},
		"another audience": {sign("aud", "x"), false},
		"an audience more": {sign("aud", []string{fakeprovider.ClientID, "x"}), false},
		"expired":          {sign("exp", 1), false},
		"another signature": {
			fakeprovider.SignRS256(fakeprovider.Keys()[1], p.KeyID, claims(c, "iss", p.Issuer)), false,
		},
		"encrypted":          {"a.b.c.d.e", false},
		"an access token":    {accessToken, false},
		"names what it gets": {sign("aud", "the-access-token"), false},
	} {
		raw = tt.raw
		_, err := newClient(p).UserInfo(t.Context(), "the-access-token")
		if (err == nil) != tt.ok || err != nil && refusal.Of(err) != refusal.UserInfo {
			t.Errorf("%s: %v", name, err)
		}
		if err != nil && strings.Contains(err.Error(), "the-access-token") {
			t.Errorf("%s: %v quotes the access token", name, err)
		}
	}
	p.ServeUserInfo = func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("hello")) }
	_, err = newClient(p).UserInfo(t.Context(), "the-access-token")
	if refusal.Of(err) != refusal.UserInfo {
		t.Errorf("text: %v", err)
	}
	p.EditDiscovery = func(d map[string]any) { delete(d, "userinfo_endpoint") }
	_, err = newClient(p).UserInfo(t.Context(), "the-access-token")
	if refusal.Of(err) != refusal.UserInfo {
		t.Errorf("no endpoint: %v", err)
	}
}
