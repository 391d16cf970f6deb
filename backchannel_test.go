package cognate_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/cognate-auth/cognate"
	"github.com/cognate-auth/cognate/internal/fakeprovider"
	"github.com/cognate-auth/cognate/sessionstore"
)

// logoutStore is a store that fails on demand.
type logoutStore struct {
	mu      sync.Mutex
	records map[string]sessionstore.Record
	fails   map[string]bool // by method
	now     func() time.Time
}

func (s *logoutStore) enter(method string) error {
	s.mu.Lock()
	if s.fails[method] {
		return errors.New("store: no route")
	}
	return nil
}

func (s *logoutStore) live(key string) (sessionstore.Record, bool) {
	r, ok := s.records[key]
	return r, ok && s.now().Before(r.Expires)
}

func (s *logoutStore) Create(_ context.Context, r sessionstore.Record) error {
	err := s.enter("Create")
	defer s.mu.Unlock()
	if _, ok := s.live(r.Key); ok && err == nil {
		return sessionstore.ErrRecordChanged
	}
	if err == nil {
		r.Version = 1
		s.records[r.Key] = r
	}
	return err
}

func (s *logoutStore) Load(ctx context.Context, key string) (sessionstore.Record, error) {
	return s.LoadLatest(ctx, key)
}

func (s *logoutStore) LoadLatest(_ context.Context, key string) (sessionstore.Record, error) {
	err := s.enter("Load")
	defer s.mu.Unlock()
	r, ok := s.live(key)
	if !ok && err == nil {
		err = sessionstore.ErrNoRecord
	}
	return r, err
}

func (s *logoutStore) Update(_ context.Context, r sessionstore.Record) error {
	err := s.enter("Update")
	defer s.mu.Unlock()
	old, ok := s.live(r.Key)
	switch {
	case err != nil:
		return err
	case !ok:
		return sessionstore.ErrNoRecord
	case old.Version != r.Version:
		return sessionstore.ErrRecordChanged
	}
	r.Version, r.Indexes = r.Version+1, old.Indexes
	s.records[r.Key] = r
	return nil
}

func (s *logoutStore) Delete(_ context.Context, key string) error {
	err := s.enter("Delete")
	defer s.mu.Unlock()
	if err == nil {
		delete(s.records, key)
	}
	return err
}

func (s *logoutStore) DeleteIndexed(_ context.Context, index string) (n int, err error) {
	err = s.enter("DeleteIndexed")
	defer s.mu.Unlock()
	for key, r := range s.records {
		if err == nil && slices.Contains(r.Indexes, index) {
			delete(s.records, key)
			n++
		}
	}
	return n, err
}

// backchannel is an app with back-channel logout, and the provider's side of it.
type backchannel struct {
	*fakeprovider.Provider
	t     *testing.T
	app   *app
	store *logoutStore
	clock *fakeprovider.Clock
	ended []cognate.LogoutEvent
	sid   string // of the next sign-in
	next  int    // jti
}

func newBackchannel(t *testing.T) *backchannel {
	t.Helper()
	c := fakeprovider.NewClock()
	x := &backchannel{Provider: fakeprovider.New(t), t: t, clock: c, sid: "sid-1"}
	x.store = &logoutStore{records: map[string]sessionstore.Record{}, fails: map[string]bool{}, now: c.Now}
	x.Now = c.Now
	x.EditClaims = func(m map[string]any) {
		if x.sid != "" {
			m["sid"] = x.sid
		}
	}
	x.app = x.another()
	return x
}

// another is another process of the app.
func (x *backchannel) another() *app {
	return newApp(x.t, x.Provider, func(c *cognate.Config) {
		c.Session.Store = x.store
		c.BackchannelLogoutPath = "/backchannel"
		c.Hooks.OnLogout = func(_ context.Context, e cognate.LogoutEvent) { x.ended = append(x.ended, e) }
	})
}

// signedInBrowser is a browser with a session of its own at the provider.
func (x *backchannel) signedInBrowser(sid string) *browser {
	x.t.Helper()
	x.sid = sid
	b := x.app.browser(x.t)
	b.signIn(x.Provider)
	if !b.signedIn() {
		x.t.Fatalf("not signed in:\n%s", x.app.log)
	}
	return b
}

// logoutClaims are those of a good token.
func (x *backchannel) logoutClaims() jwt.MapClaims {
	x.next++
	now := x.clock.Now()
	return jwt.MapClaims{
		"iss": x.Issuer, "aud": clientID, "iat": now.Unix(), "exp": now.Add(2 * time.Minute).Unix(),
		"jti": fmt.Sprintf("jti-%d", x.next), "sub": "user-1", "sid": "sid-1",
		"events": map[string]any{"http://schemas.openid.net/event/backchannel-logout": map[string]any{}},
	}
}

