package cognate_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cognate-auth/cognate"
	"github.com/cognate-auth/cognate/internal/fakeprovider"
)

func TestSignIn(t *testing.T) {
	p := fakeprovider.New(t)
	b := newApp(t, p, nil).browser(t)

	resp := b.get("/private/page?x=1")
	if got, want := resp.StatusCode, http.StatusFound; got != want {
		t.Fatalf("private page: status %d, want %d", got, want)
	}
	q := mustURL(t, resp.Header.Get("Location")).Query()
	for name, want := range map[string]string{
		"response_type": "code", "client_id": clientID, "redirect_uri": appOrigin + "/oidc_callback",
		"scope": "openid email", "code_challenge_method": "S256",
	} {
		if got := q.Get(name); got != want {
			t.Errorf("authorization request: %s = %q, want %q", name, got, want)
		}
	}
	if len(q.Get("code_challenge")) != 43 || len(q.Get("state")) < 22 || len(q.Get("nonce")) < 22 {
		t.Errorf("authorization request: challenge, state or nonce too short: %v", q)
	}

	resp = b.get("/oidc_callback?" + p.SignIn(t, resp.Header.Get("Location")).Encode())
	if got, want := resp.Header.Get("Location"), "/private/page?x=1"; resp.StatusCode != http.StatusFound ||
		got != want {
		t.Fatalf("callback: status %d to %q, want 302 to %q", resp.StatusCode, got, want)
	}
	if got := body(t, b.get("/private/")); got != "private ann@example.com" {
		t.Errorf("private page says %q", got)
	}
	if got, want := b.cookies(), "__Host-cognate"; len(got) != 1 || got[0] != want {
		t.Errorf("cookies after sign-in: %q, want only %q", got, want)
	}
	if n := len(p.TokenRequests()); n != 1 {
		t.Errorf("%d token requests, want 1", n)
	}
}

func TestTokenRequest(t *testing.T) {
	for _, tt := range []struct {
		name   string
		method cognate.AuthMethod
		secret cognate.Secret
		check  func(t *testing.T, r *http.Request)
	}{
		{"basic", "", clientSecret, func(t *testing.T, r *http.Request) {
			id, secret, _ := r.BasicAuth()
			secret, _ = url.QueryUnescape(secret) // RFC 6749, 2.3.1
			if id != clientID || secret != clientSecret || r.PostForm.Has("client_secret") {
				t.Error("client authentication is not HTTP Basic alone")
			}
		}},
		{"post", cognate.ClientSecretPost, clientSecret, func(t *testing.T, r *http.Request) {
			if r.PostForm.Get("client_secret") != clientSecret || r.Header.Get("Authorization") != "" {
				t.Error("client authentication is not in the body alone")
			}
		}},
		{"public", "", "", func(t *testing.T, r *http.Request) {
			if r.PostForm.Has("client_secret") || r.Header.Get("Authorization") != "" ||
				r.PostForm.Get("client_id") != clientID {
				t.Error("a public client sends its ID and nothing else")
			}
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := fakeprovider.New(t)
			b := newApp(t, p,
				func(c *cognate.Config) { c.ClientAuth, c.ClientSecret = tt.method, tt.secret }).browser(t)
			b.signIn(p)
			if !b.signedIn() {
				t.Fatal("not signed in")
			}
			r := p.TokenRequests()[0]
			if got := r.PostForm.Get("grant_type"); got != "authorization_code" {
				t.Errorf("grant_type = %q", got)
			}
			tt.check(t, r)
		})
	}
}

