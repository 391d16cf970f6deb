package federation_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"log/slog"
	"maps"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/cognate-auth/cognate/cognatetest"
	"github.com/cognate-auth/cognate/userpool"
	"github.com/cognate-auth/cognate/userpool/internal/pooltest"
	"github.com/cognate-auth/cognate/userpool/memstore"
	"github.com/cognate-auth/cognate/userpool/pool"
	"github.com/cognate-auth/cognate/userpool/server"
	"github.com/golang-jwt/jwt/v5"
)

const (
	base   = "http://pool.test"
	secret = "the secret of the pool at the provider"
)

var rsaKey = sync.OnceValue(func() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
})

var ecKey = sync.OnceValue(func() *ecdsa.PrivateKey {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	return key
})

// rogue is a provider that does what a test wants. By itself it is a good one.
type rogue struct {
	url    string
	claims map[string]any // of the ID token, without nonce
	info   map[string]any // of the userInfo endpoint
	mux    map[string]http.HandlerFunc
	method jwt.SigningMethod
	key    any
	header map[string]any

	mu    sync.Mutex
	nonce string
	calls map[string]int
	last  map[string]url.Values // :: path → form
}

func newRogue(t *testing.T, now time.Time) *rogue {
	t.Helper()
	p := &rogue{
		method: jwt.SigningMethodRS256, key: rsaKey(), header: map[string]any{"kid": "r"},
		calls: map[string]int{}, last: map[string]url.Values{},
	}
	srv := httptest.NewServer(http.HandlerFunc(p.serve))
	t.Cleanup(srv.Close)
	p.url = srv.URL
	p.claims = map[string]any{
		"iss": p.url, "aud": "pool", "sub": "ann", "iat": now.Unix(), "exp": now.Add(time.Hour).Unix(),
		"email": "ann@example.com",
	}
	p.info = map[string]any{"sub": "ann", "name": "Ann"}
	p.mux = map[string]http.HandlerFunc{
		"/.well-known/openid-configuration": p.discovery, "/token": p.token, "/keys": p.keys, "/info": p.userInfo,
	}
	return p
}

func (p *rogue) serve(w http.ResponseWriter, r *http.Request) {
	_ = r.ParseForm()
	p.mu.Lock()
	p.calls[r.URL.Path]++
	p.last[r.URL.Path] = r.PostForm
	p.mu.Unlock()
	p.mux[r.URL.Path](w, r)
}

func (p *rogue) count(path string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.calls[path]
}

func answer(w http.ResponseWriter, v any) { _ = json.NewEncoder(w).Encode(v) }

func (p *rogue) document() map[string]any {
	return map[string]any{
		"issuer": p.url, "authorization_endpoint": p.url + "/authorize?tenant=1", "token_endpoint": p.url + "/token",
		"userinfo_endpoint": p.url + "/info", "jwks_uri": p.url + "/keys",
	}
}

func (p *rogue) discovery(w http.ResponseWriter, _ *http.Request) { answer(w, p.document()) }

func (p *rogue) idToken() string {
	claims := jwt.MapClaims(maps.Clone(p.claims))
	if _, own := claims["nonce"]; !own {
		claims["nonce"] = p.nonce
	}
	token := jwt.NewWithClaims(p.method, claims)
	maps.Copy(token.Header, p.header)
	text, err := token.SignedString(p.key)
	if err != nil {
		panic(err)
	}
	return text
}

func (p *rogue) token(w http.ResponseWriter, _ *http.Request) {
	answer(w, map[string]any{"id_token": p.idToken(), "access_token": "at", "token_type": "Bearer"})
}

func (p *rogue) keys(w http.ResponseWriter, _ *http.Request) {
	answer(w, map[string]any{"keys": []any{
		jwkOf("r", &rsaKey().PublicKey), jwkOf("e", &ecKey().PublicKey), map[string]any{"kty": "OKP", "kid": "o"},
	}})
}

func (p *rogue) userInfo(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Authorization") != "Bearer at" {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	answer(w, p.info)
}

func jwkOf(kid string, key crypto.PublicKey) map[string]any {
	b64 := base64.RawURLEncoding.EncodeToString
	switch k := key.(type) {
	case *rsa.PublicKey:
		return map[string]any{
			"kty": "RSA", "kid": kid, "use": "sig", "n": b64(k.N.Bytes()), "e": b64(big.NewInt(int64(k.E)).Bytes()),
		}
	case *ecdsa.PublicKey:
		point, err := k.Bytes()
		if err != nil {
			panic(err)
		}
		return map[string]any{"kty": "EC", "kid": kid, "crv": "P-256", "x": b64(point[1:33]), "y": b64(point[33:])}
	}
	panic("no such key")
}

// env is a pool with one provider, without a network of its own.
type env struct {
	pool    *pool.Pool
	handler http.Handler
	clock   *cognatetest.Clock
	up      *rogue
	cookies map[string]string
	logs    *pooltest.Logs
}

