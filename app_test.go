package cognate_test

import (
	"crypto/rand"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/cognate-auth/cognate"
	"github.com/cognate-auth/cognate/internal/fakeprovider"
)

// The tests of this package play both sides of the library: the provider, which is
// internal/fakeprovider or the local pool, and the browser. Here are the apps between them.

// TestMain is silent about apps that have no logger of their own.
func TestMain(m *testing.M) {
	slog.SetDefault(slog.New(slog.DiscardHandler))
	os.Exit(m.Run())
}

const (
	appOrigin    = "https://app.test"
	clientID     = fakeprovider.ClientID
	clientSecret = fakeprovider.ClientSecret

	bearerIssuer   = "https://issuer.test"
	bearerAudience = "https://api.test"
)

// app is an app behind the library.
type app struct {
	auth    *cognate.Auth
	handler http.Handler
	log     *logBuffer
}

// patience is how long a document that is old is waited for in tests that are not about that.
const patience = time.Minute

// newApp makes an app with a public page at / and private ones below /private, signed
// in by p. change, if not nil, changes its configuration.
func newApp(t *testing.T, p *fakeprovider.Provider, change func(*cognate.Config)) *app {
	t.Helper()
	x := &app{log: &logBuffer{}}
	cfg := cognate.Config{
		Issuer: p.Issuer, ClientID: clientID, ClientSecret: clientSecret, RedirectURL: appOrigin + "/oidc_callback",
		Keys:   []cognate.Secret{cognate.Secret(strings.Repeat("k", 32))},
		Claims: []string{"custom:tier"},
		Logger: slog.New(slog.NewTextHandler(x.log, nil)), Now: p.Now, HTTPClient: p.HTTPClient,
	}
	if change != nil {
		change(&cfg)
	}
	auth, err := cognate.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	x.auth = auth
	cognate.AuthWaits(auth, patience)
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) {
		if u := auth.User(r); u != nil {
			_, _ = w.Write([]byte("public, hello " + u.Email))
			return
		}
		_, _ = w.Write([]byte("public"))
	})
	mux.Handle("/private/", auth.RequireLogin(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = w.Write([]byte("private " + cognate.UserFrom(r.Context()).Email))
	})))
	mux.Handle("/token", auth.RequireAccessToken(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		token, err := auth.AccessToken(r.Context())
		if err != nil {
			auth.Fail(w, r, err)
			return
		}
		_, _ = w.Write([]byte(token))
	})))
	x.handler = auth.Handler(mux)
	return x
}

// logBuffer takes the log of several goroutines.
type logBuffer struct {
	mu sync.Mutex
	b  strings.Builder
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// browser keeps cookies and does not follow redirects.
type browser struct {
	t   testing.TB
	app *app
	jar *cookiejar.Jar
}

func (x *app) browser(t testing.TB) *browser {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &browser{t, x, jar}
}

var appURL, _ = url.Parse(appOrigin)

// get requests a path, with headers as name, value pairs.
func (b *browser) get(path string, headers ...string) *http.Response {
	b.t.Helper()
	return b.request(http.MethodGet, path, headers...)
}

func (b *browser) request(method, path string, headers ...string) *http.Response {
	b.t.Helper()
	r := httptest.NewRequestWithContext(b.t.Context(), method, appOrigin+path, nil)
	r.RequestURI = path
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	for _, c := range b.jar.Cookies(appURL) {
		r.AddCookie(c)
	}
	w := httptest.NewRecorder()
	b.app.handler.ServeHTTP(w, r)
	resp := w.Result()
	b.jar.SetCookies(appURL, resp.Cookies())
	return resp
}

// signIn signs in from a private page and returns the answer of the callback.
func (b *browser) signIn(p *fakeprovider.Provider) *http.Response {
	b.t.Helper()
	resp := b.get("/private/page?x=1")
	if resp.StatusCode != http.StatusFound {
		b.t.Fatalf("private page: status %d, want a redirect", resp.StatusCode)
	}
	return b.get("/oidc_callback?" + p.SignIn(b.t, resp.Header.Get("Location")).Encode())
}

// cookies returns the names of the cookies the browser holds.
func (b *browser) cookies() (names []string) {
	for _, c := range b.jar.Cookies(appURL) {
		names = append(names, c.Name)
	}
	return names
}

// sessionCookies returns the cookies but the one that says for 20 seconds that a sign-in went
// well.
func (b *browser) sessionCookies() []*http.Cookie {
	return slices.DeleteFunc(b.jar.Cookies(appURL), func(c *http.Cookie) bool {
		return strings.HasSuffix(c.Name, "-tx-row")
	})
}

func (b *browser) signedIn() bool {
	b.t.Helper()
	return b.get("/private/", "Accept", "application/json").StatusCode == http.StatusOK
}

// bearerAPI is an API behind a resource server, and what its provider is asked.
type bearerAPI struct {
	t       testing.TB
	p       *fakeprovider.Provider
	clock   *fakeprovider.Clock
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
	return newBearerAPIOf(t, fakeprovider.New(t), change)
}

// newBearerAPIOf is newBearerAPI with a provider that is there.
func newBearerAPIOf(t testing.TB, p *fakeprovider.Provider, change func(*cognate.BearerConfig)) *bearerAPI {
	t.Helper()
	x := &bearerAPI{t: t, p: p, clock: fakeprovider.NewClock(), log: &logBuffer{}, metrics: &countedDenials{}}
	x.p.Now = x.clock.Now
	mux := http.NewServeMux()
	mux.Handle("/", x.p.Config.Handler)
	mux.HandleFunc("POST /introspect", x.serveIntrospection)
	x.p.Config.Handler = mux
	cfg := cognate.BearerConfig{
		Issuers: []cognate.BearerIssuer{{Issuer: x.p.Issuer, Audiences: []string{bearerAudience}}},
		Now:     x.clock.Now, Metrics: x.metrics, HTTPClient: p.HTTPClient,
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
	fakeprovider.ServeJSON(w, http.StatusOK, cognate.UserFrom(r.Context()))
}

// token is a good access token, but for change.
func (x *bearerAPI) token(change func(jwt.MapClaims)) string {
	now := x.clock.Now()
	c := jwt.MapClaims{
		"iss": x.p.Issuer, "sub": "user-1", "aud": bearerAudience, "client_id": "machine",
		"scope": "orders/read openid", "iat": now.Unix(), "exp": now.Add(time.Hour).Unix(), "jti": rand.Text(),
		"groups": []string{"staff"}, "tier": map[string]any{"n": 1},
	}
	if change != nil {
		change(c)
	}
	return fakeprovider.SignRS256(x.p.Key, x.p.KeyID, c)
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
