package cognate_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/cognate-auth/cognate"
	"github.com/cognate-auth/cognate/internal/fakeprovider"
)

func TestLogout(t *testing.T) {
	get := func(c *cognate.Config) { c.AllowGETLogout = true }
	for _, tt := range []struct {
		name    string
		change  func(*cognate.Config)
		method  string
		headers []string
		status  int
		out     bool
	}{
		{"post from this site", nil, "POST", []string{"Sec-Fetch-Site", "same-origin"}, 303, true},
		{"post of an old browser", nil, "POST", []string{"Origin", appOrigin}, 303, true},
		{"post from another site", nil, "POST", []string{"Sec-Fetch-Site", "cross-site"}, 403, false},
		{"post from a sibling", nil, "POST", []string{"Sec-Fetch-Site", "same-site"}, 403, false},
		{"post with a foreign origin", nil, "POST", []string{"Origin", "https://evil.test"}, 403, false},
		{"get asks", nil, "GET", []string{"Sec-Fetch-Site", "same-origin"}, 200, false},
		{"get allowed, link", get, "GET", []string{"Sec-Fetch-Site", "same-origin"}, 303, true},
		{"get allowed, typed", get, "GET", []string{"Sec-Fetch-Site", "none"}, 303, true},
		{"get allowed, no browser", get, "GET", nil, 303, true},
		{"get allowed, from another site", get, "GET", []string{"Sec-Fetch-Site", "cross-site"}, 200, false},
		{"get allowed, from a sibling", get, "GET", []string{"Sec-Fetch-Site", "same-site"}, 200, false},
		{"get allowed, foreign referer", get, "GET", []string{"Referer", "https://evil.test/"}, 200, false},
		{"get allowed, look-alike referer", get, "GET", []string{"Referer", appOrigin + ".evil.test/"}, 200, false},
		{"get allowed, own referer", get, "GET", []string{"Referer", appOrigin + "/private/"}, 303, true},
		{"put", get, "PUT", nil, 405, false},
		{"head", get, "HEAD", nil, 405, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := fakeprovider.New(t)
			b := newApp(t, p, tt.change).browser(t)
			b.signIn(p)
			kept := b.jar.Cookies(appURL)
			resp := b.request(tt.method, "/logout", tt.headers...)
			if resp.StatusCode != tt.status || b.signedIn() == tt.out {
				t.Errorf("status %d, signed in: %v; want %d, %v", resp.StatusCode, b.signedIn(), tt.status, !tt.out)
			}
			if !tt.out {
				return
			}
			if len(b.cookies()) != 0 {
				t.Errorf("cookies %q are left", b.cookies())
			}
			thief := b.app.browser(t)
			thief.jar.SetCookies(appURL, kept)
			if thief.signedIn() {
				t.Error("a copy of the cookie still works")
			}
		})
	}
}