// TestCallbackRefuses changes one thing of a callback at a time. None may make a
// session or a request to the token endpoint.
func TestCallbackRefuses(t *testing.T) {
	other := strings.Repeat("A", 32)
	for _, tt := range []struct {
		name   string
		change func(q url.Values)
		reason cognate.Reason
		status int
	}{
		{"no state", func(q url.Values) { q.Del("state") }, cognate.ReasonState, 400},
		{"empty state", func(q url.Values) { q.Set("state", "") }, cognate.ReasonState, 400},
		{"unknown state", func(q url.Values) { q.Set("state", other) }, cognate.ReasonState, 400},
		{"state with the same cookie name",
			func(q url.Values) { q.Set("state", q.Get("state")[:31]+flip(q.Get("state")[31:])) },
			cognate.ReasonState, 400},
		{"state with a suffix", func(q url.Values) { q.Set("state", q.Get("state")+"AAAA") }, cognate.ReasonState, 400},
		{"state with another encoding", func(q url.Values) { q.Set("state", q.Get("state")+"=") },
			cognate.ReasonState, 400},
		{"huge state", func(q url.Values) { q.Set("state", strings.Repeat("A", 15000)) }, cognate.ReasonState, 400},
		{"two states", func(q url.Values) { q.Add("state", q.Get("state")) }, cognate.ReasonMalformedCallback, 400},
		{"two codes", func(q url.Values) { q.Add("code", "x") }, cognate.ReasonMalformedCallback, 400},
		{"no code", func(q url.Values) { q.Del("code") }, cognate.ReasonMalformedCallback, 400},
		{"huge code", func(q url.Values) { q.Set("code", strings.Repeat("x", 5000)) },
			cognate.ReasonMalformedCallback, 400},
		{"huge query", func(q url.Values) { q.Set("x", strings.Repeat("x", 20000)) },
			cognate.ReasonMalformedCallback, 400},
		{"foreign iss", func(q url.Values) { q.Set("iss", "https://evil.test") }, cognate.ReasonResponseIssuer, 400},
		{"access denied", func(q url.Values) { q.Del("code"); q.Set("error", "access_denied") },
			cognate.ReasonProviderError, 403},
		{"error beside a code", func(q url.Values) { q.Set("error", "access_denied") },
			cognate.ReasonProviderError, 403},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := fakeprovider.New(t)
			var got *cognate.Error
			x := newApp(t, p, func(c *cognate.Config) {
				c.ErrorHandler = func(w http.ResponseWriter, _ *http.Request, e *cognate.Error) {
					got = e
					w.WriteHeader(e.Status)
				}
			})
			b := x.browser(t)
			q := p.SignIn(t, b.get("/private/").Header.Get("Location"))
			tt.change(q)
			resp := b.get("/oidc_callback?" + q.Encode())
			if got == nil || got.Reason != tt.reason || resp.StatusCode != tt.status {
				t.Errorf("status %d, error %v; want %d, %s", resp.StatusCode, got, tt.status, tt.reason)
			}
			if len(p.TokenRequests()) != 0 || b.signedIn() {
				t.Errorf("%d token requests, signed in: %v; want none", len(p.TokenRequests()), b.signedIn())
			}
		})
	}
}

// flip changes the last character of a base64url value that has no stray bits.
func flip(s string) string {
	if s == "A" {
		return "B"
	}
	return "A"
}

func TestCallbackAnnouncedIssuer(t *testing.T) {
	p := fakeprovider.New(t)
	p.EditDiscovery = func(d map[string]any) { d["authorization_response_iss_parameter_supported"] = true }
	b := newApp(t, p, nil).browser(t)
	if resp := b.signIn(p); resp.StatusCode != http.StatusBadRequest {
		t.Errorf("iss missing although announced: status %d, want 400", resp.StatusCode)
	}
	q := p.SignIn(t, b.get("/private/").Header.Get("Location"))
	q.Set("iss", p.Issuer)
	b.get("/oidc_callback?" + q.Encode())
	if !b.signedIn() {
		t.Error("the right iss was refused")
	}
}

func TestCallbackOfAnotherBrowser(t *testing.T) {
	p := fakeprovider.New(t)
	x := newApp(t, p, nil)
	attacker, victim := x.browser(t), x.browser(t)
	q := p.SignIn(t, attacker.get("/private/").Header.Get("Location"))
	victim.get("/private/") // has a sign-in of its own under way
	if resp := victim.get("/oidc_callback?" + q.Encode()); resp.StatusCode != http.StatusBadRequest {
		t.Errorf("status %d, want 400", resp.StatusCode)
	}
	if victim.signedIn() || len(p.TokenRequests()) != 0 {
		t.Error("the victim was signed in as the attacker")
	}
}

