package cognate_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cognate-auth/cognate"
	"github.com/cognate-auth/cognate/internal/fakeprovider"
	"github.com/cognate-auth/cognate/sessionstore"
)

// TestRefreshesAreBounded lets 400 sessions want new tokens at once: the provider sees some at
// a time, and all get theirs.
func TestRefreshesAreBounded(t *testing.T) {
	const sessions = 400
	for name, mode := range tokenModes {
		t.Run(name, func(t *testing.T) {
			fakeprovider.InVirtualTime(t, func(t *testing.T, p *fakeprovider.Provider) {
				p.AccessLife = 300
				var signIns, under, peak, all atomic.Int32
				p.EditTokenResponse = func(r map[string]any) {
					r["refresh_token"] = fmt.Sprint("refresh-of-", signIns.Add(1))
				}
				p.ServeRefresh = func(w http.ResponseWriter, _ *http.Request) {
					all.Add(1)
					now := under.Add(1)
					defer under.Add(-1)
					for seen := peak.Load(); now > seen && !peak.CompareAndSwap(seen, now); seen = peak.Load() {
					}
					time.Sleep(100 * time.Millisecond)
					fakeprovider.ServeJSON(w, http.StatusOK,
						map[string]any{"access_token": "new", "token_type": "Bearer", "expires_in": 300})
				}
				x := newApp(t, p, func(cfg *cognate.Config) {
					cfg.Now = time.Now
					mode(cfg)
				})
				var cookies [][]*http.Cookie
				for range sessions {
					b := x.browser(t)
					b.signIn(p)
					cookies = append(cookies, b.jar.Cookies(appURL))
				}
				time.Sleep(time.Hour)
				parallel(sessions, func(i int) {
					if got := fetchWith(t, x.handler, "/token", cookies[i]); got != "200 new" {
						t.Errorf("session %d got %.60s", i, got)
					}
				})
				if got := peak.Load(); got != 32 || all.Load() != sessions {
					t.Errorf("%d of %d refreshes at the same time, want 32 of %d", got, all.Load(), sessions)
				}
			})
		})
	}
}

// TestRefreshQueueEnds has more sessions wait than a slow provider can serve: they get 503 in
// time, and a refresh that has begun is not cut short.
func TestRefreshQueueEnds(t *testing.T) {
	for name, mode := range tokenModes {
		t.Run(name, func(t *testing.T) {
			fakeprovider.InVirtualTime(t, func(t *testing.T, p *fakeprovider.Provider) {
				p.AccessLife = 300
				var signIns, cut atomic.Int32
				p.EditTokenResponse = func(r map[string]any) {
					r["refresh_token"] = fmt.Sprint("refresh-of-", signIns.Add(1))
				}
				p.ServeRefresh = func(w http.ResponseWriter, r *http.Request) {
					time.Sleep(9500 * time.Millisecond)
					if r.Context().Err() != nil {
						cut.Add(1)
					}
					fakeprovider.ServeJSON(w, http.StatusOK,
						map[string]any{"access_token": "new", "token_type": "Bearer", "expires_in": 300})
				}
				x := newApp(t, p, func(cfg *cognate.Config) {
					cfg.Now = time.Now
					mode(cfg)
				})
				var cookies [][]*http.Cookie
				for range 100 {
					b := x.browser(t)
					b.signIn(p)
					cookies = append(cookies, b.jar.Cookies(appURL))
				}
				time.Sleep(time.Hour)
				var good, busy atomic.Int32
				start := time.Now()
				parallel(len(cookies), func(i int) {
					switch got := fetchWith(t, x.handler, "/token", cookies[i]); {
					case got == "200 new":
						good.Add(1)
					case strings.HasPrefix(got, "503"):
						busy.Add(1)
					default:
						t.Errorf("session %d got %.60s", i, got)
					}
				})
				if took := time.Since(start); good.Load() != 64 || busy.Load() != 36 || cut.Load() != 0 ||
					took > 30*time.Second {
					t.Errorf("%d served, %d turned away, %d cut short, after %s", good.Load(),
						busy.Load(), cut.Load(), took)
				}
			})
		})
	}
}