// logoutToken signs a token of a type; "-" is none.
func (x *backchannel) logoutToken(typ string, c jwt.MapClaims) string {
	tok := jwt.NewWithClaims(jwt.SigningMethodRS256, c)
	tok.Header["kid"] = x.KeyID
	tok.Header["typ"] = typ
	if typ == "-" {
		delete(tok.Header, "typ")
	}
	s, err := tok.SignedString(x.Key)
	if err != nil {
		x.t.Fatal(err)
	}
	return s
}

const formType = "application/x-www-form-urlencoded"

// send plays the provider's server, which is no browser.
func (x *backchannel) send(app *app, contentType, body string) *http.Response {
	x.t.Helper()
	r := httptest.NewRequestWithContext(x.t.Context(), http.MethodPost, "http://internal.test/backchannel",
		strings.NewReader(body))
	r.Header.Set("Content-Type", contentType)
	r.Header.Set("Origin", "https://provider.test")
	r.Header.Set("Sec-Fetch-Site", "cross-site")
	w := httptest.NewRecorder()
	app.handler.ServeHTTP(w, r)
	return w.Result()
}

func (x *backchannel) sendToken(token string) *http.Response {
	x.t.Helper()
	return x.send(x.app, formType, url.Values{"logout_token": {token}}.Encode())
}

func TestBackchannelLogout(t *testing.T) {
	for _, tt := range []struct {
		name   string
		typ    string
		change func(jwt.MapClaims)
		ended  string // of the browsers one and two, and the one without sid
	}{
		{"session", "logout+jwt", nil, "one"},
		{"session alone", "logout+jwt", func(c jwt.MapClaims) { delete(c, "sub") }, "one"},
		{"user", "logout+jwt", func(c jwt.MapClaims) { delete(c, "sid") }, "one two bare"},
		{"type in full", "application/Logout+JWT", nil, "one"},
		{"plain type", "JWT", nil, "one"},
		{"no type", "-", nil, "one"},
		{"several audiences", "logout+jwt", func(c jwt.MapClaims) { c["aud"] = []string{"other", clientID} }, "one"},
		{"event with something in it", "logout+jwt", func(c jwt.MapClaims) {
			c["events"] = map[string]any{
				"http://schemas.openid.net/event/backchannel-logout": map[string]any{"a": 1}, "urn:other": 1,
			}
		}, "one"},
		{"claims nobody knows", "logout+jwt", func(c jwt.MapClaims) { c["x"] = "y" }, "one"},
		{"issued ahead, within the skew", "logout+jwt",
			func(c jwt.MapClaims) { c["iat"] = c["iat"].(int64) + 59 }, "one"},
		{"expired, within the skew", "logout+jwt",
			func(c jwt.MapClaims) { c["exp"] = c["iat"].(int64) - 59; c["iat"] = c["iat"].(int64) - 300 }, "one"},
		{"another session", "logout+jwt", func(c jwt.MapClaims) { c["sid"] = "sid-9" }, ""},
		{"another user", "logout+jwt", func(c jwt.MapClaims) { c["sub"] = "user-2"; delete(c, "sid") }, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			x := newBackchannel(t)
			browsers := map[string]*browser{
				"one": x.signedInBrowser("sid-1"), "two": x.signedInBrowser("sid-2"), "bare": x.signedInBrowser(""),
			}
			c := x.logoutClaims()
			if tt.change != nil {
				tt.change(c)
			}
			resp := x.sendToken(x.logoutToken(tt.typ, c))
			if got := body(t, resp); resp.StatusCode != http.StatusOK || got != "" ||
				resp.Header.Get("Cache-Control") != "no-store" || len(resp.Cookies()) != 0 {
				t.Errorf("status %d, headers %v, body %q; log:\n%s", resp.StatusCode, resp.Header, got, x.app.log)
			}
			var ended []string
			for _, name := range []string{"one", "two", "bare"} {
				if !browsers[name].signedIn() {
					ended = append(ended, name)
				}
			}
			if got := strings.Join(ended, " "); got != tt.ended {
				t.Errorf("ended %q, want %q", got, tt.ended)
			}
			var reasons []string
			for _, e := range x.ended {
				reasons = append(reasons, string(e.Reason)+" "+e.Subject)
			}
			want := []string{}
			if tt.ended != "" {
				sub, _ := c["sub"].(string)
				want = []string{"backchannel " + sub}
			}
			if !slices.Equal(reasons, want) {
				t.Errorf("OnLogout got %q, want %q", reasons, want)
			}
		})
	}
}

