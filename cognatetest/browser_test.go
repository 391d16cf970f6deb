package cognatetest_test

import (
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/cognate-auth/cognate"
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
		"refused": {app, "/hello", password,
			"answered 403 at /oidc_callback: it refused with the reason email_not_verified: "},
		"endless": {loop, "/", password, "too many redirects"},
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

// TestRefusalsAreSaid has apps that refuse Bob and don't show why: the test's author reads
// the reason all the same, from SignIn and from Visit.
func TestRefusalsAreSaid(t *testing.T) {
	t.Parallel()
	teapot := func(w http.ResponseWriter, _ *http.Request, _ *cognate.Error) { w.WriteHeader(http.StatusTeapot) }
	for name, tt := range map[string]struct {
		status int
		change func(*cognate.Config)
		want   string
	}{
		"the built-in page": {403, func(*cognate.Config) {}, "the reason email_not_verified: "},
		"a log of its own": {403, func(c *cognate.Config) {
			c.Logger = slog.New(slog.DiscardHandler)
		}, "email_not_verified"},
		"pages of its own": {403, func(c *cognate.Config) { c.ErrorHandler = plainError }, "email_not_verified"},
		"a status of its own": {418, func(c *cognate.Config) {
			c.ErrorHandler = teapot
		}, "answered 418 at /oidc_callback: "},
		"a wrong secret": {502, func(c *cognate.Config) {
			c.ClientSecret = "wrong"
		}, `the provider says "invalid_client"`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			address := "https://" + strings.ReplaceAll(name, " ", "-") + ".example"
			pool, client := poolFor(t, address)
			cfg := pool.AppConfig(client)
			cfg.RequireVerifiedEmail = true
			tt.change(&cfg)
			_, app := newApp(t, cfg)
			checkFatal(t, "signing in", tt.want, func(tb testing.TB) {
				pool.SignIn(tb, cognatetest.NewBrowser(t, address, app), address+"/hello", "bob", password)
			})
			log := &logged{TB: t}
			resp := pool.Visit(log, cognatetest.NewBrowser(t, address, app), address+"/hello", "bob", password)
			if resp.StatusCode != tt.status || tt.status != 418 && !strings.Contains(log.text, tt.want) {
				t.Errorf("visiting: got %d, and the log has %q, want %q", resp.StatusCode, log.text, tt.want)
			}
			pool.Visit(log, cognatetest.NewBrowser(t, address, app), address+"/", "", "")
			if strings.Count(log.text, "visiting") > 1 {
				t.Errorf("visiting a public page: the log has %q", log.text)
			}
		})
	}
}

// TestRefusalsOfServers has two apps with listeners refuse at the same address at the same
// time: each test reads its own reason.
func TestRefusalsOfServers(t *testing.T) {
	t.Parallel()
	for reason, change := range map[string]func(*cognate.Config){
		"email_not_verified": func(c *cognate.Config) { c.RequireVerifiedEmail = true },
		"denied": func(c *cognate.Config) {
			c.LoginRules = []cognate.Rule{cognate.Group("nobody")}
		},
	} {
		t.Run(reason, func(t *testing.T) {
			t.Parallel()
			mux := http.NewServeMux()
			srv := httptest.NewServer(mux)
			t.Cleanup(srv.Close)
			pool, client := poolFor(t, srv.URL)
			cfg := pool.AppConfig(client)
			change(&cfg)
			_, app := newApp(t, cfg)
			mux.Handle("/", app)
			for range 5 {
				checkFatal(t, "signing in", "it refused with the reason "+reason, func(tb testing.TB) {
					pool.SignIn(tb, &http.Client{}, srv.URL+"/hello", "bob", password)
				})
			}
		})
	}
}

func plainError(w http.ResponseWriter, _ *http.Request, err *cognate.Error) {
	http.Error(w, "something went wrong", err.Status)
}

// logged is a test whose log is examined.
type logged struct {
	testing.TB

	text string
}

func (l *logged) Helper() {}

func (l *logged) Logf(format string, args ...any) { l.text += fmt.Sprintf(format+"\n", args...) }

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
