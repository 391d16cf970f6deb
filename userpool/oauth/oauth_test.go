package oauth_test

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"math/big"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/cognate-auth/cognate/userpool/internal/pooltest"
	"github.com/cognate-auth/cognate/userpool/pool"
	"github.com/google/go-cmp/cmp"
)

const wellKnown = "/" + pooltest.PoolID + "/.well-known/"

// TestDiscovery pins the twelve members.
func TestDiscovery(t *testing.T) {
	t.Parallel()
	a := pooltest.New(t).Do(t, http.MethodGet, wellKnown+"openid-configuration", "", nil)
	base, issuer := pooltest.BaseURL, pooltest.BaseURL+"/"+pooltest.PoolID
	want := map[string]any{
		"authorization_endpoint":                base + "/oauth2/authorize",
		"end_session_endpoint":                  base + "/logout",
		"id_token_signing_alg_values_supported": []any{"RS256"},
		"issuer":                                issuer,
		"jwks_uri":                              issuer + "/.well-known/jwks.json",
		"response_types_supported":              []any{"code", "token"},
		"revocation_endpoint":                   base + "/oauth2/revoke",
		"scopes_supported":                      []any{"openid", "email", "phone", "profile"},
		"subject_types_supported":               []any{"public"},
		"token_endpoint":                        base + "/oauth2/token",
		"token_endpoint_auth_methods_supported": []any{"client_secret_basic", "client_secret_post"},
		"userinfo_endpoint":                     base + "/oauth2/userInfo",
	}
	if diff := cmp.Diff(want, a.JSON(t)); diff != "" {
		t.Errorf("document differs (-want +got):\n%s", diff)
	}
	checkPublic(t, a)
}

func checkPublic(t *testing.T, a pooltest.Answer) {
	t.Helper()
	got := [3]string{
		a.Header.Get("Access-Control-Allow-Origin"), a.Header.Get("Content-Type"), a.Header.Get("Cache-Control"),
	}
	want := [3]string{"*", "application/json", "public, max-age=300"}
	if got != want || a.Header.Get("Pragma") != "" || a.Header.Get("Expires") != "" {
		t.Errorf("got headers %q, want %q", got, want)
	}
}

// TestKeySet pins the form of the key set and checks both signatures with
// nothing but the standard library.
func TestKeySet(t *testing.T) {
	t.Parallel()
	e := pooltest.New(t)
	a := e.Do(t, http.MethodGet, wellKnown+"jwks.json", "", nil)
	checkPublic(t, a)
	one := `\{"alg":"RS256","e":"AQAB","kid":"[A-Za-z0-9+/]{43}=","kty":"RSA","n":"[\w-]{342}","use":"sig"\}`
	if !regexp.MustCompile(`^\{"keys":\[` + one + "," + one + `\]\}$`).MatchString(a.Body) {
		t.Errorf("got %s", a.Body)
	}
	tokens := e.Tokens(t)
	if kids(t, e)[0] == kids(t, e)[1] {
		t.Error("both keys have one kid")
	}
	for i, kind := range []string{"id_token", "access_token"} {
		token, _ := tokens[kind].(string)
		header, _ := pooltest.Claims(t, token)
		if !strings.Contains(header, kids(t, e)[i]) {
			t.Errorf("%s is signed with another key than number %d", kind, i)
		}
		verify(t, e, i, token)
	}
}

func verify(t *testing.T, e *pooltest.Env, key int, token string) {
	t.Helper()
	n, err := base64.RawURLEncoding.DecodeString(jwks(t, e).Keys[key].N)
	if err != nil {
		t.Fatal(err)
	}
	dot := strings.LastIndexByte(token, '.')
	sig, err := base64.RawURLEncoding.DecodeString(token[dot+1:])
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256([]byte(token[:dot]))
	err = rsa.VerifyPKCS1v15(&rsa.PublicKey{N: new(big.Int).SetBytes(n), E: 65537}, crypto.SHA256, sum[:], sig)
	if err != nil {
		t.Errorf("signature: %v", err)
	}
}

// TestAtHash computes the hash anew.
func TestAtHash(t *testing.T) {
	t.Parallel()
	tokens := pooltest.New(t).Tokens(t)
	_, claims := pooltest.Claims(t, tokens["id_token"])
	access, _ := tokens["access_token"].(string)
	sum := sha256.Sum256([]byte(access))
	if want := base64.RawURLEncoding.EncodeToString(sum[:16]); claims["at_hash"] != want {
		t.Errorf("got %v, want %s", claims["at_hash"], want)
	}
}