func TestLogoutAtTheProvider(t *testing.T) {
	for _, tt := range []struct {
		name   string
		setup  func(*fakeprovider.Provider)
		change func(*cognate.Config)
		want   string // after the provider's URL, or whole
	}{
		{"standard", nil, nil, "/end?client_id=client-1&post_logout_redirect_uri=https%3A%2F%2Fapp.test%2F"},
		{"cognito", nil, func(c *cognate.Config) { c.Dialect = cognate.CognitoDialect() },
			"/end?client_id=client-1&logout_uri=https%3A%2F%2Fapp.test%2F"},
		{
			"cognito, not in discovery", func(p *fakeprovider.Provider) {
				p.EditDiscovery = func(d map[string]any) { delete(d, "end_session_endpoint") }
			},
			func(c *cognate.Config) { c.Dialect = cognate.CognitoDialect() },
			"/logout?client_id=client-1&logout_uri=https%3A%2F%2Fapp.test%2F",
		},
		{
			"cognito, provider down", func(p *fakeprovider.Provider) { p.Down = true },
			func(c *cognate.Config) {
				c.Dialect = cognate.CognitoDialect()
				c.Endpoints.Authorization = c.Issuer + "/oauth2/authorize"
			}, "/logout?client_id=client-1&logout_uri=https%3A%2F%2Fapp.test%2F",
		},
		{
			"registered return address", nil, func(c *cognate.Config) { c.LogoutRedirectURL = "https://app.test" },
			"/end?client_id=client-1&post_logout_redirect_uri=https%3A%2F%2Fapp.test",
		},
		{
			"host as it is registered", nil,
			func(c *cognate.Config) { c.RedirectURL = "https://App.Test:443/oidc_callback" },
			"/end?client_id=client-1&post_logout_redirect_uri=https%3A%2F%2FApp.Test%3A443%2F",
		},
		{
			"endpoint with a query", func(p *fakeprovider.Provider) {
				p.EditDiscovery = func(d map[string]any) {
					d["end_session_endpoint"] = p.URL + "/end?client_id=evil&x=1"
				}
			}, nil, "/end?client_id=client-1&post_logout_redirect_uri=https%3A%2F%2Fapp.test%2F&x=1",
		},
		{
			"endpoint that names the client already, twice", nil, func(c *cognate.Config) {
				c.Endpoints.EndSession = c.Issuer +
					"/end?client_id=client-1&client_id=client-1&post_logout_redirect_uri=x"
			}, "/end?client_id=client-1&post_logout_redirect_uri=https%3A%2F%2Fapp.test%2F",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := fakeprovider.New(t)
			if tt.setup != nil {
				tt.setup(p)
			}
			b := newApp(t, p, tt.change).browser(t)
			got := mustURL(t, b.request(http.MethodPost, "/logout").Header.Get("Location"))
			q := got.Query()
			if standard := strings.Contains(tt.want, "post_logout"); len(q.Get("state")) >= 22 != standard {
				t.Errorf("state %q", q.Get("state"))
			}
			q.Del("state")
			got.RawQuery = q.Encode()
			if want := p.URL + tt.want; got.String() != want {
				t.Errorf("redirected to\n%s, want\n%s", got, want)
			}
		})
	}
}

// TestDialectByIssuer reads the dialect from the way a sign-out is asked for. No
// provider answers.
func TestDialectByIssuer(t *testing.T) {
	for issuer, cognito := range map[string]bool{
		"https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_Example01":        true,
		"https://issuer-cognito-idp.eu-west-1.amazonaws.com/eu-west-1_Example01": true,
		"https://cognito-idp.cn-north-1.amazonaws.com.cn/cn-north-1_Example01":   true,
		"http://localhost:9229/local_Cognate01":                                  true,
		"http://127.0.0.1:9229/local_Cognate01":                                  true,
		"http://localhost:9229":                                                  false,
		"http://localhost:9229/realms/local_x":                                   false,
		"https://provider.test/local_Cognate01":                                  false,
		"https://cognito-idp.eu-west-1.amazonaws.com.evil.test/eu-west-1_x":      false,
		"https://evil.test/cognito-idp.eu-west-1.amazonaws.com":                  false,
	} {
		p := fakeprovider.New(t)
		x := newApp(t, p, func(c *cognate.Config) {
			c.Issuer = issuer
			c.Endpoints.EndSession = "https://provider.test/end"
			c.HTTPClient = &http.Client{Transport: unreachable{}}
		})
		location := x.browser(t).request(http.MethodPost, "/logout").Header.Get("Location")
		if got := strings.Contains(location, "logout_uri="); got != cognito {
			t.Errorf("%s: sign-out leads to %s, want Cognito's way: %v", issuer, location, cognito)
		}
	}
}

// unreachable is a network without anybody.
type unreachable struct{}

func (unreachable) RoundTrip(*http.Request) (*http.Response, error) {
	return nil, errors.New("no route")
}

