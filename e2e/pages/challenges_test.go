package pages

import (
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base32"
	"encoding/binary"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/cognate-auth/cognate/userpool"
)

// byChoice is a client at which people choose how to sign in.
var byChoice = userpool.Client{ExplicitAuthFlows: []string{"ALLOW_USER_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"}}

// totp returns the code of an authenticator app (RFC 6238 with SHA-1, 30 seconds and
// six digits).
func totp(t *testing.T, secret string, at time.Time) string {
	t.Helper()
	key, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(strings.ReplaceAll(secret, " ", ""))
	if err != nil {
		t.Fatalf("the secret %q: %v", secret, err)
	}
	mac := hmac.New(sha1.New, key)
	_ = binary.Write(mac, binary.BigEndian, at.Unix()/30) // writing to a hash does not fail
	sum := mac.Sum(nil)
	offset := sum[len(sum)-1] & 0xf
	return fmt.Sprintf("%06d", binary.BigEndian.Uint32(sum[offset:])&0x7fffffff%1_000_000)
}

// newestCode returns the code in the newest message to the address.
func (s *site) newestCode(t *testing.T, to string) string {
	t.Helper()
	messages, err := s.UserPool().Outbox.List(t.Context(), userpool.MessageQuery{To: to, Limit: 1})
	if err != nil || len(messages) == 0 {
		t.Fatalf("no message to %s: %v", to, err)
	}
	return string(messages[0].Code)
}

func temporaryPassword(t *testing.T) (*site, func(*person)) {
	t.Helper()
	s := newSite(t, userpool.Settings{
		Passwords: userpool.PasswordPolicy{MinimumLength: 8, RequireNumbers: true},
		Schema:    []userpool.Attribute{{Name: "given_name", Required: true}, {Name: "email", Required: true}},
	}, userpool.Client{})
	s.AddUser(userpool.NewUser{Username: "ann", Password: password, Temporary: true})
	return s, func(p *person) {
		p.sees("Sign in")
		p.fills("Username", "ann")
		p.fills("Password", password)
		p.presses("Sign in")
		p.sees("Choose a new password")
		p.fills("New password", "short")
		p.fills("Enter the new password again", "short")
		p.fills("Given name", "Ann")
		p.fills("Email", "ann@example.com")
		p.presses("Change password")
		p.tab.WaitForText("Password did not conform with policy")
		p.sees("Choose a new password")
		p.fills("New password", "a-longer-one-7")
		p.fills("Enter the new password again", "a-longer-one-7")
		p.presses("Change password")
		p.tab.WaitForText("It got a code.")
	}
}

func authenticatorApp(t *testing.T) (*site, func(*person)) {
	t.Helper()
	s := newSite(t, userpool.Settings{
		Name: "Garden", MFA: userpool.MFAOn, MFATypes: []string{userpool.FactorTOTP, userpool.FactorEmail},
	}, userpool.Client{})
	s.AddUser(userpool.NewUser{Username: "ann", Password: password})
	return s, func(p *person) {
		p.sees("Sign in")
		p.fills("Username", "ann")
		p.fills("Password", password)
		p.presses("Sign in")
		p.sees("Set up multi-factor authentication (MFA)")
		p.presses("Show secret key")
		secret := p.tab.Text(".secret")
		p.fills("Code", "000000")
		p.presses("Set up the app")
		p.tab.WaitForText("Code")
		p.fills("Code", totp(t, secret, time.Now()))
		p.presses("Set up the app")
		p.tab.WaitForText("It got a code.")
	}
}

func secondFactors(t *testing.T) (*site, func(*person)) {
	t.Helper()
	s := newSite(t, userpool.Settings{
		MFA: userpool.MFAOptional, MFATypes: []string{userpool.FactorTOTP, userpool.FactorSMS, userpool.FactorEmail},
	}, userpool.Client{})
	s.AddUser(userpool.NewUser{
		Username: "ann", Password: password, TOTPSecret: "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP",
		MFA:        []string{userpool.FactorTOTP, userpool.FactorSMS},
		Attributes: map[string]string{"phone_number": "+14155550123", "phone_number_verified": "true"},
	})
	return s, func(p *person) {
		p.sees("Sign in")
		p.fills("Username", "ann")
		p.fills("Password", password)
		p.presses("Sign in")
		p.sees("Choose a multi-factor authentication (MFA) method")
		p.presses("Code by text message")
		p.sees("Enter your code")
		p.fills("Code", "000000")
		p.presses("Confirm")
		p.tab.WaitForText("Invalid")
		p.sees("Enter your code")
		p.fills("Code", s.newestCode(t, "+14155550123"))
		p.presses("Confirm")
		p.tab.WaitForText("It got a code.")
	}
}

func oneTimeCode(t *testing.T) (*site, func(*person)) {
	t.Helper()
	s := newSite(t, userpool.Settings{
		UsernameAttributes: []string{"email"},
		FirstFactors:       []string{userpool.FactorPassword, userpool.FactorEmail},
	}, byChoice)
	s.AddUser(userpool.NewUser{
		Username: "ann@example.com", Password: password,
		Attributes: map[string]string{"email": "ann@example.com", "email_verified": "true"},
	})
	return s, func(p *person) {
		p.sees("Sign in")
		p.fills("Email", "ann@example.com")
		p.presses("Next")
		p.sees("Choose how to sign in")
		p.presses("Code by email")
		p.sees("Enter your code")
		p.fills("Code", s.newestCode(t, "ann@example.com"))
		p.presses("Confirm")
		p.tab.WaitForText("It got a code.")
	}
}
