package app_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/cognate-auth/cognate/cognatetest"
	"github.com/cognate-auth/cognate/examples/api/app"
	"github.com/cognate-auth/cognate/userpool"
)

const site = "https://notes.example"

// start returns a pool with ann and bob, and an API that they can sign in to. token
// gets a token with other scopes for a program, by a separate sign-in with the same
// client.
func start(t *testing.T) (pool *cognatetest.Pool, api http.Handler, token func(user string, scopes ...string) string) {
	t.Helper()
	pool = cognatetest.New(t, cognatetest.Options{Settings: userpool.Settings{
		ResourceServers: []userpool.ResourceServer{{
			Identifier: "notes", Scopes: []userpool.ResourceServerScope{{Name: "admin"}},
		}},
	}})
	client := pool.AddClient(userpool.Client{
		CallbackURLs: []string{site + "/oidc_callback"}, LogoutURLs: []string{site + "/"},
		AllowedOAuthScopes: []string{"openid", "email", "notes/admin"},
	})
	for _, name := range []string{"ann", "bob"} {
		pool.AddUser(userpool.NewUser{
			Username: name, Password: "Correct-Horse-7",
			Attributes: map[string]string{"email": name + "@example.com", "email_verified": "true"},
		})
	}
	api, err := app.New(pool.AppConfig(client))
	if err != nil {
		t.Fatal(err)
	}
	return pool, api, func(user string, scopes ...string) string {
		cfg := pool.AppConfig(client)
		cfg.Scopes = scopes
		other, err := app.New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		browser := cognatetest.NewBrowser(t, site, other)
		pool.SignIn(t, browser, site+"/token", user, "Correct-Horse-7")
		_, token := do(t, browser, http.MethodGet, "/token", "", nil)
		return strings.TrimSpace(token)
	}
}

// do sends a request and returns the answer and its body.
func do(t *testing.T, client *http.Client, method, path, body string,
	header map[string]string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, site+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range header {
		req.Header.Set(name, value)
	}
	resp, err := client.Do(req)
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

// TestProgram checks the answers to a program with a token, and without one.
func TestProgram(t *testing.T) {
	t.Parallel()
	_, api, token := start(t)
	curl := cognatetest.NewBrowser(t, site, api)
	plain, admin := token("ann", "openid", "email"), token("ann", "openid", "notes/admin")
	for _, tt := range []struct {
		name, method, path, body, token string
		status                          int
		challenge                       string // part of WWW-Authenticate
		text                            string // part of the body
	}{
		{"public", "GET", "/", "", "", 200, "", "/api/notes"},
		{"no token", "GET", "/api/me", "", "", 401, "Bearer", "missing_authorization"},
		{"not a token", "GET", "/api/me", "", "x.y.z", 401, `error="invalid_token"`, "invalid_token"},
		{"a forged token", "GET", "/api/me", "", plain[:len(plain)-8] + "AAAAAAAA", 401, `error="invalid_token"`, ""},
		{"a good token", "GET", "/api/me", "", plain, 200, "", `"scopes":["openid","email"]`},
		{"a scope is missing", "GET", "/api/me", "", admin, 403, `scope="email"`, "insufficient_scope"},
		{"the admin's is missing", "DELETE", "/api/notes", "", plain, 403, `scope="notes/admin"`, "insufficient_scope"},
		{"a note", "POST", "/api/notes", `{"text":"milk"}`, plain, 201, "", "milk"},
		{"no note", "POST", "/api/notes", `[]`, plain, 400, "", "expected"},
		{"the notes", "GET", "/api/notes", "", plain, 200, "", `[{"text":"milk"}]`},
		{"a bad token where a cookie would do", "GET", "/api/notes", "", "x.y.z", 401, "invalid_token", ""},
		{"the admin", "DELETE", "/api/notes", "", admin, 204, "", ""},
		{"no notes", "GET", "/api/notes", "", plain, 200, "", "[]"},
	} {
		header := map[string]string{"Accept": "application/json"}
		if tt.token != "" {
			header["Authorization"] = "Bearer " + tt.token
		}
		resp, body := do(t, curl, tt.method, tt.path, tt.body, header)
		if resp.StatusCode != tt.status || !strings.Contains(body, tt.text) {
			t.Errorf("%s: got %s, %s, want %d and %s", tt.name, resp.Status, body, tt.status, tt.text)
		}
		if got := resp.Header.Get("WWW-Authenticate"); !strings.Contains(got, tt.challenge) ||
			tt.status == 200 && got != "" {
			t.Errorf("%s: got WWW-Authenticate %q, want %q", tt.name, got, tt.challenge)
		}
	}
}

// TestPerson uses the same API with a browser's cookie.
func TestPerson(t *testing.T) {
	t.Parallel()
	pool, api, _ := start(t)
	browser := cognatetest.NewBrowser(t, site, api)
	script := map[string]string{"Sec-Fetch-Mode": "cors", "Sec-Fetch-Site": "same-origin"}
	foreign := map[string]string{"Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Site": "cross-site"}

	resp, body := do(t, browser, "GET", "/api/notes", "", script)
	if resp.StatusCode != 401 || !strings.Contains(body, `"login_url"`) {
		t.Errorf("before signing in: got %s, %s, want 401 with login_url", resp.Status, body)
	}
	pool.SignIn(t, browser, site+"/token", "ann", "Correct-Horse-7")
	for _, tt := range []struct {
		name, method, path, body string
		header                   map[string]string
		status                   int
		text                     string
	}{
		{"a note", "POST", "/api/notes", `{"text":"milk"}`, script, 201, "milk"},
		{"a note from another site", "POST", "/api/notes", `{"text":"spam"}`, foreign, 403, ""},
		{"the notes", "GET", "/api/notes", "", script, 200, `[{"text":"milk"}]`},
		{"a cookie where a token is wanted", "DELETE", "/api/notes", "", script, 401, "missing_authorization"},
		{"sign-out from another site", "POST", "/logout", "", foreign, 403, `"error":"cross_origin"`},
		{"sign-out", "POST", "/logout", "", script, 200, "logout_url"},
		{"after it", "GET", "/api/notes", "", script, 401, "login_url"},
	} {
		resp, body := do(t, browser, tt.method, tt.path, tt.body, tt.header)
		if resp.StatusCode != tt.status || !strings.Contains(body, tt.text) {
			t.Errorf("%s: got %s, %s, want %d and %s", tt.name, resp.Status, body, tt.status, tt.text)
		}
	}
}

// TestOwners checks that people have their own notes, although ann and bob use one
// client.
func TestOwners(t *testing.T) {
	t.Parallel()
	_, api, token := start(t)
	curl := cognatetest.NewBrowser(t, site, api)
	ann := map[string]string{"Authorization": "Bearer " + token("ann", "openid")}
	bob := map[string]string{"Authorization": "Bearer " + token("bob", "openid")}
	do(t, curl, "POST", "/api/notes", `{"text":"milk"}`, ann)
	for _, tt := range []struct {
		who    string
		header map[string]string
		want   string
	}{{"ann", ann, `[{"text":"milk"}]`}, {"bob", bob, "[]"}} {
		if _, body := do(t, curl, "GET", "/api/notes", "", tt.header); strings.TrimSpace(body) != tt.want {
			t.Errorf("%s: got %s, want %s", tt.who, body, tt.want)
		}
	}
}
