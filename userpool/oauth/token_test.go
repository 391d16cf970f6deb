package oauth_test

import (
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cognate-auth/cognate/userpool"
	"github.com/cognate-auth/cognate/userpool/internal/pooltest"
)

// TestTokenResponse pins body and headers of a successful exchange.
func TestTokenResponse(t *testing.T) {
	t.Parallel()
	e := pooltest.New(t)
	a := e.Redeem(t, e.Code(t))
	form := regexp.MustCompile(`^\{"id_token":"[\w.-]+","access_token":"[\w.-]+","refresh_token":"[\w-]{43}",` +
		`"expires_in":3600,"token_type":"Bearer"\}\n$`)
	if a.StatusCode != http.StatusOK || !form.MatchString(a.Body) {
		t.Errorf("got %d %s", a.StatusCode, a.Body)
	}
	for name, want := range map[string]string{
		"Content-Type": "application/json;charset=UTF-8", "Pragma": "no-cache", "Expires": "0",
		"Cache-Control":          "no-cache, no-store, max-age=0, must-revalidate",
		"X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY", "Access-Control-Allow-Origin": "*",
	} {
		if got := a.Header.Get(name); got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
}

// TestNoIDTokenWithoutOpenID checks that the member is absent, not null.
func TestNoIDTokenWithoutOpenID(t *testing.T) {
	t.Parallel()
	tokens := pooltest.New(t).Tokens(t, "scope", "https://api.test/read")
	if _, ok := tokens["id_token"]; ok {
		t.Error("got an ID token without openid")
	}
	_, claims := pooltest.Claims(t, tokens["access_token"])
	if claims["scope"] != "https://api.test/read" {
		t.Errorf("got scope %v", claims["scope"])
	}
}

// codeFault is a way to redeem a code wrongly.
type codeFault struct {
	name  string
	pairs []string
	after time.Duration
	want  string // error, and after a colon its description if that is pinned
}

// TestCodeIsRefused redeems a good code wrongly and then rightly: every wrong
// attempt spends it.
func TestCodeIsRefused(t *testing.T) {
	t.Parallel()
	verifier := pooltest.Verifier
	tests := []codeFault{
		{"expired", nil, 5 * time.Minute, "invalid_grant"},
		{"no redirect_uri", []string{"redirect_uri", ""}, 0, "invalid_request"},
		{"other redirect_uri", []string{"redirect_uri", pooltest.Callback + "?x=1"}, 0,
			"unauthorized_client:invalid_redirect"},
		{"foreign redirect_uri", []string{"redirect_uri", "https://evil.test/"}, 0,
			"unauthorized_client:invalid_redirect"},
		{"no verifier", []string{"code_verifier", ""}, 0, "invalid_grant"},
		{"wrong verifier", []string{"code_verifier", "x" + verifier[1:]}, 0, "invalid_grant"},
		{"challenge as verifier", []string{"code_verifier", pooltest.Challenge}, 0, "invalid_grant"},
		{"short verifier", []string{"code_verifier", "abc"}, 0, "invalid_grant"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			e := pooltest.New(t)
			code := e.Code(t, "code_challenge", pooltest.Challenge, "code_challenge_method", "S256")
			good := []string{"code_verifier", verifier}
			if tt.after > 0 {
				e.Clock.Advance(tt.after - time.Second)
				e.Session(t) // the pool tidies up now, and not again within a minute
				e.Clock.Advance(time.Second)
			}
			checkRefused(t, e.Redeem(t, code, append(good, tt.pairs...)...), tt.want)
			checkRefused(t, e.Redeem(t, code, good...), "invalid_grant")
		})
	}
}

func checkRefused(t *testing.T, a pooltest.Answer, want string) {
	t.Helper()
	code, description, pinned := strings.Cut(want, ":")
	body := a.JSON(t)
	if a.StatusCode != http.StatusBadRequest || body["error"] != code || body["access_token"] != nil {
		t.Errorf("got %d %s, want 400 %s", a.StatusCode, a.Body, code)
	}
	if pinned && body["error_description"] != description {
		t.Errorf("got description %v, want %s", body["error_description"], description)
	}
}