func TestCallbackReplay(t *testing.T) {
	p := fakeprovider.New(t)
	b := newApp(t, p, nil).browser(t)
	resp := b.get("/private/")
	cookies := b.jar.Cookies(appURL)
	path := "/oidc_callback?" + p.SignIn(t, resp.Header.Get("Location")).Encode()
	b.get(path)

	t.Run("signed in", func(t *testing.T) {
		if resp := b.get(path); resp.StatusCode != http.StatusFound || resp.Header.Get("Location") != "/private/" {
			t.Errorf("status %d to %q, want 302 to the page that was asked for", resp.StatusCode,
				resp.Header.Get("Location"))
		}
		if !b.signedIn() {
			t.Error("the replay ended the session")
		}
	})
	t.Run("with the cookie kept", func(t *testing.T) {
		thief := b.app.browser(t)
		thief.jar.SetCookies(appURL, cookies)
		resp := thief.get(path) // may be a second click: it leads on, with nothing in its hands
		if resp.StatusCode != http.StatusFound || resp.Header.Get("Location") != "/private/" || thief.signedIn() {
			t.Errorf("status %d to %q, want 302 to the page and no session", resp.StatusCode,
				resp.Header.Get("Location"))
		}
		for _, c := range resp.Cookies() {
			if c.Value != "" {
				t.Errorf("gets the cookie %s", c.Name)
			}
		}
	})
	if n := len(p.TokenRequests()); n != 1 {
		t.Errorf("%d token requests, want 1", n)
	}
}

func TestTransactionCookieTwice(t *testing.T) {
	p := fakeprovider.New(t)
	b := newApp(t, p, nil).browser(t)
	q := p.SignIn(t, b.get("/private/").Header.Get("Location"))
	c := b.jar.Cookies(appURL)[0]
	if resp := b.get("/oidc_callback?"+q.Encode(), "Cookie",
		c.Name+"="+c.Value); resp.StatusCode != http.StatusBadRequest {
		t.Errorf("status %d, want 400", resp.StatusCode)
	}
	if len(p.TokenRequests()) != 0 {
		t.Error("the code was exchanged")
	}
}

func TestCallbackConcurrentReplay(t *testing.T) {
	p := fakeprovider.New(t)
	x := newApp(t, p, nil)
	b := x.browser(t)
	path := "/oidc_callback?" + p.SignIn(t, b.get("/private/").Header.Get("Location")).Encode()
	cookies := b.jar.Cookies(appURL)
	var wg sync.WaitGroup
	for range 20 {
		thief := x.browser(t)
		thief.jar.SetCookies(appURL, cookies)
		wg.Go(func() { thief.get(path) })
	}
	wg.Wait()
	if n := len(p.TokenRequests()); n != 1 {
		t.Errorf("%d token requests, want 1", n)
	}
}

func TestCallbackTooLate(t *testing.T) {
	p := fakeprovider.New(t)
	c := fakeprovider.NewClock()
	p.Now = c.Now
	b := newApp(t, p, nil).browser(t)
	path := "/oidc_callback?" + p.SignIn(t, b.get("/private/").Header.Get("Location")).Encode()
	c.Advance(16 * time.Minute)
	if resp := b.get(path); resp.StatusCode != http.StatusBadRequest || len(p.TokenRequests()) != 0 {
		t.Errorf("status %d, %d token requests; want 400 and none", resp.StatusCode, len(p.TokenRequests()))
	}
}

func TestTwoTabs(t *testing.T) {
	p := fakeprovider.New(t)
	b := newApp(t, p, nil).browser(t)
	first := p.SignIn(t, b.get("/private/first").Header.Get("Location"))
	second := p.SignIn(t, b.get("/private/second").Header.Get("Location"))
	for _, tab := range []struct {
		q    url.Values
		want string
	}{{first, "/private/first"}, {second, "/private/second"}} {
		resp := b.get("/oidc_callback?" + tab.q.Encode())
		if got := resp.Header.Get("Location"); got != tab.want {
			t.Errorf("returned to %q, want %q", got, tab.want)
		}
	}
}

// TestTransactionsAreBounded begins far more sign-ins than a person does, with short
// addresses and long ones. The newest works, and its page is known.
func TestTransactionsAreBounded(t *testing.T) {
	for _, name := range []string{"cognate", strings.Repeat("n", 64)} {
		p := fakeprovider.New(t)
		b := newApp(t, p, func(c *cognate.Config) { c.CookieName = name }).browser(t)
		long := "/private/" + strings.Repeat("long/", 300)
		for i := range 100 {
			path := "/private/short"
			if i%2 == 1 {
				path = long
			}
			b.get(path, []string{"Sec-Fetch-Site", "none", "Sec-Fetch-Site", "cross-site"}[i/2%2*2:]...)
			if n := b.cookieBytes(); n > 4<<10 {
				t.Fatalf("%s: %d bytes of cookies after %d sign-ins", name, n, i+1)
			}
		}
		resp := b.get("/oidc_callback?" + p.SignIn(t, b.get(long).Header.Get("Location")).Encode())
		if resp.Header.Get("Location") != long || !b.signedIn() {
			t.Errorf("%s: the newest sign-in led to %.50q", name, resp.Header.Get("Location"))
		}
	}
}