// TestCodeIsUUID pins the form of a code.
func TestCodeIsUUID(t *testing.T) {
	t.Parallel()
	form := regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)
	if code := pooltest.New(t).Code(t); !form.MatchString(code) {
		t.Errorf("got %q, want a version 4 UUID", code)
	}
}

// TestMethods checks the methods of the programs' endpoints.
func TestMethods(t *testing.T) {
	t.Parallel()
	e := pooltest.New(t)
	for path, allowed := range map[string]string{
		"/oauth2/token": "POST", "/oauth2/revoke": "POST", "/oauth2/userInfo": "GET",
		wellKnown + "jwks.json": "GET", wellKnown + "openid-configuration": "GET",
	} {
		for _, method := range []string{"GET", "POST", "PUT", "DELETE", "PATCH"} {
			a := e.Do(t, method, path, "", nil)
			refused := a.StatusCode == http.StatusMethodNotAllowed
			if refused == (method == allowed) || refused && !strings.Contains(a.Header.Get("Allow"), allowed) {
				t.Errorf("%s %s: got %d, Allow %q", method, path, a.StatusCode, a.Header.Get("Allow"))
			}
		}
	}
}

// TestLogout pins both modes and their faults.
func TestLogout(t *testing.T) {
	t.Parallel()
	twice := func(q url.Values, name, value string) url.Values {
		q.Add(name, value)
		return q
	}
	leave := func() url.Values { return url.Values{"client_id": {"app"}, "logout_uri": {pooltest.Bye}} }
	errorPage := pooltest.BaseURL + "/error?"
	mismatch := errorPage + "error=redirect_mismatch&client_id=app"
	missing := "error=Required+String+parameter+%27redirect_uri%27+is+not+present&client_id=app"
	tests := []struct {
		name  string
		query url.Values
		want  string
		ends  bool
	}{
		{"leave", url.Values{"client_id": {"app"}, "logout_uri": {pooltest.Bye}}, pooltest.Bye, true},
		{"leave, with state", url.Values{"client_id": {"app"}, "logout_uri": {pooltest.Bye}, "state": {"S"}},
			pooltest.Bye, true},
		{"logout_uri wins", pooltest.Query("logout_uri", pooltest.Bye), pooltest.Bye, true},
		{"not registered", pooltest.Query("logout_uri", "https://evil.test/"), mismatch, false},
		{"slash", pooltest.Query("logout_uri", pooltest.Bye+"/"), mismatch, false},
		{"callback is no logout URL", pooltest.Query("logout_uri", pooltest.Callback), mismatch, false},
		{"scheme relative", pooltest.Query("logout_uri", "//app.test/bye"), mismatch, false},
		{"user info", pooltest.Query("logout_uri", "https://app.test@evil.test/bye"), mismatch, false},
		{"client twice", twice(leave(), "client_id", "app"), pooltest.Bye, true},
		{"client three times", twice(twice(leave(), "client_id", "app"), "client_id", "app"), pooltest.Bye, true},
		{"URL twice", twice(leave(), "logout_uri", pooltest.Bye), pooltest.Bye, true},
		{"two clients", twice(leave(), "client_id", "other"), errorPage + "error=invalid_request", false},
		{"client, and an empty one", twice(leave(), "client_id", ""), errorPage + "error=invalid_request", false},
		{"one, another, and one", twice(twice(leave(), "client_id", "x"), "client_id", "app"), errorPage +
			"error=invalid_request", false},
		{"two URLs", twice(leave(), "logout_uri", "https://evil.test/"), errorPage +
			"error=invalid_request&client_id=app", false},
		{"an empty URL first", twice(url.Values{"client_id": {"app"}, "logout_uri": {""}}, "logout_uri", pooltest.Bye),
			errorPage + "error=invalid_request&client_id=app", false},
		{"sign in again, all twice", twice(
			twice(pooltest.Query("scope", "openid"), "redirect_uri", pooltest.Callback), "state", "S",
		),
			loginPage + "?" + pooltest.Query("scope", "openid").Encode(), true},
		{"unknown client", url.Values{"client_id": {"x"}, "logout_uri": {pooltest.Bye}},
			errorPage + "error=Client+does+not+exist&client_id=x", false},
		{"no client", url.Values{"logout_uri": {pooltest.Bye}},
			errorPage + "error=Required+String+parameter+%27client_id%27+is+not+present", false},
		{"neither", url.Values{"client_id": {"app"}}, errorPage + missing, false},
		{"OpenID Connect style", url.Values{"client_id": {"app"}, "post_logout_redirect_uri": {pooltest.Bye}},
			errorPage + missing, false},
		{"sign in again", pooltest.Query("scope", "openid"),
			loginPage + "?" + pooltest.Query("scope", "openid").Encode(), true},
		{"sign in again, all scopes", pooltest.Query(),
			loginPage + "?" + pooltest.Query("scope",
				"openid email phone profile aws.cognito.signin.user.admin https://api.test/read").Encode(), true},
		{"logout URL is no callback", pooltest.Query("redirect_uri", pooltest.Bye), mismatch, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			e := pooltest.New(t)
			session := e.Session(t)
			a := e.Get(t, "/logout", tt.query, session)
			if got := a.Header.Get("Location"); a.StatusCode != http.StatusFound || got != tt.want {
				t.Errorf("got %d to %s\nwant 302 to %s", a.StatusCode, got, tt.want)
			}
			checkEnded(t, e, a, session, tt.ends)
		})
	}
}

