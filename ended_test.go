package cognate_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/cognate-auth/cognate"
	"github.com/cognate-auth/cognate/internal/fakeprovider"
)

// slowPage adds a page /private/slow that tells when it has begun and waits before it answers.
func slowPage(x *app, answer func(w http.ResponseWriter, r *http.Request)) (began, goOn chan bool) {
	began, goOn = make(chan bool, 1), make(chan bool)
	slow := x.auth.RequireLogin(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		began <- true
		<-goOn
		answer(w, r)
	}))
	inner := x.handler
	x.handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/private/slow" {
			slow.ServeHTTP(w, r)
			return
		}
		inner.ServeHTTP(w, r)
	})
	return began, goOn
}

// TestEndedIsNotGivenAgain has an answer under way that is about to set the session's cookies,
// for whatever reason and however it begins, while the session ends: it must not bring them
// back, for another process would take them.
func TestEndedIsNotGivenAgain(t *testing.T) {
	oldKey, newKey := cognate.Secret(strings.Repeat("k", 32)), cognate.Secret(strings.Repeat("n", 32))
	idle := func(c *cognate.Config) { c.Session.IdleTimeout = 30 * time.Minute }
	modes := map[string]func(*cognate.Config){
		"idle clock":      idle,
		"new key":         func(c *cognate.Config) { c.Keys = []cognate.Secret{newKey, oldKey} },
		"idle and tokens": func(c *cognate.Config) { idle(c); c.Session.TokensInCookie = true },
		"refresh":         func(c *cognate.Config) { c.Session.TokensInCookie = true },
		"large, new key":  func(c *cognate.Config) { c.Keys, c.Session.TokensInCookie = []cognate.Secret{newKey, oldKey}, true },
	}
	answers := map[string]func(w http.ResponseWriter){
		"write":   func(w http.ResponseWriter) { _, _ = w.Write([]byte("x")) },
		"header":  func(w http.ResponseWriter) { w.WriteHeader(http.StatusTeapot) },
		"flush":   func(w http.ResponseWriter) { w.(http.Flusher).Flush() },
		"nothing": func(http.ResponseWriter) {},
		"hints":   func(w http.ResponseWriter) { w.WriteHeader(http.StatusEarlyHints) },
	}
	ends := map[string]func(b *browser, p *fakeprovider.Provider){
		"sign-out": func(b *browser, _ *fakeprovider.Provider) { b.request(http.MethodPost, "/logout") },
		"sign-in": func(b *browser, p *fakeprovider.Provider) {
			b.get("/oidc_callback?" + p.SignIn(b.t, loginAgain(b).Header.Get("Location")).Encode())
		},
	}
	for mode, configure := range modes {
		for how, answer := range answers {
			for end, finish := range ends {
				t.Run(mode+"/"+how+"/"+end, func(t *testing.T) {
					p, c := fakeprovider.New(t), fakeprovider.NewClock()
					p.Now = c.Now
					if strings.HasPrefix(mode, "large") {
						p.EditTokenResponse = func(r map[string]any) { r["refresh_token"] = strings.Repeat("r", 9000) }
					}
					x := newApp(t, p, configure)
					b := newApp(t, p, func(cfg *cognate.Config) { configure(cfg); cfg.Keys = []cognate.Secret{oldKey} }).browser(t)
					b.signIn(p)
					b.app = x
					began, goOn := slowPage(x, func(w http.ResponseWriter, r *http.Request) {
						if mode == "refresh" {
							_, _ = x.auth.AccessToken(r.Context())
						}
						http.SetCookie(w, &http.Cookie{Name: "__Host-cognate-theme", Value: "dark"})
						answer(w)
					})
					c.Advance(20 * time.Minute)
					if mode == "refresh" {
						c.Advance(time.Hour)
					}
					cookies := b.jar.Cookies(appURL)
					done := make(chan *http.Response)
					go func() { done <- callback(t.Context(), x, "/private/slow", cookies) }()
					<-began
					finish(b, p)
					close(goOn)
					late := (<-done).Cookies()
					theme := false
					for _, c := range late {
						theme = theme || c.Name == "__Host-cognate-theme"
						if c.Name != "__Host-cognate-theme" && c.Value != "" {
							t.Errorf("the answer sets %s", c.Name)
						}
					}
					if !theme {
						t.Error("the app's own cookie is lost")
					}
					b.jar.SetCookies(appURL, late)
					b.app = newApp(t, p, configure) // another process
					if got, want := b.signedIn(), end == "sign-in"; got != want {
						t.Errorf("in another process: signed in: %v, want %v", got, want)
					}
				})
			}
		}
	}
}