// cookieBytes is what the browser's cookies take of a request's header.
func (b *browser) cookieBytes() (size int) {
	for _, c := range b.jar.Cookies(appURL) {
		size += len(c.Name) + len(c.Value) + len("=; ")
	}
	return size
}

// TestParallelStarts begins sign-ins at the same moment, as a browser does with the tabs of
// yesterday: none of the requests knows of another. As many as a browser has tabs all work;
// of any number, the cookies are few.
func TestParallelStarts(t *testing.T) {
	for _, tt := range []struct{ tabs, processes, work int }{{20, 1, 20}, {60, 1, 24}, {60, 3, 15}} {
		t.Run(fmt.Sprint(tt.tabs, " tabs, ", tt.processes, " processes"), func(t *testing.T) {
			p := fakeprovider.New(t)
			b := newApp(t, p, nil).browser(t)
			var apps []*app
			for range tt.processes {
				apps = append(apps, newApp(t, p, nil))
			}
			answers := make([]*http.Response, tt.tabs)
			parallel(tt.tabs, func(i int) {
				r := httptest.NewRequestWithContext(t.Context(), http.MethodGet,
					appOrigin+fmt.Sprint("/private/", i), nil)
				w := httptest.NewRecorder()
				apps[i%len(apps)].handler.ServeHTTP(w, r)
				answers[i] = w.Result()
			})
			for _, resp := range answers {
				b.jar.SetCookies(appURL, resp.Cookies())
			}
			if n := b.cookieBytes(); n > 2<<10 {
				t.Errorf("%d bytes of cookies", n)
			}
			work := 0
			for i, resp := range answers {
				tab := b.app.browser(t) // so that no other tab has signed in
				tab.jar.SetCookies(appURL, b.jar.Cookies(appURL))
				resp = tab.get("/oidc_callback?" + p.SignIn(t, resp.Header.Get("Location")).Encode())
				if tab.signedIn() && resp.Header.Get("Location") == fmt.Sprint("/private/", i) {
					work++
				}
			}
			if work < tt.work {
				t.Errorf("%d of %d tabs signed in, want %d", work, tt.tabs, tt.work)
			}
			// Those that were thrown out come to their page all the same, once another tab
			// has signed in.
			b.signIn(p)
			for i, resp := range answers {
				resp = b.get("/oidc_callback?" + p.SignIn(t, resp.Header.Get("Location")).Encode())
				if resp.Header.Get("Location") != fmt.Sprint("/private/", i) {
					t.Errorf("tab %d: status %d to %q", i, resp.StatusCode, resp.Header.Get("Location"))
				}
			}
		})
	}
}

// TestOldestGivesWay begins sign-ins in one browser while others begin theirs: it loses none
// as long as there is room, and then the oldest.
func TestOldestGivesWay(t *testing.T) {
	c := fakeprovider.NewClock()
	p := fakeprovider.New(t)
	p.Now = c.Now
	x := newApp(t, p, nil)
	b := x.browser(t)
	var queries []url.Values
	for i := range 30 {
		queries = append(queries, p.SignIn(t, b.get(fmt.Sprint("/private/", i)).Header.Get("Location")))
		for range i * 7 % 24 {
			x.browser(t).get("/private/")
		}
		c.Advance(time.Second)
	}
	for i, q := range queries {
		tab := x.browser(t)
		tab.jar.SetCookies(appURL, b.jar.Cookies(appURL))
		tab.get("/oidc_callback?" + q.Encode())
		if got, want := tab.signedIn(), i >= 30-24; got != want {
			t.Errorf("sign-in %d of 30: signed in: %v, want %v", i, got, want)
		}
	}
	// The answer to one that was thrown out leaves alone whose place it had.
	for _, q := range queries[:30-24] {
		if resp := b.get("/oidc_callback?" + q.Encode()); resp.StatusCode != http.StatusBadRequest ||
			len(b.cookies()) != 24 {
			t.Errorf("status %d, %d cookies are left", resp.StatusCode, len(b.cookies()))
		}
	}
}

