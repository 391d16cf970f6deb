package cognate_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cognate-auth/cognate"
	"github.com/cognate-auth/cognate/internal/fakeprovider"
	"github.com/cognate-auth/cognate/sessionstore"
)

func sessionCookie(t testing.TB, b *browser) *http.Cookie {
	t.Helper()
	for _, c := range b.jar.Cookies(appURL) {
		if c.Name == "__Host-cognate" || c.Name == "cognate" {
			return c
		}
	}
	t.Fatal("no session cookie")
	return nil
}

func TestCookieAttributes(t *testing.T) {
	p := fakeprovider.New(t)
	b := newApp(t, p, nil).browser(t)
	var lines []string
	resp := b.get("/private/")
	lines = append(lines, resp.Header["Set-Cookie"]...)
	resp = b.get("/oidc_callback?" + p.SignIn(t, resp.Header.Get("Location")).Encode())
	lines = append(lines, resp.Header["Set-Cookie"]...)
	lines = append(lines, b.request(http.MethodPost, "/logout").Header["Set-Cookie"]...)
	if len(lines) != 6 { // set and removed, all three kinds
		t.Fatalf("%d Set-Cookie lines, want 6: %q", len(lines), lines)
	}
	for _, line := range lines {
		if !strings.HasPrefix(line, "__Host-cognate") {
			t.Errorf("%q has no __Host- prefix", line)
		}
		for _, attr := range []string{"; Path=/;", "; HttpOnly", "; Secure", "; SameSite=Lax", "; Max-Age="} {
			if !strings.Contains(line, attr) {
				t.Errorf("%q lacks %q", line, attr)
			}
		}
		if strings.Contains(line, "Domain=") {
			t.Errorf("%q has a domain", line)
		}
	}
}

func TestCookieOnLoopbackHTTP(t *testing.T) {
	p := fakeprovider.New(t)
	x := newApp(t, p, func(c *cognate.Config) { c.RedirectURL = "http://localhost:5000/oidc_callback" })
	resp := x.browser(t).get("/private/")
	for _, line := range resp.Header["Set-Cookie"] {
		if strings.Contains(line, "Secure") || strings.HasPrefix(line, "__Host-") ||
			!strings.Contains(line, "HttpOnly") {
			t.Errorf("Set-Cookie %q does not work over plain http", line)
		}
	}
}

func TestCookieIsSmallAndSealed(t *testing.T) {
	p := fakeprovider.New(t)
	b := newApp(t, p, nil).browser(t)
	b.signIn(p)
	c := sessionCookie(t, b)
	if len(c.Value) > 300 {
		t.Errorf("the cookie has %d bytes, want about 250", len(c.Value))
	}
	raw, err := base64.RawURLEncoding.DecodeString(c.Value)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []string{"ann", "example.com", "user-1", "staff", "access-token"} {
		if bytes.Contains(raw, []byte(s)) {
			t.Errorf("the cookie shows %q", s)
		}
	}
}

