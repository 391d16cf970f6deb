package cognate_test

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/cognate-auth/cognate"
)

// The tests of this package play both sides of the library: a provider that does
// exactly what a test tells it, most of all wrong things, and a browser. Sign-ins with
// a provider that does everything right are tested with the local pool.

// TestMain is silent about apps that have no logger of their own.
func TestMain(m *testing.M) {
	slog.SetDefault(slog.New(slog.DiscardHandler))
	os.Exit(m.Run())
}

const (
	appOrigin    = "https://app.test"
	clientID     = "client-1"
	clientSecret = "s3cret+with/odd=characters"
)

// testKeys are made once: RSA keys are slow to make.
var testKeys = sync.OnceValue(func() []*rsa.PrivateKey {
	keys := make([]*rsa.PrivateKey, 3)
	for i := range keys {
		k, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			panic(err)
		}
		keys[i] = k
	}
	return keys
})

// fakeProvider is an OpenID provider that misbehaves on demand. Fields are set before
// a sign-in begins.
type fakeProvider struct {
	*httptest.Server
	issuer string
	key    *rsa.PrivateKey
	kid    string
	now    func() time.Time
	direct *http.Client // asks without a network; nil: there is one

	// claims changes the ID token's claims before they are signed.
	claims func(map[string]any)
	// sign makes the ID token in the place of the ordinary RS256 signature.
	sign func(jwt.MapClaims) string
	// token answers token requests in the place of the ordinary answer.
	token func(w http.ResponseWriter, r *http.Request)
	// response changes the token response.
	response func(map[string]any)
	// refresh answers refresh requests in the place of the ordinary answer.
	refresh func(w http.ResponseWriter, r *http.Request)
	// refreshed changes the response to a refresh, whose ID token claims changes too.
	refreshed func(map[string]any)
	// rotate makes each refresh token good once.
	rotate bool
	// accessLife is the life of access tokens in seconds; 0 means an hour.
	accessLife int
	// userInfo answers userInfo requests.
	userInfo func(w http.ResponseWriter, r *http.Request)
	// discovery changes the discovery document.
	discovery func(map[string]any)
	// keySet is the key set in the place of the one key.
	keySet []any
	// down makes discovery and keys answer 500.
	down bool

	mu           sync.Mutex
	grants       map[string]url.Values // code → authorization request
	tokenCalls   []*http.Request       // with their forms parsed
	keyFetches   int
	discoveries  int
	userInfoCall int
	refreshes    int
	liveRefresh  string // the refresh token that is good
	signedInAt   int64  // auth_time of the last sign-in
}

func newFakeProvider(t testing.TB) *fakeProvider {
	t.Helper()
	p := makeFakeProvider()
	p.Server = httptest.NewServer(p.Config.Handler)
	p.issuer = p.URL
	t.Cleanup(p.Close)
	return p
}

func makeFakeProvider() *fakeProvider {
	p := &fakeProvider{key: testKeys()[0], kid: "key/1+==", now: time.Now, grants: map[string]url.Values{}}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /.well-known/openid-configuration", p.serveDiscovery)
	mux.HandleFunc("GET /keys", p.serveKeys)
	mux.HandleFunc("POST /token", p.serveToken)
	mux.HandleFunc("GET /userinfo", p.serveUserInfo)
	p.Server = &httptest.Server{Config: &http.Server{Handler: mux}}
	return p
}

// inVirtualTime runs a test whose clock stands still while anybody works, and jumps when all
// wait (see [synctest]): waiting takes no time, and nothing depends on how fast the machine
// is. There is no network between the apps and the provider, since the clock would not wait
// for it.
func inVirtualTime(t *testing.T, run func(t *testing.T, p *fakeProvider)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		p := makeFakeProvider()
		p.URL = "http://127.0.0.1:1" // where nobody listens
		p.issuer, p.direct = p.URL, &http.Client{Transport: roundTrip(p.serveDirectly)}
		run(t, p)
	})
}

// serveDirectly answers a request as the server would, and as a connection would break.
func (p *fakeProvider) serveDirectly(r *http.Request) (*http.Response, error) {
	answered := make(chan *http.Response, 1)
	go func() {
		defer close(answered)
		defer func() {
			if v := recover(); v != nil && v != http.ErrAbortHandler { //nolint:errorlint // as net/http compares
				panic(v)
			}
		}()
		w := httptest.NewRecorder()
		p.Config.Handler.ServeHTTP(w, r)
		answered <- w.Result()
	}()
	select {
	case resp := <-answered:
		if resp == nil {
			return nil, io.ErrUnexpectedEOF
		}
		return resp, nil
	case <-r.Context().Done():
		return nil, r.Context().Err()
	}
}