// TestLongTabs signs in in two tabs whose addresses are long.
func TestLongTabs(t *testing.T) {
	p := fakeprovider.New(t)
	b := newApp(t, p, nil).browser(t)
	page := func(i int) string { return fmt.Sprint("/private/", i, "?q=", strings.Repeat("abcdefghij", 130)) }
	var queries []url.Values
	for i := range 3 {
		queries = append(queries, p.SignIn(t, b.get(page(i)).Header.Get("Location")))
	}
	for i, q := range queries {
		if got := b.get("/oidc_callback?" + q.Encode()).Header.Get("Location"); got != page(i) {
			t.Errorf("tab %d returned to %.60q", i, got)
		}
	}
}

// TestNeighbourBeginsSignIns has another site's page begin sign-ins while one is under way:
// as many as it likes, by windows that it opens.
func TestNeighbourBeginsSignIns(t *testing.T) {
	for _, headers := range [][]string{
		{"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document"},
		{"Sec-Fetch-Site", "same-site", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document"},
		{"Referer", "https://neighbour.test/", "Accept", "text/html"},
	} {
		p := fakeprovider.New(t)
		b := newApp(t, p, nil).browser(t)
		q := p.SignIn(t, b.get("/private/mine").Header.Get("Location"))
		for range 60 {
			b.get("/login", headers...)
		}
		resp := b.get("/oidc_callback?" + q.Encode())
		if resp.Header.Get("Location") != "/private/mine" || !b.signedIn() {
			t.Errorf("%q: status %d to %q", headers, resp.StatusCode, resp.Header.Get("Location"))
		}
	}
}

// TestFailedCallbackKnowsThePage looks at where the page of a sign-in that failed leads: to
// the page that was asked for.
func TestFailedCallbackKnowsThePage(t *testing.T) {
	const wanted, link = "/private/x?y=z", `href="/login?return_to=%2Fprivate%2Fx%3Fy%3Dz"`
	for _, tt := range []struct {
		name   string
		spoil  func(b *browser, c *fakeprovider.Clock, q url.Values)
		reason cognate.Reason
	}{
		{"too late", func(_ *browser, c *fakeprovider.Clock, _ url.Values) { c.Advance(16 * time.Minute) },
			cognate.ReasonExpired},
		{"too late, with the cookie gone", func(b *browser, c *fakeprovider.Clock, _ url.Values) {
			c.Advance(24 * time.Hour)
			b.jar, _ = cookiejar.New(nil)
		}, cognate.ReasonExpired},
		{"in another browser", func(b *browser, _ *fakeprovider.Clock, _ url.Values) { b.jar, _ = cookiejar.New(nil) },
			cognate.ReasonState},
		{"two codes", func(_ *browser, _ *fakeprovider.Clock, q url.Values) { q.Add("code", "x") },
			cognate.ReasonMalformedCallback},
		{"refused", func(_ *browser, _ *fakeprovider.Clock, q url.Values) { q.Set("error", "access_denied") },
			cognate.ReasonProviderError},
		{"code of no use", func(_ *browser, _ *fakeprovider.Clock, q url.Values) { q.Set("code", "x") },
			cognate.ReasonCodeRefused},
		{"used before", func(b *browser, _ *fakeprovider.Clock, q url.Values) {
			cookies := b.jar.Cookies(appURL)
			failed := url.Values{"state": q["state"], "error": {"access_denied"}}
			b.get("/oidc_callback?" + failed.Encode())
			b.jar, _ = cookiejar.New(nil)
			b.jar.SetCookies(appURL, cookies)
		}, cognate.ReasonReplay},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := fakeprovider.NewClock()
			p := fakeprovider.New(t)
			p.Now = c.Now
			b := newApp(t, p, nil).browser(t)
			q := p.SignIn(t, b.get(wanted).Header.Get("Location"))
			tt.spoil(b, c, q)
			resp := b.get("/oidc_callback?" + q.Encode())
			if page := body(t, resp); !strings.Contains(page, link) ||
				!strings.Contains(b.app.log.String(), "reason="+string(tt.reason)) {
				t.Errorf("status %d, log:\n%s\npage:\n%s", resp.StatusCode, b.app.log, page)
			}
		})
	}
}

