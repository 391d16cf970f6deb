package cognate_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cognate-auth/cognate"
)

// TestRollAndRefreshTogether winds the idle clock in the same answer that brings new tokens.
func TestRollAndRefreshTogether(t *testing.T) {
	eachTokenMode(t, func(t *testing.T, p *fakeProvider, c *clock, mode func(*cognate.Config)) {
		b := newApp(t, p, func(cfg *cognate.Config) {
			mode(cfg)
			cfg.Session.IdleTimeout = 30 * time.Minute
		}).browser(t)
		b.signIn(p)
		for i := 1; i <= 4; i++ {
			c.advance(20 * time.Minute)
			wantFetch(t, b, "/token", http.StatusOK, fmt.Sprintf("access-%d", i))
		}
	})
}

// TestLeaseAcrossClocks lets two processes refresh at once whose clocks differ a little, as
// clocks do.
func TestLeaseAcrossClocks(t *testing.T) {
	for name, ahead := range map[string]time.Duration{"behind": -3 * time.Second, "ahead": 3 * time.Second} {
		t.Run(name, func(t *testing.T) {
			inVirtualTime(t, func(t *testing.T, p *fakeProvider) {
				x, store, c := storeAppOf(t, p, nil)
				p.rotate = true
				other := newApp(t, p, func(cfg *cognate.Config) {
					cfg.Session.Store = store
					cfg.Now = func() time.Time { return c.now().Add(ahead) }
				})
				b := x.browser(t)
				b.signIn(p)
				c.advance(time.Hour)
				cookies := b.jar.Cookies(appURL)
				asked, goOn := make(chan bool), make(chan bool)
				var once sync.Once
				p.refreshed = func(map[string]any) {
					once.Do(func() { close(asked); <-goOn })
				}
				done := make(chan string, 2)
				go func() { done <- fetchWith(t, x.handler, "/token", cookies) }()
				<-asked
				go func() { done <- fetchWith(t, other.handler, "/token", cookies) }()
				time.Sleep(200 * time.Millisecond)
				close(goOn)
				for range 2 {
					if got := <-done; got != "200 access-1" {
						t.Errorf("got %s", got)
					}
				}
				if n := p.refreshCount(); n != 1 {
					t.Errorf("%d refreshes, want 1", n)
				}
			})
		})
	}
}

// TestParallelFailure gives many requests the outcome of one refresh that failed.
func TestParallelFailure(t *testing.T) {
	eachTokenModeVirtually(t, func(t *testing.T, p *fakeProvider, c *clock, mode func(*cognate.Config)) {
		x := newApp(t, p, mode)
		b := x.browser(t)
		b.signIn(p)
		c.advance(time.Hour)
		cookies := b.jar.Cookies(appURL)
		p.refresh = func(w http.ResponseWriter, _ *http.Request) {
			time.Sleep(100 * time.Millisecond)
			w.WriteHeader(http.StatusInternalServerError)
		}
		parallel(20, func(int) {
			if got := fetchWith(t, x.handler, "/token", cookies); !strings.HasPrefix(got, "503") {
				t.Errorf("got %.60s", got)
			}
		})
		if n := p.refreshCount(); n != 1 {
			t.Errorf("%d refreshes, want 1", n)
		}
	})
}

// TestPanicDuringRefresh keeps a panic of the app's within the requests that wait.
func TestPanicDuringRefresh(t *testing.T) {
	eachTokenMode(t, func(t *testing.T, p *fakeProvider, c *clock, mode func(*cognate.Config)) {
		x := newApp(t, p, func(cfg *cognate.Config) {
			mode(cfg)
			cfg.Hooks.OnRefresh = func(context.Context, cognate.RefreshEvent) error { panic("a mistake") }
		})
		b := x.browser(t)
		b.signIn(p)
		c.advance(time.Hour)
		cookies := b.jar.Cookies(appURL)
		parallel(3, func(int) {
			defer func() {
				if got := fmt.Sprint(recover()); !strings.Contains(got, "a mistake") {
					t.Errorf("recovered %q", got)
				}
			}()
			fetchWith(t, x.handler, "/token", cookies)
		})
	})
}