func (p *fakeProvider) serveDiscovery(w http.ResponseWriter, _ *http.Request) {
	p.mu.Lock()
	p.discoveries++
	p.mu.Unlock()
	if p.down {
		http.Error(w, "down", http.StatusInternalServerError)
		return
	}
	doc := map[string]any{
		"issuer": p.issuer, "authorization_endpoint": p.URL + "/authorize", "token_endpoint": p.URL + "/token",
		"userinfo_endpoint": p.URL + "/userinfo", "jwks_uri": p.URL + "/keys", "end_session_endpoint": p.URL + "/end",
	}
	if p.discovery != nil {
		p.discovery(doc)
	}
	pad, _ := doc["pad"].(string)
	delete(doc, "pad")
	serveJSON(w, http.StatusOK, doc)
	_, _ = w.Write([]byte(pad)) // blanks after the document
}

func (p *fakeProvider) serveKeys(w http.ResponseWriter, _ *http.Request) {
	p.mu.Lock()
	p.keyFetches++
	p.mu.Unlock()
	if p.down {
		http.Error(w, "down", http.StatusInternalServerError)
		return
	}
	set := p.keySet
	if set == nil {
		set = []any{publicJWK(p.key, p.kid)}
	}
	serveJSON(w, http.StatusOK, map[string]any{"keys": set})
}

func publicJWK(key *rsa.PrivateKey, kid string) map[string]any {
	return map[string]any{
		"kty": "RSA", "use": "sig", "alg": "RS256", "kid": kid,
		"n": base64.RawURLEncoding.EncodeToString(key.N.Bytes()),
		"e": base64.RawURLEncoding.EncodeToString(big.NewInt(int64(key.E)).Bytes()),
	}
}

func (p *fakeProvider) serveToken(w http.ResponseWriter, r *http.Request) {
	_ = r.ParseForm()
	p.mu.Lock()
	p.tokenCalls = append(p.tokenCalls, r)
	request, ok := p.grants[r.PostForm.Get("code")]
	p.mu.Unlock()
	if p.token != nil {
		p.token(w, r)
		return
	}
	if r.PostForm.Get("grant_type") == "refresh_token" {
		p.serveRefresh(w, r)
		return
	}
	challenge := challengeOf(r.PostForm.Get("code_verifier"))
	if !ok || request.Get("code_challenge") != challenge || request.Get("redirect_uri") != r.PostForm.Get("redirect_uri") {
		serveJSON(w, http.StatusBadRequest, map[string]any{"error": "invalid_grant"})
		return
	}
	const access = "access-token"
	c := p.userClaims(access)
	c["nonce"] = request.Get("nonce")
	p.mu.Lock()
	p.signedInAt = p.now().Unix()
	p.mu.Unlock()
	if p.claims != nil {
		p.claims(c)
	}
	p.mu.Lock()
	if p.liveRefresh == "" {
		p.liveRefresh = "refresh-0"
	}
	response := map[string]any{
		"access_token": access, "token_type": "Bearer", "expires_in": p.life(), "id_token": p.signed(c), "refresh_token": p.liveRefresh,
	}
	p.mu.Unlock()
	if p.response != nil {
		p.response(response)
	}
	serveJSON(w, http.StatusOK, response)
}

func (p *fakeProvider) life() int {
	if p.accessLife == 0 {
		return 3600
	}
	return p.accessLife
}

// serveRefresh answers a refresh with access token access-1, access-2 and so on.
func (p *fakeProvider) serveRefresh(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	p.refreshes++
	n := p.refreshes
	good := r.PostForm.Get("refresh_token") == p.liveRefresh
	p.mu.Unlock()
	if p.refresh != nil {
		p.refresh(w, r)
		return
	}
	if !good {
		serveJSON(w, http.StatusBadRequest, map[string]any{"error": "invalid_grant"})
		return
	}
	access := fmt.Sprintf("access-%d", n)
	c := p.userClaims(access)
	c["auth_time"] = p.signedInAt
	if p.claims != nil {
		p.claims(c)
	}
	response := map[string]any{"access_token": access, "token_type": "Bearer", "expires_in": p.life(), "id_token": p.signed(c)}
	if p.rotate {
		p.mu.Lock()
		p.liveRefresh = fmt.Sprintf("refresh-%d", n)
		response["refresh_token"] = p.liveRefresh
		p.mu.Unlock()
	}
	if p.refreshed != nil {
		p.refreshed(response)
	}
	serveJSON(w, http.StatusOK, response)
}

