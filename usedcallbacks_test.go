package cognate_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cognate-auth/cognate"
	"github.com/cognate-auth/cognate/internal/fakeprovider"
)

// callbackOf begins a sign-in at /private/page and returns the callback's path and the cookies
// that the browser has then.
func callbackOf(t *testing.T, b *browser, p *fakeprovider.Provider) (path string, cookies []*http.Cookie) {
	t.Helper()
	resp := b.get("/private/page")
	return "/oidc_callback?" + p.SignIn(t, resp.Header.Get("Location")).Encode(), b.jar.Cookies(appURL)
}

// callback sends one callback with the cookies.
func callback(ctx context.Context, x *app, path string, cookies []*http.Cookie) *http.Response {
	r := httptest.NewRequestWithContext(ctx, http.MethodGet, appOrigin+path, nil)
	for _, c := range cookies {
		r.AddCookie(c)
	}
	w := httptest.NewRecorder()
	x.handler.ServeHTTP(w, r)
	return w.Result()
}

// holdToken makes the token endpoint wait; asked is closed when the first request is there.
func holdToken(p *fakeprovider.Provider) (asked chan bool, goOn func()) {
	asked, held := make(chan bool), make(chan bool)
	var first, release sync.Once
	p.EditTokenResponse = func(map[string]any) {
		first.Do(func() { close(asked) })
		<-held
	}
	return asked, func() { release.Do(func() { close(held) }) }
}

// TestDoubleClick sends the callback twice. The browser gives up the first request, whose code
// is spent by then, and shows the answer to the second.
func TestDoubleClick(t *testing.T) {
	for name, tt := range map[string]struct {
		mode     func(*cognate.Config)
		replicas bool
	}{
		"cookies":           {func(*cognate.Config) {}, false},
		"store":             {func(c *cognate.Config) { c.Session.Store = newMemoryStore(c.Now) }, false},
		"store and replica": {nil, true},
	} {
		t.Run(name, func(t *testing.T) {
			p := fakeprovider.New(t)
			store := newMemoryStore(p.Now)
			if tt.mode == nil {
				tt.mode = func(c *cognate.Config) { c.Session.Store = store }
			}
			x := newApp(t, p, tt.mode)
			other := x
			if tt.replicas {
				other = newApp(t, p, tt.mode)
			}
			path, cookies := callbackOf(t, x.browser(t), p)
			asked, goOn := holdToken(p)
			first, leave := context.WithCancel(t.Context())
			answers := make(chan *http.Response, 3)
			go func() { answers <- callback(first, x, path, cookies) }()
			<-asked
			leave()
			for range 2 {
				go func() { answers <- callback(t.Context(), other, path, cookies) }()
			}
			if tt.replicas { // led on at once, while the first is under way
				for range 2 {
					wantPage(t, <-answers)
				}
			}
			goOn()
			for len(answers) < cap(answers) && !tt.replicas {
				time.Sleep(time.Millisecond)
			}
			n, sessions := 3, 0
			if tt.replicas {
				n = 1
			}
			for range n {
				resp := <-answers
				wantPage(t, resp)
				for _, c := range resp.Cookies() {
					if c.Name == "__Host-cognate" {
						sessions++
					}
				}
			}
			if sessions != 1 || len(p.TokenRequests()) != 1 {
				t.Errorf("%d sessions of %d token requests, want one of one", sessions, len(p.TokenRequests()))
			}
			// And later, when both are over.
			wantPage(t, callback(t.Context(), other, path, cookies))
			if len(p.TokenRequests()) != 1 {
				t.Errorf("%d token requests, want 1", len(p.TokenRequests()))
			}
		})
	}
}

func wantPage(t *testing.T, resp *http.Response) {
	t.Helper()
	if got := resp.Header.Get("Location"); resp.StatusCode != http.StatusFound || got != "/private/page" {
		t.Errorf("status %d to %q, want the page", resp.StatusCode, got)
	}
}

// TestCallbackAtTwoReplicas sends one callback to processes that share a store, many times at
// once: one asks the provider.
func TestCallbackAtTwoReplicas(t *testing.T) {
	x, p, store, _ := storeApp(t, nil)
	apps := []*app{x}
	for range 2 {
		apps = append(apps, newApp(t, p, func(cfg *cognate.Config) { cfg.Session.Store = store }))
	}
	path, cookies := callbackOf(t, x.browser(t), p)
	parallel(30, func(i int) { wantPage(t, callback(t.Context(), apps[i%3], path, cookies)) })
	if len(p.TokenRequests()) != 1 {
		t.Errorf("%d token requests, want 1", len(p.TokenRequests()))
	}
}

