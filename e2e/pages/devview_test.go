package pages

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/cognate-auth/cognate/cognatetest"
	"github.com/cognate-auth/cognate/userpool"
)

// developersView checks everything that a developer sees after a few sign-ins.
func developersView(t *testing.T) (*site, func(*person)) {
	t.Helper()
	clock := cognatetest.NewClock(t)
	s := newSiteWith(t, cognatetest.Options{Settings: open, DevView: true, Now: clock.Now}, userpool.Client{})
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
		clock.Advance(3 * time.Second)
		p.tab.Visit(s.URL + "/_cognate/flows/2")
		p.tab.WaitForText("If its page shows an error, the likely causes are:")
		p.sees("Back at the app, the code is not redeemed yet")
		s.report(t)
		p.tab.Visit(s.URL + "/_cognate/flows/2")
		p.tab.WaitForText("set it right (NTP).")
		p.sees("The app refused: token_not_yet_valid")
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

// report tells the view, as an app does, that the newest sign-in failed in the app.
func (s *site) report(t *testing.T) {
	t.Helper()
	sum := sha256.Sum256([]byte(state))
	body, err := json.Marshal(map[string]any{
		"sign_in": base64.RawURLEncoding.EncodeToString(sum[:]), "client_id": s.client.ID, "outcome": "refused",
		"time": time.Now().Add(-2 * time.Hour), "reason": "token_not_yet_valid", "reference": "abcdefgh",
		"cause": "iat is 2h0m0s in the future: the provider's clock said 2026-05-06T07:08:09Z, " +
			"and this machine's says 2026-05-06T05:08:09Z",
		"hint": "This machine's clock is behind the provider's: set it right (NTP).",
	})
	if err != nil {
		t.Fatal(err)
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL+"/_cognate/report", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusNoContent {
		t.Fatalf("a report is answered %d", resp.StatusCode)
	}
}
