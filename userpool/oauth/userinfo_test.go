package oauth_test

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"maps"
	"math/big"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/cognate-auth/cognate/userpool"
	"github.com/cognate-auth/cognate/userpool/internal/pooltest"
	"github.com/cognate-auth/cognate/userpool/keys"
	"github.com/cognate-auth/cognate/userpool/pool"
	"github.com/golang-jwt/jwt/v5"
	"github.com/google/go-cmp/cmp"
)

// TestUserInfo pins the members and that booleans are strings.
func TestUserInfo(t *testing.T) {
	t.Parallel()
	e := pooltest.New(t)
	a := e.UserInfo(t, e.Tokens(t, "scope", "openid email phone")["access_token"])
	want := map[string]any{
		"sub": e.Ann.Sub, "username": "Ann", "email": "ann@example.com", "email_verified": "true",
		"phone_number": "+4930123456", "phone_number_verified": "false",
	}
	if diff := cmp.Diff(want, a.JSON(t)); diff != "" || a.StatusCode != http.StatusOK {
		t.Errorf("got %d; body differs (-want +got):\n%s", a.StatusCode, diff)
	}
	if got := a.Header.Get("Content-Type"); got != "application/json;charset=UTF-8" {
		t.Errorf("Content-Type: got %s", got)
	}
}

const (
	textToken  = "Access token is expired, disabled, or deleted, or the user has globally signed out."
	textOpenID = "Access token does not contain openid scope"
)

func checkBearerError(t *testing.T, a pooltest.Answer, status int, code, text string) {
	t.Helper()
	want := `error="` + code + `", error_description="` + text + `"`
	if got := a.Header.Get("WWW-Authenticate"); a.StatusCode != status || got != want {
		t.Errorf("got %d, WWW-Authenticate %s\nwant %d, %s", a.StatusCode, got, status, want)
	}
	body := a.JSON(t)
	if body["error"] != code || body["error_description"] != text || len(body) != 2 {
		t.Errorf("got body %s", a.Body)
	}
}

// TestUserInfoBadHeader has requests without one bearer token.
func TestUserInfoBadHeader(t *testing.T) {
	t.Parallel()
	e := pooltest.New(t)
	token, _ := e.Tokens(t)["access_token"].(string)
	for name, header := range map[string][]string{
		"none": nil, "empty": {""}, "scheme alone": {"Bearer"}, "no token": {"Bearer "}, "bare token": {token},
		"basic": {"Basic " + token}, "two tokens": {"Bearer " + token + " " + token},
		"two headers": {"Bearer " + token, "Bearer " + token}, "list": {"Bearer a,Bearer b"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			target := "/oauth2/userInfo?access_token=" + token
			a := e.Do(t, http.MethodGet, target, "", http.Header{"Authorization": header})
			checkBearerError(t, a, http.StatusBadRequest, "invalid_request", "Bad OAuth2 request at UserInfo Endpoint")
		})
	}
}

// TestUserInfoLife checks the end of an access token, to the second.
func TestUserInfoLife(t *testing.T) {
	t.Parallel()
	e := pooltest.New(t)
	token := e.Tokens(t)["access_token"]
	e.Clock.Advance(time.Hour - time.Second)
	if a := e.UserInfo(t, token); a.StatusCode != http.StatusOK {
		t.Errorf("just alive: got %d %s", a.StatusCode, a.Body)
	}
	e.Clock.Advance(time.Second)
	checkBearerError(t, e.UserInfo(t, token), http.StatusUnauthorized, "invalid_token", textToken)
}

// TestUserInfoWithoutOpenID has a good token that lacks the scope.
func TestUserInfoWithoutOpenID(t *testing.T) {
	t.Parallel()
	e := pooltest.New(t)
	token := e.Tokens(t, "scope", "https://api.test/read")["access_token"]
	checkBearerError(t, e.UserInfo(t, token), http.StatusUnauthorized, "invalid_token", textOpenID)
}

