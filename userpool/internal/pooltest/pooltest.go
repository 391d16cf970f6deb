// Package pooltest gives the pool's own tests a pool with a clock they can
// turn, a few clients and users, and short ways to make requests. Requests do
// not pass a network; package cognatetest is the pool on a port.
//
// It knows the words (userpool), store, keys, pool, server and memstore, and no program
// imports it.
package pooltest

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cognate-auth/cognate/userpool"
	"github.com/cognate-auth/cognate/userpool/keys"
	"github.com/cognate-auth/cognate/userpool/memstore"
	"github.com/cognate-auth/cognate/userpool/pool"
	"github.com/cognate-auth/cognate/userpool/server"
	"github.com/cognate-auth/cognate/userpool/store"
)

// What every environment has.
const (
	BaseURL  = "http://pool.test"
	PoolID   = "local_test1"
	Callback = "https://app.test/callback"
	Bye      = "https://app.test/bye"
	Password = "correct horse"

	// Verifier and Challenge are the pair of RFC 7636 appendix B.
	Verifier  = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
	Challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
)

// Cheap is a cost of hashing that lets a test hash often.
var Cheap = userpool.HashCost{MemoryKiB: 8, Passes: 1, Lanes: 1}

// Keys are shared by all tests of a process, since they take long to make.
var Keys = sync.OnceValues(keys.Generate)

// Clock is a clock that stands still until it is turned.
type Clock struct {
	mu  sync.Mutex
	now time.Time
}