// TestCodeJustInTime is the other side of the expiry.
func TestCodeJustInTime(t *testing.T) {
	t.Parallel()
	e := pooltest.New(t)
	code := e.Code(t, "code_challenge", pooltest.Challenge, "code_challenge_method", "S256")
	e.Clock.Advance(5*time.Minute - time.Second)
	a := e.Redeem(t, code, "code_verifier", pooltest.Verifier)
	if a.StatusCode != http.StatusOK {
		t.Errorf("got %d %s, want 200", a.StatusCode, a.Body)
	}
}

// TestVerifierWithoutChallenge is the PKCE downgrade of RFC 9700 section 4.8.2.
func TestVerifierWithoutChallenge(t *testing.T) {
	t.Parallel()
	e := pooltest.New(t)
	checkRefused(t, e.Redeem(t, e.Code(t), "code_verifier", pooltest.Verifier), "invalid_grant")
}

// TestShortVerifier has a pair that fits together but is too short to be safe.
func TestShortVerifier(t *testing.T) {
	t.Parallel()
	e := pooltest.New(t)
	sum := sha256.Sum256([]byte("abc"))
	challenge := base64.RawURLEncoding.EncodeToString(sum[:])
	code := e.Code(t, "code_challenge", challenge, "code_challenge_method", "S256")
	checkRefused(t, e.Redeem(t, code, "code_verifier", "abc"), "invalid_grant")
}

// TestDefaultRedirectAtToken checks that redirect_uri may be left out where the
// authorization request left it out, and may still not be another.
func TestDefaultRedirectAtToken(t *testing.T) {
	t.Parallel()
	for uri, want := range map[string]int{"": 200, "https://one.test/": 200, "https://two.test/": 400} {
		e := pooltest.New(t)
		c := e.AddClient(t, userpool.Client{ID: "one", CallbackURLs: []string{"https://one.test/"}})
		q := pooltest.Query("client_id", c.ID, "redirect_uri", "")
		code := e.Get(t, "/oauth2/authorize", q, e.Session(t)).Target(t).Query().Get("code")
		form := url.Values{
			"grant_type": {"authorization_code"}, "code": {code}, "client_id": {c.ID}, "redirect_uri": {uri},
		}
		if a := e.Post(t, "/oauth2/token", form, nil); a.StatusCode != want {
			t.Errorf("redirect_uri %q: got %d %s, want %d", uri, a.StatusCode, a.Body, want)
		}
	}
}

// TestCodeReplay redeems a code twice.
func TestCodeReplay(t *testing.T) {
	t.Parallel()
	e := pooltest.New(t)
	code := e.Code(t)
	if a := e.Redeem(t, code); a.StatusCode != http.StatusOK {
		t.Fatalf("first: got %d %s", a.StatusCode, a.Body)
	}
	checkRefused(t, e.Redeem(t, code), "invalid_grant")
}

// TestCodeConcurrentReplay redeems a code fifty times at once.
func TestCodeConcurrentReplay(t *testing.T) {
	t.Parallel()
	e := pooltest.New(t)
	code := e.Code(t)
	var wins atomic.Int64
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			if e.Redeem(t, code).StatusCode == http.StatusOK {
				wins.Add(1)
			}
		})
	}
	wg.Wait()
	if wins.Load() != 1 {
		t.Errorf("%d redemptions succeeded, want 1", wins.Load())
	}
}