func TestLogoutWithoutEndSession(t *testing.T) {
	p := fakeprovider.New(t)
	p.EditDiscovery = func(d map[string]any) { delete(d, "end_session_endpoint") }
	b := newApp(t, p, nil).browser(t)
	b.signIn(p)
	if resp := b.request(http.MethodPost, "/logout"); resp.Header.Get("Location") != appOrigin+"/" || b.signedIn() ||
		!strings.Contains(b.app.log.String(), "own session stays") {
		t.Errorf("redirected to %q, signed in: %v", resp.Header.Get("Location"), b.signedIn())
	}
}

// TestLogoutBehindAProxy has a proxy that puts its own name into the Host header.
func TestLogoutBehindAProxy(t *testing.T) {
	p := fakeprovider.New(t)
	b := newApp(t, p, nil).browser(t)
	b.signIn(p)
	inner := b.app.handler
	b.app.handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Host = "backend.internal"
		inner.ServeHTTP(w, r)
	})
	if resp := b.request(http.MethodPost, "/logout", "Origin", appOrigin); resp.StatusCode != http.StatusSeeOther ||
		b.signedIn() {
		t.Errorf("status %d, signed in: %v", resp.StatusCode, b.signedIn())
	}
}

func TestLogoutByScript(t *testing.T) {
	p := fakeprovider.New(t)
	b := newApp(t, p, nil).browser(t)
	b.signIn(p)
	resp := b.request(http.MethodPost, "/logout", "Sec-Fetch-Site", "same-origin", "Sec-Fetch-Mode", "cors")
	if resp.StatusCode != http.StatusOK ||
		!strings.Contains(body(t, resp), `"logout_url":"`+p.URL+"/end") || b.signedIn() {
		t.Errorf("status %d, signed in: %v", resp.StatusCode, b.signedIn())
	}
}

func TestLogoutForgetsSignInsUnderWay(t *testing.T) {
	p := fakeprovider.New(t)
	b := newApp(t, p, nil).browser(t)
	q := p.SignIn(t, b.get("/private/").Header.Get("Location"))
	b.request(http.MethodPost, "/logout")
	if resp := b.get("/oidc_callback?" + q.Encode()); resp.StatusCode != http.StatusBadRequest || b.signedIn() {
		t.Errorf("status %d, want 400", resp.StatusCode)
	}
}

// logoutApp is an app that keeps tokens, with a page /out that signs out with options.
func logoutApp(t *testing.T, p *fakeprovider.Provider, change func(*cognate.Config),
	opts ...cognate.LogoutOption) *browser {
	t.Helper()
	x := newApp(t, p, func(c *cognate.Config) {
		c.Session.TokensInCookie = true
		c.LogoutRedirectURLs = []string{"https://app.test/bye?x=1"}
		if change != nil {
			change(c)
		}
	})
	inner := x.handler
	x.handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/out" {
			x.auth.Logout(w, r, opts...)
			return
		}
		inner.ServeHTTP(w, r)
	})
	return x.browser(t)
}

// TestLogoutHint has a session that holds the ID token.
func TestLogoutHint(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(*cognate.Config)
		claims func(map[string]any)
		hint   bool
	}{
		{"standard", nil, nil, true},
		{"cognito", cognitoDialect, nil, false},
		{"no token kept", func(c *cognate.Config) { c.Session.TokensInCookie = false }, nil, false},
		{"token too long for a URL", nil, func(m map[string]any) { m["pad"] = strings.Repeat("x", 6000) }, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := fakeprovider.New(t)
			p.EditClaims = tt.claims
			b := logoutApp(t, p, tt.change)
			b.signIn(p)
			location := b.request(http.MethodPost, "/logout").Header.Get("Location")
			hint := mustURL(t, location).Query().Get("id_token_hint")
			if (strings.Count(hint, ".") == 2) != tt.hint || len(location) > 8000 || b.signedIn() {
				t.Errorf("redirected to %s", location)
			}
			if again := b.request(http.MethodPost, "/logout").Header.Get("Location"); strings.Contains(again,
				"id_token_hint") || !strings.HasPrefix(again, p.URL) {
				t.Errorf("signed out already: redirected to %s", again)
			}
		})
	}
}