// TestDoubleClickThatFails has the first click end in a refusal: so does the second, with the
// way back to the page that was asked for, and nothing stays in the store for long.
func TestDoubleClickThatFails(t *testing.T) {
	c := fakeprovider.NewClock()
	store := &flakyStore{Store: newMemoryStore(c.Now)}
	for name, mode := range map[string]func(*cognate.Config){
		"cookies": func(*cognate.Config) {},
		"store":   func(c *cognate.Config) { c.Session.Store = store },
	} {
		t.Run(name, func(t *testing.T) {
			p := fakeprovider.New(t)
			p.Now = c.Now
			x := newApp(t, p, func(cfg *cognate.Config) {
				mode(cfg)
				cfg.LoginRules = []cognate.Rule{cognate.Group("gods")}
			})
			path, cookies := callbackOf(t, x.browser(t), p)
			asked, goOn := holdToken(p)
			answers := make(chan *http.Response, 2)
			send := func() { answers <- callback(t.Context(), x, path, cookies) }
			go send()
			<-asked
			go send()
			goOn()
			for range 2 {
				resp := <-answers
				page := body(t, resp)
				if resp.StatusCode < 400 || !strings.Contains(page, `href="/login?return_to=%2Fprivate%2Fpage"`) {
					t.Errorf("status %d, page:\n%s", resp.StatusCode, page)
				}
			}
			if len(p.TokenRequests()) != 1 {
				t.Errorf("%d token requests, want 1", len(p.TokenRequests()))
			}
			c.Advance(3 * time.Minute)
			if n := store.live(t); n != 0 {
				t.Errorf("%d records stay in the store", n)
			}
		})
	}
}

// TestFailedCallbackAtTwoReplicas sends a callback to a second process when the first one is
// done with it, and has signed nobody in: the provider is not asked once more with that code.
// What never reached the provider may be tried again.
func TestFailedCallbackAtTwoReplicas(t *testing.T) {
	for _, tt := range []struct {
		name, extra string
		change      func(*cognate.Config)
		token       func(w http.ResponseWriter, r *http.Request)
		again       bool
		asked       int
	}{
		{name: "a rule refuses",
			change: func(c *cognate.Config) { c.LoginRules = []cognate.Rule{cognate.Group("gods")} }, asked: 1},
		{name: "a hook panics", change: func(c *cognate.Config) {
			c.Hooks.OnLogin = func(context.Context, cognate.LoginEvent) error { panic("on purpose") }
		}, asked: 1},
		{name: "the provider breaks down",
			token: func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) }, asked: 1},
		{name: "of another issuer", extra: "&iss=x", asked: 1}, // nobody was asked here, but a code may be spent
		{name: "the provider's error", extra: "&error=access_denied", again: true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			x, p, store, c := storeApp(t, tt.change)
			p.ServeToken = tt.token
			other := newApp(t, p, func(cfg *cognate.Config) {
				cfg.Session.Store = store
				if tt.change != nil {
					tt.change(cfg)
				}
			})
			path, cookies := callbackOf(t, x.browser(t), p)
			path += tt.extra
			send := func(x *app) (resp *http.Response) {
				defer func() { _ = recover() }()
				return callback(t.Context(), x, path, cookies)
			}
			send(x)
			first := len(p.TokenRequests())
			resp := send(other)
			if resp == nil || resp.StatusCode < 400 || len(p.TokenRequests()) != first || first > tt.asked {
				t.Errorf("%+v after %d token requests, of which the first sent %d", resp, len(p.TokenRequests()), first)
			}
			if again := !strings.Contains(other.log.String(), "reason=replay"); again != tt.again {
				t.Errorf("tried again: %v\n%s", again, other.log)
			}
			c.Advance(3 * time.Minute)
			if n := store.live(t); n != 0 {
				t.Errorf("%d records stay in the store", n)
			}
		})
	}
}

// TestFailedCallbacksDoNotFillTheStore lets a stranger make up codes.
func TestFailedCallbacksDoNotFillTheStore(t *testing.T) {
	x, p, store, c := storeApp(t, nil)
	for range 2 {
		for range 150 {
			path, cookies := callbackOf(t, x.browser(t), p)
			path = strings.Replace(path, "code=", "code=x", 1)
			callback(t.Context(), x, path, cookies)
		}
		if n := store.live(t); n != 100 {
			t.Errorf("%d marks in the store, want 100", n)
		}
		c.Advance(3 * time.Minute)
	}
}