// TestCodeOfAnotherClient spends the code and gives nothing.
func TestCodeOfAnotherClient(t *testing.T) {
	t.Parallel()
	e := pooltest.New(t)
	code := e.Code(t)
	form := url.Values{"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {pooltest.Callback}}
	checkRefused(t, e.Post(t, "/oauth2/token", form, pooltest.Basic("other", e.Other.Secret)), "invalid_grant")
	checkRefused(t, e.Redeem(t, code), "invalid_grant")
}

// TestClientAuthentication has all the ways to authenticate. A failure does not
// spend the code.
func TestClientAuthentication(t *testing.T) {
	t.Parallel()
	e := pooltest.New(t)
	secret := string(e.App.Secret)
	raw := func(s string) http.Header {
		return http.Header{"Authorization": {"Basic " + base64.StdEncoding.EncodeToString([]byte(s))}}
	}
	header := func(values ...string) http.Header { return http.Header{"Authorization": values} }
	basic := pooltest.Basic("app", e.App.Secret)
	tests := []struct {
		name   string
		header http.Header
		form   string // added to the good form
		want   string // empty: success
	}{
		{"basic", basic, "", ""},
		{"basic in lower case", header("basic" + basic.Get("Authorization")[5:]), "", ""},
		{"basic and same client_id", basic, "client_id=app", ""},
		{"body", nil, "client_id=app&client_secret=" + secret, ""},
		{"nothing", nil, "", "invalid_request"},
		{"no secret", nil, "client_id=app", "invalid_client"},
		{"empty secret", nil, "client_id=app&client_secret=", "invalid_client"},
		{"wrong secret", nil, "client_id=app&client_secret=" + secret + "x", "invalid_client"},
		{"other's secret", nil, "client_id=app&client_secret=" + string(e.Other.Secret), "invalid_client"},
		{"unknown client", nil, "client_id=nobody&client_secret=" + secret, "invalid_client"},
		{"secret twice", nil, "client_id=app&client_secret=x&client_secret=" + secret, "invalid_request"},
		{"client_id twice", nil, "client_id=app&client_id=app&client_secret=" + secret, "invalid_request"},
		{"both ways", basic, "client_id=app&client_secret=" + secret, "invalid_request"},
		{"basic and other client_id", basic, "client_id=other", "invalid_request"},
		{"basic twice", header(basic.Get("Authorization"), basic.Get("Authorization")), "", "invalid_request"},
		{"basic, wrong secret", raw("app:nope"), "", "invalid_client"},
		{"basic, empty secret", raw("app:"), "", "invalid_client"},
		{"basic, no colon", raw("app"), "", "invalid_client"},
		{"basic, empty", header("Basic "), "", "invalid_client"},
		{"basic, bare word", header("Basic"), "", "invalid_client"},
		{"basic, not base64", header("Basic !!!"), "", "invalid_client"},
		{"basic, bad escape", raw("app:%zz"), "", "invalid_client"},
		{"basic, extra data", header(basic.Get("Authorization") + " x"), "", "invalid_client"},
		{"basic, endless", raw("app:" + strings.Repeat("x", 5000)), "", "invalid_client"},
		{"bearer", header("Bearer " + secret), "client_id=app", "invalid_client"},
		{"public with secret", nil, "client_id=public&client_secret=x", "invalid_client"},
		{"public with basic", raw("public:"), "", "invalid_client"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			code := e.Code(t)
			form, err := url.ParseQuery(tt.form)
			if err != nil {
				t.Fatal(err)
			}
			form.Set("grant_type", "authorization_code")
			form.Set("code", code)
			form.Set("redirect_uri", pooltest.Callback)
			a := e.Post(t, "/oauth2/token", form, tt.header)
			if tt.want == "" {
				if a.StatusCode != http.StatusOK {
					t.Errorf("got %d %s, want 200", a.StatusCode, a.Body)
				}
				return
			}
			checkRefused(t, a, tt.want)
			if again := e.Redeem(t, code); again.StatusCode != http.StatusOK {
				t.Errorf("the code was spent: %d %s", again.StatusCode, again.Body)
			}
		})
	}
}

