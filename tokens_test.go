package cognate_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/cognate-auth/cognate"
	"github.com/cognate-auth/cognate/internal/fakeprovider"
	"github.com/cognate-auth/cognate/sessionstore"
)

// tokenModes are the two places where tokens are kept.
var tokenModes = map[string]func(*cognate.Config){
	"cookies": func(c *cognate.Config) { c.Session.TokensInCookie = true },
	"store":   func(c *cognate.Config) { c.Session.Store = newMemoryStore(c.Now) },
}

func newMemoryStore(now func() time.Time) *sessionstore.Memory {
	s := sessionstore.NewMemory(0)
	s.Now = now
	return s
}

// eachTokenMode runs a test with the tokens in cookies and with a store. The access tokens
// live for five minutes.
func eachTokenMode(t *testing.T,
	run func(t *testing.T, p *fakeprovider.Provider, c *fakeprovider.Clock, configure func(*cognate.Config))) {
	t.Helper()
	for name, mode := range tokenModes {
		t.Run(name, func(t *testing.T) {
			p, c := fakeprovider.New(t), fakeprovider.NewClock()
			p.Now, p.AccessLife = c.Now, 300
			run(t, p, c, mode)
		})
	}
}

// eachTokenModeVirtually is eachTokenMode in virtual time. The clock of the pages is still
// the one that the test moves.
func eachTokenModeVirtually(t *testing.T,
	run func(t *testing.T, p *fakeprovider.Provider, c *fakeprovider.Clock, configure func(*cognate.Config))) {
	t.Helper()
	for name, mode := range tokenModes {
		t.Run(name, func(t *testing.T) {
			fakeprovider.InVirtualTime(t, func(t *testing.T, p *fakeprovider.Provider) {
				c := fakeprovider.NewClock()
				p.Now, p.AccessLife = c.Now, 300
				run(t, p, c, mode)
			})
		})
	}
}

// fetch is the status and body of one request.
func (b *browser) fetch(path string, headers ...string) (int, string) {
	b.t.Helper()
	resp := b.get(path, headers...)
	return resp.StatusCode, body(b.t, resp)
}

func wantFetch(t *testing.T, b *browser, path string, status int, text string) {
	t.Helper()
	gotStatus, gotText := b.fetch(path)
	if gotStatus != status || !strings.Contains(gotText, text) {
		t.Errorf("%s: status %d, %.200q; want %d, %q", path, gotStatus, gotText, status, text)
	}
}

// TestAccessToken gives the handler the token of the sign-in, and after it has expired a new
// one.
func TestAccessToken(t *testing.T) {
	eachTokenMode(t, func(t *testing.T, p *fakeprovider.Provider, c *fakeprovider.Clock, mode func(*cognate.Config)) {
		b := newApp(t, p, mode).browser(t)
		b.signIn(p)
		wantFetch(t, b, "/token", http.StatusOK, "access-token")
		c.Advance(4 * time.Minute)
		wantFetch(t, b, "/token", http.StatusOK, "access-token")
		if n := p.Refreshes(); n != 0 {
			t.Errorf("%d refreshes of a token that is good", n)
		}
		c.Advance(45 * time.Second) // a tenth of its life before the end
		wantFetch(t, b, "/token", http.StatusOK, "access-1")
		c.Advance(time.Minute)
		wantFetch(t, b, "/token", http.StatusOK, "access-1")
		if n := p.Refreshes(); n != 1 {
			t.Errorf("%d refreshes, want 1", n)
		}
	})
}

// TestRefreshRequest looks at what the token endpoint is sent.
func TestRefreshRequest(t *testing.T) {
	eachTokenMode(t, func(t *testing.T, p *fakeprovider.Provider, c *fakeprovider.Clock, mode func(*cognate.Config)) {
		b := newApp(t, p, mode).browser(t)
		b.signIn(p)
		c.Advance(time.Hour)
		b.get("/token")
		r := p.TokenRequests()[len(p.TokenRequests())-1]
		if got := r.PostForm; got.Get("grant_type") != "refresh_token" ||
			got.Get("refresh_token") != "refresh-0" || len(got) != 2 {
			t.Errorf("sent %v", got)
		}
		if id, secret, _ := r.BasicAuth(); id != clientID || secret == "" {
			t.Errorf("client authentication as %q", id)
		}
	})
}