func TestUselessCookies(t *testing.T) {
	p := fakeprovider.New(t)
	x := newApp(t, p, nil)
	b := x.browser(t)
	b.signIn(p)
	good := sessionCookie(t, b).Value
	other := newApp(t, p,
		func(c *cognate.Config) { c.Keys = []cognate.Secret{cognate.Secret(strings.Repeat("o", 32))} })
	ob := other.browser(t)
	ob.signIn(p)
	foreignClient := newApp(t, p,
		func(c *cognate.Config) { c.Issuer = strings.Replace(p.URL, "127.0.0.1", "localhost", 1) })
	tx := x.browser(t)
	tx.get("/private/")

	for _, tt := range []struct{ name, header string }{
		{"tampered", "__Host-cognate=" + flipAt(good, len(good)/2)},
		{"tampered nonce", "__Host-cognate=" + flipAt(good, 2)},
		{"truncated", "__Host-cognate=" + good[:len(good)-1]},
		{"extended", "__Host-cognate=" + good + "A"},
		{"padded", "__Host-cognate=" + good + "="},
		{"quoted", `__Host-cognate="` + good + `"`},
		{"empty", "__Host-cognate="},
		{"garbage", "__Host-cognate=%%%"},
		{"another key's", "__Host-cognate=" + sessionCookie(t, ob).Value},
		{"a transaction", "__Host-cognate=" + tx.jar.Cookies(appURL)[0].Value},
		{"under another name", "cognate=" + good},
		{"twice", "__Host-cognate=" + good + "; __Host-cognate=" + good},
		{"beside a forged one", "__Host-cognate=forged; __Host-cognate=" + good},
		{"with another spelling", "__Host-cognate=" + respell(strayBits(t, x, p))},
		{"1 MB", "__Host-cognate=" + strings.Repeat("A", 1<<20)},
		{"only the name", "__Host-cognate"},
		{"many", strings.Repeat("a=b; ", 10000) + "__Host-cognate=x"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			fresh := x.browser(t)
			resp := fresh.get("/private/", "Cookie", tt.header)
			if resp.StatusCode != http.StatusFound {
				t.Errorf("status %d, want 302: somebody is signed in, or worse", resp.StatusCode)
			}
			if resp := fresh.get("/", "Cookie", tt.header); resp.StatusCode != 200 || body(t, resp) != "public" {
				t.Errorf("public page: status %d", resp.StatusCode)
			}
		})
	}
	t.Run("of another provider under the same key", func(t *testing.T) {
		fresh := foreignClient.browser(t)
		if resp := fresh.get("/private/", "Cookie", "__Host-cognate="+good, "Accept",
			"application/json"); resp.StatusCode != http.StatusUnauthorized {
			t.Errorf("status %d, want 401", resp.StatusCode)
		}
	})
	t.Run("of another cookie name under the same key", func(t *testing.T) {
		renamed := newApp(t, p, func(c *cognate.Config) { c.CookieName = "other" }).browser(t)
		if resp := renamed.get("/private/", "Cookie", "__Host-other="+good, "Accept",
			"application/json"); resp.StatusCode != http.StatusUnauthorized {
			t.Errorf("status %d, want 401", resp.StatusCode)
		}
	})
	t.Run("is removed", func(t *testing.T) {
		resp := x.browser(t).get("/private/", "Cookie", "__Host-cognate=garbage")
		if got := strings.Join(resp.Header["Set-Cookie"], "\n"); !strings.Contains(got,
			"__Host-cognate=; Path=/; Max-Age=0") {
			t.Errorf("Set-Cookie %q", got)
		}
	})
}

// strayBits returns a good session cookie whose last character has bits without data.
func strayBits(t *testing.T, x *app, p *fakeprovider.Provider) string {
	t.Helper()
	defer func() { p.EditClaims = nil }()
	for name := "n"; ; name += "n" {
		p.EditClaims = func(c map[string]any) { c["name"] = name }
		b := x.browser(t)
		b.signIn(p)
		if v := sessionCookie(t, b).Value; len(v)%4 != 0 {
			return v
		}
	}
}

func flipAt(s string, i int) string {
	c := byte('A')
	if s[i] == 'A' {
		c = 'B'
	}
	return s[:i] + string(c) + s[i+1:]
}

func TestLifetimes(t *testing.T) {
	for _, tt := range []struct {
		name    string
		session cognate.SessionConfig
		step    time.Duration // between requests
		steps   int           // that find the session alive
	}{
		{"8 hours", cognate.SessionConfig{}, time.Hour, 7},
		{"absolute, although used", cognate.SessionConfig{Lifetime: 2 * time.Hour, IdleTimeout: time.Hour},
			30 * time.Minute, 3},
		{"idle", cognate.SessionConfig{Lifetime: 10 * time.Hour, IdleTimeout: 30 * time.Minute}, 30 * time.Minute, 0},
		{"idle clock is wound", cognate.SessionConfig{Lifetime: 4 * time.Hour, IdleTimeout: 30 * time.Minute},
			20 * time.Minute, 11},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := fakeprovider.NewClock()
			p := fakeprovider.New(t)
			p.Now = c.Now
			b := newApp(t, p, func(cfg *cognate.Config) { cfg.Session = tt.session }).browser(t)
			b.signIn(p)
			for i := range tt.steps {
				c.Advance(tt.step)
				if !b.signedIn() {
					t.Fatalf("signed out after %d steps, want %d", i, tt.steps)
				}
			}
			c.Advance(tt.step)
			if b.signedIn() {
				t.Errorf("still signed in after %d steps", tt.steps+1)
			}
		})
	}
}

