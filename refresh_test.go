package cognate_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cognate-auth/cognate"
	"github.com/cognate-auth/cognate/internal/cases"
	"github.com/cognate-auth/cognate/internal/fakeprovider"
	"github.com/cognate-auth/cognate/sessionstore"
)

// TestRollAndRefreshTogether winds the idle clock in the same answer that brings new tokens.
func TestRollAndRefreshTogether(t *testing.T) {
	eachTokenMode(t, func(t *testing.T, p *fakeprovider.Provider, c *fakeprovider.Clock, mode func(*cognate.Config)) {
		b := newApp(t, p, func(cfg *cognate.Config) {
			mode(cfg)
			cfg.Session.IdleTimeout = 30 * time.Minute
		}).browser(t)
		b.signIn(p)
		for i := 1; i <= 4; i++ {
			c.Advance(20 * time.Minute)
			wantFetch(t, b, "/token", http.StatusOK, fmt.Sprintf("access-%d", i))
		}
	})
}

// TestLeaseAcrossClocks lets two processes refresh at once whose clocks differ a little, as
// clocks do.
func TestLeaseAcrossClocks(t *testing.T) {
	for name, ahead := range map[string]time.Duration{
		"behind": -3 * time.Second, "ahead": 3 * time.Second, "far behind": -59 * time.Second,
		"20 seconds ahead": 20 * time.Second,
		"far ahead":        59 * time.Second,
	} {
		t.Run(name, func(t *testing.T) {
			fakeprovider.InVirtualTime(t, func(t *testing.T, p *fakeprovider.Provider) {
				x, store, c := storeAppOf(t, p, nil)
				p.Rotate = true
				other := newApp(t, p, func(cfg *cognate.Config) {
					cfg.Session.Store = store
					cfg.Now = func() time.Time { return c.Now().Add(ahead) }
				})
				b := x.browser(t)
				b.signIn(p)
				c.Advance(time.Hour)
				cookies := b.jar.Cookies(appURL)
				asked, goOn := make(chan bool), make(chan bool)
				var once sync.Once
				p.EditRefreshResponse = func(map[string]any) {
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
				if n := p.Refreshes(); n != 1 {
					t.Errorf("%d refreshes, want 1", n)
				}
			})
		})
	}
}

// processes makes two apps on one store; the clock of the second goes ahead of the first's.
func processes(t *testing.T, p *fakeprovider.Provider, store sessionstore.Store, ahead time.Duration) (x, other *app) {
	t.Helper()
	of := func(ahead time.Duration) *app {
		return newApp(t, p, func(cfg *cognate.Config) {
			cfg.Session.Store = store
			cfg.Now = func() time.Time { return time.Now().Add(ahead) }
		})
	}
	p.AccessLife, p.Rotate = 300, true
	return of(0), of(ahead)
}

// TestSlowHolder has one process wait for the provider as long as it may, while others, whose
// clocks differ by all that is allowed, look on: nobody else asks.
func TestSlowHolder(t *testing.T) {
	for _, ahead := range []time.Duration{-time.Minute, -20 * time.Second, 0, 20 * time.Second, time.Minute} {
		t.Run(ahead.String(), func(t *testing.T) {
			fakeprovider.InVirtualTime(t, func(t *testing.T, p *fakeprovider.Provider) {
				store := sessionstore.NewMemory(0)
				x, other := processes(t, p, store, ahead)
				b := x.browser(t)
				b.signIn(p)
				time.Sleep(time.Hour)
				cookies := b.jar.Cookies(appURL)
				p.EditRefreshResponse = func(map[string]any) { time.Sleep(9 * time.Second) }
				answers := make(chan string, 2)
				for _, h := range []http.Handler{x.handler, other.handler} {
					go func() { answers <- fetchWith(t, h, "/token", cookies) }()
					synctest.Wait()
				}
				for range 2 {
					if got := <-answers; got != "200 access-1" {
						t.Errorf("got %s", got)
					}
				}
				if n := p.Refreshes(); n != 1 {
					t.Errorf("%d refreshes, want 1", n)
				}
			})
		})
	}
}

// TestDeadHolder waits for a lease's length at most, whatever the clocks say, and not at all
// when the holder died long ago.
func TestDeadHolder(t *testing.T) {
	for _, ahead := range []time.Duration{-time.Minute, 0, 20 * time.Second, time.Minute} {
		for later, atMost := range map[time.Duration]time.Duration{0: 16 * time.Second, 5 * time.Minute: time.Second} {
			t.Run(fmt.Sprint(ahead, " ", later), func(t *testing.T) {
				fakeprovider.InVirtualTime(t, func(t *testing.T, p *fakeprovider.Provider) {
					store := &flakyStore{Store: sessionstore.NewMemory(0)}
					x, other := processes(t, p, store, ahead)
					b := x.browser(t)
					b.signIn(p)
					time.Sleep(time.Hour)
					cookies := b.jar.Cookies(appURL)
					p.ServeRefresh = func(w http.ResponseWriter, _ *http.Request) {
						store.down.Store(true) // so that the lease can't be given back
						w.WriteHeader(http.StatusBadGateway)
					}
					b.get("/token")
					store.down.Store(false)
					p.ServeRefresh = nil
					time.Sleep(later)
					start := time.Now()
					if got := fetchWith(t, other.handler, "/token", cookies); got != "200 access-2" {
						t.Errorf("got %s", got)
					}
					if took := time.Since(start); took > atMost {
						t.Errorf("took %s, want at most %s", took, atMost)
					}
				})
			})
		}
	}
}

// TestRollByASlowClock does not set the idle clock back that a process with a clock ahead of
// this one's has wound.
func TestRollByASlowClock(t *testing.T) {
	first, second := cognate.Secret(strings.Repeat("1", 32)), cognate.Secret(strings.Repeat("2", 32))
	for name, store := range map[string]bool{"cookies": false, "store": true} {
		t.Run(name, func(t *testing.T) {
			p, c := fakeprovider.New(t), fakeprovider.NewClock()
			p.Now = c.Now
			sessions := newMemoryStore(c.Now)
			process := func(ahead time.Duration, keys ...cognate.Secret) *app {
				return newApp(t, p, func(cfg *cognate.Config) {
					cfg.Keys, cfg.Session.IdleTimeout = keys, 10*time.Minute
					cfg.Now = func() time.Time { return c.Now().Add(ahead) }
					if store {
						cfg.Session.Store = sessions
					}
				})
			}
			fast := process(50*time.Second, first)
			b := fast.browser(t)
			b.signIn(p)
			b.app = process(0, second, first) // seals anew, and so writes the session
			if !b.signedIn() {
				t.Fatal("not signed in")
			}
			c.Advance(9*time.Minute + 30*time.Second)
			b.app = process(50*time.Second, second, first)
			if name := "at the fast process after 9:30"; !b.signedIn() {
				t.Error(name, "signed out")
			}
		})
	}
}

// TestParallelFailure gives many requests the outcome of one refresh that failed.
func TestParallelFailure(t *testing.T) {
	eachTokenModeVirtually(t,
		func(t *testing.T, p *fakeprovider.Provider, c *fakeprovider.Clock, mode func(*cognate.Config)) {
			x := newApp(t, p, mode)
			b := x.browser(t)
			b.signIn(p)
			c.Advance(time.Hour)
			cookies := b.jar.Cookies(appURL)
			p.ServeRefresh = func(w http.ResponseWriter, _ *http.Request) {
				time.Sleep(100 * time.Millisecond)
				w.WriteHeader(http.StatusInternalServerError)
			}
			parallel(20, func(int) {
				if got := fetchWith(t, x.handler, "/token", cookies); !strings.HasPrefix(got, "503") {
					t.Errorf("got %.60s", got)
				}
			})
			if n := p.Refreshes(); n != 1 {
				t.Errorf("%d refreshes, want 1", n)
			}
		})
}

// TestPanicDuringRefresh keeps a panic of the app's within the requests that wait.
func TestPanicDuringRefresh(t *testing.T) {
	eachTokenMode(t, func(t *testing.T, p *fakeprovider.Provider, c *fakeprovider.Clock, mode func(*cognate.Config)) {
		x := newApp(t, p, func(cfg *cognate.Config) {
			mode(cfg)
			cfg.Hooks.OnRefresh = func(context.Context, cognate.RefreshEvent) error { panic("a mistake") }
		})
		b := x.browser(t)
		b.signIn(p)
		c.Advance(time.Hour)
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
	eachTokenModeVirtually(t,
		func(t *testing.T, p *fakeprovider.Provider, c *fakeprovider.Clock, mode func(*cognate.Config)) {
			x := newApp(t, p, mode)
			b := x.browser(t)
			b.signIn(p)
			c.Advance(time.Hour)
			goOn := make(chan bool)
			proceed := sync.OnceFunc(func() { close(goOn) })
			p.EditRefreshResponse = func(map[string]any) { <-goOn }
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
				got, err := x.auth.AccessToken(r.Context())
				if got != "access-1" || err != nil {
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
	c.Advance(time.Hour)
	h := x.auth.RequireLogin(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		parallel(20, func(int) {
			got, err := x.auth.AccessToken(r.Context())
			if got != "access-1" || err != nil {
				t.Errorf("%s, %v", got, err)
			}
		})
	}))
	fetchWith(t, h, "/", b.jar.Cookies(appURL))
	if n := p.Refreshes(); n != 1 {
		t.Errorf("%d refreshes, want 1", n)
	}
}

// TestLeaseGivenBack lets others try at once after a refresh that failed, even if the session
// was changed meanwhile.
func TestLeaseGivenBack(t *testing.T) {
	fakeprovider.InVirtualTime(t, func(t *testing.T, p *fakeprovider.Provider) {
		x, store, c := storeAppOf(t, p, func(cfg *cognate.Config) { cfg.Session.IdleTimeout = 2 * time.Hour })
		other := newApp(t, p, func(cfg *cognate.Config) {
			cfg.Session.Store = store
			cfg.Session.IdleTimeout = 2 * time.Hour
		})
		b := x.browser(t)
		b.signIn(p)
		c.Advance(time.Hour)
		cookies := b.jar.Cookies(appURL)
		p.ServeRefresh = func(w http.ResponseWriter, _ *http.Request) {
			c.Advance(14 * time.Minute) // so that the idle clock is wound, and back
			fetchWith(t, other.handler, "/private/", cookies)
			c.Advance(-14 * time.Minute)
			w.WriteHeader(http.StatusBadGateway)
		}
		b.get("/token")
		p.ServeRefresh = nil
		done := make(chan string)
		go func() { done <- fetchWith(t, other.handler, "/token", cookies) }()
		select {
		case got := <-done:
			if got != "200 access-2" {
				t.Errorf("got %s", got)
			}
		case <-time.After(time.Second):
			t.Error("waits for a lease that nobody holds")
			c.Advance(time.Minute)
			<-done
		}
	})
}

// TestShortLivedTokens never gives out a token that is over.
func TestShortLivedTokens(t *testing.T) {
	for _, rotate := range []bool{false, true} {
		eachTokenMode(t,
			func(t *testing.T, p *fakeprovider.Provider, c *fakeprovider.Clock, mode func(*cognate.Config)) {
				p.AccessLife, p.Rotate = 20, rotate
				x := newApp(t, p, mode)
				b := x.browser(t)
				b.signIn(p)
				first := b.jar.Cookies(appURL)
				for i := 1; i <= 5; i++ {
					c.Advance(25 * time.Second)
					wantFetch(t, b, "/token", http.StatusOK, fmt.Sprintf("access-%d", i))
					if i <= 2 { // the answer with the new cookies may have been lost
						want := fmt.Sprintf("200 access-%d", i)
						if got := fetchWith(t, x.handler, "/token", first); got != want {
							t.Errorf("with the first cookies %s, want %s", got, want)
						}
					}
				}
				if n := p.Refreshes(); n != 5 {
					t.Errorf("%d refreshes, want 5", n)
				}
			})
	}
}

// TestNarrowedScopes takes over what a refresh granted, also without an ID token.
func TestNarrowedScopes(t *testing.T) {
	for _, lacks := range []string{"", "id_token"} {
		eachTokenMode(t,
			func(t *testing.T, p *fakeprovider.Provider, c *fakeprovider.Clock, mode func(*cognate.Config)) {
				p.EditTokenResponse = func(r map[string]any) { r["scope"] = "openid orders:write" }
				p.EditRefreshResponse = func(r map[string]any) {
					r["scope"] = "openid"
					delete(r, lacks)
				}
				b := newApp(t, p, mode).browser(t)
				b.signIn(p)
				c.Advance(time.Hour)
				wantFetch(t, b, "/token", http.StatusOK, "access-1")
				if u := b.user(); u == nil || fmt.Sprint(u.Scopes) != "[openid]" {
					t.Errorf("user %+v, want the scopes of the refresh", u)
				}
			})
	}
}

// TestLooseRefreshes are refreshed ID tokens of real providers that say more, less or other
// things than at the sign-in: the session stays, and with it the time of the sign-in.
func TestLooseRefreshes(t *testing.T) {
	set := func(name string, value any) func(map[string]any) {
		return func(c map[string]any) { c[name] = value }
	}
	for name, tt := range map[string]struct {
		change func(map[string]any)
		warns  bool
	}{
		"no auth_time":           {func(c map[string]any) { delete(c, "auth_time") }, false},
		"a later auth_time":      {func(c map[string]any) { c["auth_time"] = c["iat"] }, true},
		"an earlier auth_time":   {set("auth_time", 1), true},
		"auth_time as text":      {set("auth_time", "1796000000"), true},
		"auth_time null":         {set("auth_time", nil), true},
		"auth_time a list":       {set("auth_time", []int{1}), true},
		"auth_time beyond dates": {set("auth_time", 1e300), true},
		"nonce null":             {set("nonce", nil), false},
		"nonce empty":            {set("nonce", ""), false},
		"the ID token of old":    {func(c map[string]any) { c["iat"] = 1 }, false},
	} {
		t.Run(name, func(t *testing.T) {
			eachTokenMode(t,
				func(t *testing.T, p *fakeprovider.Provider, c *fakeprovider.Clock, mode func(*cognate.Config)) {
					x := newApp(t, p, mode)
					b := x.browser(t)
					b.signIn(p)
					at := b.user().AuthTime
					p.EditClaims = tt.change
					for i := 1; i <= 2; i++ {
						c.Advance(20 * time.Second)
						c.Advance(5 * time.Minute)
						wantFetch(t, b, "/token", http.StatusOK, fmt.Sprint("access-", i))
						if u := b.user(); u == nil || !u.AuthTime.Equal(at) || at.IsZero() {
							t.Fatalf("user %+v, want AuthTime %s", u, at)
						}
					}
					if got := strings.Count(x.log.String(), "auth_time"); (got > 0) != tt.warns {
						t.Errorf("%d lines about auth_time:\n%s", got, x.log)
					}
				})
		})
	}
}

// TestAuthTimeOfARefreshAlone is no time of a sign-in.
func TestAuthTimeOfARefreshAlone(t *testing.T) {
	eachTokenMode(t, func(t *testing.T, p *fakeprovider.Provider, c *fakeprovider.Clock, mode func(*cognate.Config)) {
		p.EditClaims = func(c map[string]any) { delete(c, "auth_time") }
		b := newApp(t, p, mode).browser(t)
		b.signIn(p)
		p.EditClaims = nil
		c.Advance(time.Hour)
		wantFetch(t, b, "/token", http.StatusOK, "access-1")
		if u := b.user(); u == nil || !u.AuthTime.IsZero() {
			t.Errorf("user %+v, want no AuthTime", u)
		}
	})
}

// TestRefreshCase follows an input made after a Cognito pool with rotation, in both dialects.
func TestRefreshCase(t *testing.T) {
	var in struct {
		SignIn  map[string]any `json:"at_sign_in"`
		Refresh map[string]any `json:"at_refresh"`
	}
	err := json.Unmarshal(cases.Read(t, "refresh-auth-time-changed.json"), &in)
	if err != nil {
		t.Fatal(err)
	}
	for _, dialect := range []*cognate.Dialect{cognate.CognitoDialect(), cognate.StandardDialect()} {
		t.Run(dialect.Name, func(t *testing.T) {
			eachTokenMode(t,
				func(t *testing.T, p *fakeprovider.Provider, c *fakeprovider.Clock, mode func(*cognate.Config)) {
					c.Advance(time.Unix(1796000010, 0).Sub(c.Now()))
					p.Rotate = true
					say := func(what map[string]any) func(map[string]any) {
						return func(c map[string]any) {
							c["token_use"] = "id"
							for name, value := range what {
								c[name] = value
								if value == "(absent)" {
									delete(c, name)
								}
							}
						}
					}
					x := newApp(t, p, func(cfg *cognate.Config) {
						mode(cfg)
						cfg.Dialect = dialect
					})
					b := x.browser(t)
					p.EditClaims = say(in.SignIn)
					b.signIn(p)
					p.EditClaims = say(in.Refresh)
					c.Advance(700 * time.Second)
					wantFetch(t, b, "/token", http.StatusOK, "access-1")
					if u := b.user(); u == nil || u.AuthTime.Unix() != 1796000000 {
						t.Errorf("user %+v", u)
					}
					if n := strings.Count(x.log.String(), "level=WARN"); n != 1 {
						t.Errorf("%d warnings, want one:\n%s", n, x.log)
					}
				})
		})
	}
}

// TestRefusedAtOnce is a provider that refuses the tokens of a sign-in moments ago: a page
// that names the cause in the log, and no sign-ins without end.
func TestRefusedAtOnce(t *testing.T) {
	for name, tt := range map[string]struct {
		change func(*fakeprovider.Provider)
		cause  string
	}{
		"the provider": {func(p *fakeprovider.Provider) {
			p.ServeRefresh = answerWith(400, `{"error":"invalid_grant"}`)
		}, "invalid_grant"},
		"another subject": {func(p *fakeprovider.Provider) {
			p.EditClaims = func(c map[string]any) { c["sub"] = "user-2" }
		}, "token_subject"},
		"another nonce": {func(p *fakeprovider.Provider) { p.EditClaims = func(c map[string]any) { c["nonce"] = "x" } },
			"token_nonce"},
	} {
		t.Run(name, func(t *testing.T) {
			eachTokenMode(t,
				func(t *testing.T, p *fakeprovider.Provider, c *fakeprovider.Clock, mode func(*cognate.Config)) {
					p.AccessLife = 2
					x := newApp(t, p, mode)
					b := x.browser(t)
					b.signIn(p)
					tt.change(p)
					c.Advance(3 * time.Second)
					status, page := b.fetch("/token")
					log := x.log.String()
					if status != http.StatusUnauthorized || !strings.Contains(page, "Please sign in again") {
						t.Errorf("status %d, %.200s", status, page)
					}
					if !strings.Contains(log, "reason=refresh_refused") || !strings.Contains(log, tt.cause) ||
						strings.Contains(log, "no_tokens") || strings.Contains(log, "cookies") {
						t.Errorf("the log does not name the cause:\n%s", log)
					}
					if b.signedIn() {
						t.Error("still signed in")
					}
				})
		})
	}
	t.Run("no refresh token", func(t *testing.T) {
		eachTokenMode(t,
			func(t *testing.T, p *fakeprovider.Provider, c *fakeprovider.Clock, mode func(*cognate.Config)) {
				p.AccessLife = 2
				p.EditTokenResponse = func(r map[string]any) { delete(r, "refresh_token") }
				x := newApp(t, p, mode)
				b := x.browser(t)
				b.signIn(p)
				c.Advance(3 * time.Second)
				b.get("/token")
				if log := x.log.String(); !strings.Contains(log, "no refresh token") ||
					strings.Contains(log, "cookies") {
					t.Errorf("log:\n%s", log)
				}
			})
	})
}

// TestEndedElsewhereAtOnce signs out in another process moments after the sign-in, while the
// first one has not heard of it: that leads to a sign-in as ever.
func TestEndedElsewhereAtOnce(t *testing.T) {
	p, c := fakeprovider.New(t), fakeprovider.NewClock()
	p.Now, p.AccessLife = c.Now, 2
	store := newMemoryStore(c.Now)
	x := newApp(t, p, func(cfg *cognate.Config) { cfg.Session.Store = &staleStore{Store: store} })
	b := x.browser(t)
	b.signIn(p)
	b.get("/private/")
	_, err := newApp(t, p,
		func(cfg *cognate.Config) { cfg.Session.Store = store }).auth.LogoutEverywhere(t.Context(), "user-1")
	if err != nil {
		t.Fatal(err)
	}
	c.Advance(3 * time.Second)
	if status, _ := b.fetch("/token"); status != http.StatusFound {
		t.Errorf("status %d, want a sign-in", status)
	}
}

// TestLateSave puts new tokens over a lease that somebody else took meanwhile and gave back
// with nothing.
func TestLateSave(t *testing.T) {
	x, p, store, c := storeApp(t, nil)
	other := newApp(t, p, func(cfg *cognate.Config) { cfg.Session.Store = store.Store })
	p.Rotate = true
	b := x.browser(t)
	b.signIn(p)
	c.Advance(time.Hour)
	cookies := b.jar.Cookies(appURL)
	var once sync.Once
	lost := make(chan bool)
	p.EditRefreshResponse = func(map[string]any) {
		once.Do(func() {
			store.down.Store(true)
			close(lost)
		})
	}
	done := make(chan string)
	go func() { done <- fetchWith(t, x.handler, "/token", cookies) }()
	<-lost
	p.ServeRefresh = func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) }
	c.Advance(20 * time.Second) // longer than the lease
	if got := fetchWith(t, other.handler, "/token", cookies); !strings.HasPrefix(got, "503") {
		t.Errorf("the other process got %s", got)
	}
	store.down.Store(false)
	if got := <-done; got != "200 access-1" {
		t.Errorf("got %s", got)
	}
	p.ServeRefresh = nil
	c.Advance(time.Hour)
	wantFetch(t, b, "/token", http.StatusOK, "access-3") // by refresh-1
}

// TestTokenOutsideOfRequireLogin is a mistake in the program: an error, and no sign-ins
// without end.
func TestTokenOutsideOfRequireLogin(t *testing.T) {
	p := fakeprovider.New(t)
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
	fakeprovider.InVirtualTime(t, func(t *testing.T, p *fakeprovider.Provider) {
		p.AccessLife, p.Rotate = 300, true
		store := sessionstore.NewMemory(0)
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

// TestCauseOfRefusal finds out of a refused refresh which check failed, or what a rule or a hook
// said, however far down it stands.
func TestCauseOfRefusal(t *testing.T) {
	full := &cognate.Error{Reason: cognate.ReasonDenied, Status: http.StatusTeapot}
	for name, tt := range map[string]struct {
		change func(*fakeprovider.Provider, *cognate.Config)
		want   []cognate.Reason
		status int // of the last
	}{
		"subject": {func(p *fakeprovider.Provider, _ *cognate.Config) {
			p.EditRefreshResponse = func(r map[string]any) {
				c := p.UserClaims(r["access_token"].(string))
				c["sub"] = "user-2"
				r["id_token"] = p.SignIDToken(c)
			}
		}, []cognate.Reason{cognate.ReasonRefreshRefused, cognate.ReasonTokenSubject}, http.StatusUnauthorized},
		"grant": {func(p *fakeprovider.Provider, _ *cognate.Config) {
			p.ServeRefresh = answerWith(400, `{"error":"invalid_grant"}`)
		}, []cognate.Reason{cognate.ReasonRefreshRefused, cognate.ReasonRefreshRefused}, http.StatusUnauthorized},
		"hook": {func(_ *fakeprovider.Provider, c *cognate.Config) {
			c.Hooks.OnRefresh = func(context.Context, cognate.RefreshEvent) error { return full }
		}, []cognate.Reason{cognate.ReasonRefreshRefused, cognate.ReasonDenied}, http.StatusTeapot},
		"signature of userInfo": {func(p *fakeprovider.Provider, c *cognate.Config) {
			c.UserInfo = cognate.UserInfoAlways
			asked := 0
			p.ServeUserInfo = func(w http.ResponseWriter, _ *http.Request) {
				if asked++; asked == 1 {
					fakeprovider.ServeJSON(w, http.StatusOK, map[string]any{"sub": "user-1"})
					return
				}
				w.Header().Set("Content-Type", "application/jwt")
				_, _ = w.Write([]byte(fakeprovider.SignRS256(fakeprovider.Keys()[1], p.KeyID, p.UserClaims(""))))
			}
		}, []cognate.Reason{
			cognate.ReasonRefreshFailed, cognate.ReasonUserInfo, cognate.ReasonTokenSignature,
		}, http.StatusUnauthorized},
	} {
		t.Run(name, func(t *testing.T) {
			p, clock := fakeprovider.New(t), fakeprovider.NewClock()
			p.Now = clock.Now
			var err error
			x := newApp(t, p, func(c *cognate.Config) { tokenModes["store"](c); tt.change(p, c) })
			x.handler = x.auth.Handler(x.auth.RequireLogin(http.HandlerFunc(
				func(_ http.ResponseWriter, r *http.Request) { _, err = x.auth.AccessToken(r.Context()) })))
			b := x.browser(t)
			b.signIn(p)
			clock.Advance(2 * time.Hour)
			b.get("/private/")
			var got []cognate.Reason
			var last *cognate.Error
			for e, ok := errors.AsType[*cognate.Error](err); ok; e, ok = errors.AsType[*cognate.Error](e.Err) {
				got, last = append(got, e.Reason), e
			}
			if !slices.Equal(got, tt.want) || last.Status != tt.status {
				t.Errorf("%v: %q, status of the last %+v", err, got, last)
			}
		})
	}
}