// TestPrivatePageNeedsNoToken leaves the tokens alone where nobody asks for them.
func TestPrivatePageNeedsNoToken(t *testing.T) {
	eachTokenMode(t, func(t *testing.T, p *fakeprovider.Provider, c *fakeprovider.Clock, mode func(*cognate.Config)) {
		b := newApp(t, p, mode).browser(t)
		b.signIn(p)
		c.Advance(time.Hour)
		if resp := b.get("/private/style.css"); resp.StatusCode != http.StatusOK || p.Refreshes() != 0 {
			t.Errorf("status %d after %d refreshes, want 200 after none", resp.StatusCode, p.Refreshes())
		}
	})
}

// TestRotatedRefreshTokens follows a provider that gives a new refresh token each time.
func TestRotatedRefreshTokens(t *testing.T) {
	eachTokenMode(t, func(t *testing.T, p *fakeprovider.Provider, c *fakeprovider.Clock, mode func(*cognate.Config)) {
		p.Rotate = true
		b := newApp(t, p, mode).browser(t)
		b.signIn(p)
		for i := 1; i <= 3; i++ {
			c.Advance(10 * time.Minute)
			wantFetch(t, b, "/token", http.StatusOK, fmt.Sprintf("access-%d", i))
		}
	})
}

// TestParallelRefresh sends fifty requests with an expired token: one refresh, and all
// succeed, also those that come with the old cookies afterwards.
func TestParallelRefresh(t *testing.T) {
	eachTokenMode(t, func(t *testing.T, p *fakeprovider.Provider, c *fakeprovider.Clock, mode func(*cognate.Config)) {
		p.Rotate = true
		x := newApp(t, p, mode)
		b := x.browser(t)
		b.signIn(p)
		c.Advance(time.Hour)
		cookies := b.jar.Cookies(appURL)
		parallel(50, func(int) {
			if got := fetchWith(t, x.handler, "/token", cookies); got != "200 access-1" {
				t.Errorf("got %s, want the new token", got)
			}
		})
		if got := fetchWith(t, x.handler, "/token", cookies); got != "200 access-1" || p.Refreshes() != 1 {
			t.Errorf("later: %s after %d refreshes, want access-1 after 1", got, p.Refreshes())
		}
	})
}

func parallel(n int, f func(i int)) {
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { f(i) })
	}
	wg.Wait()
}

// fetchWith sends one request with the cookies, and returns status and body.
func fetchWith(t *testing.T, h http.Handler, path string, cookies []*http.Cookie) string {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, appOrigin+path, nil)
	for _, c := range cookies {
		r.AddCookie(c)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return fmt.Sprintf("%d %s", w.Code, w.Body)
}

// TestRefreshAcrossProcesses lets three processes that share a store refresh at once.
func TestRefreshAcrossProcesses(t *testing.T) {
	p, c := fakeprovider.New(t), fakeprovider.NewClock()
	p.Now, p.AccessLife, p.Rotate = c.Now, 300, true
	store := newMemoryStore(c.Now)
	var handlers []http.Handler
	var b *browser
	for range 3 {
		x := newApp(t, p, func(cfg *cognate.Config) { cfg.Session.Store = store })
		handlers = append(handlers, x.handler)
		if b == nil {
			b = x.browser(t)
			b.signIn(p)
		}
	}
	for round := 1; round <= 3; round++ {
		c.Advance(time.Hour / 2)
		cookies := b.jar.Cookies(appURL)
		want := fmt.Sprintf("200 access-%d", round)
		parallel(30, func(i int) {
			if got := fetchWith(t, handlers[i%3], "/token", cookies); got != want {
				t.Errorf("process %d: %s, want %s", i%3, got, want)
			}
		})
	}
	if p.Refreshes() != 3 {
		t.Errorf("%d refreshes in three rounds", p.Refreshes())
	}
}