// TestTightenedPolicy changes the configuration under a session that is under way.
func TestTightenedPolicy(t *testing.T) {
	c := fakeprovider.NewClock()
	p := fakeprovider.New(t)
	p.Now = c.Now
	p.EditClaims = func(m map[string]any) { m["email_verified"] = false }
	b := newApp(t, p, nil).browser(t)
	b.signIn(p)
	c.Advance(2 * time.Hour)
	b.app = newApp(t, p, func(cfg *cognate.Config) { cfg.Session.Lifetime = 3 * time.Hour })
	if !b.signedIn() {
		t.Error("signed out before the new lifetime is over")
	}
	b.app = newApp(t, p, func(cfg *cognate.Config) { cfg.Session.Lifetime = time.Hour })
	if b.signedIn() {
		t.Error("the old lifetime goes on")
	}
	b = newApp(t, p, nil).browser(t)
	b.signIn(p)
	b.app = newApp(t, p, func(cfg *cognate.Config) { cfg.RequireVerifiedEmail = true })
	if b.signedIn() {
		t.Error("an address that is not verified is still taken")
	}
}

// clockModes are the places where sessions and tokens are.
var clockModes = map[string]func(*cognate.Config){
	"cookies": func(*cognate.Config) {}, "tokens in cookies": tokenModes["cookies"], "store": tokenModes["store"],
}

// TestClockJumpAndSession sets the clock back for a while: a session that begins in two hours is
// not taken, and nothing of it is removed, for the clock may be set right again.
func TestClockJumpAndSession(t *testing.T) {
	for name, mode := range clockModes {
		t.Run(name, func(t *testing.T) {
			c := fakeprovider.NewClock()
			p := fakeprovider.New(t)
			p.Now, p.AccessLife = c.Now, 300
			b := newApp(t, p, mode).browser(t)
			b.signIn(p)
			before := len(b.cookies())
			c.Advance(-2 * time.Hour)
			for _, headers := range [][]string{{"Sec-Fetch-Mode", "navigate"}, {"Accept", "application/json"}} {
				resp := b.get("/private/", headers...)
				if resp.StatusCode != http.StatusFound && resp.StatusCode != http.StatusUnauthorized {
					t.Errorf("status %d: a session that begins in two hours is taken", resp.StatusCode)
				}
				for _, c := range resp.Cookies() {
					if c.MaxAge < 0 {
						t.Errorf("%s is removed", c.Name)
					}
				}
			}
			c.Advance(2 * time.Hour)
			if got := len(b.cookies()); !b.signedIn() || got < before {
				t.Errorf("when the clock is right: signed in: %v, %d cookies of %d", b.signedIn(), got, before)
			}
			if strings.Contains(name, "tokens") || name == "store" {
				c.Advance(time.Hour)
				wantFetch(t, b, "/token", http.StatusOK, "access-1")
			}
		})
	}
}

// TestSignOutWhileTheClockIsWrong ends the session, too, that waits for the right time.
func TestSignOutWhileTheClockIsWrong(t *testing.T) {
	for name, mode := range clockModes {
		t.Run(name, func(t *testing.T) {
			c := fakeprovider.NewClock()
			p := fakeprovider.New(t)
			p.Now = c.Now
			x := newApp(t, p, mode)
			b := x.browser(t)
			b.signIn(p)
			cookies := b.jar.Cookies(appURL)
			c.Advance(-2 * time.Hour)
			b.request(http.MethodPost, "/logout")
			c.Advance(2 * time.Hour)
			if got := fetchWith(t, x.handler, "/private/", cookies); len(b.cookies()) != 0 ||
				!strings.HasPrefix(got, "302") {
				t.Errorf("cookies %v; with a copy of the old ones %s", b.cookies(), got)
			}
		})
	}
}

// TestClockJumpAndSignIn sets the clock back between the beginning and the end of a sign-in.
func TestClockJumpAndSignIn(t *testing.T) {
	c := fakeprovider.NewClock()
	p := fakeprovider.New(t)
	p.Now = c.Now
	x := newApp(t, p, nil)
	b := x.browser(t)
	callbackOf(t, b, p)
	c.Advance(-2 * time.Hour)
	for range 9 { // others begin, and are more than a browser may hold
		b.get("/private/")
	}
	newest, _ := callbackOf(t, b, p)
	wantPage(t, b.get(newest))
	b = x.browser(t)
	c.Advance(2 * time.Hour)
	path, _ := callbackOf(t, b, p)
	c.Advance(-2 * time.Hour)
	if resp := b.get(path); resp.StatusCode != http.StatusBadRequest || len(resp.Cookies()) != 0 {
		t.Errorf("status %d, sets %v; want 400 and the cookie left alone", resp.StatusCode, resp.Cookies())
	}
	b.get("/private/") // begins another
	c.Advance(2 * time.Hour)
	wantPage(t, b.get(path))
}

