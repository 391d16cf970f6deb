package cognate_test

import (
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/cognate-auth/cognate"
	"github.com/cognate-auth/cognate/internal/fakeprovider"
	"github.com/cognate-auth/cognate/sessionstore"
)

// A roundTripper plays a browser while the provider's session is open: nobody is asked for
// anything, and every redirect is followed.
type roundTripper struct {
	*browser
	p *fakeprovider.Provider
	// cookies changes the Cookie header of each request.
	cookies func(path string, cookies []*http.Cookie) []*http.Cookie
	// apps answer in turn.
	apps []*app
	seen int
	// headers are sent with each request, in pairs.
	headers []string
}

// follow opens a page, and follows at most 25 redirects. It returns the last answer and how
// many sign-ins it took.
func (f *roundTripper) follow(path string) (resp *http.Response, signIns int) {
	f.t.Helper()
	before := len(f.p.TokenRequests())
	for range 25 {
		r := httptest.NewRequestWithContext(f.t.Context(), http.MethodGet, appOrigin+path, nil)
		for i := 0; i < len(f.headers); i += 2 {
			r.Header.Set(f.headers[i], f.headers[i+1])
		}
		cookies := f.jar.Cookies(appURL)
		if f.cookies != nil {
			cookies = f.cookies(path, cookies)
		}
		for _, c := range cookies {
			r.AddCookie(c)
		}
		w := httptest.NewRecorder()
		handler := f.app.handler
		if len(f.apps) > 0 {
			handler = f.apps[f.seen%len(f.apps)].handler
			f.seen++
		}
		handler.ServeHTTP(w, r)
		resp = w.Result()
		f.jar.SetCookies(appURL, resp.Cookies())
		location := resp.Header.Get("Location")
		switch {
		case location == "":
			return resp, len(f.p.TokenRequests()) - before
		case strings.HasPrefix(location, "/"):
			path = location
		default:
			path = "/oidc_callback?" + f.p.SignIn(f.t, location).Encode()
		}
	}
	return resp, len(f.p.TokenRequests()) - before
}

func isSession(c *http.Cookie) bool { return c.Name == "__Host-cognate" || c.Name == "cognate" }