// TestRefreshFailures is what a provider may answer a refresh with. What says nothing about
// the session ends nothing.
func TestRefreshFailures(t *testing.T) {
	answer := func(status int, v any) func(http.ResponseWriter, *http.Request) {
		return func(w http.ResponseWriter, _ *http.Request) { fakeprovider.ServeJSON(w, status, v) }
	}
	for _, tt := range []struct {
		name   string
		change func(*fakeprovider.Provider)
		ends   bool
	}{
		{"500", func(p *fakeprovider.Provider) { p.ServeRefresh = answer(500, map[string]any{}) }, false},
		{"503 with a grant error",
			func(p *fakeprovider.Provider) { p.ServeRefresh = answer(503, map[string]any{"error": "invalid_grant"}) },
			false},
		{"no connection", func(p *fakeprovider.Provider) {
			p.ServeRefresh = func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }
		}, false},
		{"timeout", func(p *fakeprovider.Provider) {
			p.ServeRefresh = func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }
		}, false},
		{"HTML", func(p *fakeprovider.Provider) {
			p.ServeRefresh = func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("<html>")) }
		}, false},
		{"client refused", func(p *fakeprovider.Provider) {
			p.ServeRefresh = answer(401, map[string]any{"error": "invalid_client"})
		}, false},
		{"refused",
			func(p *fakeprovider.Provider) { p.ServeRefresh = answer(400, map[string]any{"error": "invalid_grant"}) },
			true},
		{"another subject",
			func(p *fakeprovider.Provider) { p.EditClaims = func(c map[string]any) { c["sub"] = "user-2" } }, true},
		{"another issuer", func(p *fakeprovider.Provider) {
			p.EditClaims = func(c map[string]any) { c["iss"] = "https://evil.test" }
		}, true},
		{"another audience",
			func(p *fakeprovider.Provider) { p.EditClaims = func(c map[string]any) { c["aud"] = "client-2" } }, true},
		{"a nonce that is a number",
			func(p *fakeprovider.Provider) { p.EditClaims = func(c map[string]any) { c["nonce"] = 1 } }, true},
		{"another authorized party",
			func(p *fakeprovider.Provider) { p.EditClaims = func(c map[string]any) { c["azp"] = "client-2" } }, true},
		{"a foreign nonce",
			func(p *fakeprovider.Provider) { p.EditClaims = func(c map[string]any) { c["nonce"] = "x" } }, true},
		{"expired ID token",
			func(p *fakeprovider.Provider) { p.EditClaims = func(c map[string]any) { c["exp"] = 1 } }, true},
		{"foreign signature", func(p *fakeprovider.Provider) { p.Sign = signedByStranger }, true},
		{"another access token's hash", func(p *fakeprovider.Provider) {
			p.EditClaims = func(c map[string]any) { c["at_hash"] = fakeprovider.AccessTokenHash("x") }
		}, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			eachTokenModeVirtually(t,
				func(t *testing.T, p *fakeprovider.Provider, c *fakeprovider.Clock, mode func(*cognate.Config)) {
					var ended []cognate.LogoutReason
					b := newApp(t, p, func(cfg *cognate.Config) {
						mode(cfg)
						cfg.Hooks.OnLogout = func(_ context.Context, e cognate.LogoutEvent) {
							ended = append(ended, e.Reason)
						}
					}).browser(t)
					b.signIn(p)
					tt.change(p)
					c.Advance(time.Hour)
					resp := b.get("/token?page=3", "Sec-Fetch-Mode", "navigate")
					if !tt.ends {
						if resp.StatusCode != http.StatusServiceUnavailable &&
							resp.StatusCode != http.StatusBadGateway || !b.signedIn() || len(ended) != 0 {
							t.Errorf("status %d, signed in: %v, ended %v; want 502 or 503 and the session",
								resp.StatusCode, b.signedIn(), ended)
						}
						if resp.Header.Get("Retry-After") == "" {
							t.Error("no Retry-After")
						}
						return
					}
					if resp.StatusCode != http.StatusFound || b.signedIn() || len(ended) != 1 ||
						ended[0] != cognate.LogoutRefused {
						t.Errorf("status %d, signed in: %v, ended %v; want a redirect to sign in", resp.StatusCode,
							b.signedIn(), ended)
					}
					p.EditClaims, p.ServeRefresh, p.Sign = nil, nil, nil
					resp = b.get("/oidc_callback?" + p.SignIn(t, resp.Header.Get("Location")).Encode())
					if got := resp.Header.Get("Location"); got != "/token?page=3" {
						t.Errorf("comes back to %q", got)
					}
				})
		})
	}
}