// TestAccessTokenDeadline waits no longer than the caller wants.
func TestAccessTokenDeadline(t *testing.T) {
	eachTokenModeVirtually(t, func(t *testing.T, p *fakeProvider, c *clock, mode func(*cognate.Config)) {
		x := newApp(t, p, mode)
		b := x.browser(t)
		b.signIn(p)
		c.advance(time.Hour)
		goOn := make(chan bool)
		proceed := sync.OnceFunc(func() { close(goOn) })
		p.refreshed = func(map[string]any) { <-goOn }
		h := x.auth.RequireLogin(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			for range 2 { // the second finds the first's refresh still under way
				ctx, cancel := context.WithTimeout(r.Context(), 50*time.Millisecond)
				defer cancel()
				_, err := x.auth.AccessToken(ctx)
				expectError(t, err, cognate.ReasonRefreshFailed)
				if !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("error %v, want the context's", err)
				}
			}
			proceed()
			if got, err := x.auth.AccessToken(r.Context()); got != "access-1" || err != nil {
				t.Errorf("%s, %v", got, err)
			}
		}))
		done := make(chan bool)
		go func() {
			defer close(done)
			fetchWith(t, h, "/", b.jar.Cookies(appURL))
		}()
		select {
		case <-done:
		case <-time.After(time.Second):
			proceed()
			t.Error("AccessToken does not end with its context")
			<-done
		}
	})
}

// TestTokensOfOneRequest asks from several goroutines of one request.
func TestTokensOfOneRequest(t *testing.T) {
	x, p, _, c := storeApp(t, nil)
	b := x.browser(t)
	b.signIn(p)
	c.advance(time.Hour)
	h := x.auth.RequireLogin(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		parallel(20, func(int) {
			if got, err := x.auth.AccessToken(r.Context()); got != "access-1" || err != nil {
				t.Errorf("%s, %v", got, err)
			}
		})
	}))
	fetchWith(t, h, "/", b.jar.Cookies(appURL))
	if n := p.refreshCount(); n != 1 {
		t.Errorf("%d refreshes, want 1", n)
	}
}

// TestLeaseGivenBack lets others try at once after a refresh that failed, even if the session
// was changed meanwhile.
func TestLeaseGivenBack(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, p *fakeProvider) {
		x, store, c := storeAppOf(t, p, func(cfg *cognate.Config) { cfg.Session.IdleTimeout = 2 * time.Hour })
		other := newApp(t, p, func(cfg *cognate.Config) {
			cfg.Session.Store = store
			cfg.Session.IdleTimeout = 2 * time.Hour
		})
		b := x.browser(t)
		b.signIn(p)
		c.advance(time.Hour)
		cookies := b.jar.Cookies(appURL)
		p.refresh = func(w http.ResponseWriter, _ *http.Request) {
			c.advance(14 * time.Minute) // so that the idle clock is wound, and back
			fetchWith(t, other.handler, "/private/", cookies)
			c.advance(-14 * time.Minute)
			w.WriteHeader(http.StatusBadGateway)
		}
		b.get("/token")
		p.refresh = nil
		done := make(chan string)
		go func() { done <- fetchWith(t, other.handler, "/token", cookies) }()
		select {
		case got := <-done:
			if got != "200 access-2" {
				t.Errorf("got %s", got)
			}
		case <-time.After(time.Second):
			t.Error("waits for a lease that nobody holds")
			c.advance(time.Minute)
			<-done
		}
	})
}

// TestShortLivedTokens never gives out a token that is over.
func TestShortLivedTokens(t *testing.T) {
	for _, rotate := range []bool{false, true} {
		eachTokenMode(t, func(t *testing.T, p *fakeProvider, c *clock, mode func(*cognate.Config)) {
			p.accessLife, p.rotate = 20, rotate
			x := newApp(t, p, mode)
			b := x.browser(t)
			b.signIn(p)
			first := b.jar.Cookies(appURL)
			for i := 1; i <= 5; i++ {
				c.advance(25 * time.Second)
				wantFetch(t, b, "/token", http.StatusOK, fmt.Sprintf("access-%d", i))
				if i <= 2 { // the answer with the new cookies may have been lost
					want := fmt.Sprintf("200 access-%d", i)
					if got := fetchWith(t, x.handler, "/token", first); got != want {
						t.Errorf("with the first cookies %s, want %s", got, want)
					}
				}
			}
			if n := p.refreshCount(); n != 5 {
				t.Errorf("%d refreshes, want 5", n)
			}
		})
	}
}

// TestNarrowedScopes takes over what a refresh granted, also without an ID token.
func TestNarrowedScopes(t *testing.T) {
	for _, lacks := range []string{"", "id_token"} {
		eachTokenMode(t, func(t *testing.T, p *fakeProvider, c *clock, mode func(*cognate.Config)) {
			p.response = func(r map[string]any) { r["scope"] = "openid orders:write" }
			p.refreshed = func(r map[string]any) {
				r["scope"] = "openid"
				delete(r, lacks)
			}
			b := newApp(t, p, mode).browser(t)
			b.signIn(p)
			c.advance(time.Hour)
			wantFetch(t, b, "/token", http.StatusOK, "access-1")
			if u := b.user(); u == nil || fmt.Sprint(u.Scopes) != "[openid]" {
				t.Errorf("user %+v, want the scopes of the refresh", u)
			}
		})
	}
}

