package app_test

import (
	"database/sql"
	"io"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cognate-auth/cognate/cognatetest"
	"github.com/cognate-auth/cognate/examples/permissions/app"
	"github.com/cognate-auth/cognate/userpool"
)

const (
	site     = "https://app.example"
	password = "Correct-Horse-7"
)

// fixture is a pool, a database and an app whose first admin is ann@example.com.
type fixture struct {
	*testing.T
	pool    *cognatetest.Pool
	file    string
	handler http.Handler
}

func start(t *testing.T) *fixture {
	t.Helper()
	f := &fixture{T: t, pool: cognatetest.New(t), file: filepath.Join(t.TempDir(), "permissions ?.db")}
	client := f.pool.AddClient(userpool.Client{
		CallbackURLs: []string{site + "/oidc_callback"}, LogoutURLs: []string{site + "/"},
	})
	roles, err := app.Open(t.Context(), f.file)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = roles.Close() })
	f.handler, err = app.New(f.pool.AppConfig(client), roles, "ann@example.com")
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// browser adds a person to the pool and signs them in. It also returns their subject.
func (f *fixture) browser(name, email string) (*http.Client, string) {
	f.Helper()
	user := f.pool.AddUser(userpool.NewUser{
		Username: name, Password: password, Attributes: map[string]string{"email": email, "email_verified": "true"},
	})
	browser := cognatetest.NewBrowser(f, site, f.handler)
	f.pool.SignIn(f, browser, site+"/login", name, password)
	return browser, user.Sub
}

// expect sends a request as a page of the site from does, and checks the answer.
func (f *fixture) expect(step string, browser *http.Client, from, method, path string, form url.Values,
	status int, want string) {
	f.Helper()
	req, err := http.NewRequestWithContext(f.Context(), method, site+path, strings.NewReader(form.Encode()))
	if err != nil {
		f.Fatal(err)
	}
	if form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	req.Header.Set("Sec-Fetch-Mode", "navigate")
	req.Header.Set("Sec-Fetch-Site", from)
	resp, err := browser.Do(req)
	if err != nil {
		f.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		f.Fatal(err)
	}
	if resp.StatusCode != status || !strings.Contains(string(body), want) {
		f.Errorf("%s: got %s, want %d with %q in:\n%s", step, resp.Status, status, want, body)
	}
	if status == http.StatusServiceUnavailable && resp.Header.Get("Retry-After") == "" {
		f.Errorf("%s: there is no Retry-After", step)
	}
}

const (
	here  = "same-origin"
	other = "cross-site"
	get   = http.MethodGet
	post  = http.MethodPost
)

func role(who, name string) url.Values { return url.Values{"who": {who}, "role": {name}} }

func held(subject, name string) url.Values { return url.Values{"subject": {subject}, "role": {name}} }

// TestRoles gives bob a role and takes it away.
func TestRoles(t *testing.T) {
	t.Parallel()
	f := start(t)
	stranger := cognatetest.NewBrowser(t, site, f.handler)
	f.expect("public", stranger, here, get, "/", nil, 200, "Open to everyone")
	f.expect("private", stranger, here, get, "/hello", nil, 200, `name="password"`) // the pool's

	ann, annID := f.browser("ann", "ann@example.com")
	bob, bobID := f.browser("bob", "bob@example.com")
	f.expect("the first admin", ann, here, get, "/hello", nil, 200, "Signed in as ann@example.com")
	f.expect("no role", bob, here, get, "/hello", nil, 403, "isn’t for you")
	f.expect("no admin", bob, here, get, "/admin", nil, 403, "isn’t for you")
	f.expect("the list", ann, here, get, "/admin", nil, 200, bobID)

	f.expect("bob helps himself", bob, here, post, "/admin/grant", role("bob@example.com", app.Reader), 403, "")
	f.expect("another site helps bob", ann, other, post, "/admin/grant", role("bob@example.com", app.Reader), 403, "")
	f.expect("nobody", ann, here, post, "/admin/grant", role("eve@example.com", app.Reader), 422, "has signed in yet")
	f.expect("no such role", ann, here, post, "/admin/grant", role("bob@example.com", "king"), 422, "no such role")
	f.expect("still no role", bob, here, get, "/hello", nil, 403, "")
	f.expect("granted by address", ann, here, post, "/admin/grant", role("Bob@Example.com", app.Reader), 200,
		"Take the role reader from bob@example.com")
	f.expect("twice", ann, here, post, "/admin/grant", role(bobID, app.Reader), 200, "")
	f.expect("a reader", bob, here, get, "/hello", nil, 200, "Signed in as bob@example.com")
	f.expect("no admin yet", bob, here, get, "/admin", nil, 403, "")

	f.expect("another site revokes", ann, other, post, "/admin/revoke", held(bobID, app.Reader), 403, "")
	f.expect("revoked", ann, here, post, "/admin/revoke", held(bobID, app.Reader), 200, "bob@example.com")
	f.expect("at once", bob, here, get, "/hello", nil, 403, "")
	f.expect("the last admin", ann, here, post, "/admin/revoke", held(annID, app.Admin), 422, "last admin")
	f.expect("a second one", ann, here, post, "/admin/grant", role(bobID, app.Admin), 200, "")
	f.expect("then the first may go", ann, here, post, "/admin/revoke", held(annID, app.Admin), 403, "")
	f.expect("admin now", bob, here, get, "/admin", nil, 200, "ann@example.com")

	f.expect("sign-out", bob, here, post, "/logout", nil, 200, "Open to everyone")
	f.expect("after it", bob, here, get, "/admin", nil, 200, `name="password"`)
}