// TestSecretWithPlus checks a custom secret in both encodings that clients use.
func TestSecretWithPlus(t *testing.T) {
	t.Parallel()
	const secret = "a+b_c+0123456789abcdefghij"
	e := pooltest.New(t)
	e.AddClient(t, userpool.Client{ID: "pl+us", Secret: secret, CallbackURLs: []string{pooltest.Callback}})
	for name, pair := range map[string]string{
		"form-encoded": url.QueryEscape("pl+us") + ":" + url.QueryEscape(secret), "as it is": "pl+us:" + secret,
	} {
		h := http.Header{"Authorization": {"Basic " + base64.StdEncoding.EncodeToString([]byte(pair))}}
		form := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {"x"}}
		if got := e.Post(t, "/oauth2/token", form, h).Error(t); got != "invalid_grant" {
			t.Errorf("%s: got %s, want invalid_grant", name, got)
		}
	}
}

// TestPublicClient exchanges and refreshes without a secret.
func TestPublicClient(t *testing.T) {
	t.Parallel()
	e := pooltest.New(t)
	code := e.Code(t, "client_id", "public")
	form := url.Values{"grant_type": {"authorization_code"}, "client_id": {"public"}, "code": {code},
		"redirect_uri": {pooltest.Callback}, "client_secret": {""}}
	a := e.Post(t, "/oauth2/token", form, nil)
	if a.StatusCode != http.StatusOK {
		t.Fatalf("got %d %s", a.StatusCode, a.Body)
	}
	token, _ := a.JSON(t)["refresh_token"].(string)
	form = url.Values{"grant_type": {"refresh_token"}, "client_id": {"public"}, "refresh_token": {token}}
	if a := e.Post(t, "/oauth2/token", form, nil); a.StatusCode != http.StatusOK {
		t.Errorf("refresh: got %d %s", a.StatusCode, a.Body)
	}
}

// TestTokenRequestShape has requests that are wrong before any grant is.
func TestTokenRequestShape(t *testing.T) {
	t.Parallel()
	const formType = "application/x-www-form-urlencoded"
	code := "grant_type=authorization_code&redirect_uri=" + url.QueryEscape(pooltest.Callback)
	tests := []struct{ name, kind, query, body, want string }{
		{"no grant_type", formType, "", "code=x", "invalid_request"},
		{"grant_type twice", formType, "", "grant_type=refresh_token&grant_type=refresh_token", "invalid_request"},
		{"unknown grant", formType, "", "grant_type=password&username=ann", "unsupported_grant_type"},
		{"device grant", formType, "", "grant_type=urn:ietf:params:oauth:grant-type:device_code",
			"unsupported_grant_type"},
		{"client credentials", formType, "", "grant_type=client_credentials", "unauthorized_client"},
		{"no code", formType, "", code, "invalid_request"},
		{"unknown code", formType, "", code + "&code=0f1e2d3c-4b5a-4978-8695-a4b3c2d1e0f9", "invalid_grant"},
		{"odd code", formType, "", code + "&code=%00%ff'--", "invalid_grant"},
		{"code twice", formType, "", code + "&code=a&code=b", "invalid_request"},
		{"verifier twice", formType, "", code + "&code=a&code_verifier=&code_verifier=", "invalid_request"},
		{"no refresh token", formType, "", "grant_type=refresh_token", "invalid_request"},
		{"unknown refresh token", formType, "", "grant_type=refresh_token&refresh_token=x", "invalid_grant"},
		{"JSON", "application/json", "", `{"grant_type":"refresh_token"}`, "invalid_request"},
		{"no content type", "", "", "grant_type=refresh_token", "invalid_request"},
		{"multipart", "multipart/form-data; boundary=x", "", "--x--", "invalid_request"},
		{"parameters in the query", formType, "?grant_type=refresh_token&refresh_token=x", "", "invalid_request"},
		{"bad escape", formType, "", "grant_type=%zz", "invalid_request"},
		{"semicolons", formType, "", "grant_type=refresh_token;refresh_token=x", "invalid_request"},
		{"oversized", formType, "", "grant_type=refresh_token&x=" + strings.Repeat("a", 70<<10), "invalid_request"},
		{"empty", formType, "", "", "invalid_request"},
		{"charset is fine", formType + ";charset=UTF-8", "", "grant_type=refresh_token&refresh_token=x",
			"invalid_grant"},
	}
	e := pooltest.New(t)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			h := pooltest.Basic("app", e.App.Secret)
			h["Content-Type"] = []string{tt.kind}
			checkRefused(t, e.Do(t, http.MethodPost, "/oauth2/token"+tt.query, tt.body, h), tt.want)
		})
	}
}