// TestTokenEndpointFails lets the token endpoint fail in every way: one request, no
// session, a page without secrets.
func TestTokenEndpointFails(t *testing.T) {
	answer := func(status int, contentType, body string) func(http.ResponseWriter, *http.Request) {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", contentType)
			w.WriteHeader(status)
			_, _ = io.WriteString(w, body)
		}
	}
	const json = "application/json"
	for _, tt := range []struct {
		name   string
		token  func(http.ResponseWriter, *http.Request)
		status int
		reason cognate.Reason // empty: ReasonTokenEndpoint
	}{
		{"500", answer(500, json, `{"error":"server_error","leak":"LEAK"}`), 502, ""},
		{"html 200", answer(200, "text/html", "<h1>LEAK</h1>"), 502, ""},
		{"html 502", answer(502, "text/html", "<h1>LEAK</h1>"), 502, ""},
		{"broken json", answer(200, json, `{"access_token":"LEAK`), 502, ""},
		{"empty", answer(200, json, ``), 502, ""},
		{"no access token", answer(200, json, `{"id_token":"LEAK"}`), 502, ""},
		{"other token type",
			answer(200, json, `{"access_token":"LEAK","id_token":"LEAK","token_type":"mac"}`), 502, ""},
		{"no id token", answer(200, json, `{"access_token":"LEAK","token_type":"Bearer"}`), 502,
			cognate.ReasonNoIDToken},
		{"empty id token", answer(200, json, `{"access_token":"LEAK","token_type":"Bearer","id_token":""}`), 502,
			cognate.ReasonNoIDToken},
		{"id token of another type",
			answer(200, json, `{"access_token":"LEAK","token_type":"Bearer","id_token":{"a":1}}`), 502, ""},
		{"invalid_grant", answer(400, json, `{"error":"invalid_grant","error_description":"LEAK"}`), 400,
			cognate.ReasonCodeRefused},
		{"invalid_client", answer(401, json, `{"error":"invalid_client","error_description":"LEAK"}`), 502,
			cognate.ReasonClientRefused},
		{"error with status 200", answer(200, json, `{"error":"invalid_grant"}`), 400, cognate.ReasonCodeRefused},
		{"hostile error code", answer(400, json, `{"error":"<script>\"\\LEAK"}`), 502, ""},
		{"redirect", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "/token", http.StatusTemporaryRedirect)
		}, 502, ""},
		{"endless", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", json)
			for range 1 << 10 {
				_, _ = w.Write(make([]byte, 4<<10))
			}
		}, 502, ""},
		{"hangs up", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, 502, ""},
		{"slow", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, 502, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			fakeprovider.InVirtualTime(t, func(t *testing.T, p *fakeprovider.Provider) {
				p.ServeToken = tt.token
				var got *cognate.Error
				x := newApp(t, p, func(c *cognate.Config) {
					c.Hooks.OnLoginError = func(_ context.Context, e *cognate.Error) { got = e }
				})
				b := x.browser(t)
				resp := b.signIn(p)
				page := body(t, resp)
				if tt.reason == "" {
					tt.reason = cognate.ReasonTokenEndpoint
				}
				if got == nil || got.Reason != tt.reason || got.Status != tt.status {
					t.Errorf("error %v, want %s with status %d", got, tt.reason, tt.status)
				}
				if resp.StatusCode != tt.status || !strings.Contains(page, "<h1>") {
					t.Errorf("status %d, want %d and a page", resp.StatusCode, tt.status)
				}
				if n := len(p.TokenRequests()); n != 1 {
					t.Errorf("%d token requests, want 1", n)
				}
				if b.signedIn() {
					t.Error("signed in")
				}
				for _, secret := range []string{
					"LEAK", clientSecret, p.TokenRequests()[0].PostForm.Get("code"),
					p.TokenRequests()[0].PostForm.Get("code_verifier"),
				} {
					if strings.Contains(page, secret) || strings.Contains(x.log.String(), secret) {
						t.Errorf("page or log holds %q:\n%s", secret, x.log)
					}
				}
			})
		})
	}
}

func TestTokenEndpointUnreachable(t *testing.T) {
	p := fakeprovider.New(t)
	b := newApp(t, p, func(c *cognate.Config) { c.Endpoints.Token = "http://127.0.0.1:1/token" }).browser(t)
	if resp := b.signIn(p); resp.StatusCode != http.StatusBadGateway || b.signedIn() {
		t.Errorf("status %d, want 502 and no session", resp.StatusCode)
	}
}

