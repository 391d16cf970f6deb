package clients

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cognate-auth/cognate/cognatetest"
	"github.com/cognate-auth/cognate/userpool"
)

const (
	name     = "ann"
	email    = "ann@example.com"
	group    = "admins"
	password = "Correct-Horse-7"
)

// newPool starts a pool with a user.
func newPool(t *testing.T) *cognatetest.Pool {
	t.Helper()
	pool := cognatetest.New(t)
	pool.AddUser(userpool.NewUser{
		Username: name, Password: password, Groups: []string{group},
		Attributes: map[string]string{"email": email, "email_verified": "true"},
	})
	return pool
}

// register adds the app at an address to the pool.
func register(pool *cognatetest.Pool, base, callback string) userpool.Client {
	return pool.AddClient(userpool.Client{
		CallbackURLs: []string{base + callback}, LogoutURLs: []string{base + "/"},
	})
}

// app is a running app that signs in with a client library. Its pages are
//
//	/         for everybody; the logout URL
//	/hello    the claims of the ID token, for people who are signed in
//	/userinfo the answer of userInfo
//	/refresh  refreshes, and shows /hello; an error is its OAuth code with status 400
//	/revoke   revokes the refresh token
//	/logout   ends the session here and at the pool
//
// unless said otherwise.
type app struct {
	pool *cognatetest.Pool
	url  string

	pkce, nonce bool // what the library sends in addition to state
	trusting    bool // it accepts an ID token from the token endpoint without checking the signature
}

// journey is the life of a session, and the attempts that must not give one.
func (a app) journey(t *testing.T) {
	t.Helper()
	b := newBrowser(t)
	t.Run("sign-in", func(t *testing.T) { a.signIn(t, b) })
	t.Run("userInfo", func(t *testing.T) { a.userInfo(t, b) })
	t.Run("refresh", func(t *testing.T) { a.refresh(t, b) })
	t.Run("revocation", func(t *testing.T) { a.revoke(t, b) })
	t.Run("sign-out", func(t *testing.T) { a.signOut(t, b) })
	t.Run("forged tokens", a.refusesForgeries)
}

// signIn signs in and checks the requests and answers on the way.
func (a app) signIn(t *testing.T, b *browser) {
	t.Helper()
	a.pool.SignIn(t, b.client, a.url+"/hello", name, password)
	a.checkRequest(t, b)
	checkClaims(t, b.get(t, a.url+"/hello"))
}

// checkRequest checks the authorization request and its answer.
func (a app) checkRequest(t *testing.T, b *browser) {
	t.Helper()
	q := b.sent(t, a.pool.URL, "/oauth2/authorize").Query()
	checkParameters(t, q, a.pkce, a.nonce)
	back, err := url.Parse(q.Get("redirect_uri"))
	if err != nil {
		t.Fatal(err)
	}
	answer := b.sent(t, a.url, back.Path).Query()
	if answer.Get("state") != q.Get("state") || answer.Get("code") == "" {
		t.Errorf("the pool answered with %s", answer)
	}
}

// checkParameters checks the parameters of an authorization request.
func checkParameters(t *testing.T, q url.Values, pkce, nonce bool) {
	t.Helper()
	openid := slices.Contains(strings.Fields(q.Get("scope")), "openid")
	if q.Get("response_type") != "code" || q.Get("state") == "" || !openid {
		t.Errorf("the authorization request is %s", q)
	}
	if got := q.Get("nonce") != ""; got != nonce {
		t.Errorf("sends a nonce: %t, want %t", got, nonce)
	}
	if got := len(q.Get("code_challenge")) == 43 && q.Get("code_challenge_method") == "S256"; got != pkce {
		t.Errorf("sends a challenge: %t, want %t", got, pkce)
	}
}