// TestRefreshRefusedForScripts answers a script with 401 instead of a redirect.
func TestRefreshRefusedForScripts(t *testing.T) {
	eachTokenMode(t, func(t *testing.T, p *fakeprovider.Provider, c *fakeprovider.Clock, mode func(*cognate.Config)) {
		b := newApp(t, p, mode).browser(t)
		b.signIn(p)
		p.ServeRefresh = func(w http.ResponseWriter, _ *http.Request) {
			fakeprovider.ServeJSON(w, http.StatusBadRequest, map[string]any{"error": "invalid_grant"})
		}
		c.Advance(time.Hour)
		resp := b.get("/token", "Sec-Fetch-Mode", "cors")
		if text := body(t, resp); resp.StatusCode != http.StatusUnauthorized ||
			!strings.Contains(text, "login_required") {
			t.Errorf("status %d, %s", resp.StatusCode, text)
		}
		if c := resp.Cookies(); len(c) != 0 { // it may come after a sign-in in another tab
			t.Errorf("cookies %v", c)
		}
	})
}

// TestRefreshFailureNearExpiry uses the old token as long as it is good.
func TestRefreshFailureNearExpiry(t *testing.T) {
	eachTokenMode(t, func(t *testing.T, p *fakeprovider.Provider, c *fakeprovider.Clock, mode func(*cognate.Config)) {
		b := newApp(t, p, mode).browser(t)
		b.signIn(p)
		p.ServeRefresh = func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) }
		c.Advance(280 * time.Second)
		wantFetch(t, b, "/token", http.StatusOK, "access-token")
		wantFetch(t, b, "/token", http.StatusOK, "access-token")
		if p.Refreshes() != 1 {
			t.Errorf("%d attempts, want a pause after the first", p.Refreshes())
		}
		c.Advance(time.Minute)
		p.ServeRefresh = nil
		wantFetch(t, b, "/token", http.StatusOK, "access-2")
	})
}

// TestSparseRefresh is a refresh that gives less than everything.
func TestSparseRefresh(t *testing.T) {
	for _, tt := range []struct {
		name   string
		lacks  string
		check  time.Duration // later
		wanted string
	}{
		{"no ID token", "id_token", time.Minute, "access-1"},
		{"no refresh token", "refresh_token", time.Hour, "access-2"},
		{"no life", "expires_in", 6 * time.Hour, "access-1"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			eachTokenMode(t,
				func(t *testing.T, p *fakeprovider.Provider, c *fakeprovider.Clock, mode func(*cognate.Config)) {
					p.EditRefreshResponse = func(r map[string]any) { delete(r, tt.lacks) }
					b := newApp(t, p, mode).browser(t)
					b.signIn(p)
					c.Advance(time.Hour)
					wantFetch(t, b, "/token", http.StatusOK, "access-1")
					c.Advance(tt.check)
					wantFetch(t, b, "/token", http.StatusOK, tt.wanted)
					if u := b.user(); u == nil || u.Email != "ann@example.com" {
						t.Errorf("user %+v", u)
					}
				})
		})
	}
}

// TestNoRefreshToken ends a session whose token has expired for good.
func TestNoRefreshToken(t *testing.T) {
	eachTokenMode(t, func(t *testing.T, p *fakeprovider.Provider, c *fakeprovider.Clock, mode func(*cognate.Config)) {
		p.EditTokenResponse = func(r map[string]any) { delete(r, "refresh_token") }
		b := newApp(t, p, mode).browser(t)
		b.signIn(p)
		c.Advance(290 * time.Second)
		wantFetch(t, b, "/token", http.StatusOK, "access-token")
		c.Advance(time.Minute)
		if status, text := b.fetch("/token", "Sec-Fetch-Mode", "cors"); status != http.StatusUnauthorized ||
			!strings.Contains(text, "login_required") {
			t.Errorf("a script: status %d, %s", status, text)
		}
		b.signIn(p)
		c.Advance(time.Hour)
		resp := b.get("/token?page=3")
		if resp.StatusCode != http.StatusFound || b.signedIn() || p.Refreshes() != 0 {
			t.Errorf("status %d, signed in: %v", resp.StatusCode, b.signedIn())
		}
		resp = b.get("/oidc_callback?" + p.SignIn(t, resp.Header.Get("Location")).Encode())
		if got := resp.Header.Get("Location"); got != "/token?page=3" {
			t.Errorf("comes back to %q", got)
		}
	})
}

// TestRefreshedUser takes over what the new ID token says about the user.
func TestRefreshedUser(t *testing.T) {
	eachTokenMode(t, func(t *testing.T, p *fakeprovider.Provider, c *fakeprovider.Clock, mode func(*cognate.Config)) {
		b := newApp(t, p, mode).browser(t)
		b.signIn(p)
		p.EditClaims = func(c map[string]any) { c["email"], c["custom:tier"] = "ann@new.example", "silver" }
		c.Advance(time.Hour)
		b.get("/token")
		if u := b.user(); u == nil || u.Email != "ann@new.example" || u.Claim("custom:tier") != "silver" ||
			u.Claim("name") != nil {
			t.Errorf("user %+v", u)
		}
	})
}

