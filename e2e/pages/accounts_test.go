package pages

import (
	"testing"

	"github.com/cognate-auth/cognate/userpool"
	"github.com/cognate-auth/cognate/userpool/signin"
)

// open is a pool at which everybody may sign up.
var open = userpool.Settings{
	UsernameAttributes: []string{"email"}, SelfSignUp: true, AutoVerifiedAttributes: []string{"email"},
	Schema:    []userpool.Attribute{{Name: "given_name", Required: true}, {Name: "birthdate"}},
	Passwords: userpool.PasswordPolicy{MinimumLength: 8, RequireNumbers: true, RequireUppercase: true},
}

func signUp(t *testing.T) (*site, func(*person)) {
	t.Helper()
	s := newSite(t, open, userpool.Client{})
	return s, func(p *person) {
		p.sees("Sign in")
		p.presses("Sign up")
		p.sees("Sign up with a new account")
		p.fills("Email", "eve@example.com")
		p.fills("Given name", "Eve")
		p.fills("Password", "short")
		p.presses("Sign up")
		p.tab.WaitForText("Password did not conform with policy")
		p.sees("Sign up with a new account")
		p.fills("Password", password)
		p.presses("Sign up")
		p.sees("Confirm your account")
		p.fills("Code", "000000")
		p.presses("Confirm account")
		p.tab.WaitForText("Invalid")
		p.presses("Send a new code")
		p.tab.WaitForText(signin.TextNewCode)
		p.sees("Confirm your account")
		p.fills("Code", s.newestCode(t, "eve@example.com"))
		p.presses("Confirm account")
		p.tab.WaitForText("It got a code.")
	}
}

func forgotPassword(t *testing.T) (*site, func(*person)) {
	t.Helper()
	s := newSite(t, open, userpool.Client{})
	s.AddUser(userpool.NewUser{
		Username: "ann@example.com", Password: "forgotten",
		Attributes: map[string]string{"email": "ann@example.com", "email_verified": "true"},
	})
	return s, func(p *person) {
		p.sees("Sign in")
		p.presses("Forgot your password?")
		p.sees("Forgot your password?")
		p.fills("Email", "ann@example.com")
		p.presses("Reset my password")
		p.sees("Change your password")
		p.fills("Code", s.newestCode(t, "ann@example.com"))
		p.fills("New password", password)
		p.fills("Enter the new password again", password)
		p.presses("Change password")
		p.sees("Sign in")
		p.fills("Email", "ann@example.com")
		p.fills("Password", password)
		p.presses("Sign in")
		p.tab.WaitForText("It got a code.")
	}
}

func confirmByLink(t *testing.T) (*site, func(*person)) {
	t.Helper()
	settings := open
	settings.ConfirmByLink = true
	s := newSite(t, settings, userpool.Client{})
	return s, func(p *person) {
		p.sees("Sign in")
		p.presses("Sign up")
		p.sees("Sign up with a new account")
		p.fills("Email", "eve@example.com")
		p.fills("Given name", "Eve")
		p.fills("Password", password)
		p.presses("Sign up")
		p.sees("Confirm your account")
		messages, err := s.UserPool().Outbox.List(t.Context(), userpool.MessageQuery{To: "eve@example.com", Limit: 1})
		if err != nil || len(messages) != 1 {
			t.Fatalf("%d messages, %v", len(messages), err)
		}
		p.tab.Visit(messages[0].Link)
		p.tab.WaitForText("confirmed")
	}
}