// checkEnded checks both sides of a session: the cookie and the record.
func checkEnded(t *testing.T, e *pooltest.Env, a pooltest.Answer, session http.Header, want bool) {
	t.Helper()
	const cookie = "cognito=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax"
	cleared := a.Header.Get("Set-Cookie") == cookie
	to := e.Get(t, "/oauth2/authorize", pooltest.Query(), session).Target(t)
	ended := to.Query().Get("code") == ""
	if cleared != want || ended != want {
		t.Errorf("cookie cleared %t, session ended %t, want %t", cleared, ended, want)
	}
}

// TestLogoutKeepsTokens checks that leaving revokes nothing, as with Cognito.
func TestLogoutKeepsTokens(t *testing.T) {
	t.Parallel()
	e := pooltest.New(t)
	tokens := e.Tokens(t)
	e.Get(t, "/logout", url.Values{"client_id": {"app"}, "logout_uri": {pooltest.Bye}}, e.Session(t))
	if a := e.UserInfo(t, tokens["access_token"]); a.StatusCode != http.StatusOK {
		t.Errorf("got %d, want 200", a.StatusCode)
	}
}

// TestNoSecretIsLogged goes through every endpoint and then looks for every
// secret there was.
func TestNoSecretIsLogged(t *testing.T) {
	t.Parallel()
	e := pooltest.New(t)
	session := e.Session(t)
	code := e.Get(t, "/oauth2/authorize", pooltest.Query("code_challenge", pooltest.Challenge,
		"code_challenge_method", "S256"), session).Target(t).Query().Get("code")
	tokens := e.Redeem(t, code, "code_verifier", pooltest.Verifier).JSON(t)
	e.Redeem(t, code)
	e.Refresh(t, tokens["refresh_token"])
	e.UserInfo(t, tokens["access_token"])
	e.UserInfo(t, tokens["id_token"])
	refresh, _ := tokens["refresh_token"].(string)
	e.Post(t, "/oauth2/revoke", url.Values{"token": {refresh}}, pooltest.Basic("app", e.App.Secret))
	e.Refresh(t, refresh)
	e.Post(t, "/oauth2/token", url.Values{"grant_type": {"x"}}, pooltest.Basic("app", "wrong-secret-value"))
	_, err := e.Pool.Users.SignIn(t.Context(), "password-in-wrong-field", "x")
	if err == nil {
		t.Error("signed in as nobody")
	}
	_, err = e.Pool.Users.SignIn(t.Context(), "ann", "mistyped-password")
	if err == nil {
		t.Error("signed in with a wrong password")
	}
	_, err = e.Pool.Users.SignIn(t.Context(), "ann", pooltest.Password)
	if err != nil {
		t.Error(err)
	}
	logs := e.Logs.String()
	if !strings.Contains(logs, "signed in") || !strings.Contains(logs, "tokens revoked") {
		t.Fatalf("the log says too little:\n%s", logs)
	}
	for name, secret := range map[string]any{
		"session": strings.TrimPrefix(session.Get("Cookie"), "cognito="), "code": code, "refresh token": refresh,
		"access token": tokens["access_token"], "ID token": tokens["id_token"], "password": pooltest.Password,
		"mistyped password":       "mistyped-password",
		"name that is a password": "password-in-wrong-field", "client secret": string(e.App.Secret),
		"wrong client secret": "wrong-secret-value", "verifier": pooltest.Verifier,
	} {
		text, _ := secret.(string)
		if text == "" || strings.Contains(logs, text) {
			t.Errorf("%s is in the log (or empty)", name)
		}
	}
}