// TestRefreshedUserIsRefused ends the session of a user who might not sign in today.
func TestRefreshedUserIsRefused(t *testing.T) {
	eachTokenMode(t, func(t *testing.T, p *fakeprovider.Provider, c *fakeprovider.Clock, mode func(*cognate.Config)) {
		b := newApp(t, p, func(cfg *cognate.Config) {
			mode(cfg)
			cfg.RequireVerifiedEmail = true
		}).browser(t)
		b.signIn(p)
		p.EditClaims = func(c map[string]any) { c["email_verified"] = false }
		c.Advance(time.Hour)
		if status, _ := b.fetch("/token"); status != http.StatusFound || b.signedIn() {
			t.Errorf("status %d, signed in: %v", status, b.signedIn())
		}
	})
}

// TestRefreshWithoutKeys keeps a rotated refresh token although the ID token that came with
// it can't be checked for now.
func TestRefreshWithoutKeys(t *testing.T) {
	eachTokenMode(t, func(t *testing.T, p *fakeprovider.Provider, c *fakeprovider.Clock, mode func(*cognate.Config)) {
		p.Rotate = true
		b := newApp(t, p, mode).browser(t)
		b.signIn(p)
		p.KeyID, p.Down = "key/2", true // discovery and keys
		c.Advance(time.Hour / 2)
		if status, _ := b.fetch("/token"); status != http.StatusServiceUnavailable || !b.signedIn() {
			t.Errorf("status %d, signed in: %v; want 503 and the session", status, b.signedIn())
		}
		p.Down = false
		c.Advance(5 * time.Minute)
		wantFetch(t, b, "/token", http.StatusOK, "access-2")
	})
}

// TestRefreshHook may look at new tokens, or end the session.
func TestRefreshHook(t *testing.T) {
	eachTokenMode(t, func(t *testing.T, p *fakeprovider.Provider, c *fakeprovider.Clock, mode func(*cognate.Config)) {
		var veto error
		var seen []cognate.RefreshEvent
		b := newApp(t, p, func(cfg *cognate.Config) {
			mode(cfg)
			cfg.Hooks.OnRefresh = func(_ context.Context, e cognate.RefreshEvent) error {
				seen = append(seen, e)
				return veto
			}
		}).browser(t)
		b.signIn(p)
		c.Advance(time.Hour)
		wantFetch(t, b, "/token", http.StatusOK, "access-1")
		if len(seen) != 1 || seen[0].User.Subject != "user-1" || !seen[0].Expires.Equal(c.Now().Add(5*time.Minute)) {
			t.Fatalf("the hook saw %+v", seen)
		}
		veto = errors.New("gone")
		c.Advance(time.Hour)
		if status, _ := b.fetch("/token"); status != http.StatusFound || b.signedIn() {
			t.Errorf("after a veto: status %d, signed in: %v", status, b.signedIn())
		}
	})
}

// TestTokensOfNobody is asking for a token where there is none.
func TestTokensOfNobody(t *testing.T) {
	p := fakeprovider.New(t)
	x := newApp(t, p, nil)
	_, err := x.auth.AccessToken(t.Context())
	expectError(t, err, cognate.ReasonNotSignedIn)
	b := x.browser(t)
	b.signIn(p)
	wantFetch(t, b, "/token", http.StatusInternalServerError, "sign-in service") // the app keeps no tokens
	other := newApp(t, p, tokenModes["store"])
	h := x.auth.RequireLogin(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, err = other.auth.AccessToken(r.Context())
	}))
	fetchWith(t, h, "/", b.jar.Cookies(appURL))
	expectError(t, err, cognate.ReasonNotSignedIn)
}

func expectError(t *testing.T, err error, reason cognate.Reason) {
	t.Helper()
	if e, ok := errors.AsType[*cognate.Error](err); !ok || e.Reason != reason {
		t.Errorf("error %v, want %s", err, reason)
	}
}