// TestLogoutTokenRefused changes one thing of a token at a time.
func TestLogoutTokenRefused(t *testing.T) {
	x := newBackchannel(t)
	b := x.signedInBrowser("sid-1")
	set := func(name string, v any) func(jwt.MapClaims) { return func(c jwt.MapClaims) { c[name] = v } }
	without := func(name string) func(jwt.MapClaims) { return func(c jwt.MapClaims) { delete(c, name) } }
	now := x.clock.Now()
	const event = "http://schemas.openid.net/event/backchannel-logout"
	for _, tt := range []struct {
		name   string
		change func(jwt.MapClaims)
	}{
		{"nonce", set("nonce", "n")},
		{"nonce null", set("nonce", nil)},
		{"no events", without("events")},
		{"events null", set("events", nil)},
		{"events a list", set("events", []string{event})},
		{"other event", set("events", map[string]any{"urn:other": map[string]any{}})},
		{"event null", set("events", map[string]any{event: nil})},
		{"event a string", set("events", map[string]any{event: "{}"})},
		{"event in another case", set("events", map[string]any{strings.ToUpper(event): map[string]any{}})},
		{"other issuer", set("iss", "https://evil.test")},
		{"issuer with a slash", set("iss", x.Issuer+"/")},
		{"no issuer", without("iss")},
		{"other audience", set("aud", "client-2")},
		{"other audiences", set("aud", []string{"client-2", "client-3"})},
		{"no audience", without("aud")},
		{"no exp", without("exp")},
		{"expired", set("exp", now.Add(-time.Minute).Unix())},
		{"exp in a string", set("exp", "99999999999")},
		{"no iat", without("iat")},
		{"issued in the future", set("iat", now.Add(61*time.Second).Unix())},
		{"issued long ago", func(c jwt.MapClaims) {
			c["iat"] = now.Add(-11 * time.Minute).Unix()
			c["exp"] = now.Add(time.Hour).Unix()
		}},
		{"no jti", without("jti")},
		{"empty jti", set("jti", "")},
		{"jti too long", set("jti", strings.Repeat("j", 256))},
		{"jti a number", set("jti", 7)},
		{"sub a number", set("sub", 7)},
		{"sub too long", set("sub", strings.Repeat("s", 256))},
		{"sid a list", set("sid", []string{"sid-1"})},
		{"sid too long", set("sid", strings.Repeat("s", 256))},
		{"neither sub nor sid", func(c jwt.MapClaims) { delete(c, "sub"); delete(c, "sid") }},
		{"both empty", func(c jwt.MapClaims) { c["sub"], c["sid"] = "", "" }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := x.logoutClaims()
			tt.change(c)
			x.mustRefuse(t, x.sendToken(x.logoutToken("logout+jwt", c)))
		})
	}
	for _, typ := range []string{"at+jwt", "application/at+jwt", "secevent+jwt", "dpop+jwt", "logout", "logout+jwt "} {
		t.Run("typ "+typ, func(t *testing.T) { x.mustRefuse(t, x.sendToken(x.logoutToken(typ, x.logoutClaims()))) })
	}
	header := func(method jwt.SigningMethod, key any) string {
		tok := jwt.NewWithClaims(method, x.logoutClaims())
		tok.Header["kid"], tok.Header["typ"] = x.KeyID, "logout+jwt"
		s, err := tok.SignedString(key)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	good := x.logoutToken("logout+jwt", x.logoutClaims())
	for name, token := range map[string]string{
		"alg none":          header(jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType),
		"HMAC":              header(jwt.SigningMethodHS256, []byte(clientSecret)),
		"algorithm":         header(jwt.SigningMethodRS512, x.Key),
		"another key":       header(jwt.SigningMethodRS256, fakeprovider.Keys()[2]),
		"no signature":      good[:strings.LastIndex(good, ".")+1],
		"changed":           good[:len(good)-8] + "AAAAAAAA",
		"an ID token":       fakeprovider.SignRS256(x.Key, x.KeyID, x.UserClaims("a")),
		"empty":             "",
		"dots":              "..",
		"no token":          "hello",
		"no type of a type": signedHeader(x, map[string]any{"typ": 7}),
		"larger than 64 KiB": x.logoutToken("logout+jwt", func() jwt.MapClaims {
			c := x.logoutClaims()
			c["pad"] = strings.Repeat("x", 64<<10)
			return c
		}()),
	} {
		t.Run(name, func(t *testing.T) { x.mustRefuse(t, x.sendToken(token)) })
	}
	form := url.Values{"logout_token": {good}}.Encode()
	for name, send := range map[string]func() *http.Response{
		"twice":            func() *http.Response { return x.send(x.app, formType, form+"&"+form) },
		"twice, one empty": func() *http.Response { return x.send(x.app, formType, form+"&logout_token=") },
		"no body":          func() *http.Response { return x.send(x.app, formType, "") },
		"broken form":      func() *http.Response { return x.send(x.app, formType, form+"&%zz=1") },
		"1 MB": func() *http.Response {
			return x.send(x.app, formType, form+"&pad="+strings.Repeat("x", 1<<20))
		},
		"JSON": func() *http.Response {
			return x.send(x.app, "application/json", `{"logout_token":"`+good+`"}`)
		},
		"JSON that is a form": func() *http.Response { return x.send(x.app, "application/json", form) },
		"no content type":     func() *http.Response { return x.send(x.app, "", form) },
		"multipart": func() *http.Response {
			return x.send(x.app, "multipart/form-data; boundary=b",
				"--b\r\nContent-Disposition: form-data; name=\"logout_token\"\r\n\r\n"+good+"\r\n--b--\r\n")
		},
		"in the query": func() *http.Response {
			r := httptest.NewRequest(http.MethodPost, "/backchannel?"+form, nil)
			r.Header.Set("Content-Type", formType)
			w := httptest.NewRecorder()
			x.app.handler.ServeHTTP(w, r)
			return w.Result()
		},
	} {
		t.Run(name, func(t *testing.T) { x.mustRefuse(t, send()) })
	}
	if resp := b.get("/backchannel?" + form); resp.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("GET: status %d", resp.StatusCode)
	}
	if !b.signedIn() || len(x.ended) != 0 {
		t.Fatal("what was refused ended a session")
	}
	// The token itself was good all the time.
	if resp := x.send(x.app, formType+"; charset=utf-8", form+"&other=1"); resp.StatusCode != http.StatusOK ||
		b.signedIn() {
		t.Errorf("status %d, signed in: %v; log:\n%s", resp.StatusCode, b.signedIn(), x.app.log)
	}
}