func checkClaims(t *testing.T, p page) {
	t.Helper()
	var claims struct {
		Subject string   `json:"sub"`
		Email   string   `json:"email"`
		Groups  []string `json:"cognito:groups"`
	}
	p.decode(t, &claims)
	if claims.Subject == "" || claims.Email != email || !slices.Equal(claims.Groups, []string{group}) {
		t.Errorf("the claims are %s", p.body)
	}
}

func (a app) userInfo(t *testing.T, b *browser) {
	t.Helper()
	var info struct {
		Email    string `json:"email"`
		Verified any    `json:"email_verified"` // some libraries convert it to a boolean
	}
	p := b.get(t, a.url+"/userinfo")
	p.decode(t, &info)
	if info.Email != email || fmt.Sprint(info.Verified) != "true" {
		t.Errorf("userInfo is %s", p.body)
	}
}

func (a app) refresh(t *testing.T, b *browser) {
	t.Helper()
	before := a.pool.Requests(cognatetest.RefreshGrant)
	checkClaims(t, b.get(t, a.url+"/refresh"))
	if got := a.pool.Requests(cognatetest.RefreshGrant) - before; got != 1 {
		t.Errorf("%d refreshes, want 1", got)
	}
	a.userInfo(t, b) // with the new access token
}

func (a app) revoke(t *testing.T, b *browser) {
	t.Helper()
	if p := b.get(t, a.url+"/revoke"); p.status != http.StatusOK {
		t.Fatalf("revoking: %s", p)
	}
	if p := b.get(t, a.url+"/refresh"); p.status != http.StatusBadRequest || p.body != "invalid_grant" {
		t.Errorf("refreshing after the revocation: %s, want 400 invalid_grant", p)
	}
	if p := b.get(t, a.url+"/userinfo"); p.status == http.StatusOK {
		t.Errorf("userInfo after the revocation: %s", p)
	}
}

// signOut signs out. The next attempt must lead to the pool's form.
func (a app) signOut(t *testing.T, b *browser) {
	t.Helper()
	p := b.get(t, a.url+"/logout")
	if p.status != http.StatusOK || p.at.String() != a.url+"/" {
		t.Errorf("signing out led to %s: %s", p.at.Redacted(), p)
	}
	q := b.sent(t, a.pool.URL, "/logout").Query()
	if q.Get("client_id") == "" || q.Get("logout_uri") != a.url+"/" {
		t.Errorf("the sign-out request is %s", q)
	}
	a.wantStranger(t, b)
}

// wantStranger checks that the browser has no session at the app or the pool.
func (a app) wantStranger(t *testing.T, b *browser) {
	t.Helper()
	p := b.get(t, a.url+"/hello")
	if p.at.Scheme+"://"+p.at.Host != a.pool.URL || p.at.Path != "/login" {
		t.Errorf("the private page led to %s: %s, want the pool's sign-in page", p.at.Path, p)
	}
}

// These make the pool answer with false ID tokens.
const (
	anotherKey      = "another key"
	anotherNonce    = "another nonce"
	anotherAudience = "another audience"
	anotherIssuer   = "another issuer"
	over            = "over"
)

func forgeries(pool *cognatetest.Pool) map[string]func() {
	change := func(change func(claims map[string]any)) func() {
		return func() { pool.ChangeIDToken(change) }
	}
	return map[string]func(){
		anotherKey:      pool.ForgeIDToken,
		anotherNonce:    pool.WrongNonce,
		anotherAudience: change(func(c map[string]any) { c["aud"] = "somebodyelse" }),
		anotherIssuer:   change(func(c map[string]any) { c["iss"] = "https://evil.example/" }),
		over:            change(func(c map[string]any) { c["exp"] = time.Now().Add(-time.Hour).Unix() }),
	}
}

func (a app) refusesForgeries(t *testing.T) {
	for name, forge := range forgeries(a.pool) {
		if name == anotherKey && a.trusting || name == anotherNonce && !a.nonce {
			continue
		}
		t.Run(name, func(t *testing.T) { a.refuses(t, forge) })
	}
}