// TestRefreshKeepsAuthTime remembers when the person signed in, whether or not a refreshed
// ID token says it again.
func TestRefreshKeepsAuthTime(t *testing.T) {
	eachTokenMode(t, func(t *testing.T, p *fakeProvider, c *clock, mode func(*cognate.Config)) {
		b := newApp(t, p, mode).browser(t)
		b.signIn(p)
		at := b.user().AuthTime
		p.claims = func(c map[string]any) { delete(c, "auth_time") }
		c.advance(time.Hour)
		wantFetch(t, b, "/token", http.StatusOK, "access-1")
		if u := b.user(); u == nil || !u.AuthTime.Equal(at) || at.IsZero() {
			t.Errorf("user %+v, want AuthTime %s", u, at)
		}
		p.claims = func(c map[string]any) { c["auth_time"] = at.Unix() + 60 }
		c.advance(time.Hour)
		if status, _ := b.fetch("/token"); status != http.StatusFound {
			t.Errorf("status %d for another sign-in's ID token", status)
		}
	})
}

// TestLateSave puts new tokens over a lease that somebody else took meanwhile and gave back
// with nothing.
func TestLateSave(t *testing.T) {
	x, p, store, c := storeApp(t, nil)
	other := newApp(t, p, func(cfg *cognate.Config) { cfg.Session.Store = store.SessionStore })
	p.rotate = true
	b := x.browser(t)
	b.signIn(p)
	c.advance(time.Hour)
	cookies := b.jar.Cookies(appURL)
	var once sync.Once
	lost := make(chan bool)
	p.refreshed = func(map[string]any) {
		once.Do(func() {
			store.down.Store(true)
			close(lost)
		})
	}
	done := make(chan string)
	go func() { done <- fetchWith(t, x.handler, "/token", cookies) }()
	<-lost
	p.refresh = func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) }
	c.advance(20 * time.Second) // longer than the lease
	if got := fetchWith(t, other.handler, "/token", cookies); !strings.HasPrefix(got, "503") {
		t.Errorf("the other process got %s", got)
	}
	store.down.Store(false)
	if got := <-done; got != "200 access-1" {
		t.Errorf("got %s", got)
	}
	p.refresh = nil
	c.advance(time.Hour)
	wantFetch(t, b, "/token", http.StatusOK, "access-3") // by refresh-1
}

// TestTokenOutsideOfRequireLogin is a mistake in the program: an error, and no sign-ins
// without end.
func TestTokenOutsideOfRequireLogin(t *testing.T) {
	p := newFakeProvider(t)
	x := newApp(t, p, tokenModes["store"])
	inner := x.handler
	x.handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/open" {
			inner.ServeHTTP(w, r)
			return
		}
		_, err := x.auth.AccessToken(r.Context())
		x.auth.Fail(w, r, err)
	})
	b := x.browser(t)
	if status, _ := b.fetch("/open"); status != http.StatusFound {
		t.Errorf("nobody: status %d, want a sign-in", status)
	}
	b.signIn(p)
	if status, _ := b.fetch("/open"); status != http.StatusInternalServerError || !b.signedIn() {
		t.Errorf("somebody: status %d, signed in: %v; want 500 and the session", status, b.signedIn())
	}
}

// TestSlowHook takes longer than others wait for the one who refreshes: the session stays, and
// no refresh token is spent twice.
func TestSlowHook(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, p *fakeProvider) {
		p.accessLife, p.rotate = 300, true
		store := cognate.NewMemoryStore(0)
		asked := false
		process := func() *app {
			return newApp(t, p, func(cfg *cognate.Config) {
				cfg.Session.Store = store
				cfg.Hooks.OnRefresh = func(ctx context.Context, _ cognate.RefreshEvent) error {
					if asked {
						return nil
					}
					asked = true
					<-ctx.Done()
					return ctx.Err()
				}
			})
		}
		x, other := process(), process()
		b := x.browser(t)
		b.signIn(p)
		time.Sleep(time.Hour)
		cookies := b.jar.Cookies(appURL)
		go fetchWith(t, x.handler, "/token", cookies)
		time.Sleep(time.Second)
		if got := fetchWith(t, other.handler, "/token", cookies); got != "200 access-2" {
			t.Errorf("the other process got %s, want what the next refresh gave", got)
		}
	})
}
