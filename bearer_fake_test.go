package cognate_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/cognate-auth/cognate"
)

const (
	bearerIssuer   = "https://issuer.test"
	bearerAudience = "https://api.test"
)

// signingKeys returns a private key for every signing algorithm, by its name.
var signingKeysOnce = sync.OnceValue(func() map[string]any {
	keys := map[string]any{}
	for _, alg := range []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"} {
		keys[alg] = testKeys()[0]
	}
	for alg, curve := range map[string]elliptic.Curve{"ES256": elliptic.P256(), "ES384": elliptic.P384(), "ES512": elliptic.P521()} {
		key, err := ecdsa.GenerateKey(curve, rand.Reader)
		if err != nil {
			panic(err)
		}
		keys[alg] = key
	}
	return keys
})

func signingKeys(t testing.TB) map[string]any {
	t.Helper()
	return signingKeysOnce()
}

// roundTrip answers requests without a network.
type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func respond(v any) *http.Response {
	w := httptest.NewRecorder()
	serveJSON(w, http.StatusOK, v)
	return w.Result()
}

// newKeyedBearer makes a resource server that accepts one algorithm. Every algorithm has
// a key of that name.
func newKeyedBearer(t testing.TB, alg string, keys map[string]any) *cognate.Bearer {
	t.Helper()
	var set []any
	for name, key := range keys {
		set = append(set, jwkOf(t, name, key))
	}
	b, err := cognate.NewBearer(cognate.BearerConfig{
		Issuers: []cognate.BearerIssuer{{
			Issuer: bearerIssuer, Audiences: []string{bearerAudience}, JWKS: bearerIssuer + "/keys", SigningAlgorithms: []string{alg},
		}},
		HTTPClient: &http.Client{Transport: roundTrip(func(*http.Request) (*http.Response, error) {
			return respond(map[string]any{"keys": set}), nil
		})},
	})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func jwkOf(t testing.TB, kid string, key any) map[string]any {
	t.Helper()
	switch key := key.(type) {
	case *rsa.PrivateKey:
		j := publicJWK(key, kid)
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
			"x": base64.RawURLEncoding.EncodeToString(point[1 : 1+size]), "y": base64.RawURLEncoding.EncodeToString(point[1+size:]),
		}
	}
	t.Fatalf("no key: %T", key)
	return nil
}

// bearerAPI is an API behind a resource server, and what its provider is asked.
type bearerAPI struct {
	t       testing.TB
	p       *fakeProvider
	clock   *clock
	bearer  *cognate.Bearer
	handler http.Handler
	log     *logBuffer
	metrics *countedDenials

	mu   sync.Mutex
	asks []introspection
	// answer answers introspection requests.
	answer func(w http.ResponseWriter, token string)
}

// An introspection is a request that the introspection endpoint got.
type introspection struct {
	header http.Header
	form   url.Values
}

// newBearerAPI makes an API whose paths /api, /optional and /scoped want a token. change,
// if not nil, changes its configuration.
func newBearerAPI(t testing.TB, change func(*cognate.BearerConfig)) *bearerAPI {
	t.Helper()
	return newBearerAPIOf(t, newFakeProvider(t), change)
}

