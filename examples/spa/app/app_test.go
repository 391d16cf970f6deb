package app_test

import (
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/cognate-auth/cognate/cognatetest"
	"github.com/cognate-auth/cognate/examples/spa/app"
	"github.com/cognate-auth/cognate/userpool"
)

const site = "https://list.example"

// start returns a pool with ann and bob, and the app.
func start(t *testing.T) (*cognatetest.Pool, http.Handler) {
	t.Helper()
	pool := cognatetest.New(t)
	client := pool.AddClient(userpool.Client{
		CallbackURLs: []string{site + "/oidc_callback"}, LogoutURLs: []string{site + "/"},
	})
	for _, name := range []string{"ann", "bob"} {
		pool.AddUser(userpool.NewUser{
			Username: name, Password: "Correct-Horse-7",
			Attributes: map[string]string{"email": name + "@example.com", "email_verified": "true"},
		})
	}
	handler, err := app.New(pool.AppConfig(client))
	if err != nil {
		t.Fatal(err)
	}
	return pool, handler
}

// fetch sends a request as the page's script does, or as another one: from is
// same-origin or cross-site.
func fetch(t *testing.T, browser *http.Client, from, method, path, body string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, site+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Sec-Fetch-Mode", "cors")
	req.Header.Set("Sec-Fetch-Site", from)
	req.Header.Set("Referer", site+"/?from=test")
	resp, err := browser.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(text)
}

// TestStatic checks that the files are public and set no cookie, and that the page
// allows nothing inline.
func TestStatic(t *testing.T) {
	t.Parallel()
	_, handler := start(t)
	browser := cognatetest.NewBrowser(t, site, handler)
	for path, want := range map[string]string{
		"/": "<h1>Shopping list</h1>", "/app.js": "login_url", "/style.css": "prefers-color-scheme",
	} {
		resp, body := fetch(t, browser, "none", http.MethodGet, path, "")
		if resp.StatusCode != http.StatusOK || !strings.Contains(body, want) {
			t.Errorf("%s: got %s, want 200 with %s", path, resp.Status, want)
		}
		policy := resp.Header.Get("Content-Security-Policy")
		if !strings.HasPrefix(policy, "default-src 'none'; ") || strings.Contains(policy, "unsafe") {
			t.Errorf("%s: got Content-Security-Policy %q", path, policy)
		}
		if got := resp.Header.Values("Set-Cookie"); len(got) > 0 {
			t.Errorf("%s sets a cookie", path)
		}
	}
}

func TestList(t *testing.T) {
	t.Parallel()
	pool, handler := start(t)
	ann := cognatetest.NewBrowser(t, site, handler)
	const same, cross = "same-origin", "cross-site"

	resp, body := fetch(t, ann, same, http.MethodGet, "/api/me", "")
	if resp.StatusCode != http.StatusUnauthorized ||
		!strings.Contains(body, `"login_url":"/login?return_to=%2F%3Ffrom%3Dtest"`) {
		t.Fatalf("before signing in: got %s, %s, want 401 with a login_url that returns to the page", resp.Status, body)
	}
	pool.SignIn(t, ann, site+"/login", "ann", "Correct-Horse-7") // where the script sends people
	bob := cognatetest.NewBrowser(t, site, handler)
	pool.SignIn(t, bob, site+"/login", "bob", "Correct-Horse-7")

	for _, tt := range []struct {
		name               string
		browser            *http.Client
		from, method, path string
		body               string
		status             int
		want               string
	}{
		{"who", ann, same, "GET", "/api/me", "", 200, `{"email":"ann@example.com"}`},
		{"nothing yet", ann, same, "GET", "/api/items", "", 200, "[]"},
		{"an item", ann, same, "POST", "/api/items", `{"text":" milk "}`, 201, `{"id":1,"text":"milk"}`},
		{"an item from another site", ann, cross, "POST", "/api/items", `{"text":"spam"}`, 403, ""},
		{"no text", ann, same, "POST", "/api/items", `{"text":" "}`, 400, "error"},
		{"no JSON", ann, same, "POST", "/api/items", `text=milk`, 400, "error"},
		{"too long", ann, same, "POST", "/api/items", `{"text":"` + strings.Repeat("x", 4096) + `"}`, 400, "error"},
		{"the list", ann, same, "GET", "/api/items", "", 200, `[{"id":1,"text":"milk"}]`},
		{"bob's list", bob, same, "GET", "/api/items", "", 200, "[]"},
		{"bob removes ann's", bob, same, "DELETE", "/api/items/1", "", 404, "error"},
		{"another site removes", ann, cross, "DELETE", "/api/items/1", "", 403, ""},
		{"no such item", ann, same, "DELETE", "/api/items/99", "", 404, "error"},
		{"removed", ann, same, "DELETE", "/api/items/1", "", 204, ""},
		{"no such path", ann, same, "GET", "/api/other", "", 404, ""},
		{"sign-out by another site", ann, cross, "POST", "/logout", "", 403, ""},
		{"still there", ann, same, "GET", "/api/items", "", 200, "[]"},
		{"sign-out", ann, same, "POST", "/logout", "", 200, `{"logout_url":"` + pool.URL + `/logout?`},
		{"after it", ann, same, "GET", "/api/items", "", 401, "login_url"},
		{"bob stays", bob, same, "GET", "/api/me", "", 200, "bob@example.com"},
	} {
		resp, body := fetch(t, tt.browser, tt.from, tt.method, tt.path, tt.body)
		if resp.StatusCode != tt.status || !strings.Contains(body, tt.want) {
			t.Errorf("%s: got %s, %s, want %d and %s", tt.name, resp.Status, body, tt.status, tt.want)
		}
	}
}

// TestNoToken checks that the browser receives no token, only sealed cookies that
// scripts can't read.
func TestNoToken(t *testing.T) {
	t.Parallel()
	pool, handler := start(t)
	var cookies []*http.Cookie
	browser := cognatetest.NewBrowser(t, site, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		handler.ServeHTTP(w, r)
		cookies = slices.Concat(cookies, (&http.Response{Header: w.Header()}).Cookies())
	}))
	pool.SignIn(t, browser, site+"/login", "ann", "Correct-Horse-7")
	fetch(t, browser, "same-origin", http.MethodGet, "/api/me", "")
	home, err := url.Parse(site)
	if err != nil || len(browser.Jar.Cookies(home)) != 1 {
		t.Errorf("the browser holds %d cookies, want that of the session", len(browser.Jar.Cookies(home)))
	}
	for _, c := range cookies {
		if !c.HttpOnly || !c.Secure || strings.Contains(c.Value, "eyJ") {
			t.Errorf("cookie %s: HttpOnly %v, Secure %v, or it holds a token", c.Name, c.HttpOnly, c.Secure)
		}
	}
}
