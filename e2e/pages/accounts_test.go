package pages

import (
	"testing"

	"github.com/cognate-auth/cognate/userpool"
)

// accountSettings let people register, with an address that a code goes to.
var accountSettings = userpool.Settings{
	SelfSignUp: true, AutoVerifiedAttributes: []string{"email"}, FixedCode: "424242",
	Schema:    []userpool.Attribute{{Name: "email", Required: true}, {Name: "name", Required: true}},
	Passwords: userpool.PasswordPolicy{MinimumLength: 8, RequireUppercase: true, RequireNumbers: true},
}

func signUp(t *testing.T) (*site, func(*person)) {
	t.Helper()
	return newSite(t, accountSettings, userpool.Client{}), func(p *person) {
		p.sees("Sign in")
		p.presses("Sign up")
		p.sees("Sign up with a new account")
		p.fills("Username", "eve")
		p.fills("Email", "eve@example.com")
		p.fills("Name", "Eve")
		p.fills("Password", "lowercase1")
		p.presses("Sign up")
		p.tab.WaitForText("Password must have uppercase characters")
		p.sees("Sign up with a new account")
		p.fills("Password", password)
		p.presses("Sign up")
		p.sees("Confirm your account")
		p.fills("Code", "111111")
		p.presses("Confirm account")
		p.tab.WaitForText(userpool.TextCodeMismatch)
		p.presses("Send a new code")
		p.tab.WaitForText(userpool.TextNewCode)
		p.sees("Confirm your account")
		p.fills("Code", "424242")
		p.presses("Confirm account")
		p.tab.WaitForText("It got a code.")
	}
}

func recovery(t *testing.T) (*site, func(*person)) {
	t.Helper()
	s := newSite(t, accountSettings, userpool.Client{})
	s.AddUser(userpool.NewUser{Username: "ann", Password: "Old-Password-1", Attributes: map[string]string{
		"email": "ann@example.com", "email_verified": "true",
	}})
	return s, func(p *person) {
		p.sees("Sign in")
		p.presses("Forgot your password?")
		p.sees("Forgot your password?")
		p.fills("Username", "ann")
		p.presses("Reset my password")
		p.sees("Change your password")
		p.fills("Code", "424242")
		p.fills("New password", password)
		p.fills("Enter the new password again", "Another-1")
		p.presses("Change password")
		p.tab.WaitForText(userpool.TextNotRepeated)
		p.sees("Change your password")
		p.fills("Code", "424242")
		p.fills("New password", password)
		p.fills("Enter the new password again", password)
		p.presses("Change password")
		p.tab.WaitForText(userpool.TextPasswordSet)
		p.sees("Sign in")
		p.fills("Password", password)
		p.presses("Sign in")
		p.tab.WaitForText("It got a code.")
	}
}
