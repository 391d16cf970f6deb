package cognatetest_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/cognate-auth/cognate/cognatetest"
	"github.com/cognate-auth/cognate/userpool"
)

// TestSignInToHandler signs in to an app that listens on no port.
func TestSignInToHandler(t *testing.T) {
	t.Parallel()
	pool, client := poolFor(t, appURL)
	_, app := newApp(t, pool.AppConfig(client))
	browser := cognatetest.NewBrowser(t, appURL+"/anything?else", app)
	signedIn := pool.SignIn(t, browser, appURL+"/hello", "ann", password)
	if status, body := read(t, signedIn, appURL+"/hello"); status != http.StatusOK ||
		!strings.HasPrefix(body, "hello, ann@") {
		t.Errorf("got %d %q", status, body)
	}
	if _, body := read(t, browser, appURL+"/"); body != "public, ann@example.com" {
		t.Errorf("with the jar that was passed: %q", body)
	}

	// The session is in the jar.
	u, err := url.Parse(appURL)
	if err != nil {
		t.Fatal(err)
	}
	r := request("/hello")
	for _, c := range signedIn.Jar.Cookies(u) {
		r.AddCookie(c)
	}
	if status, _ := get(t, app, r); status != http.StatusOK {
		t.Errorf("with the jar's cookies: got %d, want 200", status)
	}
}

// TestSignInToServer signs in to an app that serves TLS on a port.
func TestSignInToServer(t *testing.T) {
	t.Parallel()
	srv := httptest.NewUnstartedServer(nil)
	srv.StartTLS()
	t.Cleanup(srv.Close)
	pool, client := poolFor(t, srv.URL)
	_, srv.Config.Handler = newApp(t, pool.AppConfig(client))
	browser := pool.SignIn(t, srv.Client(), srv.URL+"/hello", "ann", password)
	if status, body := read(t, browser, srv.URL+"/hello"); status != http.StatusOK ||
		!strings.HasPrefix(body, "hello, ann@") {
		t.Errorf("got %d %q", status, body)
	}
	if srv.Client().Jar != nil {
		t.Error("the client that was passed has a jar now")
	}
}

// TestSignInTwice signs in to a second app of the same pool: the browser has a session
// there, so the pool does not ask for a password.
func TestSignInTwice(t *testing.T) {
	t.Parallel()
	pool, client := poolFor(t, appURL)
	_, app := newApp(t, pool.AppConfig(client))
	browser := cognatetest.NewBrowser(t, appURL, app)
	pool.SignIn(t, browser, appURL+"/hello", "ann", password)
	jar := browser.Jar
	second := pool.AddClient(userpool.Client{CallbackURLs: []string{"https://second.example/oidc_callback"}})
	_, app = newApp(t, pool.AppConfig(second))
	browser = cognatetest.NewBrowser(t, "https://second.example", app)
	browser.Jar = jar
	pool.SignIn(t, browser, "https://second.example/hello", "", "")
	if status, _ := read(t, browser, "https://second.example/hello"); status != http.StatusOK {
		t.Errorf("got %d, want 200", status)
	}
}

func TestVisit(t *testing.T) {
	t.Parallel()
	pool, client := poolFor(t, appURL)
	cfg := pool.AppConfig(client)
	cfg.RequireVerifiedEmail = true
	_, app := newApp(t, cfg)
	for user, want := range map[string]int{"ann": http.StatusOK, "bob": http.StatusForbidden} {
		resp := pool.Visit(t, cognatetest.NewBrowser(t, appURL, app), appURL+"/hello", user, password)
		body, err := io.ReadAll(resp.Body)
		if err != nil || resp.StatusCode != want || len(body) == 0 {
			t.Errorf("%s: got %d with %d bytes, %v; want %d", user, resp.StatusCode, len(body), err, want)
		}
	}
	resp := pool.Visit(t, cognatetest.NewBrowser(t, appURL, app), appURL+"/", "ann", password)
	if resp.StatusCode != http.StatusOK || pool.Requests(cognatetest.AuthorizationEndpoint) != 2 {
		t.Errorf("public page: got %d; %d sign-ins", resp.StatusCode, pool.Requests(cognatetest.AuthorizationEndpoint))
	}
}