// newBearerAPIOf is newBearerAPI with a provider that is there.
func newBearerAPIOf(t testing.TB, p *fakeProvider, change func(*cognate.BearerConfig)) *bearerAPI {
	t.Helper()
	x := &bearerAPI{t: t, p: p, clock: newClock(), log: &logBuffer{}, metrics: &countedDenials{}}
	x.p.now = x.clock.now
	mux := http.NewServeMux()
	mux.Handle("/", x.p.Config.Handler)
	mux.HandleFunc("POST /introspect", x.serveIntrospection)
	x.p.Config.Handler = mux
	cfg := cognate.BearerConfig{
		Issuers: []cognate.BearerIssuer{{Issuer: x.p.issuer, Audiences: []string{bearerAudience}}},
		Now:     x.clock.now, Metrics: x.metrics, HTTPClient: p.direct,
		Logger: slog.New(slog.NewTextHandler(x.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
	if change != nil {
		change(&cfg)
	}
	b, err := cognate.NewBearer(cfg)
	if err != nil {
		t.Fatal(err)
	}
	x.bearer = b
	cognate.BearerWaits(b, patience)
	routes := http.NewServeMux()
	routes.Handle("/api", b.Require()(http.HandlerFunc(whoAmI)))
	routes.Handle("/optional", b.Optional()(http.HandlerFunc(whoAmI)))
	routes.Handle("/scoped", b.Require("orders/read", "orders/write")(http.HandlerFunc(whoAmI)))
	x.handler = routes
	return x
}

// introspecting configures the fake provider's introspection endpoint.
func introspecting(in cognate.Introspection) func(*cognate.BearerConfig) {
	return func(c *cognate.BearerConfig) { c.Issuers[0].Introspection = &in }
}

func (x *bearerAPI) serveIntrospection(w http.ResponseWriter, r *http.Request) {
	_ = r.ParseForm()
	x.mu.Lock()
	x.asks = append(x.asks, introspection{r.Header, r.PostForm})
	answer := x.answer
	x.mu.Unlock()
	answer(w, r.PostForm.Get("token"))
}

// answerWith has introspection requests answered by f from now on.
func (x *bearerAPI) answerWith(f func(w http.ResponseWriter, token string)) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.answer = f
}

func (x *bearerAPI) asked() int {
	x.mu.Lock()
	defer x.mu.Unlock()
	return len(x.asks)
}

// whoAmI tells who the user is, as JSON.
func whoAmI(w http.ResponseWriter, r *http.Request) {
	serveJSON(w, http.StatusOK, cognate.UserFrom(r.Context()))
}

// token is a good access token, but for change.
func (x *bearerAPI) token(change func(jwt.MapClaims)) string {
	now := x.clock.now()
	c := jwt.MapClaims{
		"iss": x.p.issuer, "sub": "user-1", "aud": bearerAudience, "client_id": "machine", "scope": "orders/read openid",
		"iat": now.Unix(), "exp": now.Add(time.Hour).Unix(), "jti": rand.Text(), "groups": []string{"staff"}, "tier": map[string]any{"n": 1},
	}
	if change != nil {
		change(c)
	}
	return signRS256(x.p.key, x.p.kid, c)
}

// call sends a token, if it is not empty, to a path.
func (x *bearerAPI) call(path, token string) *http.Response {
	x.t.Helper()
	r := httptest.NewRequestWithContext(x.t.Context(), http.MethodGet, path, nil)
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	return x.do(r)
}

func (x *bearerAPI) do(r *http.Request) *http.Response {
	x.t.Helper()
	w := httptest.NewRecorder()
	x.handler.ServeHTTP(w, r)
	return w.Result()
}

// jsonBody decodes a JSON answer.
func jsonBody(t testing.TB, resp *http.Response) map[string]any {
	t.Helper()
	var m map[string]any
	err := json.NewDecoder(resp.Body).Decode(&m)
	if err != nil {
		t.Fatalf("status %d, body: %v", resp.StatusCode, err)
	}
	return m
}

// countedDenials is a Metrics that counts refusals.
type countedDenials struct {
	mu sync.Mutex
	m  map[cognate.Reason]int
}

func (*countedDenials) Login(time.Duration)                   {}
func (*countedDenials) Refresh(time.Duration, cognate.Reason) {}
func (*countedDenials) Logout(cognate.LogoutReason)           {}
func (c *countedDenials) Denied(reason cognate.Reason) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.m == nil {
		c.m = map[cognate.Reason]int{}
	}
	c.m[reason]++
}

func (c *countedDenials) count(reason cognate.Reason) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.m[reason]
}