// TestIdleClockOfAWrongClock is wound two hours ahead, and set right by the next request.
func TestIdleClockOfAWrongClock(t *testing.T) {
	for name, mode := range clockModes {
		t.Run(name, func(t *testing.T) {
			c := fakeprovider.NewClock()
			p := fakeprovider.New(t)
			p.Now = c.Now
			b := newApp(t, p, func(cfg *cognate.Config) {
				mode(cfg)
				cfg.Session.IdleTimeout = time.Hour
			}).browser(t)
			b.signIn(p)
			c.Advance(50 * time.Minute)
			if !b.signedIn() {
				t.Fatal("signed out")
			}
			c.Advance(-30 * time.Minute)
			if !b.signedIn() {
				t.Fatal("signed out when the clock was set right")
			}
			c.Advance(61 * time.Minute)
			if b.signedIn() {
				t.Error("still signed in after an hour without a request")
			}
		})
	}
}

func TestKeyRotationOfCookies(t *testing.T) {
	oldKey, newKey := cognate.Secret(strings.Repeat("k", 32)), cognate.Secret(strings.Repeat("n", 40))
	p := fakeprovider.New(t)
	b := newApp(t, p, nil).browser(t)
	b.signIn(p)
	before := sessionCookie(t, b).Value
	b.get("/private/")

	b.app = newApp(t, p, func(c *cognate.Config) { c.Keys = []cognate.Secret{newKey, oldKey} })
	if !b.signedIn() {
		t.Fatal("the new key signed everybody out")
	}
	after := sessionCookie(t, b).Value
	if before == after {
		t.Error("the cookie was not sealed anew")
	}
	if resp := b.get("/private/"); len(resp.Header["Set-Cookie"]) != 0 {
		t.Errorf("sealed a second time: %q", resp.Header["Set-Cookie"])
	}
	b.app = newApp(t, p, func(c *cognate.Config) { c.Keys = []cognate.Secret{newKey} })
	if !b.signedIn() {
		t.Error("signed out when the old key went")
	}
}

func TestRandomKeyIsAnnounced(t *testing.T) {
	p := fakeprovider.New(t)
	x := newApp(t, p, func(c *cognate.Config) { c.Keys = nil })
	b := x.browser(t)
	b.signIn(p)
	if !b.signedIn() || !strings.Contains(x.log.String(), "no cookie keys") {
		t.Errorf("signed in: %v; log: %s", b.signedIn(), x.log)
	}
}

func TestIdentityTooLarge(t *testing.T) {
	p := fakeprovider.New(t)
	p.EditClaims = func(c map[string]any) { c["custom:tier"] = strings.Repeat("x", 12_000) }
	expectReason(t, p, nil, cognate.ReasonSessionTooLarge)
}

func TestPrivatePageIsNotCached(t *testing.T) {
	p := fakeprovider.New(t)
	b := newApp(t, p, nil).browser(t)
	b.signIn(p)
	if got := b.get("/private/").Header.Get("Cache-Control"); got != "private, no-cache" {
		t.Errorf("Cache-Control = %q", got)
	}
}

func FuzzOpenCookie(f *testing.F) {
	p := cognate.Config{
		Issuer: "https://provider.test", ClientID: clientID, RedirectURL: appOrigin + "/cb",
		Keys: []cognate.Secret{cognate.Secret(strings.Repeat("k", 32)), cognate.Secret(strings.Repeat("n", 32))},
	}
	a, err := cognate.New(p)
	if err != nil {
		f.Fatal(err)
	}
	for _, s := range []string{
		"", "A", "AAAA", strings.Repeat("A", 60), strings.Repeat("_-", 200), "%%%", strings.Repeat("A", 5000),
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, value string) {
		r := &http.Request{Header: http.Header{"Cookie": {"__Host-cognate=" + value}}}
		if a.User(r) != nil {
			t.Fatalf("%q opened without the key", value)
		}
	})
}

// FuzzReadUser reads what a session holds of a user: only what was written by the library
// itself, and that in one spelling.
func FuzzReadUser(f *testing.F) {
	f.Add([]byte("\x00\x01e\x00\x03\x01\x01g\x01\x06openid\x01\x01x\x011"))
	f.Add([]byte("\x00\x00\x00\x01\x00\x00\x00"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if again, ok := cognate.ReadUser(data); ok && !bytes.Equal(again, data) {
			if second, ok := cognate.ReadUser(again); !ok || !bytes.Equal(again, second) {
				t.Fatalf("%q became %q and then %q", data, again, second)
			}
		}
	})
}