// TestSignInSaysWhatWentWrong checks the messages for the test's author.
func TestSignInSaysWhatWentWrong(t *testing.T) {
	t.Parallel()
	pool, client := poolFor(t, appURL)
	cfg := pool.AppConfig(client)
	cfg.RequireVerifiedEmail = true
	_, app := newApp(t, cfg)
	loop := http.RedirectHandler(appURL+"/", http.StatusFound)
	for name, tt := range map[string]struct {
		app            http.Handler
		page, password string
		want           string
	}{
		"public page":    {app, "/", password, "did not lead to the pool"},
		"no such page":   {app, "/nowhere", password, "answered 404 at /nowhere: 404 page not found"},
		"wrong password": {app, "/hello", "wrong", "Incorrect username or password."},
		"refused":        {app, "/hello", password, "answered 403 at /oidc_callback"},
		"endless":        {loop, "/", password, "too many redirects"},
	} {
		browser := cognatetest.NewBrowser(t, appURL, tt.app)
		checkFatal(t, name, tt.want, func(tb testing.TB) {
			pool.SignIn(tb, browser, appURL+tt.page, "bob", tt.password)
		})
	}
	checkFatal(t, "no jar", "cookie jar", func(tb testing.TB) {
		pool.Visit(tb, http.DefaultClient, appURL+"/hello", "ann", password)
	})
	for _, address := range []string{"", "app.example", "ftp://app.example", "https:///x", "::"} {
		checkFatal(t, address, "is not the http or https URL", func(tb testing.TB) {
			cognatetest.NewBrowser(tb, address, app)
		})
	}
}

// TestBrowserIsLikeANetwork compares the request that a handler gets with the request
// that it would get from a listener.
func TestBrowserIsLikeANetwork(t *testing.T) {
	t.Parallel()
	app := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		http.SetCookie(w, &http.Cookie{Name: "__Host-c", Value: "1", Path: "/", Secure: true})
		w.Header().Set("X-Seen", strings.Join([]string{
			r.Method, r.RequestURI, r.URL.String(), r.Host, r.Header.Get("Content-Type"), string(body),
		}, " "))
		w.WriteHeader(map[bool]int{true: http.StatusTeapot, false: http.StatusOK}[r.TLS != nil])
	})
	browser := cognatetest.NewBrowser(t, appURL, app)
	resp, err := browser.Post(appURL+"/a%2Fb?c=d", "text/plain", strings.NewReader("body"))
	if err != nil {
		t.Fatal(err)
	}
	want := "POST /a%2Fb?c=d /a%2Fb?c=d app.example text/plain body"
	if got := resp.Header.Get("X-Seen"); got != want || resp.StatusCode != http.StatusTeapot {
		t.Errorf("got %d %q\nwant 418 %q", resp.StatusCode, got, want)
	}
	if got := len(browser.Jar.Cookies(resp.Request.URL)); got != 1 {
		t.Errorf("the jar has %d cookies, want 1", got)
	}
}

// TestClock moves one clock for the pool and the app.
func TestClock(t *testing.T) {
	t.Parallel()
	clock := cognatetest.NewClock(t)
	if d := time.Since(clock.Now()); d < 0 || d > time.Minute {
		t.Errorf("a new clock is %v late", d)
	}
	clock.Set(time.Date(2040, 1, 2, 3, 4, 5, 0, time.UTC))
	pool, client := poolFor(t, appURL, cognatetest.Options{Now: clock.Now})
	cfg := pool.AppConfig(client)
	cfg.Session.Lifetime = time.Hour
	_, app := newApp(t, cfg)
	browser := cognatetest.NewBrowser(t, appURL, app)
	pool.SignIn(t, browser, appURL+"/hello", "ann", password)
	clock.Advance(time.Hour - time.Second)
	if _, body := read(t, browser, appURL+"/"); body != "public, ann@example.com" {
		t.Errorf("within the session's lifetime: %q", body)
	}
	clock.Advance(time.Second)
	if _, body := read(t, browser, appURL+"/"); body != "public" {
		t.Errorf("after the session's lifetime: %q", body)
	}
}
