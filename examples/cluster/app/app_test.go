package app_test

import (
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cognate-auth/cognate/cognatetest"
	"github.com/cognate-auth/cognate/examples/cluster/app"
	"github.com/cognate-auth/cognate/redisstore"
	"github.com/cognate-auth/cognate/redisstore/redistest"
	"github.com/cognate-auth/cognate/userpool"
)

const (
	site     = "https://app.example"
	password = "Correct-Horse-7"
)

// fixture is a pool with ann, a Redis that keeps its data, and two processes' apps.
type fixture struct {
	*testing.T
	pool  *cognatetest.Pool
	clock *cognatetest.Clock
	redis *redistest.Server
	a, b  http.Handler
}

// patient is how long the apps wait for Redis. Every write waits for the disk, which
// other tests may keep busy.
const patient = 10 * time.Second

func start(t *testing.T, timeout time.Duration) *fixture {
	t.Helper()
	f := &fixture{
		T: t, clock: cognatetest.NewClock(t), redis: redistest.Start(t, "appendonly yes", "appendfsync always"),
	}
	f.pool = cognatetest.New(t, cognatetest.Options{Now: f.clock.Now})
	client := f.pool.AddClient(userpool.Client{
		CallbackURLs: []string{site + "/oidc_callback"}, LogoutURLs: []string{site + "/"},
		RefreshTokenRotation: userpool.RefreshTokenRotation{Enabled: true}, // so that a second refresh would fail
	})
	f.pool.AddUser(userpool.NewUser{
		Username: "ann", Password: password,
		Attributes: map[string]string{"email": "ann@example.com", "email_verified": "true"},
	})
	for name, handler := range map[string]*http.Handler{"process a": &f.a, "process b": &f.b} {
		store, err := redisstore.New(redisstore.Config{Addresses: []string{f.redis.Addr}, Timeout: timeout})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(store.Close)
		*handler, err = app.New(f.pool.AppConfig(client), store, name)
		if err != nil {
			t.Fatal(err)
		}
	}
	return f
}

// browser signs ann in through the round-robin and returns two views of her browser
// with the same cookies: one reaches process a, the other process b.
func (f *fixture) browser() (a, b *http.Client) {
	f.Helper()
	both := cognatetest.NewBrowser(f, site, app.RoundRobin(f.a, f.b))
	f.pool.SignIn(f, both, site+"/hello", "ann", password)
	a, b = cognatetest.NewBrowser(f, site, f.a), cognatetest.NewBrowser(f, site, f.b)
	a.Jar, b.Jar = both.Jar, both.Jar
	return a, b
}

// visit sends a request as a page of the app does.
func (f *fixture) visit(browser *http.Client, method, path string) (*http.Response, string) {
	f.Helper()
	req, err := http.NewRequestWithContext(f.Context(), method, site+path, nil)
	if err != nil {
		f.Fatal(err)
	}
	req.Header.Set("Sec-Fetch-Mode", "navigate")
	req.Header.Set("Sec-Fetch-Site", "same-origin")
	resp, err := browser.Do(req)
	if err != nil {
		f.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		f.Fatal(err)
	}
	return resp, string(body)
}

// eventually visits a page until the answer is as expected: a change by one process
// reaches the other after a moment.
func (f *fixture) eventually(step string, browser *http.Client, path string, status int, want string) *http.Response {
	f.Helper()
	for began := time.Now(); ; time.Sleep(10 * time.Millisecond) {
		resp, body := f.visit(browser, http.MethodGet, path)
		if resp.StatusCode == status && strings.Contains(body, want) {
			return resp
		}
		if time.Since(began) > time.Minute { // a thousand times longer than needed
			f.Fatalf("%s: got %s, want %d with %q in:\n%s", step, resp.Status, status, want, body)
		}
	}
}

func (f *fixture) expect(step string, browser *http.Client, path string, status int, want string) {
	f.Helper()
	resp, body := f.visit(browser, http.MethodGet, path)
	if resp.StatusCode != status || !strings.Contains(body, want) {
		f.Errorf("%s: got %s, want %d with %q in:\n%s", step, resp.Status, status, want, body)
	}
}

const signInPage = `name="password"` // the pool's