// TestLoginLoop loses the session in each way, and ends on a page that says which; trying
// again, after it was mended, signs in.
func TestLoginLoop(t *testing.T) {
	lose := func(_ string, cookies []*http.Cookie) (kept []*http.Cookie) {
		for _, c := range cookies {
			if !isSession(c) && !strings.HasPrefix(c.Name, "__Host-cognate.") {
				kept = append(kept, c)
			}
		}
		return kept
	}
	keep := func(_ string, cookies []*http.Cookie) []*http.Cookie { return cookies }
	plant := func(path string, cookies []*http.Cookie) []*http.Cookie {
		if strings.HasPrefix(path, "/private") {
			cookies = append([]*http.Cookie{{Name: "__Host-cognate", Value: "planted"}}, cookies...)
		}
		return cookies
	}
	otherKeys := func(c *cognate.Config) { c.Keys = []cognate.Secret{cognate.Secret(strings.Repeat("o", 32))} }
	for _, tt := range []struct {
		name    string
		change  func(*cognate.Config)
		cookies func(path string, cookies []*http.Cookie) []*http.Cookie
		claims  func(map[string]any)
		reason  cognate.Reason
		page    string
	}{
		{"cookie blocked", nil, lose, nil, cognate.ReasonCookieBlocked, "doesn’t send this site’s cookie back"},
		{"cookie blocked, with a store", func(c *cognate.Config) { c.Session.Store = sessionstore.NewMemory(0) }, lose, nil,
			cognate.ReasonCookieBlocked, "doesn’t send this site’s cookie back"},
		{"cookies too large", nil, lose, func(m map[string]any) { m["custom:tier"] = strings.Repeat("x", 6000) },
			cognate.ReasonSessionTooLarge, "has more to it"},
		{"one of the cookies too large", nil, func(_ string, cookies []*http.Cookie) (kept []*http.Cookie) {
			for _, c := range cookies {
				if c.Name != "__Host-cognate.1" {
					kept = append(kept, c)
				}
			}
			return kept
		}, func(m map[string]any) { m["custom:tier"] = strings.Repeat("x", 6000) }, cognate.ReasonSessionTooLarge, "has more to it"},
		{"two of one name", nil, plant, nil, cognate.ReasonCookieTwice, "two cookies with the same name"},
		{"two of a further name", nil, func(path string, cookies []*http.Cookie) []*http.Cookie {
			if strings.HasPrefix(path, "/private") {
				cookies = append(cookies, &http.Cookie{Name: "__Host-cognate.1", Value: "planted"})
			}
			return cookies
		}, func(m map[string]any) { m["custom:tier"] = strings.Repeat("x", 6000) }, cognate.ReasonCookieTwice, "two cookies with the same name"},
		{"another app's", nil, func(path string, cookies []*http.Cookie) []*http.Cookie {
			for _, c := range cookies {
				if isSession(c) {
					c.Value = "another"
				}
			}
			return cookies
		}, nil, cognate.ReasonCookieUnknown, "doesn’t recognise the cookie"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := fakeprovider.New(t)
			p.EditClaims = tt.claims
			var got *cognate.Error
			x := newApp(t, p, func(c *cognate.Config) {
				if tt.change != nil {
					tt.change(c)
				}
			})
			f := &roundTripper{browser: x.browser(t), p: p, cookies: tt.cookies}
			resp, n := f.follow("/private/page?x=1")
			page := body(t, resp)
			if n != 3 || resp.StatusCode < 400 || !strings.Contains(page, tt.page) || !strings.Contains(x.log.String(), "reason="+string(tt.reason)) {
				t.Errorf("status %d after %d sign-ins, %v, want 3 and %s:\n%s\n%s", resp.StatusCode, n, got, tt.reason, page, x.log)
			}
			const again = "/login?return_to=%2Fprivate%2Fpage%3Fx%3D1"
			if !strings.Contains(page, `href="`+again+`"`) {
				t.Errorf("no way to try again:\n%s", page)
			}
			f.cookies = keep
			if resp, n = f.follow(again); resp.StatusCode != http.StatusOK || n > 1 {
				t.Errorf("mended: status %d after %d sign-ins", resp.StatusCode, n)
			}
		})
	}
	t.Run("processes that don't know each other's sessions", func(t *testing.T) {
		// One process begins and ends the sign-ins, the other one has the pages.
		p := fakeprovider.New(t)
		store := func(c *cognate.Config) { c.Session.Store = sessionstore.NewMemory(0) }
		first, second := newApp(t, p, store), newApp(t, p, store)
		pages := first.handler
		f := &roundTripper{browser: first.browser(t), p: p}
		first.handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if strings.HasPrefix(r.URL.Path, "/private") {
				second.handler.ServeHTTP(w, r)
				return
			}
			pages.ServeHTTP(w, r)
		})
		resp, n := f.follow("/private/")
		if n != 3 || !strings.Contains(second.log.String(), "reason=cookie_unknown") {
			t.Errorf("status %d after %d sign-ins:\n%s", resp.StatusCode, n, second.log)
		}
	})
	t.Run("processes with other keys", func(t *testing.T) {
		p := fakeprovider.New(t)
		first, second := newApp(t, p, nil), newApp(t, p, otherKeys)
		f := &roundTripper{browser: first.browser(t), p: p, apps: []*app{first, first, second}}
		if resp, n := f.follow("/private/"); n > 3 || resp.StatusCode < 400 {
			t.Errorf("status %d after %d sign-ins:\n%s%s", resp.StatusCode, n, first.log, second.log)
		}
	})
	t.Run("behind three processes", func(t *testing.T) {
		p := fakeprovider.New(t)
		clocks := []time.Duration{0, 20 * time.Second, -20 * time.Second}
		f := &roundTripper{p: p, cookies: lose}
		for _, d := range clocks {
			f.apps = append(f.apps, newApp(t, p, func(c *cognate.Config) { c.Now = func() time.Time { return time.Now().Add(d) } }))
		}
		f.browser = f.apps[0].browser(t)
		if resp, n := f.follow("/private/"); n != 3 || resp.StatusCode != http.StatusBadRequest {
			t.Errorf("status %d after %d sign-ins", resp.StatusCode, n)
		}
	})
}