func TestProviderErrorPage(t *testing.T) {
	p := fakeprovider.New(t)
	b := newApp(t, p, nil).browser(t)
	q := p.SignIn(t, b.get("/private/").Header.Get("Location"))
	long := strings.Repeat("long_code", 20)
	for _, hostile := range []string{long, `quo"te`, "back\\slash", "new\nline"} {
		b := b.app.browser(t)
		q := p.SignIn(t, b.get("/private/").Header.Get("Location"))
		q.Set("error", hostile)
		if page := body(t, b.get("/oidc_callback?"+q.Encode())); strings.Contains(page, "It says") {
			t.Errorf("the page quotes %q, which is no error code:\n%s", hostile, page)
		}
	}
	denied := b.app.browser(t)
	answer := p.SignIn(t, denied.get("/private/").Header.Get("Location"))
	answer.Set("error", "access_denied")
	if page := body(t, denied.get("/oidc_callback?"+answer.Encode())); !strings.Contains(page,
		"<code>access_denied</code>") {
		t.Errorf("the page does not say what the provider said:\n%s", page)
	}
	q.Set("error", "<img src=x>")
	q.Set("error_description", "<script>alert(1)</script>")
	resp := b.get("/oidc_callback?" + q.Encode())
	page := body(t, resp)
	if strings.Contains(page, "<img") || strings.Contains(page, "<script") {
		t.Errorf("page holds the provider's markup:\n%s", page)
	}
	if csp := resp.Header.Get("Content-Security-Policy"); !strings.HasPrefix(csp, "default-src 'none'") {
		t.Errorf("Content-Security-Policy = %q", csp)
	}
	if !strings.Contains(page, `href="/login?return_to=%2Fprivate%2F"`) {
		t.Errorf("no link to try again:\n%s", page)
	}
}

// TestIdentityTooLargeKeepsTheOldSession refuses a second sign-in and leaves the first.
func TestIdentityTooLargeKeepsTheOldSession(t *testing.T) {
	p := fakeprovider.New(t)
	b := newApp(t, p, nil).browser(t)
	b.signIn(p)
	p.EditClaims = func(c map[string]any) { c["custom:tier"] = strings.Repeat("x", 12_000) }
	resp := b.get("/oidc_callback?" + p.SignIn(t, loginAgain(b).Header.Get("Location")).Encode())
	if resp.StatusCode != http.StatusInternalServerError || !b.signedIn() {
		t.Errorf("status %d, signed in: %v; want 500 and the old session", resp.StatusCode, b.signedIn())
	}
}

// TestForgedErrorIsNotShown opens a link that anybody can write.
func TestForgedErrorIsNotShown(t *testing.T) {
	p := fakeprovider.New(t)
	x := newApp(t, p, nil)
	resp := x.browser(t).get("/oidc_callback?error=call_555_0100&error_description=now")
	if strings.Contains(body(t, resp), "555") || !strings.Contains(x.log.String(), "call_555_0100") {
		t.Errorf("the page repeats a stranger's words, or the log does not:\n%s", x.log)
	}
}

// TestAnswersAreNotKept looks at the headers of a refusal and of a callback.
func TestAnswersAreNotKept(t *testing.T) {
	p := fakeprovider.New(t)
	p.EditClaims = func(c map[string]any) { c["aud"] = "other" }
	b := newApp(t, p, func(c *cognate.Config) {
		c.ErrorHandler = func(w http.ResponseWriter, _ *http.Request, e *cognate.Error) { w.WriteHeader(e.Status) }
	}).browser(t)
	resp := b.signIn(p)
	if resp.Header.Get("Cache-Control") != "no-store" || resp.Header.Get("WWW-Authenticate") == "" {
		t.Errorf("a refusal with status %d has headers %v", resp.StatusCode, resp.Header)
	}
	p.EditClaims, p.Down = nil, true
	x := newApp(t, p, func(c *cognate.Config) {
		c.ErrorHandler = func(w http.ResponseWriter, _ *http.Request, e *cognate.Error) { w.WriteHeader(e.Status) }
	})
	if resp := x.browser(t).get("/private/"); resp.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("a provider that is down: headers %v", resp.Header)
	}
	p.Down = false
	resp = b.signIn(p)
	if resp.Header.Get("Cache-Control") != "no-store" || resp.Header.Get("Referrer-Policy") != "no-referrer" {
		t.Errorf("a callback has headers %v", resp.Header)
	}
}