// TestTooManyRequests leaves a provider alone for as long as it says, for all sessions.
func TestTooManyRequests(t *testing.T) {
	now := fakeprovider.NewClock().Now().Add(290 * time.Second) // when it is asked
	for name, tt := range map[string]struct {
		status int
		header string
		body   string
		pause  time.Duration
	}{
		"seconds":         {429, "30", "", 30 * time.Second},
		"a date":          {429, now.Add(45 * time.Second).Format(http.TimeFormat), "", 45 * time.Second},
		"nothing":         {429, "", "", 3 * time.Second},
		"nonsense":        {429, "soon", "", 3 * time.Second},
		"negative":        {429, "-5", "", 3 * time.Second},
		"zero":            {429, "0", "", time.Second},
		"a date long ago": {429, "Mon, 01 Jan 2001 00:00:00 GMT", "", time.Second},
		"a year":          {429, "31536000", "", 15 * time.Minute},
		"more than fits":  {429, "18446744073709551615", "", 15 * time.Minute},
		"with a refusal":  {429, "30", `{"error":"invalid_grant"}`, 30 * time.Second},
		"unavailable":     {503, "30", "", 30 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			eachTokenMode(t,
				func(t *testing.T, p *fakeprovider.Provider, c *fakeprovider.Clock, mode func(*cognate.Config)) {
					x := newApp(t, p, mode)
					first, second := x.browser(t), x.browser(t)
					n := 0
					p.EditTokenResponse = func(r map[string]any) { n++; r["refresh_token"] = fmt.Sprint("refresh-", n) }
					first.signIn(p)
					second.signIn(p)
					p.ServeRefresh = func(w http.ResponseWriter, _ *http.Request) {
						if tt.header != "" {
							w.Header().Set("Retry-After", tt.header)
						}
						answerWith(tt.status, tt.body)(w, nil)
					}
					c.Advance(290 * time.Second) // about to expire
					wantFetch(t, first, "/token", http.StatusOK, "access-token")
					wantFetch(t, second, "/token", http.StatusOK, "access-token")
					asked := p.Refreshes()
					if asked != 1 {
						t.Errorf("asked %d times, want 1", asked)
					}
					p.ServeRefresh = func(w http.ResponseWriter, _ *http.Request) {
						fakeprovider.ServeJSON(w, http.StatusOK,
							map[string]any{"access_token": "new", "token_type": "Bearer"})
					}
					c.Advance(tt.pause - time.Second)
					if tt.pause > 11*time.Second { // the token is over by now
						resp := second.get("/token")
						if resp.StatusCode != http.StatusServiceUnavailable || resp.Header.Get("Retry-After") != "1" ||
							!second.signedIn() {
							t.Errorf("status %d, Retry-After %q, signed in: %v; want 503, 1 and the session",
								resp.StatusCode, resp.Header.Get("Retry-After"), second.signedIn())
						}
					} else if tt.pause > time.Second {
						wantFetch(t, second, "/token", http.StatusOK, "access-token")
					}
					if p.Refreshes() != asked {
						t.Errorf("asked again after %s", tt.pause-time.Second)
					}
					c.Advance(time.Second)
					wantFetch(t, second, "/token", http.StatusOK, "new")
				})
		})
	}
}

// TestPauseAndClock sets the clock back during a pause: it does not last for hours.
func TestPauseAndClock(t *testing.T) {
	eachTokenMode(t, func(t *testing.T, p *fakeprovider.Provider, c *fakeprovider.Clock, mode func(*cognate.Config)) {
		c.Advance(time.Hour)
		x := newApp(t, p, mode)
		b := x.browser(t)
		b.signIn(p)
		c.Advance(2 * time.Hour)
		p.ServeRefresh = answerWith(http.StatusTooManyRequests, "")
		b.get("/token")
		p.ServeRefresh = nil
		c.Advance(-time.Hour)
		wantFetch(t, b, "/token", http.StatusOK, "access-2")
	})
}

// TestTooManySignIns tells a visitor when to come again.
func TestTooManySignIns(t *testing.T) {
	p := fakeprovider.New(t)
	p.ServeToken = func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "7")
		answerWith(http.StatusTooManyRequests, `{"error":"invalid_grant"}`)(w, nil)
	}
	resp := newApp(t, p, nil).browser(t).signIn(p)
	if got := resp.Header.Get("Retry-After"); resp.StatusCode != http.StatusBadGateway || got != "7" {
		t.Errorf("status %d, Retry-After %q; want 502 and 7", resp.StatusCode, got)
	}
}

// revoked gives a provider a revocation endpoint, and returns what it was asked to forget.
func revoked(p *fakeprovider.Provider, answer func(w http.ResponseWriter, r *http.Request)) func() []string {
	var mu sync.Mutex
	var tokens []string
	inner := p.Config.Handler
	p.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/revoke" {
			inner.ServeHTTP(w, r)
			return
		}
		mu.Lock()
		tokens = append(tokens, r.PostFormValue("token"))
		mu.Unlock()
		if answer != nil {
			answer(w, r)
		}
	})
	p.EditDiscovery = func(d map[string]any) { d["revocation_endpoint"] = p.URL + "/revoke" }
	return func() []string {
		mu.Lock()
		defer mu.Unlock()
		return slices.Clone(tokens)
	}
}

