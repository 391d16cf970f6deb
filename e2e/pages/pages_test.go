package pages

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"

	"github.com/cognate-auth/cognate/cognatetest"
	"github.com/cognate-auth/cognate/e2e/browser"
	"github.com/cognate-auth/cognate/userpool"
)

const password = "Correct-Horse-7"

// A site is a pool, and an app that shows what the pool returns.
type site struct {
	*cognatetest.Pool

	client userpool.Client
	app    string
}

// newSite starts a pool with these settings and such a client.
func newSite(t *testing.T, settings userpool.Settings, client userpool.Client) *site {
	t.Helper()
	return newSiteWith(t, cognatetest.Options{Settings: settings}, client)
}

func newSiteWith(t *testing.T, options cognatetest.Options, client userpool.Client) *site {
	t.Helper()
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = fmt.Fprintf(w, `<!DOCTYPE html><html lang="en"><title>App</title><main><h1>The app</h1><p>%s</p></main>`,
			map[bool]string{true: "It got a code.", false: "It got none."}[r.FormValue("code") != ""])
	}))
	t.Cleanup(app.Close)
	s := &site{Pool: cognatetest.New(t, options), app: app.URL}
	client.Name, client.CallbackURLs = "Garden planner", []string{app.URL + "/callback"}
	s.client = s.AddClient(client)
	return s
}

// address returns the address of a page, or of /oauth2/authorize, with an authorization
// request.
func (s *site) address(path string) string {
	return s.URL + path + "?" + s.request()
}

// state is that of every sign-in of the app.
const state = "af0ifjsldkj"

func (s *site) request() string {
	return url.Values{
		"response_type": {"code"}, "client_id": {s.client.ID}, "redirect_uri": {s.app + "/callback"},
		"scope": {"openid email"}, "state": {state},
	}.Encode()
}

// TestWays takes every way through the pages as each kind of person.
func TestWays(t *testing.T) {
	t.Parallel()
	b := browser.Start(t)
	for name, walk := range map[string]func(*testing.T) (*site, func(*person)){
		"sign in":            signIn,
		"error pages":        errorPages,
		"temporary password": temporaryPassword,
		"authenticator app":  authenticatorApp,
		"second factors":     secondFactors,
		"one-time code":      oneTimeCode,
		"sign up":            signUp,
		"developer's view":   developersView,
		"one click":          oneClick,
		"brand":              brand,
		"the app's word":     theAppsWord,
		"forgot password":    forgotPassword,
		"confirm by link":    confirmByLink,
		"other provider":     otherProvider,
	} {
		for _, way := range ways {
			t.Run(name+" "+way, func(t *testing.T) {
				t.Parallel()
				s, steps := walk(t)
				p := newPerson(t, b, way)
				p.tab.Visit(s.address("/oauth2/authorize"))
				steps(p)
			})
		}
	}
}

func signIn(t *testing.T) (*site, func(*person)) {
	t.Helper()
	s := newSite(t, userpool.Settings{UsernameAttributes: []string{"email"}}, userpool.Client{})
	s.AddUser(userpool.NewUser{Username: "ann@example.com", Password: password})
	return s, func(p *person) {
		p.sees("Sign in")
		p.fills("Email", "ann@example.com")
		p.fills("Password", "wrong")
		p.presses("Sign in")
		p.tab.WaitForText(userpool.TextIncorrect)
		p.sees("Sign in")
		p.fills("Password", password)
		p.presses("Sign in")
		p.tab.WaitForText("It got a code.")
	}
}

func errorPages(t *testing.T) (*site, func(*person)) {
	t.Helper()
	s := newSite(t, userpool.Settings{}, userpool.Client{})
	return s, func(p *person) {
		p.tab.Visit(s.URL + "/oauth2/authorize?client_id=nobody")
		p.sees("We don’t know this app")
		p.tab.Visit(s.URL + "/oauth2/authorize?client_id=" + s.client.ID + "&redirect_uri=https://evil.example/")
		p.sees("This app is not set up correctly")
		p.tab.Visit(s.URL + "/")
		p.sees("Local user pool")
	}
}