// TestUserInfoForgedToken has tokens that this pool did not issue for this use.
func TestUserInfoForgedToken(t *testing.T) {
	t.Parallel()
	e := pooltest.New(t)
	tokens := e.Tokens(t)
	access, _ := tokens["access_token"].(string)
	idToken, _ := tokens["id_token"].(string)
	_, claims := pooltest.Claims(t, access)
	kid := kids(t, e)
	forger := newKey(t)
	other := pooltest.New(t, func(c *pool.Config) {
		c.ID, c.Issuer = "local_other", pooltest.BaseURL+"/local_other"
	})
	parts := strings.Split(access, ".")
	changed := maps.Clone(claims)
	changed["sub"] = "someone-else"
	body, err := json.Marshal(changed)
	if err != nil {
		t.Fatal(err)
	}
	for name, token := range map[string]any{
		"ID token":            idToken,
		"garbage":             "garbage",
		"two parts":           parts[0] + "." + parts[1],
		"four parts":          access + "." + parts[2],
		"no signature":        parts[0] + "." + parts[1] + ".",
		"changed claims":      parts[0] + "." + base64.RawURLEncoding.EncodeToString(body) + "." + parts[2],
		"padded signature":    access + "==",
		"loose last bits":     access[:len(access)-1] + nextLetter(access[len(access)-1]),
		"alg none":            signed(t, jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, kid[1], claims),
		"HS256 with PEM":      signed(t, jwt.SigningMethodHS256, publicPEM(t, e), kid[1], claims),
		"HS256 with modulus":  hmacToken(t, e, kid[1], claims),
		"other key, our kid":  signed(t, jwt.SigningMethodRS256, forger, kid[1], claims),
		"other key and kid":   signed(t, jwt.SigningMethodRS256, forger, "x", claims),
		"PS256":               signed(t, jwt.SigningMethodPS256, forger, kid[1], claims),
		"RS512":               signed(t, jwt.SigningMethodRS512, forger, kid[1], claims),
		"another pool's":      other.Tokens(t)["access_token"],
		"refresh token":       tokens["refresh_token"],
		"endless":             access + strings.Repeat("A", 20<<10),
		"header not JSON":     "e30x." + parts[1] + "." + parts[2],
		"claims not JSON":     parts[0] + ".e30x." + parts[2],
		"claims are an array": parts[0] + ".W10." + parts[2],
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			checkBearerError(t, e.UserInfo(t, token), http.StatusUnauthorized, "invalid_token", textToken)
		})
	}
}

// nextLetter returns a letter of base64url that differs in the lowest bit only.
// The last letter of a signature has four bits that no byte uses.
func nextLetter(c byte) string {
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	i := strings.IndexByte(letters, c) ^ 1
	return letters[i : i+1]
}

// TestUserInfoChecksClaims has tokens with a good signature, as a pool with the
// same keys, or a fault of our own, could make them.
func TestUserInfoChecksClaims(t *testing.T) {
	t.Parallel()
	id, access := newKey(t), newKey(t)
	pairs, err := keys.New(id, access)
	if err != nil {
		t.Fatal(err)
	}
	e := pooltest.New(t, func(c *pool.Config) { c.Keys = pairs })
	_, good := pooltest.Claims(t, e.Tokens(t)["access_token"])
	kid := kids(t, e)[1]
	if a := e.UserInfo(t, signed(t, jwt.SigningMethodRS256, access, kid, good)); a.StatusCode != http.StatusOK {
		t.Fatalf("unchanged: got %d %s", a.StatusCode, a.Body)
	}
	now := e.Clock.Now().Unix()
	for name, change := range map[string][2]any{
		"token_use id": {"token_use", "id"}, "no token_use": {"token_use", nil},
		"other issuer": {"iss", "https://x.test"},
		"no issuer":    {"iss", nil}, "no expiry": {"exp", nil}, "expired": {"exp", now},
		"odd expiry":    {"exp", "soon"},
		"not yet valid": {"nbf", now + 60}, "other family": {"origin_jti", "x"}, "no family": {"origin_jti", nil},
		"other user": {"sub", "x"}, "odd scope": {"scope", []string{"openid"}},
	} {
		claims := maps.Clone(good)
		claims[change[0].(string)] = change[1]
		if change[1] == nil {
			delete(claims, change[0].(string))
		}
		a := e.UserInfo(t, signed(t, jwt.SigningMethodRS256, access, kid, claims))
		if a.StatusCode != http.StatusUnauthorized {
			t.Errorf("%s: got %d, want 401", name, a.StatusCode)
		}
	}
	for name, token := range map[string]string{
		"ID key": signed(t, jwt.SigningMethodRS256, id, kids(t, e)[0], good),
		"RS384":  signed(t, jwt.SigningMethodRS384, access, kid, good),
		"PS256":  signed(t, jwt.SigningMethodPS256, access, kid, good),
		"no kid": signed(t, jwt.SigningMethodRS256, access, "", good),
	} {
		if a := e.UserInfo(t, token); a.StatusCode != http.StatusUnauthorized {
			t.Errorf("%s: got %d, want 401", name, a.StatusCode)
		}
	}
}