// TestHostileMethodsAndPaths sends what no client sends; nothing may panic or
// answer with a server error.
func TestHostileMethodsAndPaths(t *testing.T) {
	t.Parallel()
	e := pooltest.New(t)
	for _, path := range []string{
		"/", "/authorize", "//evil.test", "//evil.test/oauth2/authorize", "/oauth2//token",
		"/oauth2/../login", "/%2e%2e/login",
		"/login/", "/oauth2/userinfo", "/" + pooltest.PoolID, "/" + pooltest.PoolID + "/.well-known/x",
		"/oauth2/token?%zz", "/error?error=%zz", "/login?%zz", "/logout?%zz",
	} {
		for _, method := range []string{"GET", "HEAD", "POST", "OPTIONS", "PUT"} {
			a := e.Do(t, method, path, "\x00\xff", http.Header{"Content-Type": {"\x00"}})
			to := a.Target(t)
			if path == "/authorize" && a.StatusCode != http.StatusNotFound {
				t.Errorf("%s %s: got %d, want 404", method, path, a.StatusCode)
			}
			if a.StatusCode >= 500 || to.Host != "" && to.Host != "pool.test" {
				t.Errorf("%s %s: got %d to %s", method, path, a.StatusCode, to)
			}
		}
	}
}

// TestFailingStore checks that a failure of the pool itself is told apart, and
// not described, wherever it happens.
func TestFailingStore(t *testing.T) {
	t.Parallel()
	broken := func(c *pool.Config) { c.Store = &failingStore{Store: c.Store} }
	e := pooltest.New(t, broken)
	store, _ := e.Store.(*failingStore)
	session, tokens := e.Session(t), e.Tokens(t)
	store.failing.Store(true)

	a := e.Refresh(t, tokens["refresh_token"])
	if a.StatusCode != http.StatusInternalServerError || a.Body != `{"error":"server_error"}`+"\n" {
		t.Errorf("token endpoint: got %d %s", a.StatusCode, a.Body)
	}
	a = e.UserInfo(t, tokens["access_token"])
	if a.StatusCode != http.StatusInternalServerError || a.Body != `{"error":"server_error"}`+"\n" {
		t.Errorf("userInfo: got %d %s", a.StatusCode, a.Body)
	}
	a = e.Get(t, "/oauth2/authorize", pooltest.Query(), session)
	if got := a.Header.Get("Location"); got != pooltest.Callback+"?state=S&error=server_error" {
		t.Errorf("authorize: got %d to %s", a.StatusCode, got)
	}
	if !strings.Contains(e.Logs.String(), "the disk is on fire") {
		t.Error("the cause is not in the log")
	}
}

// TestUserIsGone checks that nothing outlives its user.
func TestUserIsGone(t *testing.T) {
	t.Parallel()
	e := pooltest.New(t, func(c *pool.Config) { c.Store = &failingStore{Store: c.Store} })
	session, tokens, code := e.Session(t), e.Tokens(t), e.Code(t)
	store, _ := e.Store.(*failingStore)
	store.gone.Store(true)

	a := e.Get(t, "/oauth2/authorize", pooltest.Query(), session)
	if got := a.Header.Get("Location"); !strings.HasPrefix(got, loginPage) {
		t.Errorf("session: got %d to %s, want the sign-in page", a.StatusCode, got)
	}
	checkRefused(t, e.Redeem(t, code), "invalid_grant")
	checkRefused(t, e.Refresh(t, tokens["refresh_token"]), "invalid_grant")
	a = e.UserInfo(t, tokens["access_token"])
	checkBearerError(t, a, http.StatusUnauthorized, "invalid_token", textToken)
}