// TestRefresh pins what a refresh answers and what it keeps.
func TestRefresh(t *testing.T) {
	t.Parallel()
	e := pooltest.New(t)
	first := e.Tokens(t, "nonce", "n", "scope", "openid email")
	e.Clock.Advance(10 * time.Minute)
	a := e.Refresh(t, first["refresh_token"])
	if a.StatusCode != http.StatusOK {
		t.Fatalf("got %d %s", a.StatusCode, a.Body)
	}
	second := a.JSON(t)
	if _, ok := second["refresh_token"]; ok {
		t.Error("got a new refresh token without rotation")
	}
	for _, kind := range []string{"id_token", "access_token"} {
		_, before := pooltest.Claims(t, first[kind])
		_, after := pooltest.Claims(t, second[kind])
		for _, name := range []string{"sub", "iss", "auth_time", "origin_jti", "scope", "aud", "client_id"} {
			if before[name] != after[name] {
				t.Errorf("%s: %s was %v, is %v", kind, name, before[name], after[name])
			}
		}
		for _, name := range []string{"iat", "exp", "jti"} {
			if before[name] == after[name] {
				t.Errorf("%s: %s is still %v", kind, name, after[name])
			}
		}
		if _, ok := after["nonce"]; ok {
			t.Errorf("%s: refreshed with a nonce", kind)
		}
	}
	if again := e.Refresh(t, first["refresh_token"]); again.StatusCode != http.StatusOK {
		t.Errorf("second refresh: got %d", again.StatusCode)
	}
}

// TestRefreshIsRefused has refresh tokens that no longer work, or not here.
func TestRefreshIsRefused(t *testing.T) {
	t.Parallel()
	day := 24 * time.Hour
	t.Run("expired", func(t *testing.T) {
		t.Parallel()
		e := pooltest.New(t)
		tokens := e.Tokens(t)
		e.Clock.Advance(30*day - time.Second)
		if a := e.Refresh(t, tokens["refresh_token"]); a.StatusCode != http.StatusOK {
			t.Errorf("just in time: got %d %s", a.StatusCode, a.Body)
		}
		e.Clock.Advance(time.Second)
		checkRefused(t, e.Refresh(t, tokens["refresh_token"]), "invalid_grant")
	})
	t.Run("another client", func(t *testing.T) {
		t.Parallel()
		e := pooltest.New(t)
		token, _ := e.Tokens(t)["refresh_token"].(string)
		form := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {token}}
		checkRefused(t, e.Post(t, "/oauth2/token", form, pooltest.Basic("other", e.Other.Secret)), "invalid_grant")
		form.Set("client_id", "public")
		checkRefused(t, e.Post(t, "/oauth2/token", form, nil), "invalid_grant")
		form.Set("client_id", "app")
		form.Set("client_secret", string(e.Other.Secret))
		checkRefused(t, e.Post(t, "/oauth2/token", form, nil), "invalid_client")
	})
	t.Run("other tokens", func(t *testing.T) {
		t.Parallel()
		e := pooltest.New(t)
		tokens := e.Tokens(t)
		checkRefused(t, e.Refresh(t, tokens["access_token"]), "invalid_grant")
		checkRefused(t, e.Refresh(t, tokens["id_token"]), "invalid_grant")
	})
}