// Now returns the time on the clock.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// Advance turns the clock.
func (c *Clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// Logs collects log lines.
type Logs struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

// Write appends to the log.
func (l *Logs) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

// String returns all lines.
func (l *Logs) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

// ResourceServers are those of every environment that asks for no others.
func ResourceServers() []userpool.ResourceServer {
	return []userpool.ResourceServer{{
		Identifier: "https://api.test", Scopes: []userpool.ResourceServerScope{{Name: "read"}, {Name: "write"}},
	}}
}

// Env is a pool with clients and a user.
type Env struct {
	Pool    *pool.Pool
	Store   store.Store
	Handler http.Handler
	Clock   *Clock
	Logs    *Logs

	App    userpool.Client // confidential, all system scopes
	Other  userpool.Client // confidential, with the same callback
	Public userpool.Client // no secret
	Ann    userpool.User   // every attribute there is a rule about
}

// New returns a fresh environment. Each change may alter the configuration.
func New(t testing.TB, changes ...func(*pool.Config)) *Env {
	t.Helper()
	e := &Env{Clock: &Clock{now: time.Date(2026, 5, 6, 7, 8, 9, 0, time.UTC)}, Logs: &Logs{}}
	logger := slog.New(slog.NewTextHandler(e.Logs, &slog.HandlerOptions{Level: slog.LevelDebug}))
	pairs, err := Keys()
	check(t, err)
	cfg := pool.Config{
		ID: PoolID, Issuer: BaseURL + "/" + PoolID, Store: memstore.New(), Keys: pairs,
		Hashing: Cheap, HashWait: time.Minute, Now: e.Clock.Now, Logger: logger,
	}
	for _, change := range changes {
		change(&cfg)
	}
	if cfg.Settings.ResourceServers == nil {
		cfg.Settings.ResourceServers = ResourceServers()
	}
	e.Store = cfg.Store
	e.Pool, err = pool.New(t.Context(), cfg)
	check(t, err)
	e.Handler, err = server.New(server.Config{Pool: e.Pool, BaseURL: BaseURL, Logger: logger})
	check(t, err)
	e.populate(t)
	return e
}

func (e *Env) populate(t testing.TB) {
	t.Helper()
	client := userpool.Client{
		ID: "app", Name: "The App", GenerateSecret: true,
		CallbackURLs: []string{Callback, Callback + "?x=1"}, LogoutURLs: []string{Bye},
		AllowedOAuthScopes: []string{
			"openid", "email", "phone", "profile", "aws.cognito.signin.user.admin", "https://api.test/read",
		},
	}
	e.App = e.AddClient(t, client)
	client.ID, client.Name = "other", "Another App"
	e.Other = e.AddClient(t, client)
	client.ID, client.GenerateSecret = "public", false
	e.Public = e.AddClient(t, client)
	name := "Ann"
	if len(e.Pool.Settings().UsernameAttributes) > 0 {
		name = "" // it is one of the addresses
	}
	ann, err := e.Pool.Users.Create(t.Context(), userpool.NewUser{
		Username: name, Password: Password, Groups: []string{"zebra", "admins"},
		Attributes: map[string]string{
			"email": "ann@example.com", "email_verified": "true", "phone_number": "+4930123456",
			"phone_number_verified": "false", "name": "Ann Ü", "custom:plan": "7", "address": "Main St. 1",
		},
	})
	check(t, err)
	e.Ann = ann
}

// AddClient creates a client.
func (e *Env) AddClient(t testing.TB, c userpool.Client) userpool.Client {
	t.Helper()
	c, err := e.Pool.Clients.Create(t.Context(), c)
	check(t, err)
	return c
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// Answer is a response with its body read.
type Answer struct {
	*http.Response
	Body string
}

// Do makes a request; target is a path with query.
func (e *Env) Do(t testing.TB, method, target, body string, header http.Header) Answer {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, BaseURL+target, strings.NewReader(body))
	for name, values := range header {
		r.Header[name] = values
	}
	w := httptest.NewRecorder()
	e.Handler.ServeHTTP(w, r)
	return Answer{Response: w.Result(), Body: w.Body.String()}
}

// Get is Do with GET.
func (e *Env) Get(t testing.TB, path string, query url.Values, header http.Header) Answer {
	t.Helper()
	return e.Do(t, http.MethodGet, path+"?"+query.Encode(), "", header)
}

// Post posts a form.
func (e *Env) Post(t testing.TB, target string, form url.Values, header http.Header) Answer {
	t.Helper()
	h := header.Clone()
	if h == nil {
		h = http.Header{}
	}
	if h.Get("Content-Type") == "" {
		h.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	return e.Do(t, http.MethodPost, target, form.Encode(), h)
}

// Target returns the Location header, parsed.
func (a Answer) Target(t testing.TB) *url.URL {
	t.Helper()
	u, err := url.Parse(a.Header.Get("Location"))
	check(t, err)
	return u
}

// JSON decodes the body.
func (a Answer) JSON(t testing.TB) map[string]any {
	t.Helper()
	var out map[string]any
	err := json.Unmarshal([]byte(a.Body), &out)
	if err != nil {
		t.Fatalf("body %q is not JSON: %v", a.Body, err)
	}
	return out
}

// Error returns the error member of a JSON answer, or nothing.
func (a Answer) Error(t testing.TB) string {
	t.Helper()
	code, _ := a.JSON(t)["error"].(string)
	return code
}

// Query returns an authorization request of the app, changed by the pairs; an
// empty value removes the parameter.
func Query(pairs ...string) url.Values {
	q := url.Values{
		"client_id": {"app"}, "redirect_uri": {Callback}, "response_type": {"code"}, "state": {"S"},
	}
	for i := 0; i+1 < len(pairs); i += 2 {
		q.Set(pairs[i], pairs[i+1])
		if pairs[i+1] == "" {
			q.Del(pairs[i])
		}
	}
	return q
}

// Session signs Ann in and returns the header that carries her session.
func (e *Env) Session(t testing.TB) http.Header {
	t.Helper()
	id, _, err := e.Pool.Sessions.Start(t.Context(), e.Ann.Sub, []string{"pwd"}, "")
	check(t, err)
	return http.Header{"Cookie": {"cognito=" + string(id)}}
}

// Code returns a code for an authorization request of [Query].
func (e *Env) Code(t testing.TB, pairs ...string) string {
	t.Helper()
	a := e.Get(t, "/oauth2/authorize", Query(pairs...), e.Session(t))
	code := a.Target(t).Query().Get("code")
	if code == "" {
		t.Fatalf("no code: %d to %s", a.StatusCode, a.Header.Get("Location"))
	}
	return code
}

// Basic returns the header by which a client authenticates.
func Basic(id string, secret userpool.Secret) http.Header {
	pair := url.QueryEscape(id) + ":" + url.QueryEscape(string(secret))
	return http.Header{"Authorization": {"Basic " + base64.StdEncoding.EncodeToString([]byte(pair))}}
}

// Redeem redeems a code of the app.
func (e *Env) Redeem(t testing.TB, code string, pairs ...string) Answer {
	t.Helper()
	form := url.Values{"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {Callback}}
	for i := 0; i+1 < len(pairs); i += 2 {
		form.Set(pairs[i], pairs[i+1])
		if pairs[i+1] == "" {
			form.Del(pairs[i])
		}
	}
	return e.Post(t, "/oauth2/token", form, Basic("app", e.App.Secret))
}

// Tokens signs Ann in at the app and returns the token response.
func (e *Env) Tokens(t testing.TB, pairs ...string) map[string]any {
	t.Helper()
	a := e.Redeem(t, e.Code(t, pairs...))
	if a.StatusCode != http.StatusOK {
		t.Fatalf("token endpoint: %d %s", a.StatusCode, a.Body)
	}
	return a.JSON(t)
}

// Refresh uses a refresh token of the app.
func (e *Env) Refresh(t testing.TB, token any) Answer {
	t.Helper()
	text, _ := token.(string)
	form := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {text}}
	return e.Post(t, "/oauth2/token", form, Basic("app", e.App.Secret))
}

// UserInfo asks for the user of an access token.
func (e *Env) UserInfo(t testing.TB, token any) Answer {
	t.Helper()
	text, _ := token.(string)
	return e.Do(t, http.MethodGet, "/oauth2/userInfo", "", http.Header{"Authorization": {"Bearer " + text}})
}

// Claims decodes a JWT's header and claims without verifying them.
func Claims(t testing.TB, token any) (header string, claims map[string]any) {
	t.Helper()
	text, _ := token.(string)
	parts := strings.Split(text, ".")
	if len(parts) != 3 {
		t.Fatalf("%q is not a JWT", text)
	}
	head, err := base64.RawURLEncoding.DecodeString(parts[0])
	check(t, err)
	body, err := base64.RawURLEncoding.DecodeString(parts[1])
	check(t, err)
	check(t, json.Unmarshal(body, &claims))
	return string(head), claims
}