// TestLoginLoopWithoutCookies takes every cookie out of the answers that end sign-ins, with
// those that count them.
func TestLoginLoopWithoutCookies(t *testing.T) {
	for name, mode := range map[string]func(*cognate.Config){
		"cookies":           func(*cognate.Config) {},
		"tokens in cookies": tokenModes["cookies"],
		"store":             func(c *cognate.Config) { c.Session.Store = sessionstore.NewMemory(0) },
	} {
		t.Run(name, func(t *testing.T) {
			p := fakeprovider.New(t)
			x := newApp(t, p, mode)
			inner, lost := x.handler, true
			x.handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				answer := httptest.NewRecorder()
				inner.ServeHTTP(answer, r)
				if lost && r.URL.Path == "/oidc_callback" {
					answer.Header().Del("Set-Cookie")
				}
				maps.Copy(w.Header(), answer.Header())
				w.WriteHeader(answer.Code)
				_, _ = w.Write(answer.Body.Bytes())
			})
			f := &roundTripper{browser: x.browser(t), p: p}
			if resp, n := f.follow("/private/page"); n != 3 || resp.StatusCode != http.StatusBadRequest || !strings.Contains(x.log.String(), "reason=cookie_blocked") {
				t.Errorf("status %d after %d sign-ins:\n%s", resp.StatusCode, n, x.log)
			}
			lost = false
			if resp, n := f.follow("/login?return_to=/private/page"); n != 1 || resp.StatusCode != http.StatusOK {
				t.Errorf("mended: status %d after %d sign-ins", resp.StatusCode, n)
			}
		})
	}
}

// TestStepUpLoop has pages that ask for one more sign-in than any provider would satisfy.
func TestStepUpLoop(t *testing.T) {
	for name, page := range map[string]func(x *app) http.HandlerFunc{
		"the page itself": func(x *app) http.HandlerFunc {
			return func(w http.ResponseWriter, r *http.Request) { x.auth.Login(w, r, cognate.ReturnTo("/strict")) }
		},
		"by another page": func(x *app) http.HandlerFunc {
			return func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/strict" {
					http.Redirect(w, r, "/step-up", http.StatusFound)
					return
				}
				x.auth.Login(w, r, cognate.Prompt("login"), cognate.ReturnTo("/strict"))
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			p := fakeprovider.New(t)
			x := newApp(t, p, nil)
			x.handler = x.auth.Handler(x.auth.RequireLogin(page(x)))
			f := &roundTripper{browser: x.browser(t), p: p}
			resp, n := f.follow("/strict")
			if text := body(t, resp); n != 3 || resp.StatusCode != http.StatusBadRequest || !strings.Contains(text, "You are signed in") ||
				!strings.Contains(x.log.String(), "reason=login_loop") {
				t.Errorf("status %d after %d sign-ins:\n%s\n%s", resp.StatusCode, n, text, x.log)
			}
		})
	}
}

// TestNoLoginLoop does what a person does, fast, and is never stopped.
func TestNoLoginLoop(t *testing.T) {
	t.Run("in and out", func(t *testing.T) {
		for name, out := range map[string]func(x *app, b *browser){
			"by the form": func(_ *app, b *browser) { b.request(http.MethodPost, "/logout") },
			"everywhere": func(x *app, b *browser) {
				b.get("/private/")
				_, err := x.auth.LogoutEverywhere(b.t.Context(), "user-1")
				if err != nil {
					b.t.Error(err)
				}
			},
		} {
			p := fakeprovider.New(t)
			x := newApp(t, p, func(c *cognate.Config) { c.Session.Store = sessionstore.NewMemory(0) })
			f := &roundTripper{browser: x.browser(t), p: p}
			for i := range 10 {
				if resp, n := f.follow("/private/"); resp.StatusCode != http.StatusOK || n != 1 {
					t.Fatalf("%s: status %d after %d sign-ins, the %dth time", name, resp.StatusCode, n, i+1)
				}
				out(x, f.browser)
			}
		}
	})
	t.Run("many tabs", func(t *testing.T) {
		p := fakeprovider.New(t)
		b := newApp(t, p, nil).browser(t)
		var callbacks []string
		for i := range 20 {
			callbacks = append(callbacks, "/oidc_callback?"+p.SignIn(t, b.get(fmt.Sprint("/private/", i)).Header.Get("Location")).Encode())
		}
		for i, path := range callbacks {
			if got := b.get(path).Header.Get("Location"); got != fmt.Sprint("/private/", i) {
				t.Errorf("tab %d returned to %q", i, got)
			}
			if resp := b.get(fmt.Sprint("/private/", i)); resp.StatusCode != http.StatusOK {
				t.Errorf("tab %d: status %d", i, resp.StatusCode)
			}
		}
	})
	t.Run("a page that wants a new sign-in, twice", func(t *testing.T) {
		p := fakeprovider.New(t)
		x := newApp(t, p, nil)
		f := &roundTripper{browser: x.browser(t), p: p}
		f.follow("/private/")
		for range 2 {
			b := f.browser
			b.get("/oidc_callback?" + p.SignIn(t, loginAgain(b).Header.Get("Location")).Encode())
			if resp := b.get("/private/"); resp.StatusCode != http.StatusOK {
				t.Errorf("status %d", resp.StatusCode)
			}
		}
	})
	t.Run("a lost session now and then", func(t *testing.T) {
		c := fakeprovider.NewClock()
		p := fakeprovider.New(t)
		p.Now = c.Now
		f := &roundTripper{browser: newApp(t, p, nil).browser(t), p: p}
		for range 10 {
			if resp, n := f.follow("/private/"); resp.StatusCode != http.StatusOK || n != 1 {
				t.Fatalf("status %d after %d sign-ins", resp.StatusCode, n)
			}
			f.jar.SetCookies(appURL, []*http.Cookie{{Name: "__Host-cognate", Path: "/", Secure: true, MaxAge: -1}})
			c.Advance(3 * time.Minute)
		}
	})
}