// TestTokenAfterTheAnswerBegan refuses to spend a refresh token whose successor could not be
// given to the browser. A store has no such trouble.
func TestTokenAfterTheAnswerBegan(t *testing.T) {
	eachTokenMode(t, func(t *testing.T, p *fakeprovider.Provider, c *fakeprovider.Clock, mode func(*cognate.Config)) {
		x := newApp(t, p, mode)
		b := x.browser(t)
		b.signIn(p)
		c.Advance(time.Hour)
		for name, begin := range map[string]func(w http.ResponseWriter){
			"write":  func(w http.ResponseWriter) { _, _ = w.Write([]byte("x")) },
			"header": func(w http.ResponseWriter) { w.WriteHeader(http.StatusOK) },
			"flush":  func(w http.ResponseWriter) { w.(http.Flusher).Flush() },
			"copy":   func(w http.ResponseWriter) { _, _ = strings.NewReader("x").WriteTo(w) },
			"response controller": func(w http.ResponseWriter) {
				_ = http.NewResponseController(w).Flush()
			},
		} {
			var err error
			h := x.auth.RequireLogin(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				begin(w)
				_, err = x.auth.AccessToken(r.Context())
			}))
			fetchWith(t, h, "/", b.jar.Cookies(appURL))
			if strings.HasSuffix(t.Name(), "store") {
				if err != nil {
					t.Errorf("%s: %v", name, err)
				}
				continue
			}
			expectError(t, err, cognate.ReasonResponseStarted)
		}
		if strings.HasSuffix(t.Name(), "cookies") && p.Refreshes() != 0 {
			t.Errorf("%d refreshes", p.Refreshes())
		}
	})
}

// TestTokenAfterTheRequest keeps the context of a request beyond its end.
func TestTokenAfterTheRequest(t *testing.T) {
	p, c := fakeprovider.New(t), fakeprovider.NewClock()
	p.Now, p.AccessLife = c.Now, 300
	x := newApp(t, p, tokenModes["cookies"])
	b := x.browser(t)
	b.signIn(p)
	c.Advance(time.Hour)
	var kept context.Context
	h := x.auth.RequireLogin(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { kept = r.Context() }))
	fetchWith(t, h, "/", b.jar.Cookies(appURL))
	_, err := x.auth.AccessToken(kept)
	expectError(t, err, cognate.ReasonResponseStarted)
}

// TestLogoutDuringRefresh lets a person sign out while the provider takes its time: the
// session stays ended.
func TestLogoutDuringRefresh(t *testing.T) {
	eachTokenMode(t, func(t *testing.T, p *fakeprovider.Provider, c *fakeprovider.Clock, mode func(*cognate.Config)) {
		x := newApp(t, p, mode)
		b := x.browser(t)
		b.signIn(p)
		c.Advance(time.Hour)
		cookies := b.jar.Cookies(appURL)
		asked, goOn := make(chan bool), make(chan bool)
		var once atomic.Bool
		p.EditRefreshResponse = func(map[string]any) {
			if once.CompareAndSwap(false, true) {
				close(asked)
				<-goOn
			}
		}
		done := make(chan string)
		go func() { done <- fetchWith(t, x.handler, "/token", cookies) }()
		<-asked
		b.request(http.MethodPost, "/logout")
		close(goOn)
		got := <-done
		if got != "200 access-1" && !strings.HasPrefix(got, "302") {
			t.Errorf("the request got %s", got)
		}
		if got := fetchWith(t, x.handler, "/token", cookies); !strings.HasPrefix(got, "302") {
			t.Errorf("after the sign-out the old cookies get %s", got)
		}
	})
}

// signedByStranger signs with a key that is not the provider's.
func signedByStranger(c jwt.MapClaims) string {
	return fakeprovider.SignRS256(fakeprovider.Keys()[1], "key/1+==", c)
}

// TestClient calls an API as the user, and follows no redirect elsewhere with the token.
func TestClient(t *testing.T) {
	eachTokenMode(t, func(t *testing.T, p *fakeprovider.Provider, _ *fakeprovider.Clock, mode func(*cognate.Config)) {
		var got []string
		record := func(w http.ResponseWriter, r *http.Request) {
			got = append(got, r.Host+r.URL.Path+" "+r.Header.Get("Authorization"))
		}
		elsewhere := httptest.NewServer(http.HandlerFunc(record))
		defer elsewhere.Close()
		api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			record(w, r)
			switch r.URL.Path {
			case "/here":
				http.Redirect(w, r, "/there", http.StatusFound)
			case "/away":
				http.Redirect(w, r, elsewhere.URL+"/trap", http.StatusFound)
			}
		}))
		defer api.Close()
		x := newApp(t, p, mode)
		b := x.browser(t)
		b.signIn(p)
		h := x.auth.RequireLogin(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			client := x.auth.Client(r.Context())
			for _, path := range []string{"/here", "/away"} {
				resp, err := client.Get(api.URL + path)
				if err != nil {
					t.Error(err)
					continue
				}
				_ = resp.Body.Close()
			}
			token, err := x.auth.TokenSource(r.Context()).Token()
			if err != nil || token.AccessToken != "access-token" || token.Expiry.IsZero() {
				t.Errorf("token %v, %v", token, err)
			}
		}))
		fetchWith(t, h, "/", b.jar.Cookies(appURL))
		host, other := strings.TrimPrefix(api.URL, "http://"), strings.TrimPrefix(elsewhere.URL, "http://")
		want := []string{
			host + "/here Bearer access-token", host + "/there Bearer access-token",
			host + "/away Bearer access-token", other + "/trap ",
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("got %q, want %q", got, want)
		}
	})
}