// TestUnusedTokensAreRevoked takes back the refresh token of a sign-in that comes to nothing.
func TestUnusedTokensAreRevoked(t *testing.T) {
	veto := errors.New("no")
	for name, tt := range map[string]struct {
		change func(*fakeprovider.Provider, *cognate.Config)
		want   []string
	}{
		"signed in": {func(*fakeprovider.Provider, *cognate.Config) {}, nil},
		"rule": {func(_ *fakeprovider.Provider, c *cognate.Config) {
			c.LoginRules = []cognate.Rule{cognate.Group("gods")}
		}, []string{"refresh-0"}},
		"hook": {func(_ *fakeprovider.Provider, c *cognate.Config) {
			c.Hooks.OnLogin = func(context.Context, cognate.LoginEvent) error { return veto }
		}, []string{"refresh-0"}},
		"e-mail": {func(p *fakeprovider.Provider, c *cognate.Config) {
			c.RequireVerifiedEmail = true
			p.EditClaims = func(c map[string]any) { c["email_verified"] = false }
		}, []string{"refresh-0"}},
		"too large": {func(p *fakeprovider.Provider, c *cognate.Config) {
			p.EditClaims = func(c map[string]any) { c["custom:tier"] = strings.Repeat("x", 70_000) }
		}, []string{"refresh-0"}},
		"ID token": {func(p *fakeprovider.Provider, _ *cognate.Config) {
			p.EditClaims = func(c map[string]any) { c["nonce"] = "x" }
		}, []string{"refresh-0"}},
		"no ID token": {func(p *fakeprovider.Provider, _ *cognate.Config) {
			p.EditTokenResponse = func(r map[string]any) { delete(r, "id_token") }
		}, []string{"refresh-0"}},
		"userInfo": {func(p *fakeprovider.Provider, c *cognate.Config) {
			c.UserInfo = cognate.UserInfoAlways
			p.ServeUserInfo = answerWith(500, "")
		}, []string{"refresh-0"}},
		"no refresh token": {func(p *fakeprovider.Provider, c *cognate.Config) {
			p.EditTokenResponse = func(r map[string]any) { delete(r, "refresh_token") }
			c.LoginRules = []cognate.Rule{cognate.Group("gods")}
		}, nil},
		"code refused": {func(p *fakeprovider.Provider, _ *cognate.Config) {
			p.ServeToken = answerWith(400, `{"error":"invalid_grant"}`)
		}, nil},
		"store": {func(_ *fakeprovider.Provider, c *cognate.Config) {
			store := &flakyStore{Store: sessionstore.NewMemory(0)}
			c.Session.Store = store
			c.Hooks.OnLogin = func(context.Context, cognate.LoginEvent) error { store.down.Store(true); return nil }
		}, []string{"refresh-0"}},
		"nowhere": {func(p *fakeprovider.Provider, c *cognate.Config) {
			p.EditDiscovery = nil
			c.LoginRules = []cognate.Rule{cognate.Group("gods")}
		}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			p := fakeprovider.New(t)
			got := revoked(p, nil)
			x := newApp(t, p, func(c *cognate.Config) { tt.change(p, c) })
			b := x.browser(t)
			resp := b.signIn(p)
			if refused := resp.StatusCode >= 400; refused == (name == "signed in") || !slices.Equal(got(), tt.want) {
				t.Errorf("status %d, revoked %q, want %q", resp.StatusCode, got(), tt.want)
			}
			if log := x.log.String(); strings.Contains(log, "not revoked") || strings.Contains(log, "refresh-0") {
				t.Errorf("log:\n%s", log)
			}
		})
	}
}

// TestRevokedBeforeThePage takes it back although what the app does about the refusal panics, as
// handlers may that give up the connection.
func TestRevokedBeforeThePage(t *testing.T) {
	for name, change := range map[string]func(*cognate.Config){
		"hook": func(c *cognate.Config) {
			c.Hooks.OnLoginError = func(context.Context, *cognate.Error) { panic(http.ErrAbortHandler) }
		},
		"handler": func(c *cognate.Config) {
			c.ErrorHandler = func(http.ResponseWriter, *http.Request, *cognate.Error) { panic(http.ErrAbortHandler) }
		},
	} {
		t.Run(name, func(t *testing.T) {
			p := fakeprovider.New(t)
			got := revoked(p, nil)
			b := newApp(t, p, func(c *cognate.Config) {
				c.LoginRules = []cognate.Rule{cognate.Group("gods")}
				change(c)
			}).browser(t)
			func() {
				defer func() { _ = recover() }()
				b.signIn(p)
				t.Error("nothing panicked")
			}()
			if !slices.Equal(got(), []string{"refresh-0"}) {
				t.Errorf("revoked %q, want the refresh token", got())
			}
		})
	}
}

