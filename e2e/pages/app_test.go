package pages

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/cognate-auth/cognate"
	"github.com/cognate-auth/cognate/cognatetest"
	"github.com/cognate-auth/cognate/userpool"
)

// theAppsWord checks what a developer sees of a sign-in that only the app refuses: its page,
// which leads to the developer's view, and what the view says of it and of one that succeeded.
func theAppsWord(t *testing.T) (*site, func(*person)) {
	t.Helper()
	s := newSiteWith(t, cognatetest.Options{Settings: open, DevView: true}, userpool.Client{})
	for name, verified := range map[string]string{"ann": "true", "bob": "false"} {
		address := name + "@example.com"
		s.AddUser(userpool.NewUser{
			Username: address, Password: password,
			Attributes: map[string]string{"email": address, "email_verified": verified},
		})
	}
	app := newStrictApp(t, s)
	signIn := func(p *person, name string) {
		p.fills("Email", name)
		p.fills("Password", password)
		p.presses("Sign in")
	}
	return s, func(p *person) {
		p.tab.Visit(s.DevViewURL)
		p.tab.WaitForURL(s.URL + "/_cognate/")
		p.tab.Visit(app)
		signIn(p, "bob@example.com")
		p.sees("Your email address isn’t verified")
		p.tab.WaitForText("For the developer")
		p.presses("This sign-in in the developer’s view")
		p.tab.WaitForText("The app refused the sign-in")
		p.sees("The app refused: email_not_verified")
		p.tab.Visit(app + "/oidc_callback?code=1&state=2")
		p.sees("This sign-in can’t be finished")

		p.tab.Visit(app)
		p.sees("Your email address isn’t verified")
		p.presses("Use another account")
		p.tab.WaitForURL(s.URL + "/login*")
		signIn(p, "ann@example.com")
		p.tab.WaitForText("Hello, ann@example.com.")
		p.tab.Visit(s.URL + "/_cognate/")
		p.sees("Sign-ins")
		p.tab.Visit(s.URL + "/_cognate/flows/4")
		p.tab.WaitForText("The app signed the person in")
		p.sees("Signed in")
	}
}

// brand signs in at a client whose colours can be read on a light page alone, in the dark too.
func brand(t *testing.T) (*site, func(*person)) {
	t.Helper()
	s := newSiteWith(t, cognatetest.Options{Settings: open, DevView: true, OneClickSignIn: true}, userpool.Client{
		Branding: userpool.Branding{Primary: "#7a1f3d", Background: "#fff4e0"},
	})
	s.AddUser(userpool.NewUser{
		Username: "ann@example.com", Password: password,
		Attributes: map[string]string{"email": "ann@example.com", "email_verified": "true"},
	})
	return s, func(p *person) {
		p.tab.Visit(s.DevViewURL)
		p.tab.WaitForURL(s.URL + "/_cognate/")
		p.tab.Visit(s.address("/oauth2/authorize"))
		p.tab.WaitForText("sign in with one click")
		p.sees("Sign in")
		p.presses("Forgot your password?")
		p.sees("Forgot your password?")
		p.fills("Email", "ann@example.com")
		p.presses("Reset my password")
		p.tab.WaitForText("the code is in the pool’s outbox")
		p.sees("Change your password")
	}
}

// newStrictApp starts an app of the site's pool that wants verified addresses, under another name
// of this machine than the pool, and returns its address.
func newStrictApp(t *testing.T, s *site) string {
	t.Helper()
	var handler http.Handler
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		handler.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	address := strings.Replace(server.URL, "127.0.0.1", "localhost", 1)
	if strings.Contains(s.URL, "localhost") {
		address = server.URL
	}
	config := s.AppConfig(s.AddClient(userpool.Client{
		Name: "Garden planner", CallbackURLs: []string{address + "/oidc_callback"}, LogoutURLs: []string{address + "/"},
	}))
	config.RequireVerifiedEmail = true
	auth, err := cognate.New(config)
	if err != nil {
		t.Fatal(err)
	}
	handler = auth.Handler(auth.RequireLogin(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = fmt.Fprintf(w, "Hello, %s.", cognate.UserFrom(r.Context()).Email)
	})))
	return address
}