func newEnv(t *testing.T, changes ...func(*userpool.Settings, *rogue)) *env {
	t.Helper()
	return newPatientEnv(t, time.Minute, changes...)
}

// newPatientEnv is newEnv with a limit to how long the provider may take.
func newPatientEnv(t *testing.T, patience time.Duration, changes ...func(*userpool.Settings, *rogue)) *env {
	t.Helper()
	e := &env{clock: newClock(t), cookies: map[string]string{}, logs: &pooltest.Logs{}}
	e.up = newRogue(t, e.clock.Now())
	ip := userpool.IdentityProvider{
		Name: "Corp", Type: userpool.ProviderOIDC, Identifiers: []string{"corp.example"},
		ClientID: "pool", ClientSecret: secret, Issuer: e.up.url, Scopes: "openid email",
		AttributeMapping: map[string]string{"email": "email", "name": "name", "custom:groups": "groups"},
	}
	settings := userpool.Settings{IdentityProviders: []userpool.IdentityProvider{ip}}
	for _, change := range changes {
		change(&settings, e.up)
	}
	keys, err := pooltest.Keys()
	if err != nil {
		t.Fatal(err)
	}
	logger := slog.New(slog.NewTextHandler(e.logs, nil))
	e.pool, err = pool.New(t.Context(), pool.Config{
		ID: "local_fed1", Issuer: base + "/local_fed1", Store: memstore.New(), Keys: keys, Hashing: pooltest.Cheap,
		Now: e.clock.Now, Settings: settings, Logger: logger,
	})
	if err != nil {
		t.Fatal(err)
	}
	e.handler, err = server.New(server.Config{Pool: e.pool, BaseURL: base, ProviderPatience: patience, Logger: logger})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []userpool.Client{
		{ID: "app", SupportedIdentityProviders: []string{"COGNITO", "Corp"}},
		{ID: "corponly", SupportedIdentityProviders: []string{"Corp"}},
		{ID: "local"},
	} {
		c.CallbackURLs = []string{callback}
		_, err = e.pool.Clients.Create(t.Context(), c)
		if err != nil {
			t.Fatal(err)
		}
	}
	return e
}

// get makes a request with the browser's cookies and keeps those of the answer.
func (e *env) get(t *testing.T, target string) *http.Response {
	t.Helper()
	return e.do(t, http.MethodGet, target)
}

func (e *env) do(t *testing.T, method, target string) *http.Response {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, base+target, nil)
	for name, value := range e.cookies {
		r.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	w := httptest.NewRecorder()
	e.handler.ServeHTTP(w, r)
	resp := w.Result()
	for _, c := range resp.Cookies() {
		e.cookies[c.Name] = c.Value
	}
	return resp
}

// location is where an answer redirects to.
func location(t *testing.T, resp *http.Response) *url.URL {
	t.Helper()
	to, err := resp.Location()
	if err != nil || resp.StatusCode != http.StatusFound {
		t.Fatalf("got %d to %q, want a redirect", resp.StatusCode, resp.Header.Get("Location"))
	}
	return to
}

func request(pairs ...string) url.Values {
	q := url.Values{
		"client_id": {"app"}, "redirect_uri": {callback}, "response_type": {"code"}, "state": {"S"},
		"identity_provider": {"Corp"},
	}
	for i := 0; i+1 < len(pairs); i += 2 {
		q.Set(pairs[i], pairs[i+1])
		if pairs[i+1] == "" {
			q.Del(pairs[i])
		}
	}
	return q
}

// start sends the browser to the provider, which learns the nonce.
func (e *env) start(t *testing.T, pairs ...string) url.Values {
	t.Helper()
	to := location(t, e.get(t, "/oauth2/authorize?"+request(pairs...).Encode()))
	if to.Scheme+"://"+to.Host != e.up.url {
		t.Fatalf("the browser is sent to %s", to)
	}
	q := to.Query()
	e.up.nonce = q.Get("nonce")
	return q
}

// back brings the browser back from the provider.
func (e *env) back(t *testing.T, pairs ...string) *url.URL {
	t.Helper()
	q := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		q.Set(pairs[i], pairs[i+1])
	}
	return location(t, e.get(t, "/oauth2/idpresponse?"+q.Encode()))
}

// signIn is the whole way.
func (e *env) signIn(t *testing.T, pairs ...string) *url.URL {
	t.Helper()
	return e.back(t, "state", e.start(t, pairs...).Get("state"), "code", "c")
}

// verifierFits checks the PKCE of the round trip that began with the request.
func (p *rogue) verifierFits(challenge string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	sum := sha256.Sum256([]byte(p.last["/token"].Get("code_verifier")))
	return challenge != "" && base64.RawURLEncoding.EncodeToString(sum[:]) == challenge
}