func TestBothProcesses(t *testing.T) {
	t.Parallel()
	f := start(t, patient)
	stranger := cognatetest.NewBrowser(t, site, app.RoundRobin(f.a, f.b))
	f.expect("public", stranger, "/", http.StatusOK, "process b")
	f.expect("public, the next", stranger, "/", http.StatusOK, "process a")
	f.expect("private", stranger, "/hello", http.StatusOK, signInPage)

	a, b := f.browser()
	for range 3 {
		f.expect("at a", a, "/hello", http.StatusOK, "process a")
		f.expect("at b", b, "/hello", http.StatusOK, "process b")
		f.expect("known at b", b, "/", http.StatusOK, "Log out")
	}
	if n := f.pool.Requests(cognatetest.CodeGrant); n != 1 {
		t.Errorf("there were %d sign-ins, want 1", n)
	}
	if _, body := f.visit(a, http.MethodPost, "/logout"); !strings.Contains(body, "Log in") {
		t.Errorf("signing out at a ended with %s", body)
	}
	f.expect("signed out at a", a, "/hello", http.StatusOK, signInPage)
	f.expect("signed out at b", b, "/hello", http.StatusOK, signInPage)
}

// TestStolenCookie checks that signing out at one process ends the session itself, not
// only the cookie in this browser: a copy of the cookie does not work at the other
// process.
func TestStolenCookie(t *testing.T) {
	t.Parallel()
	f := start(t, patient)
	a, b := f.browser()
	f.expect("before", b, "/hello", http.StatusOK, "process b")
	thief := cognatetest.NewBrowser(t, site, f.b)
	home, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, site, nil)
	thief.Jar.SetCookies(home.URL, secured(a.Jar.Cookies(home.URL)))
	f.expect("the copy works", thief, "/hello", http.StatusOK, "process b")
	f.visit(a, http.MethodPost, "/logout")
	f.eventually("the copy works no more", thief, "/hello", http.StatusOK, signInPage)
}

// secured returns the cookies of a jar in the form that a jar accepts.
func secured(cookies []*http.Cookie) []*http.Cookie {
	for _, c := range cookies {
		c.Secure, c.Path = true, "/"
	}
	return cookies
}

func TestLogoutEverywhere(t *testing.T) {
	t.Parallel()
	f := start(t, patient)
	laptop, _ := f.browser()
	_, phone := f.browser()
	f.expect("the phone before", phone, "/hello", http.StatusOK, "process b")
	if _, body := f.visit(laptop, http.MethodPost, "/logout-everywhere"); !strings.Contains(body, "Log in") {
		t.Errorf("signing out everywhere ended with %s", body)
	}
	f.expect("the laptop", laptop, "/hello", http.StatusOK, signInPage)
	f.eventually("the phone is not known", phone, "/", http.StatusOK, "Log in")
}

// TestOneRefresh sends many requests to both processes at the same time with an expired
// token.
func TestOneRefresh(t *testing.T) {
	t.Parallel()
	f := start(t, patient)
	a, b := f.browser()
	f.clock.Advance(61 * time.Minute)
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() { f.expect("at a", a, "/hello", http.StatusOK, "process a") })
		wg.Go(func() { f.expect("at b", b, "/hello", http.StatusOK, "process b") })
	}
	wg.Wait()
	if n := f.pool.Requests(cognatetest.RefreshGrant); n != 1 {
		t.Errorf("the token was refreshed %d times, want once", n)
	}
}

// TestRedisRestart checks for 503 while Redis is down, and for the same session
// afterwards.
func TestRedisRestart(t *testing.T) {
	t.Parallel()
	f := start(t, time.Second) // the test waits for it
	a, b := f.browser()
	f.redis.Stop()
	for name, browser := range map[string]*http.Client{"a": a, "b": b} {
		resp := f.eventually("down, at "+name, browser, "/hello", http.StatusServiceUnavailable, "")
		if resp.Header.Get("Retry-After") == "" || len(resp.Header.Values("Set-Cookie")) > 0 {
			t.Errorf("down, at %s: got headers %v, want Retry-After and no cookie", name, resp.Header)
		}
		f.expect("public, at "+name, browser, "/", http.StatusOK, "Public page")
	}
	f.redis.Start()
	f.eventually("up, at a", a, "/hello", http.StatusOK, "process a")
	f.eventually("up, at b", b, "/hello", http.StatusOK, "process b")
	if n := f.pool.Requests(cognatetest.CodeGrant); n != 1 {
		t.Errorf("there were %d sign-ins, want 1", n)
	}
}