// TestHTTPClientIsTamed gives the library a client that would keep cookies and follow
// redirects.
func TestHTTPClientIsTamed(t *testing.T) {
	p := fakeprovider.New(t)
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	inner := p.Config.Handler
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		http.SetCookie(w, &http.Cookie{Name: "provider", Value: "of-another-visitor"})
		inner.ServeHTTP(w, r)
	})
	p.Config.Handler = mux
	b := newApp(t, p, func(c *cognate.Config) { c.HTTPClient = &http.Client{Jar: jar} }).browser(t)
	b.signIn(p)
	if got := jar.Cookies(mustURL(t, p.URL)); len(got) != 0 || !b.signedIn() {
		t.Errorf("signed in: %v; cookies of the provider were kept: %v", b.signedIn(), got)
	}
}

// user is who the library says this browser is.
func (b *browser) user() *cognate.User {
	r, _ := http.NewRequestWithContext(b.t.Context(), http.MethodGet, appOrigin+"/", nil)
	for _, c := range b.jar.Cookies(appURL) {
		r.AddCookie(c)
	}
	return b.app.auth.User(r)
}

func TestSecondUserReplacesFirst(t *testing.T) {
	p := fakeprovider.New(t)
	b := newApp(t, p, nil).browser(t)
	b.signIn(p)
	first := b.jar.Cookies(appURL)
	p.EditClaims = func(c map[string]any) { c["sub"], c["email"] = "user-2", "bob@example.com" }
	q := p.SignIn(t, loginAgain(b).Header.Get("Location"))
	b.get("/oidc_callback?" + q.Encode())
	if u := b.user(); u == nil || u.Email != "bob@example.com" {
		t.Errorf("user = %v, want bob", u)
	}
	old := b.app.browser(t)
	old.jar.SetCookies(appURL, first)
	if old.signedIn() {
		t.Error("the first user's cookie still works")
	}
}

// loginAgain begins a sign-in although somebody is signed in.
func loginAgain(b *browser) *http.Response {
	b.t.Helper()
	inner := b.app.handler
	defer func() { b.app.handler = inner }()
	b.app.handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b.app.auth.Login(w, r, cognate.ReturnTo("/private/x"))
	})
	return b.get("/anything")
}

func mustURL(t *testing.T, s string) *url.URL {
	t.Helper()
	u, err := url.Parse(s)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func body(t testing.TB, resp *http.Response) string {
	t.Helper()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// answerWith answers with a JSON text.
func answerWith(status int, body string) func(http.ResponseWriter, *http.Request) {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body))
	}
}

func TestDiscoveryOfRevocation(t *testing.T) {
	p := fakeprovider.New(t)
	p.EditDiscovery = func(d map[string]any) { d["revocation_endpoint"] = "http://provider.test/revoke" }
	w := httptest.NewRecorder()
	x := newApp(t, p, nil)
	x.handler.ServeHTTP(w, httptest.NewRequest(http.MethodGet, appOrigin+"/private/", nil))
	if w.Code != http.StatusServiceUnavailable || !strings.Contains(x.log.String(), "revocation endpoint") {
		t.Errorf("status %d; a revocation endpoint in the clear is taken:\n%s", w.Code, x.log)
	}
}

// TestEchoedSecrets is a broken server that sends back what it was sent, where an HTTP answer
// should begin.
func TestEchoedSecrets(t *testing.T) {
	p := fakeprovider.New(t)
	x := newApp(t, p, func(c *cognate.Config) {
		c.ClientAuth, c.UserInfo = cognate.ClientSecretPost, cognate.UserInfoAlways
	})
	echo := func(w http.ResponseWriter, r *http.Request) {
		conn, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		_, _ = conn.Write([]byte(r.PostForm.Encode() + r.Header.Get("Authorization") + "\r\n\r\n"))
	}
	p.ServeUserInfo = echo
	x.browser(t).signIn(p)
	p.ServeToken = echo
	x.browser(t).signIn(p)
	for _, secret := range []string{"s3cret", "code_verifier", "code=", "access-token"} {
		if strings.Contains(x.log.String(), secret) {
			t.Errorf("the log has %q:\n%s", secret, x.log)
		}
	}
	if n := strings.Count(x.log.String(), "the connection broke off"); n != 2 {
		t.Errorf("%d lines say what happened, want 2:\n%s", n, x.log)
	}
}
