package pages

import (
	"fmt"
	"testing"

	"github.com/cognate-auth/cognate/cognatetest"
	"github.com/cognate-auth/cognate/userpool"
)

// developersView checks everything that a developer sees after a few sign-ins.
func developersView(t *testing.T) (*site, func(*person)) {
	t.Helper()
	s := newSiteWith(t, cognatetest.Options{Settings: open, DevView: true}, userpool.Client{})
	s.AddUser(userpool.NewUser{
		Username: "ann@example.com", Password: password, Groups: []string{"admins"},
		Attributes: map[string]string{"email": "ann@example.com", "email_verified": "true"},
	})
	return s, func(p *person) {
		p.tab.Visit(s.URL + "/forgotPassword?" + s.request())
		p.fills("Email", "ann@example.com")
		p.presses("Reset my password")
		p.tab.WaitForText("Enter the new password again")
		p.tab.Visit(s.address("/oauth2/authorize"))
		p.fills("Email", "ann@example.com")
		p.fills("Password", "wrong")
		p.presses("Sign in")
		p.tab.WaitForText(userpool.TextIncorrect)
		p.fills("Password", password)
		p.presses("Sign in")
		p.tab.WaitForText("It got a code.")
		p.tab.Visit(s.URL + "/oauth2/authorize?client_id=" + s.client.ID + "&redirect_uri=https://evil.example/")

		p.tab.Visit(s.URL + "/_cognate/")
		p.sees("Open it from the terminal")
		p.tab.Visit(s.DevViewURL)
		p.tab.WaitForURL(s.URL + "/_cognate/") // the token is removed
		p.sees("Sign-ins")
		p.tab.Visit(s.URL + "/_cognate/flows/2")
		p.sees("Back at the app, the code is not redeemed yet")
		p.tab.Visit(s.URL + "/_cognate/?failed=1")
		p.sees("Sign-ins")
		p.presses("Outbox")
		p.sees("Outbox")
		if p.way != withoutScripts {
			p.presses("Copy the code")
			p.tab.WaitForText("Copied")
		}
		p.presses("Users")
		p.sees("Users")
		p.presses("Clients")
		p.sees("Clients")
		p.presses("Garden planner")
		p.sees("Garden planner")
		p.presses("Pool")
		p.sees("Pool")
	}
}

// oneClick signs in without a password, where the developer's view was opened: among more
// users than the page lists, in an app with a second factor.
func oneClick(t *testing.T) (*site, func(*person)) {
	t.Helper()
	s := newSiteWith(t, cognatetest.Options{
		Settings: userpool.Settings{
			UsernameAttributes: []string{"email"}, MFA: userpool.MFAOn, MFATypes: []string{userpool.FactorEmail},
		},
		DevView: true, OneClickSignIn: true,
	}, userpool.Client{})
	for i := range 12 {
		address := fmt.Sprintf("user%02d@example.com", i)
		s.AddUser(userpool.NewUser{
			Username: address, Password: password, Groups: []string{"gardeners"},
			Attributes: map[string]string{"email": address, "email_verified": "true"},
		})
	}
	return s, func(p *person) {
		p.sees("Sign in")
		p.fills("Email", "user01@example.com")
		p.fills("Password", password)
		p.presses("Sign in")
		p.sees("Enter your code")
		p.tab.Visit(s.DevViewURL)
		p.tab.WaitForURL(s.URL + "/_cognate/")
		p.tab.Visit(s.address("/oauth2/authorize"))
		p.fills("Email", "user01@example.com")
		p.fills("Password", password)
		p.presses("Sign in")
		p.tab.WaitForText("the code is in the pool’s outbox")
		p.sees("Enter your code")
		p.tab.Visit(s.address("/oauth2/authorize"))
		p.tab.WaitForText("sign in with one click")
		p.sees("Sign in")
		p.fills("Part of a name", "R07")
		p.presses("Search")
		p.tab.WaitForText("user07@example.com")
		p.sees("Sign in")
		p.presses("Sign in as user07@example.com gardeners")
		p.tab.WaitForText("It got a code.")
	}
}