// TestOldCopyOfACookie is over, and ends nothing: the session has gone on since.
func TestOldCopyOfACookie(t *testing.T) {
	p, c := fakeprovider.New(t), fakeprovider.NewClock()
	p.Now = c.Now
	var ended []cognate.LogoutReason
	x := newApp(t, p, func(cfg *cognate.Config) {
		cfg.Session.IdleTimeout = 30 * time.Minute
		cfg.Hooks.OnLogout = func(_ context.Context, e cognate.LogoutEvent) { ended = append(ended, e.Reason) }
	})
	b, old := x.browser(t), x.browser(t)
	b.signIn(p)
	old.jar.SetCookies(appURL, b.jar.Cookies(appURL))
	c.Advance(20 * time.Minute)
	b.get("/private/")
	c.Advance(15 * time.Minute)
	if old.signedIn() || !b.signedIn() {
		t.Errorf("signed in: %v with the copy, %v with the cookie; want false and true", old.signedIn(), b.signedIn())
	}
	c.Advance(time.Hour)
	if b.signedIn() || len(ended) != 1 {
		t.Errorf("ended %v", ended)
	}
}

// TestEverythingAtOnce lets three processes that share a store serve, refresh, sign out and
// end all sessions of their users at the same time. Nobody gets anybody else's page or token,
// nobody gets in after the end, and nothing but the ends signs anybody out.
func TestEverythingAtOnce(t *testing.T) {
	fakeprovider.InVirtualTime(t, func(t *testing.T, p *fakeprovider.Provider) {
		store := sessionstore.NewMemory(0)
		p.AccessLife = 2
		var apps []*app
		for i := range 3 {
			apps = append(apps, newApp(t, p, func(cfg *cognate.Config) {
				cfg.Session.Store = store
				cfg.Session.IdleTimeout = time.Minute
				// Every process has a clock of its own.
				cfg.Now = func() time.Time { return time.Now().Add(time.Duration(i) * 100 * time.Millisecond) }
			}))
		}
		const users = 8
		cookies := make([][]*http.Cookie, users)
		for i := range users {
			p.EditClaims = func(c map[string]any) {
				c["sub"], c["email"] = fmt.Sprint("user-", i), fmt.Sprint("user-", i, "@x")
			}
			b := apps[0].browser(t)
			b.signIn(p)
			cookies[i] = b.jar.Cookies(appURL)
		}
		p.EditClaims = nil
		p.EditRefreshResponse = func(r map[string]any) {
			delete(r, "id_token")
			moment()
		}
		var mu sync.Mutex
		ending, ended := map[int]bool{}, map[int]bool{}
		parallel(24, func(int) {
			for range 150 {
				moment()
				u, a := rand.IntN(users), apps[rand.IntN(len(apps))]
				mu.Lock()
				wasOver := ended[u]
				mu.Unlock()
				path := []string{"/private/", "/token"}[rand.IntN(2)]
				got := fetchWith(t, a.handler, path, cookies[u])
				mu.Lock()
				isOver := ending[u]
				mu.Unlock()
				switch {
				case strings.HasPrefix(got, "200") && wasOver:
					t.Errorf("%s of user-%d after the end: %s", path, u, got)
				case strings.HasPrefix(got, "200 private") && !strings.Contains(got, fmt.Sprint("user-", u, "@x")):
					t.Errorf("user-%d sees %s", u, got)
				case !strings.HasPrefix(got, "200") && !isOver:
					t.Errorf("%s of user-%d: %.100s", path, u, got)
				}
				if u < users/2 || rand.IntN(100) != 0 {
					continue
				}
				mu.Lock()
				under := ending[u]
				ending[u] = true
				mu.Unlock()
				if under {
					continue
				}
				endOf(t, a, u, cookies[u])
				mu.Lock()
				ended[u] = true
				mu.Unlock()
			}
		})
		if p.Refreshes() < 10 {
			t.Errorf("%d refreshes, want many", p.Refreshes())
		}
	})
}

// moment takes virtual time, in steps so that several of those who wait go on at once.
func moment() {
	time.Sleep(time.Duration(rand.IntN(6)) * 20 * time.Millisecond)
}

func endOf(t *testing.T, a *app, u int, cookies []*http.Cookie) {
	t.Helper()
	if u%2 == 0 {
		_, err := a.auth.LogoutEverywhere(t.Context(), fmt.Sprint("user-", u))
		if err != nil {
			t.Error(err)
		}
		return
	}
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, appOrigin+"/logout", nil)
	for _, c := range cookies {
		r.AddCookie(c)
	}
	a.handler.ServeHTTP(httptest.NewRecorder(), r)
}