// TestClientWaitsNoLonger gives up on a token when the time of the call is over, and not when
// that of the request is.
func TestClientWaitsNoLonger(t *testing.T) {
	eachTokenModeVirtually(t,
		func(t *testing.T, p *fakeprovider.Provider, c *fakeprovider.Clock, mode func(*cognate.Config)) {
			x := newApp(t, p, mode)
			b := x.browser(t)
			b.signIn(p)
			c.Advance(time.Hour)
			release := make(chan bool)
			p.ServeRefresh = func(http.ResponseWriter, *http.Request) { <-release }
			var err error
			h := x.auth.RequireLogin(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				ctx, cancel := context.WithTimeout(r.Context(), 50*time.Millisecond)
				defer cancel()
				call, _ := http.NewRequestWithContext(ctx, http.MethodGet, "http://127.0.0.1:1/", nil)
				var resp *http.Response
				resp, err = x.auth.Client(r.Context()).Do(call)
				if err == nil {
					_ = resp.Body.Close()
				}
			}))
			fetchWith(t, h, "/", b.jar.Cookies(appURL))
			close(release)
			if !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("error %v, want the deadline's", err)
			}
		})
}

// TestTokenCookies tampers with the cookies that hold the tokens: whatever is not whole is
// nobody's token, and leads to a new sign-in.
func TestTokenCookies(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(cs, foreign []*http.Cookie) []*http.Cookie
		status string
	}{
		{"out of order", func(cs, _ []*http.Cookie) []*http.Cookie { slices.Reverse(cs); return cs }, "200"},
		{"changed",
			func(cs, _ []*http.Cookie) []*http.Cookie { cs[2].Value = flipAt(cs[2].Value, 100); return cs }, "302"},
		{"cut", func(cs, _ []*http.Cookie) []*http.Cookie { cs[2].Value = cs[2].Value[:1000]; return cs }, "302"},
		{"missing", func(cs, _ []*http.Cookie) []*http.Cookie { return slices.Delete(cs, 2, 3) }, "302"},
		{"first missing", func(cs, _ []*http.Cookie) []*http.Cookie { return slices.Delete(cs, 1, 2) }, "302"},
		{"swapped", func(cs, _ []*http.Cookie) []*http.Cookie {
			cs[2].Value, cs[3].Value = cs[3].Value, cs[2].Value
			return cs
		}, "302"},
		{"twice", func(cs, _ []*http.Cookie) []*http.Cookie { return append(cs, cs[2]) }, "302"},
		{"first twice", func(cs, _ []*http.Cookie) []*http.Cookie { return append(cs, cs[1]) }, "302"},
		{"fewer", func(cs, _ []*http.Cookie) []*http.Cookie { cs[1].Value = "2" + cs[1].Value[1:]; return cs }, "302"},
		{"more", func(cs, _ []*http.Cookie) []*http.Cookie { cs[1].Value = "5" + cs[1].Value[1:]; return cs }, "302"},
		{"more than allowed",
			func(cs, _ []*http.Cookie) []*http.Cookie { cs[1].Value = "9" + cs[1].Value[1:]; return cs }, "302"},
		{"oversized",
			func(cs, _ []*http.Cookie) []*http.Cookie { cs[2].Value = strings.Repeat("A", 1<<20); return cs }, "302"},
		{"of another session",
			func(cs, foreign []*http.Cookie) []*http.Cookie { return append(cs[:1], foreign[1:]...) }, "302"},
		{"as the identity", func(cs, _ []*http.Cookie) []*http.Cookie { cs[0].Value = cs[2].Value; return cs }, "302"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p, c := fakeprovider.New(t), fakeprovider.NewClock()
			p.Now = c.Now
			p.EditTokenResponse = func(r map[string]any) { r["refresh_token"] = strings.Repeat("r", 9000) }
			x := newApp(t, p, tokenModes["cookies"])
			cookies := func() []*http.Cookie {
				b := x.browser(t)
				b.signIn(p)
				list := b.sessionCookies()
				slices.SortFunc(list, func(a, b *http.Cookie) int { return strings.Compare(a.Name, b.Name) })
				if len(list) != 5 { // the identity, and 9 KB of tokens
					t.Fatalf("%d cookies: %v", len(list), b.cookies())
				}
				return list
			}
			mine, foreign := cookies(), cookies()
			c.Advance(time.Minute)
			if got := fetchWith(t, x.handler, "/token", tt.change(mine, foreign)); got[:3] != tt.status {
				t.Errorf("status %s, want %s", got[:3], tt.status)
			}
		})
	}
}

