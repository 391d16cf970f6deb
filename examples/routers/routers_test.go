package main_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	router "github.com/gin-gonic/gin"

	"github.com/cognate-auth/cognate"
	"github.com/cognate-auth/cognate/cognatetest"
	"github.com/cognate-auth/cognate/examples/routers/chi"
	"github.com/cognate-auth/cognate/examples/routers/echo"
	"github.com/cognate-auth/cognate/examples/routers/gin"
	"github.com/cognate-auth/cognate/userpool"
)

const site = "https://app.example"

var routers = map[string]func(*cognate.Auth) http.Handler{"chi": chi.New, "gin": gin.New, "echo": echo.New}

func init() {
	router.SetMode(router.TestMode) // otherwise it lists its routes
}

// start returns a pool with ann, who is an admin, and bob, who is not, and an app.
func start(t *testing.T, newApp func(*cognate.Auth) http.Handler) (*cognatetest.Pool, http.Handler) {
	t.Helper()
	pool := cognatetest.New(t)
	client := pool.AddClient(userpool.Client{
		CallbackURLs: []string{site + "/oidc_callback"}, LogoutURLs: []string{site + "/"},
	})
	for name, groups := range map[string][]string{"ann": {"admins"}, "bob": nil} {
		pool.AddUser(userpool.NewUser{
			Username: name, Password: "Correct-Horse-7", Groups: groups,
			Attributes: map[string]string{"email": name + "@example.com", "email_verified": "true"},
		})
	}
	auth, err := cognate.New(pool.AppConfig(client))
	if err != nil {
		t.Fatal(err)
	}
	return pool, newApp(auth)
}

// visit sends a request as a person's browser does, and returns the status and the
// page.
func visit(t *testing.T, browser *http.Client, method, path string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, site+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Sec-Fetch-Mode", "navigate")
	req.Header.Set("Sec-Fetch-Site", "same-origin")
	resp, err := browser.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}

func TestRouters(t *testing.T) {
	for name, newApp := range routers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			pool, app := start(t, newApp)
			ann, bob := cognatetest.NewBrowser(t, site, app), cognatetest.NewBrowser(t, site, app)
			look := func(step string, browser *http.Client, method, path string, status int, want string) {
				t.Helper()
				got, body := visit(t, browser, method, path)
				if got != status || !strings.Contains(body, want) {
					t.Errorf("%s: got %d, want %d with %q in %s", step, got, status, want, body)
				}
			}
			look("public", ann, http.MethodGet, "/", http.StatusOK, "Served with "+name)
			look("private", ann, http.MethodGet, "/hello/world", http.StatusOK, `name="password"`) // the pool's
			pool.SignIn(t, ann, site+"/hello/world", "ann", "Correct-Horse-7")
			pool.SignIn(t, bob, site+"/hello/world", "bob", "Correct-Horse-7")
			look("signed in", ann, http.MethodGet, "/hello/world", http.StatusOK, "Signed in as ann@example.com")
			look("the route's parameter", ann, http.MethodGet, "/hello/gopher", http.StatusOK, "Hello, gopher")
			look("public again", ann, http.MethodGet, "/", http.StatusOK, "Log out")
			look("admins", ann, http.MethodGet, "/admin", http.StatusOK, "ann@example.com is one of them")
			look("denied", bob, http.MethodGet, "/admin", http.StatusForbidden, "isn’t for you")
			look("not found", ann, http.MethodGet, "/nowhere", http.StatusNotFound, "")
			look("sign-out", ann, http.MethodPost, "/logout", http.StatusOK, "Log in")
			look("after it", ann, http.MethodGet, "/hello/world", http.StatusOK, `name="password"`)
			look("bob stays", bob, http.MethodGet, "/hello/world", http.StatusOK, "Signed in as bob@example.com")
		})
	}
}

// TestDenialIsWhole checks that a refusal by the middleware contains nothing of the
// page behind it.
func TestDenialIsWhole(t *testing.T) {
	for name, newApp := range routers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, app := start(t, newApp)
			browser := cognatetest.NewBrowser(t, site, app)
			browser.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
			status, body := visit(t, browser, http.MethodGet, "/hello/world")
			if status != http.StatusFound || body != "" {
				t.Errorf("got %d with %q, want a redirect and nothing else", status, body)
			}
		})
	}
}