func (a app) refuses(t *testing.T, forge func()) {
	t.Helper()
	forge()
	defer a.pool.Repair()
	b := newBrowser(t)
	before := a.pool.Requests(cognatetest.CodeGrant)
	resp := a.pool.Visit(t, b.client, a.url+"/hello", name, password)
	// Then the app refuses it at its callback. Some apps do so without an error status.
	if resp.Request.URL.Path == "/hello" || a.pool.Requests(cognatetest.CodeGrant) == before {
		t.Errorf("the app answered %d at %s", resp.StatusCode, resp.Request.URL.Path)
	}
	// Without a session at the app or the pool, the browser must sign in.
	b.forget(t, a.pool.URL)
	a.wantStranger(t, b)
}

// browser follows redirects, keeps cookies, and records its requests.
type browser struct {
	client *http.Client
	trail  *trail
}

func newBrowser(t *testing.T) *browser {
	t.Helper()
	trail := &trail{tb: t}
	b := &browser{client: &http.Client{Transport: trail, Timeout: patience}, trail: trail}
	b.forgetAll(t)
	return b
}

// page is the answer after all redirects.
type page struct {
	at     *url.URL
	status int
	body   string
}

func (p page) String() string { return fmt.Sprintf("status %d, %.300s", p.status, p.body) }

func (p page) decode(t *testing.T, to any) {
	t.Helper()
	if p.status != http.StatusOK {
		t.Fatalf("%s: %s", p.at.Path, p)
	}
	err := json.Unmarshal([]byte(p.body), to)
	if err != nil {
		t.Fatalf("%s: %v: %s", p.at.Path, err, p)
	}
}

func (b *browser) get(t *testing.T, address string) page {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	return b.do(t, req)
}

func (b *browser) do(t *testing.T, req *http.Request) page {
	t.Helper()
	req.Header.Set("Accept", "text/html")
	resp, err := b.client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil {
		t.Fatal(err)
	}
	return page{resp.Request.URL, resp.StatusCode, strings.TrimSpace(string(body))}
}

// sent returns the last request to a page.
func (b *browser) sent(t *testing.T, origin, path string) *url.URL {
	t.Helper()
	for _, u := range slices.Backward(b.trail.visited()) {
		if u.Scheme+"://"+u.Host == origin && u.Path == path {
			return u
		}
	}
	t.Fatalf("the browser never asked for %s%s", origin, path)
	return nil
}

func (b *browser) forgetAll(t *testing.T) {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	b.client.Jar = jar
}

// forget removes the cookies of one host.
func (b *browser) forget(t *testing.T, origin string) {
	t.Helper()
	u, err := url.Parse(origin)
	if err != nil {
		t.Fatal(err)
	}
	var over []*http.Cookie
	for _, c := range b.client.Jar.Cookies(u) {
		over = append(over, &http.Cookie{Name: c.Name, Path: "/", MaxAge: -1})
	}
	b.client.Jar.SetCookies(u, over)
}

// trail records requests, and checks that a browser would accept the answers.
type trail struct {
	tb testing.TB

	mu   sync.Mutex
	urls []*url.URL
}

func (tr *trail) visited() []*url.URL {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	return slices.Clone(tr.urls)
}

// RoundTrip implements http.RoundTripper.
func (tr *trail) RoundTrip(r *http.Request) (*http.Response, error) {
	tr.mu.Lock()
	tr.urls = append(tr.urls, r.URL)
	tr.mu.Unlock()
	resp, err := transport.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	for _, c := range resp.Cookies() {
		// Browsers drop a cookie whose name and value are longer (RFC 6265bis section
		// 5.6).
		if size := len(c.Name) + len(c.Value); size > 4096 {
			tr.tb.Errorf("%s sets a cookie %s of %d bytes", r.URL.Host, c.Name, size)
		}
	}
	return resp, nil
}