// TestDoubleClickInVain is of a silent sign-in that finds nobody: both lead on.
func TestDoubleClickInVain(t *testing.T) {
	p := fakeprovider.New(t)
	x := newApp(t, p, nil)
	b := x.browser(t)
	inner := x.handler
	x.handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		x.auth.Login(w, r, cognate.Silent(), cognate.ReturnTo("/private/page"))
	})
	resp := b.get("/somewhere")
	x.handler = inner
	q := p.SignIn(t, resp.Header.Get("Location"))
	q.Del("code")
	q.Set("error", "login_required")
	cookies := b.jar.Cookies(appURL)
	for range 2 {
		wantPage(t, callback(t.Context(), x, "/oidc_callback?"+q.Encode(), cookies))
	}
}

// TestLateCallback leads back to the page that was asked for, and spends nothing.
func TestLateCallback(t *testing.T) {
	p, c := fakeprovider.New(t), fakeprovider.NewClock()
	p.Now = c.Now
	b := newApp(t, p, nil).browser(t)
	resp := b.get("/private/page")
	c.Advance(20 * time.Minute)
	resp = b.get("/oidc_callback?" + p.SignIn(t, resp.Header.Get("Location")).Encode())
	if page := body(t, resp); resp.StatusCode != http.StatusBadRequest ||
		!strings.Contains(page, `href="/login?return_to=%2Fprivate%2Fpage"`) {
		t.Errorf("status %d, page:\n%s", resp.StatusCode, page)
	}
	if len(b.cookies()) != 0 || len(p.TokenRequests()) != 0 {
		t.Errorf("cookies %v, %d token requests; want none", b.cookies(), len(p.TokenRequests()))
	}
}

// TestFailedCallbacksLeadBack to the page that was asked for, whatever was wrong with them.
func TestFailedCallbacksLeadBack(t *testing.T) {
	for name, extra := range map[string]string{
		"two codes": "&code=2", "two issuers": "&iss=a&iss=b", "the provider's error": "&error=access_denied",
		"another issuer": "&iss=a",
	} {
		t.Run(name, func(t *testing.T) {
			p := fakeprovider.New(t)
			b := newApp(t, p, nil).browser(t)
			path, _ := callbackOf(t, b, p)
			resp := b.get(path + extra)
			if page := body(t, resp); resp.StatusCode < 400 ||
				!strings.Contains(page, `href="/login?return_to=%2Fprivate%2Fpage"`) {
				t.Errorf("status %d, page:\n%s", resp.StatusCode, page)
			}
		})
	}
}

// TestStoreDownAtTheCallback asks nobody and spends nothing: the same address works when the
// store is back.
func TestStoreDownAtTheCallback(t *testing.T) {
	x, p, store, _ := storeApp(t, nil)
	b := x.browser(t)
	path, _ := callbackOf(t, b, p)
	store.down.Store(true)
	if resp := b.get(path); resp.StatusCode != http.StatusServiceUnavailable || len(p.TokenRequests()) != 0 ||
		len(b.cookies()) != 1 {
		t.Errorf("status %d, %d token requests, cookies %v; want 503, none, and the sign-in", resp.StatusCode,
			len(p.TokenRequests()), b.cookies())
	}
	store.down.Store(false)
	wantPage(t, b.get(path))
	if !b.signedIn() {
		t.Error("not signed in")
	}
}

// TestSpentTokensComeBack lets an answer that was under way for long put old cookies back into
// the browser, whose refresh token is spent: the session goes on, and none is spent twice.
func TestSpentTokensComeBack(t *testing.T) {
	p, c := fakeprovider.New(t), fakeprovider.NewClock()
	p.Now, p.AccessLife, p.Rotate = c.Now, 300, true
	x := newApp(t, p, tokenModes["cookies"])
	b := x.browser(t)
	b.signIn(p)
	old := b.jar.Cookies(appURL)
	for range 30 { // two and a half hours
		c.Advance(5 * time.Minute)
		b.get("/token")
	}
	wantFetch(t, b, "/token", http.StatusOK, "access-30")
	b.jar.SetCookies(appURL, old)
	wantFetch(t, b, "/token", http.StatusOK, "access-30")
	b.jar.SetCookies(appURL, old)
	c.Advance(time.Hour)
	wantFetch(t, b, "/token", http.StatusOK, "access-31")
	c.Advance(time.Hour)
	wantFetch(t, b, "/token", http.StatusOK, "access-32")
	if p.Refreshes() != 32 {
		t.Errorf("%d refreshes, want 32", p.Refreshes())
	}
}