// TestForgedRow sends what is no count, and one of long ago.
func TestForgedRow(t *testing.T) {
	p := fakeprovider.New(t)
	now := time.Now().Unix()
	for value, stopped := range map[string]bool{
		fmt.Sprintf("3.%d.400", now):          true,
		fmt.Sprintf("4000000000.%d.400", now): true,
		fmt.Sprintf("2.%d.400", now):          false,
		fmt.Sprintf("3.%d.400", now-600):      false,
		fmt.Sprintf("3.%d.400", now+600):      false,
		fmt.Sprintf("3.%d", now):              false,
		fmt.Sprintf("3.%d.4.5", now):          false,
		"":                                    false,
		"x":                                   false,
		"-3.0.0":                              false,
		strings.Repeat("9", 4000):             false,
		"99999999999999999999.0.0":            false,
	} {
		resp := newApp(t, p, nil).browser(t).get("/private/", "Cookie", "__Host-cognate-tx-row="+value)
		if (resp.StatusCode == http.StatusBadRequest) != stopped {
			t.Errorf("%.40q: status %d", value, resp.StatusCode)
		}
	}
}

// TestOtherAddress begins a sign-in where its cookie does not come back from.
func TestOtherAddress(t *testing.T) {
	secure := []string{"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document"}
	for _, tt := range []struct {
		name        string
		from, to    string // hosts, as the app sees them
		start, back []string
		reason      cognate.Reason
	}{
		{"localhost and 127.0.0.1", "localhost:5000", "127.0.0.1:5000", nil, nil, cognate.ReasonOtherAddress},
		{"www", "www.app.test", "app.test", secure, secure, cognate.ReasonOtherAddress},
		{"http", "app.test", "app.test", nil, secure, cognate.ReasonOtherAddress},
		{"a proxy that changes the host", "backend:80", "backend:80", secure, secure, cognate.ReasonState},
		{"cookies blocked", "app.test", "app.test", secure, secure, cognate.ReasonState},
		{"cookies blocked, old browser", "app.test", "APP.test", nil, nil, cognate.ReasonState},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := fakeprovider.New(t)
			x := newApp(t, p, nil)
			host := tt.from
			inner := x.handler
			x.handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				r.Host, r.TLS = host, nil
				inner.ServeHTTP(w, r)
			})
			location := x.browser(t).get("/private/x", tt.start...).Header.Get("Location")
			host = tt.to
			resp := x.browser(t).get("/oidc_callback?"+p.SignIn(t, location).Encode(), tt.back...)
			page := body(t, resp)
			if resp.StatusCode != http.StatusBadRequest || !strings.Contains(x.log.String(), "reason="+string(tt.reason)+" ") ||
				!strings.Contains(page, `href="/login?return_to=%2Fprivate%2Fx"`) || len(p.TokenRequests()) != 0 ||
				strings.Contains(page, "another address") != (tt.reason == cognate.ReasonOtherAddress) ||
				strings.Contains(page, "blocks this site’s cookies") != (tt.reason == cognate.ReasonState) {
				t.Errorf("status %d:\n%s\n%s", resp.StatusCode, x.log, page)
			}
		})
	}
}