// TestSameAddress checks that roles belong to a subject: another account with the same
// address has no role.
func TestSameAddress(t *testing.T) {
	t.Parallel()
	f := start(t)
	ann, _ := f.browser("ann", "ann@example.com")
	f.expect("granted", ann, here, post, "/admin/grant", role("ann@example.com", app.Reader), 200, "")
	twin, twinID := f.browser("twin", "ann@example.com")
	f.expect("the twin", twin, here, get, "/hello", nil, 403, "")
	f.expect("the twin is not made admin", twin, here, get, "/admin", nil, 403, "")
	f.expect("by address", ann, here, post, "/admin/grant", role("ann@example.com", app.Reader),
		422, "Several accounts")
	f.expect("by subject", ann, here, post, "/admin/grant", role(twinID, app.Reader), 200, "")
	f.expect("the twin, by subject", twin, here, get, "/hello", nil, 200, "ann@example.com")
}

// TestDatabaseDown checks for 503 while the database can't be asked, and that nobody is
// signed out.
func TestDatabaseDown(t *testing.T) {
	t.Parallel()
	f := start(t)
	ann, _ := f.browser("ann", "ann@example.com")
	db, err := sql.Open("sqlite", "file:"+(&url.URL{Path: f.file}).EscapedPath())
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, statement := range []string{"ALTER TABLE roles RENAME TO lost", "ALTER TABLE lost RENAME TO roles"} {
		_, err := db.ExecContext(t.Context(), statement)
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(statement, "lost") {
			f.expect("rule", ann, here, get, "/hello", nil, 503, "try again")
			f.expect("panel", ann, here, get, "/admin", nil, 503, "")
			f.expect("public", ann, here, get, "/", nil, 200, "ann@example.com")
		}
	}
	f.expect("afterwards", ann, here, get, "/hello", nil, 200, "Signed in as ann@example.com")
}

// TestDatabaseDownAtSignIn checks that a sign-in fails if it can't be stored.
func TestDatabaseDownAtSignIn(t *testing.T) {
	t.Parallel()
	f := start(t)
	roles, err := app.Open(t.Context(), f.file)
	if err != nil {
		t.Fatal(err)
	}
	err = roles.Close()
	if err != nil {
		t.Fatal(err)
	}
	client := f.pool.AddClient(userpool.Client{CallbackURLs: []string{site + "/oidc_callback"}})
	handler, err := app.New(f.pool.AppConfig(client), roles, "")
	if err != nil {
		t.Fatal(err)
	}
	f.pool.AddUser(userpool.NewUser{
		Username: "ann", Password: password,
		Attributes: map[string]string{"email": "ann@example.com", "email_verified": "true"},
	})
	browser := cognatetest.NewBrowser(t, site, handler)
	resp := f.pool.Visit(t, browser, site+"/login", "ann", password)
	if resp.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("got %s, want 503", resp.Status)
	}
}

// TestReopen checks that roles are still there after a restart.
func TestReopen(t *testing.T) {
	t.Parallel()
	f := start(t)
	_, id := f.browser("ann", "ann@example.com")
	roles, err := app.Open(t.Context(), f.file)
	if err != nil {
		t.Fatal(err)
	}
	defer roles.Close()
	for _, tt := range []struct {
		role string
		want bool
	}{{app.Admin, true}, {app.Reader, false}} {
		got, err := roles.Has(t.Context(), id, tt.role)
		if err != nil || got != tt.want {
			t.Errorf("%s: got %v, %v, want %v", tt.role, got, err, tt.want)
		}
	}
}