func TestLogoutOptions(t *testing.T) {
	const bye = "https://app.test/bye?x=1"
	for _, tt := range []struct {
		name string
		opts []cognate.LogoutOption
		want string // beginning with / at the provider: the return address
	}{
		{"to a registered place", []cognate.LogoutOption{cognate.LogoutTo(bye)}, "end " + bye},
		{"to the usual place", []cognate.LogoutOption{cognate.LogoutTo(appOrigin + "/")}, "end " + appOrigin + "/"},
		{"to a place nearly registered", []cognate.LogoutOption{cognate.LogoutTo("https://app.test/bye?x=2")},
			"end " + appOrigin + "/"},
		{"to another site", []cognate.LogoutOption{cognate.LogoutTo("https://evil.test/")}, "end " + appOrigin + "/"},
		{"to a path, which nobody registers", []cognate.LogoutOption{cognate.LogoutTo("/bye")},
			"end " + appOrigin + "/"},
		{"local", []cognate.LogoutOption{cognate.Local()}, "/"},
		{"local, to a path", []cognate.LogoutOption{cognate.Local(), cognate.LogoutTo("/bye?a=b")}, "/bye?a=b"},
		{"local, to a registered place", []cognate.LogoutOption{cognate.LogoutTo(bye), cognate.Local()}, bye},
		{"local, to another site", []cognate.LogoutOption{cognate.Local(), cognate.LogoutTo("//evil.test")}, "/"},
		{"local, to the logout", []cognate.LogoutOption{cognate.Local(), cognate.LogoutTo("/logout")}, "/"},
		{"nothing", []cognate.LogoutOption{{}}, "end " + appOrigin + "/"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := fakeprovider.New(t)
			b := logoutApp(t, p, nil, tt.opts...)
			b.signIn(p)
			got := b.get("/out").Header.Get("Location")
			if u := mustURL(t, got); strings.HasPrefix(got, p.URL+"/end?") {
				got = "end " + u.Query().Get("post_logout_redirect_uri")
			}
			if got != tt.want || b.signedIn() || len(b.cookies()) != 0 {
				t.Errorf("redirected to %q, want %q; cookies %q", got, tt.want, b.cookies())
			}
		})
	}
}

// TestLogoutRequestNamesNoTarget tries to have the logout path lead elsewhere.
func TestLogoutRequestNamesNoTarget(t *testing.T) {
	p := fakeprovider.New(t)
	b := logoutApp(t, p, nil)
	b.signIn(p)
	location := b.request(http.MethodPost, "/logout?return_to=https://evil.test&logout_uri=https://evil.test&"+
		"post_logout_redirect_uri=https://evil.test").Header.Get("Location")
	if strings.Contains(location, "evil") || !strings.HasPrefix(location, p.URL+"/end?") {
		t.Errorf("redirected to %s", location)
	}
}