// TestSlowRevocation holds up the page of a refusal for two seconds at most.
func TestSlowRevocation(t *testing.T) {
	fakeprovider.InVirtualTime(t, func(t *testing.T, p *fakeprovider.Provider) {
		revoked(p, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
		x := newApp(t, p, func(c *cognate.Config) {
			c.LoginRules = []cognate.Rule{cognate.Group("gods")}
		})
		start := time.Now()
		resp := x.browser(t).signIn(p)
		if took := time.Since(start); resp.StatusCode != http.StatusForbidden || took > 2*time.Second {
			t.Errorf("status %d after %s, want 403 after two seconds at most", resp.StatusCode, took)
		}
		if !strings.Contains(x.log.String(), "not revoked") {
			t.Errorf("log:\n%s", x.log)
		}
	})
}

// TestRefusedRefreshIsRevoked takes back what a refresh brought that ends the session; one that
// the provider refused has brought nothing.
func TestRefusedRefreshIsRevoked(t *testing.T) {
	for name, tt := range map[string]struct {
		change func(*fakeprovider.Provider)
		want   []string
	}{
		"another subject": {func(p *fakeprovider.Provider) {
			p.EditClaims = func(c map[string]any) { c["sub"] = "user-2" }
		}, []string{"refresh-1"}},
		"the provider": {func(p *fakeprovider.Provider) {
			p.ServeRefresh = answerWith(400, `{"error":"invalid_grant"}`)
		}, nil},
		"unreachable": {func(p *fakeprovider.Provider) { p.ServeRefresh = answerWith(500, "") }, nil},
	} {
		t.Run(name, func(t *testing.T) {
			eachTokenMode(t,
				func(t *testing.T, p *fakeprovider.Provider, c *fakeprovider.Clock, mode func(*cognate.Config)) {
					p.Rotate = true
					got := revoked(p, nil)
					b := newApp(t, p, mode).browser(t)
					b.signIn(p)
					tt.change(p)
					c.Advance(time.Hour)
					b.get("/token")
					if !slices.Equal(got(), tt.want) {
						t.Errorf("revoked %q, want %q", got(), tt.want)
					}
				})
		})
	}
}

// TestRevokeWhatComesTooLate signs out while the provider rotates the refresh token: both the
// old one and its successor are revoked, and so is the successor of a spent one that an answer
// under way put back.
func TestRevokeWhatComesTooLate(t *testing.T) {
	for name, tt := range map[string]struct {
		mode      string
		elsewhere bool // signs out in another process
	}{"cookies": {"cookies", false}, "store": {"store", false}, "store, elsewhere": {"store", true}} {
		t.Run(name, func(t *testing.T) {
			p, c, mode := fakeprovider.New(t), fakeprovider.NewClock(), tokenModes[tt.mode]
			p.Now, p.AccessLife, p.Rotate = c.Now, 300, true
			got := revoked(p, nil)
			var store sessionstore.Store
			configure := func(cfg *cognate.Config) {
				mode(cfg)
				cfg.RevokeOnLogout = true
				if store != nil {
					cfg.Session.Store = store
				}
				store = cfg.Session.Store
			}
			x := newApp(t, p, configure)
			other := x
			if tt.elsewhere {
				other = newApp(t, p, configure)
			}
			b := x.browser(t)
			b.signIn(p)
			c.Advance(time.Hour)
			cookies := b.jar.Cookies(appURL)
			asked, goOn := make(chan bool), make(chan bool)
			p.EditRefreshResponse = func(map[string]any) { close(asked); <-goOn }
			done := make(chan string)
			go func() { done <- fetchWith(t, x.handler, "/token", cookies) }()
			<-asked
			b.app = other
			b.request(http.MethodPost, "/logout")
			close(goOn)
			if answer := <-done; !strings.HasPrefix(answer, "302") ||
				!slices.Equal(got(), []string{"refresh-0", "refresh-1"}) {
				t.Errorf("got %.60s; revoked %q, want refresh-0 and refresh-1", answer, got())
			}
		})
	}
	t.Run("put back", func(t *testing.T) {
		p, c := fakeprovider.New(t), fakeprovider.NewClock()
		p.Now, p.AccessLife, p.Rotate = c.Now, 300, true
		got := revoked(p, nil)
		b := newApp(t, p,
			func(cfg *cognate.Config) { cfg.Session.TokensInCookie, cfg.RevokeOnLogout = true, true }).browser(t)
		b.signIn(p)
		old := b.jar.Cookies(appURL)
		for range 2 {
			c.Advance(time.Hour)
			b.get("/token")
		}
		b.jar.SetCookies(appURL, old)
		b.request(http.MethodPost, "/logout")
		if !slices.Equal(got(), []string{"refresh-2"}) {
			t.Errorf("revoked %q, want refresh-2", got())
		}
	})
}