func newKey(t *testing.T) *rsa.PrivateKey {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// TestAccessTokenOutlivesRefreshToken has a client whose access tokens live
// longer than its refresh tokens; the family must be remembered long enough.
func TestAccessTokenOutlivesRefreshToken(t *testing.T) {
	t.Parallel()
	e := pooltest.New(t)
	c := e.AddClient(t, userpool.Client{
		ID: "long", CallbackURLs: []string{pooltest.Callback}, RefreshTokenValidity: time.Hour,
		AccessTokenValidity: 24 * time.Hour,
	})
	form := url.Values{
		"grant_type": {"authorization_code"}, "client_id": {c.ID}, "redirect_uri": {pooltest.Callback},
		"code": {e.Code(t, "client_id", c.ID)},
	}
	tokens := e.Post(t, "/oauth2/token", form, nil).JSON(t)
	e.Clock.Advance(time.Hour - time.Second)
	refresh, _ := tokens["refresh_token"].(string)
	form = url.Values{"grant_type": {"refresh_token"}, "client_id": {c.ID}, "refresh_token": {refresh}}
	last := e.Post(t, "/oauth2/token", form, nil).JSON(t)["access_token"]
	e.Clock.Advance(24*time.Hour - time.Second)
	e.Session(t) // the pool tidies up
	if a := e.UserInfo(t, last); a.StatusCode != http.StatusOK {
		t.Errorf("got %d %s, want 200", a.StatusCode, a.Body)
	}
	checkRefused(t, e.Post(t, "/oauth2/token", form, nil), "invalid_grant")
}

func signed(t *testing.T, m jwt.SigningMethod, key any, kid string, claims map[string]any) string {
	t.Helper()
	token := jwt.NewWithClaims(m, jwt.MapClaims(claims))
	token.Header["kid"] = kid
	text, err := token.SignedString(key)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// publicPEM is the access key as the classic confusion attack uses it.
func publicPEM(t *testing.T, e *pooltest.Env) []byte {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(&rsa.PublicKey{N: new(big.Int).SetBytes(modulus(t, e)), E: 65537})
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
}

func hmacToken(t *testing.T, e *pooltest.Env, kid string, claims map[string]any) string {
	t.Helper()
	text := signed(t, jwt.SigningMethodHS256, []byte("x"), kid, claims)
	head := text[:strings.LastIndexByte(text, '.')]
	mac := hmac.New(sha256.New, modulus(t, e))
	mac.Write([]byte(head))
	return head + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

type keySet struct {
	Keys []struct{ Alg, E, Kid, Kty, N, Use string }
}

func jwks(t *testing.T, e *pooltest.Env) keySet {
	t.Helper()
	var set keySet
	a := e.Do(t, http.MethodGet, "/"+pooltest.PoolID+"/.well-known/jwks.json", "", nil)
	err := json.Unmarshal([]byte(a.Body), &set)
	if err != nil || len(set.Keys) < 2 {
		t.Fatalf("key set %s: %v", a.Body, err)
	}
	return set
}

// kids returns the key ids, the ID token's first.
func kids(t *testing.T, e *pooltest.Env) []string {
	t.Helper()
	set := jwks(t, e)
	return []string{set.Keys[0].Kid, set.Keys[1].Kid}
}

func modulus(t *testing.T, e *pooltest.Env) []byte {
	t.Helper()
	n, err := base64.RawURLEncoding.DecodeString(jwks(t, e).Keys[1].N)
	if err != nil {
		t.Fatal(err)
	}
	return n
}