func TestRevokeOnLogout(t *testing.T) {
	for _, tt := range []struct {
		name   string
		revoke bool
		answer func(http.ResponseWriter, *http.Request)
		change func(*cognate.Config)
		calls  int
		log    string
	}{
		{"revoked", true, answerWith(200, ""), nil, 1, ""},
		{"not asked for", false, answerWith(200, ""), nil, 0, ""},
		{"refused", true, answerWith(400, `{"error":"unsupported_token_type"}`), nil, 1, "was not revoked"},
		{"broken", true, answerWith(500, "refresh-0"), nil, 1, "was not revoked"},
		{"hangs up", true, func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, nil,
			1, "was not revoked"},
		{"slow", true, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, nil,
			1, "was not revoked"},
		{"no tokens kept", true, nil, func(c *cognate.Config) { c.Session.TokensInCookie = false }, 0, ""},
		{"no endpoint", true, nil, func(c *cognate.Config) { c.Endpoints.Revocation = "" }, 0, "endpoint is not known"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			fakeprovider.InVirtualTime(t, func(t *testing.T, fake *fakeprovider.Provider) {
				p := pushTo(fake)
				p.required, p.answer = false, tt.answer
				b := logoutApp(t, p.Provider, func(c *cognate.Config) {
					c.RevokeOnLogout = tt.revoke
					c.Endpoints.Revocation = p.URL + "/par"
					if tt.change != nil {
						tt.change(c)
					}
				})
				b.signIn(p.Provider)
				start := time.Now()
				resp := b.request(http.MethodPost, "/logout")
				if took := time.Since(start); took > 2*time.Second {
					t.Errorf("signing out took %s", took)
				}
				if resp.StatusCode != http.StatusSeeOther || b.signedIn() || len(p.requests()) != tt.calls {
					t.Errorf("status %d, %d requests", resp.StatusCode, len(p.requests()))
				}
				if tt.calls > 0 && (p.requests()[0].PostForm.Get("token") != "refresh-0") {
					t.Errorf("revoked %v", p.requests()[0].PostForm)
				}
				log := b.app.log.String()
				if !strings.Contains(log, tt.log) || strings.Contains(log, "not revoked") != (tt.log != "") ||
					strings.Contains(log, "refresh-0") {
					t.Errorf("log:\n%s", log)
				}
			})
		})
	}
}

// TestLogoutHook counts who is told of a sign-out, and why.
func TestLogoutHook(t *testing.T) {
	for _, tt := range []struct {
		name string
		end  func(b *browser, c *fakeprovider.Clock)
		want string
	}{
		{"by the person",
			func(b *browser, _ *fakeprovider.Clock) { b.request(http.MethodPost, "/logout") }, "user user-1"},
		{"twice", func(b *browser, _ *fakeprovider.Clock) {
			b.request(http.MethodPost, "/logout")
			b.request(http.MethodPost, "/logout")
		}, "user user-1"},
		{"of this app only", func(b *browser, _ *fakeprovider.Clock) { b.get("/out") }, "user user-1"},
		{"by expiry", func(b *browser, c *fakeprovider.Clock) {
			c.Advance(9 * time.Hour)
			b.get("/private/")
			b.get("/private/")
		}, "expired user-1"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := fakeprovider.NewClock()
			p := fakeprovider.New(t)
			p.Now = c.Now
			var got []string
			b := logoutApp(t, p, func(cfg *cognate.Config) {
				cfg.Hooks.OnLogout = func(_ context.Context, e cognate.LogoutEvent) {
					got = append(got, string(e.Reason)+" "+e.Subject)
				}
			}, cognate.Local())
			b.signIn(p)
			tt.end(b, c)
			if strings.Join(got, ", ") != tt.want {
				t.Errorf("OnLogout got %q, want %q", got, tt.want)
			}
		})
	}
}

// TestLogoutOfNobody is the same for who isn't signed in.
func TestLogoutOfNobody(t *testing.T) {
	p := fakeprovider.New(t)
	b := newApp(t, p, cognitoDialect).browser(t)
	resp := b.request(http.MethodPost, "/logout")
	want := p.URL + "/end?client_id=client-1&logout_uri=https%3A%2F%2Fapp.test%2F"
	if resp.StatusCode != http.StatusSeeOther || resp.Header.Get("Location") != want {
		t.Errorf("status %d to %s", resp.StatusCode, resp.Header.Get("Location"))
	}
}

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
		"large, new key": func(c *cognate.Config) {
			c.Keys, c.Session.TokensInCookie = []cognate.Secret{newKey, oldKey}, true
		},
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
					b := newApp(t, p,
						func(cfg *cognate.Config) { configure(cfg); cfg.Keys = []cognate.Secret{oldKey} }).browser(t)
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
			if resp.StatusCode != http.StatusBadRequest || b.signedIn() ||
				!strings.Contains(x.log.String(), "signed out while") {
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