// TestLostTokens ends in a page, and not in sign-ins without end.
func TestLostTokens(t *testing.T) {
	p := fakeprovider.New(t)
	x := newApp(t, p, tokenModes["cookies"])
	b := x.browser(t)
	b.signIn(p)
	got := fetchWith(t, x.handler, "/token", []*http.Cookie{sessionCookie(t, b)})
	if !strings.HasPrefix(got, "500") {
		t.Errorf("got %.100s", got)
	}
	c := fakeprovider.NewClock()
	p.Now, p.AccessLife = c.Now, 1
	p.EditTokenResponse = func(r map[string]any) { delete(r, "refresh_token") }
	b = newApp(t, p, tokenModes["store"]).browser(t)
	b.signIn(p)
	c.Advance(2 * time.Second)
	wantFetch(t, b, "/token", http.StatusInternalServerError, "")
}

// TestLargeTokens drops what has no room, and says so: the raw ID token first.
func TestLargeTokens(t *testing.T) {
	for _, tt := range []struct {
		name         string
		access, id   int
		log          string
		hasToken     bool
		inCookieOnly bool
	}{
		{"12 KB", 4500, 4500, "", true, false},
		{"no room for the ID token", 9000, 12_000, "the raw ID token was left out", true, true},
		{"no room for the tokens", 18_000, 100, "the tokens were left out", false, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := fakeprovider.New(t)
			p.EditTokenResponse = func(r map[string]any) { r["access_token"] = strings.Repeat("a", tt.access) }
			p.EditClaims = func(c map[string]any) {
				c["pad"] = strings.Repeat("i", tt.id)
				delete(c, "at_hash")
			}
			x := newApp(t, p, tokenModes["cookies"])
			b := x.browser(t)
			b.signIn(p)
			status, text := b.fetch("/token")
			if (status == http.StatusOK) != tt.hasToken || tt.hasToken && len(text) != tt.access {
				t.Errorf("status %d, %d bytes", status, len(text))
			}
			if tt.log != "" && !strings.Contains(x.log.String(), tt.log) ||
				tt.log == "" && strings.Contains(x.log.String(), "left out") {
				t.Errorf("log: %s", x.log)
			}
			if !b.signedIn() {
				t.Error("not signed in")
			}
			store := newApp(t, p, tokenModes["store"])
			b = store.browser(t)
			b.signIn(p)
			if status, text := b.fetch("/token"); status != http.StatusOK || len(text) != tt.access {
				t.Errorf("in a store: status %d, %d bytes", status, len(text))
			}
		})
	}
}

// TestShrinkingTokens removes the chunks that an earlier sign-in left.
func TestShrinkingTokens(t *testing.T) {
	p := fakeprovider.New(t)
	p.EditTokenResponse = func(r map[string]any) { r["refresh_token"] = strings.Repeat("r", 9000) }
	b := newApp(t, p, tokenModes["cookies"]).browser(t)
	b.signIn(p)
	large := len(b.sessionCookies())
	p.EditTokenResponse = nil
	b.get("/oidc_callback?" + p.SignIn(t, loginAgain(b).Header.Get("Location")).Encode())
	if got := len(b.sessionCookies()); large != 5 || got != 2 {
		t.Errorf("%d cookies, then %d: %v; want 5, then 2", large, got, b.cookies())
	}
	wantFetch(t, b, "/token", http.StatusOK, "access-token")
}