func (p *fakeProvider) refreshCount() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.refreshes
}

func (p *fakeProvider) userClaims(access string) jwt.MapClaims {
	now := p.now()
	return jwt.MapClaims{
		"iss": p.issuer, "sub": "user-1", "aud": clientID, "exp": now.Add(time.Hour).Unix(), "iat": now.Unix(),
		"auth_time": now.Unix(), "at_hash": accessHash(access),
		"email": "ann@example.com", "email_verified": true, "preferred_username": "ann", "name": "Ann Example",
		"groups": []string{"staff", "admins"}, "custom:tier": "gold",
	}
}

// challengeOf is the code challenge of a verifier (RFC 7636, 4.2).
func challengeOf(verifier string) string {
	sum := sha256.Sum256([]byte(verifier))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

func (p *fakeProvider) signed(c jwt.MapClaims) string {
	if p.sign != nil {
		return p.sign(c)
	}
	return signRS256(p.key, p.kid, c)
}

func signRS256(key *rsa.PrivateKey, kid string, c jwt.MapClaims) string {
	return signWith(jwt.SigningMethodRS256, key, kid, c)
}

func signWith(method jwt.SigningMethod, key any, kid string, c jwt.MapClaims) string {
	tok := jwt.NewWithClaims(method, c)
	delete(tok.Header, "typ")
	if kid != "" {
		tok.Header["kid"] = kid
	}
	s, err := tok.SignedString(key)
	if err != nil {
		panic(err)
	}
	return s
}

func accessHash(access string) string {
	h := crypto.SHA256.New()
	h.Write([]byte(access))
	return base64.RawURLEncoding.EncodeToString(h.Sum(nil)[:16])
}

func (p *fakeProvider) serveUserInfo(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	p.userInfoCall++
	p.mu.Unlock()
	if p.userInfo != nil {
		p.userInfo(w, r)
		return
	}
	serveJSON(w, http.StatusOK, map[string]any{"sub": "user-1", "email": "ann@example.com", "email_verified": "true"})
}

func serveJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v)
}

// grant plays the person who signs in: it returns the callback's query.
func (p *fakeProvider) grant(t testing.TB, location string) url.Values {
	t.Helper()
	u, err := url.Parse(location)
	if err != nil || !strings.HasPrefix(location, p.URL+"/authorize?") {
		t.Fatalf("redirected to %q, want the authorization endpoint", location)
	}
	code := rand.Text()
	p.mu.Lock()
	p.grants[code] = u.Query()
	p.mu.Unlock()
	return url.Values{"code": {code}, "state": {u.Query().Get("state")}}
}

func (p *fakeProvider) tokenRequests() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.tokenCalls)
}

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
func newApp(t *testing.T, p *fakeProvider, change func(*cognate.Config)) *app {
	t.Helper()
	x := &app{log: &logBuffer{}}
	cfg := cognate.Config{
		Issuer: p.issuer, ClientID: clientID, ClientSecret: clientSecret, RedirectURL: appOrigin + "/oidc_callback",
		Keys:   []cognate.Secret{cognate.Secret(strings.Repeat("k", 32))},
		Claims: []string{"custom:tier"},
		Logger: slog.New(slog.NewTextHandler(x.log, nil)), Now: p.now, HTTPClient: p.direct,
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
func (b *browser) signIn(p *fakeProvider) *http.Response {
	b.t.Helper()
	resp := b.get("/private/page?x=1")
	if resp.StatusCode != http.StatusFound {
		b.t.Fatalf("private page: status %d, want a redirect", resp.StatusCode)
	}
	return b.get("/oidc_callback?" + p.grant(b.t, resp.Header.Get("Location")).Encode())
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
	return slices.DeleteFunc(b.jar.Cookies(appURL), func(c *http.Cookie) bool { return strings.HasSuffix(c.Name, "-tx-row") })
}

func (b *browser) signedIn() bool {
	b.t.Helper()
	return b.get("/private/", "Accept", "application/json").StatusCode == http.StatusOK
}

// clock is a clock that tests move. It is safe for concurrent use.
type clock struct {
	mu sync.Mutex
	t  time.Time
}

func newClock() *clock { return &clock{t: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)} }

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}