// TestRevoke pins section 5.2 of the revocation endpoint's behaviour.
func TestRevoke(t *testing.T) {
	t.Parallel()
	e := pooltest.New(t)
	tokens, untouched := e.Tokens(t), e.Tokens(t)
	refresh, _ := tokens["refresh_token"].(string)
	access, _ := tokens["access_token"].(string)
	idToken, _ := tokens["id_token"].(string)
	app := pooltest.Basic("app", e.App.Secret)
	other := pooltest.Basic("other", e.Other.Secret)
	steps := []struct {
		name   string
		header http.Header
		form   url.Values
		status int
		want   string
	}{
		{"no token", app, url.Values{}, 400, "invalid_request"},
		{"token twice", app, url.Values{"token": {refresh, refresh}}, 400, "invalid_request"},
		{"access token", app, url.Values{"token": {access}}, 400, "unsupported_token_type"},
		{"ID token", app, url.Values{"token": {idToken}}, 400, "unsupported_token_type"},
		{"wrong secret", pooltest.Basic("app", "nope"), url.Values{"token": {refresh}}, 401, "invalid_client"},
		{"no secret", nil, url.Values{"token": {refresh}, "client_id": {"app"}}, 401, "invalid_client"},
		{"unknown client", nil, url.Values{"token": {refresh}, "client_id": {"x"}}, 401, "invalid_client"},
		{"garbage", app, url.Values{"token": {"garbage"}}, 200, ""},
		{"forged JWT", app, url.Values{"token": {access[:len(access)-4] + "AAAA"}}, 200, ""},
		{"other client", other, url.Values{"token": {refresh}}, 200, ""},
	}
	for _, step := range steps {
		a := e.Post(t, "/oauth2/revoke", step.form, step.header)
		checkRevoked(t, step.name, a, step.status, step.want)
	}
	if e.Refresh(t, refresh).StatusCode != 200 || e.UserInfo(t, access).StatusCode != 200 {
		t.Fatal("a refused revocation had an effect")
	}
	newer := e.Refresh(t, refresh).JSON(t)["access_token"]
	checkRevoked(t, "revoked", e.Post(t, "/oauth2/revoke", url.Values{"token": {refresh}}, app), 200, "")
	checkRevoked(t, "again", e.Post(t, "/oauth2/revoke", url.Values{"token": {refresh}}, app), 200, "")
	checkRefused(t, e.Refresh(t, refresh), "invalid_grant")
	for _, token := range []any{access, newer} {
		if a := e.UserInfo(t, token); a.StatusCode != http.StatusUnauthorized {
			t.Errorf("userInfo with a revoked token: got %d", a.StatusCode)
		}
	}
	if e.Refresh(t, untouched["refresh_token"]).StatusCode != 200 {
		t.Error("another sign-in's tokens were revoked too")
	}
}

func checkRevoked(t *testing.T, name string, a pooltest.Answer, status int, want string) {
	t.Helper()
	got := ""
	if a.Body != "" {
		got = a.Error(t)
	}
	if a.StatusCode != status || got != want {
		t.Errorf("%s: got %d %q, want %d %q", name, a.StatusCode, a.Body, status, want)
	}
	if (status == 401) != (a.Header.Get("WWW-Authenticate") != "") {
		t.Errorf("%s: WWW-Authenticate is %q", name, a.Header.Get("WWW-Authenticate"))
	}
}

// TestRevokeInBody revokes with the secret in the body, and as a public client.
func TestRevokeInBody(t *testing.T) {
	t.Parallel()
	e := pooltest.New(t)
	token, _ := e.Tokens(t)["refresh_token"].(string)
	form := url.Values{"token": {token}, "client_id": {"app"}, "client_secret": {string(e.App.Secret)}}
	checkRevoked(t, "body", e.Post(t, "/oauth2/revoke", form, nil), 200, "")
	checkRefused(t, e.Refresh(t, token), "invalid_grant")
	form = url.Values{"token": {"x"}, "client_id": {"public"}}
	checkRevoked(t, "public", e.Post(t, "/oauth2/revoke", form, nil), 200, "")
}