// signedHeader signs a good token with a header of its own.
func signedHeader(x *backchannel, header map[string]any) string {
	tok := jwt.NewWithClaims(jwt.SigningMethodRS256, x.logoutClaims())
	tok.Header["kid"] = x.KeyID
	for name, v := range header {
		tok.Header[name] = v
	}
	s, err := tok.SignedString(x.Key)
	if err != nil {
		x.t.Fatal(err)
	}
	return s
}

// mustRefuse wants the one answer to all that is wrong.
func (x *backchannel) mustRefuse(t *testing.T, resp *http.Response) {
	t.Helper()
	const want = `{"error":"invalid_request","error_description":"The request has no valid logout token."}`
	if got := strings.TrimSpace(body(t, resp)); resp.StatusCode != http.StatusBadRequest || got != want ||
		resp.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("status %d, body %s", resp.StatusCode, got)
	}
}

// TestLogoutTokenReplayed sends a token again, to another process too, after its user signed
// in anew.
func TestLogoutTokenReplayed(t *testing.T) {
	x := newBackchannel(t)
	x.signedInBrowser("sid-1")
	c := x.logoutClaims()
	c["exp"] = x.clock.Now().Add(time.Hour).Unix()
	token := x.logoutToken("logout+jwt", c)
	if resp := x.sendToken(token); resp.StatusCode != http.StatusOK {
		t.Fatalf("status %d", resp.StatusCode)
	}
	b := x.signedInBrowser("sid-1")
	form := url.Values{"logout_token": {token}}.Encode()
	other := x.another()
	for range 12 { // beyond the time that it is accepted
		x.mustRefuse(t, x.send(x.app, formType, form))
		x.mustRefuse(t, x.send(other, formType, form))
		x.clock.Advance(time.Minute)
	}
	if !b.signedIn() {
		t.Error("a token that was sent again ended a session")
	}
	if strings.Contains(fmt.Sprint(x.store.records), "jti-") {
		t.Error("the store sees the token's ID")
	}
}