// TestLateAnswerOfALiveSession still winds the clock.
func TestLateAnswerOfALiveSession(t *testing.T) {
	p, c := fakeprovider.New(t), fakeprovider.NewClock()
	p.Now = c.Now
	x := newApp(t, p, func(cfg *cognate.Config) { cfg.Session.IdleTimeout = 30 * time.Minute })
	b := x.browser(t)
	b.signIn(p)
	other := x.browser(t)
	other.signIn(p)
	other.request(http.MethodPost, "/logout")
	c.Advance(20 * time.Minute)
	if resp := b.get("/private/"); len(resp.Cookies()) != 1 {
		t.Errorf("cookies %v, want the session's", resp.Cookies())
	}
}

// TestStoredSessionEndsWhileInUse ends a session from another process, in each way, while this
// one winds its clock or refreshes its tokens: nobody takes it any more, here or there.
func TestStoredSessionEndsWhileInUse(t *testing.T) {
	for end, finish := range map[string]func(t *testing.T, other *app, b *browser){
		"sign-out": func(_ *testing.T, other *app, b *browser) {
			b.app = other
			b.request(http.MethodPost, "/logout")
		},
		"everywhere": func(t *testing.T, other *app, _ *browser) {
			n, err := other.auth.LogoutEverywhere(t.Context(), "user-1")
			if n != 1 || err != nil {
				t.Errorf("%d sessions ended, %v", n, err)
			}
		},
	} {
		t.Run(end, func(t *testing.T) {
			idle := func(cfg *cognate.Config) { cfg.Session.IdleTimeout = 3 * time.Hour }
			x, p, store, c := storeApp(t, idle)
			other := newApp(t, p, func(cfg *cognate.Config) { idle(cfg); cfg.Session.Store = store })
			b := x.browser(t)
			b.signIn(p)
			c.Advance(time.Hour) // the clock is due, and the tokens are
			cookies := b.jar.Cookies(appURL)
			asked, goOn := make(chan bool), make(chan bool)
			p.EditRefreshResponse = func(map[string]any) { close(asked); <-goOn }
			done := make(chan *http.Response)
			go func() { done <- callback(t.Context(), x, "/token", cookies) }()
			<-asked
			finish(t, other, b)
			close(goOn)
			resp := <-done
			if resp.StatusCode != http.StatusFound {
				t.Errorf("status %d, want a sign-in", resp.StatusCode)
			}
			for _, c := range resp.Cookies() {
				if c.Name == "__Host-cognate" && c.Value != "" {
					t.Error("the answer sets the session's cookie")
				}
			}
			for _, process := range []*app{x, other} {
				if got := fetchWith(t, process.handler, "/private/", cookies); !strings.HasPrefix(got, "302") {
					t.Errorf("afterwards %s", got)
				}
			}
		})
	}
}

// TestSignOutDuringCallback signs out while a sign-in is at its last step: nobody is signed in
// afterwards.
func TestSignOutDuringCallback(t *testing.T) {
	for name, mode := range clockModes {
		t.Run(name, func(t *testing.T) {
			p := fakeprovider.New(t)
			began, goOn := make(chan bool), make(chan bool)
			x := newApp(t, p, func(c *cognate.Config) {
				mode(c)
				c.Hooks.OnLogin = func(context.Context, cognate.LoginEvent) error {
					began <- true
					<-goOn
					return nil
				}
			})
			b := x.browser(t)
			path, cookies := callbackOf(t, b, p)
			answers := make(chan *http.Response)
			go func() { answers <- callback(t.Context(), x, path, cookies) }()
			<-began
			b.request(http.MethodPost, "/logout")
			close(goOn)
			resp := <-answers
			b.jar.SetCookies(appURL, resp.Cookies())
			if resp.StatusCode != http.StatusBadRequest || b.signedIn() || !strings.Contains(x.log.String(), "signed out while") {
				t.Errorf("status %d, signed in %v:\n%s", resp.StatusCode, b.signedIn(), x.log)
			}
			// The next one is like any other.
			path, cookies = callbackOf(t, b, p)
			go func() { answers <- callback(t.Context(), x, path, cookies) }()
			<-began
			wantPage(t, <-answers)
		})
	}
}