func TestLogoutTokenConcurrentReplay(t *testing.T) {
	x := newBackchannel(t)
	x.signedInBrowser("sid-1")
	form := url.Values{"logout_token": {x.logoutToken("logout+jwt", x.logoutClaims())}}.Encode()
	var ok sync.Map
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			r := httptest.NewRequest(http.MethodPost, "/backchannel", strings.NewReader(form))
			r.Header.Set("Content-Type", formType)
			w := httptest.NewRecorder()
			x.app.auth.Handler(nil).ServeHTTP(w, r)
			if w.Code == http.StatusOK {
				ok.Store(i, true)
			}
		})
	}
	wg.Wait()
	n := 0
	ok.Range(func(any, any) bool { n++; return true })
	if n != 1 || len(x.ended) != 1 {
		t.Errorf("%d were accepted, OnLogout called %d times; want 1", n, len(x.ended))
	}
}

// TestBackchannelStoreDown has the store fail at each step. The provider's next try works.
func TestBackchannelStoreDown(t *testing.T) {
	for _, method := range []string{"Load", "DeleteIndexed", "Create"} {
		t.Run(method, func(t *testing.T) {
			x := newBackchannel(t)
			b := x.signedInBrowser("sid-1")
			token := x.logoutToken("logout+jwt", x.logoutClaims())
			x.store.fails[method] = true
			resp := x.sendToken(token)
			if resp.StatusCode != http.StatusServiceUnavailable || resp.Header.Get("Retry-After") == "" ||
				strings.Contains(body(t, resp), "route") {
				t.Errorf("status %d, headers %v", resp.StatusCode, resp.Header)
			}
			x.store.fails[method] = false
			if resp := x.sendToken(token); resp.StatusCode != http.StatusOK || b.signedIn() {
				t.Errorf("again: status %d, signed in: %v", resp.StatusCode, b.signedIn())
			}
			x.mustRefuse(t, x.sendToken(token))
		})
	}
}

// TestBackchannelProviderDown can't get the keys to check the token with.
func TestBackchannelProviderDown(t *testing.T) {
	x := newBackchannel(t)
	x.Down = true
	resp := x.sendToken(x.logoutToken("logout+jwt", x.logoutClaims()))
	if resp.StatusCode != http.StatusServiceUnavailable || resp.Header.Get("Retry-After") == "" {
		t.Errorf("status %d, headers %v", resp.StatusCode, resp.Header)
	}
}

func TestBackchannelNeedsAStore(t *testing.T) {
	c := goodConfig()
	c.BackchannelLogoutPath = "/backchannel"
	_, err := cognate.New(c)
	if err == nil || !strings.Contains(err.Error(), "BackchannelLogoutPath needs Session.Store") {
		t.Errorf("error %v", err)
	}
	c.Session.Store = &logoutStore{}
	c.BackchannelLogoutPath = "/logout"
	_, err = cognate.New(c)
	if err == nil || !strings.Contains(err.Error(), "both") {
		t.Errorf("error %v", err)
	}
}

// TestNoBackchannelByDefault leaves the path to the app.
func TestNoBackchannelByDefault(t *testing.T) {
	x := newApp(t, fakeprovider.New(t), nil)
	if resp := x.browser(t).request(http.MethodPost, "/backchannel"); resp.StatusCode != http.StatusNotFound {
		t.Errorf("status %d", resp.StatusCode)
	}
}

// FuzzBackchannelLogout sends what is no token: it may end nothing, and break nothing.
func FuzzBackchannelLogout(f *testing.F) {
	p := fakeprovider.New(f)
	store := &logoutStore{records: map[string]sessionstore.Record{}, fails: map[string]bool{}, now: p.Now}
	auth, err := cognate.New(cognate.Config{
		Issuer: p.Issuer, ClientID: clientID, ClientSecret: clientSecret, RedirectURL: appOrigin + "/cb",
		BackchannelLogoutPath: "/backchannel",
		Keys:                  []cognate.Secret{cognate.Secret(strings.Repeat("k", 32))},
		Session:               cognate.SessionConfig{Store: store},
		Logger:                slog.New(slog.DiscardHandler),
	})
	if err != nil {
		f.Fatal(err)
	}
	handler := auth.Handler(nil)
	for _, seed := range []string{
		"", "logout_token=", "logout_token=..", "logout_token=e30.e30.",
		"logout_token=eyJhbGciOiJub25lIn0.eyJldmVudHMiOnt9fQ.",
		"logout_token=a&logout_token=b", "%zz", "logout_token=eyJ0eXAiOjd9.bnVsbA.AA",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, body string) {
		r := httptest.NewRequest(http.MethodPost, "/backchannel", strings.NewReader(body))
		r.Header.Set("Content-Type", formType)
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		if w.Code != http.StatusBadRequest || len(store.records) != 0 {
			t.Errorf("status %d, %d records for %q", w.Code, len(store.records), body)
		}
	})
}
