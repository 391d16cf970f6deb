package signin_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/cognate-auth/cognate/userpool"
	"github.com/cognate-auth/cognate/userpool/signin"
)

// Short names for the table.
const (
	totp, sms, email = userpool.FactorTOTP, userpool.FactorSMS, userpool.FactorEmail
	password         = userpool.FactorPassword
	passkey          = userpool.FactorPasskey
)

// someone is a user with a password, both addresses and an authenticator app.
func someone(changes ...func(*userpool.User)) userpool.User {
	u := userpool.User{
		Status: userpool.UserConfirmed, PasswordHash: "x", TOTPSecret: "x", Attributes: map[string]string{
			"email": "a@b", "email_verified": "true", "phone_number": "+49", "phone_number_verified": "true",
		},
	}
	for _, change := range changes {
		change(&u)
	}
	return u
}

func on(factors ...string) func(*userpool.User) {
	return func(u *userpool.User) { u.MFA = factors }
}

func without(names ...string) func(*userpool.User) {
	return func(u *userpool.User) {
		for _, n := range names {
			delete(u.Attributes, n)
			if n == "totp" {
				u.TOTPSecret = ""
			}
			if n == "password" {
				u.PasswordHash = ""
			}
		}
	}
}

func prefers(factor string) func(*userpool.User) {
	return func(u *userpool.User) { u.PreferredMFA = factor }
}

func is(status userpool.UserStatus) func(*userpool.User) {
	return func(u *userpool.User) { u.Status = status }
}

var (
	allTypes = []string{totp, sms, email}
	off      = userpool.Settings{MFA: userpool.MFAOff}
	optional = userpool.Settings{MFA: userpool.MFAOptional, MFATypes: allTypes}
	needed   = userpool.Settings{MFA: userpool.MFAOn, MFATypes: allTypes}
	any4     = []string{password, passkey, email, sms}
	choice   = userpool.Settings{MFA: userpool.MFAOff, FirstFactors: any4}
)

func with(s userpool.Settings, change func(*userpool.Settings)) userpool.Settings {
	change(&s)
	return s
}

// TestNext is the rule of what comes next.
func TestNext(t *testing.T) {
	t.Parallel()
	pwd := []string{"pwd"}
	totpOnly := with(needed, func(s *userpool.Settings) { s.MFATypes = []string{totp} })
	smsOnly := with(needed, func(s *userpool.Settings) { s.MFATypes = []string{sms} })
	recovering := with(optional, func(s *userpool.Settings) { s.Recovery = []string{"verified_email"} })
	choiceMFA := with(optional, func(s *userpool.Settings) { s.FirstFactors = any4 })
	keysCount := with(choiceMFA, func(s *userpool.Settings) { s.PasskeysAreMFA = true })
	tests := []struct {
		name   string
		x      signin.Facts
		step   userpool.Step
		factor string
	}{
		{"nothing proven", signin.Facts{Settings: off, User: someone()}, userpool.StepSignIn, ""},
		{
			"password, no MFA", signin.Facts{Settings: off, User: someone(on(totp)), Methods: pwd},
			userpool.StepSignedIn, "",
		},
		{"temporary password", signin.Facts{
			Settings: needed, User: someone(is(userpool.UserForceChange)), Methods: pwd,
		},
			userpool.StepNewPassword, ""},
		{"temporary password, by code", signin.Facts{
			Settings: off, User: someone(is(userpool.UserForceChange)), Methods: []string{"email_otp"},
		}, userpool.StepSignedIn, ""},

		{
			"optional, none on", signin.Facts{Settings: optional, User: someone(), Methods: pwd},
			userpool.StepSignedIn, "",
		},
		{
			"optional, one on", signin.Facts{Settings: optional, User: someone(on(sms)), Methods: pwd},
			userpool.StepMFACode, sms,
		},
		{"optional, on but without a secret", signin.Facts{
			Settings: optional, User: someone(on(totp), without("totp")), Methods: pwd,
		}, userpool.StepSignedIn, ""},
		{"optional, two on", signin.Facts{Settings: optional, User: someone(on(totp, sms)), Methods: pwd},
			userpool.StepMFAChoice, ""},
		{"optional, two on, one preferred", signin.Facts{
			Settings: optional, User: someone(on(totp, sms), prefers(sms)), Methods: pwd,
		}, userpool.StepMFACode, sms},
		{"optional, the preferred one is off", signin.Facts{
			Settings: optional, User: someone(on(totp), prefers(sms)), Methods: pwd,
		}, userpool.StepMFACode, totp},
		{"optional, the medium of recovery", signin.Facts{
			Settings: recovering, User: someone(on(totp, email)), Methods: pwd,
		}, userpool.StepMFACode, totp},
		{"optional, nothing but the medium of recovery", signin.Facts{
			Settings: recovering, User: someone(on(email)), Methods: pwd,
		}, userpool.StepMFACode, email},
		{"optional, second factor proven", signin.Facts{
			Settings: optional, User: someone(on(sms)), Methods: []string{"pwd", "sms", "mfa"},
		}, userpool.StepSignedIn, ""},

		{"on, nothing on but an app registered", signin.Facts{Settings: needed, User: someone(), Methods: pwd},
			userpool.StepMFACode, totp},
		{"on, addresses alone", signin.Facts{Settings: needed, User: someone(without("totp")), Methods: pwd},
			userpool.StepMFAChoice, ""},
		{"on, one address", signin.Facts{Settings: needed, User: someone(without("totp", "email")), Methods: pwd},
			userpool.StepMFACode, sms},
		{"on, nothing at all", signin.Facts{
			Settings: needed, User: someone(without("totp", "email", "phone_number")), Methods: pwd,
		}, userpool.StepMFASetup, ""},
		{"on, apps alone and none", signin.Facts{Settings: totpOnly, User: someone(without("totp")), Methods: pwd},
			userpool.StepMFASetup, ""},
		{"on, SMS alone and no number", signin.Facts{
			Settings: smsOnly, User: someone(without("phone_number")), Methods: pwd,
		},
			userpool.StepMFASetup, ""},
		{"on, federated", signin.Facts{Settings: needed, User: someone(without("totp")), Methods: []string{"fed"}},
			userpool.StepSignedIn, ""},
		{"on, after a sign-up by code", signin.Facts{
			Settings: needed, User: someone(), Methods: []string{"pwd", "email_otp", "mfa"},
		}, userpool.StepSignedIn, ""},

		{
			"choice", signin.Facts{Settings: choice, Choice: true, User: someone(), Passkeys: true},
			userpool.StepFactor, "",
		},
		{"choice, password alone", signin.Facts{
			Settings: choice, Choice: true, User: someone(without("email", "phone_number")),
		}, userpool.StepPassword, ""},
		{"choice, e-mail alone", signin.Facts{
			Settings: choice, Choice: true, User: someone(without("password", "phone_number")),
		}, userpool.StepCode, email},
		{"choice, passkey alone", signin.Facts{
			Settings: choice, Choice: true, User: someone(without("password", "phone_number", "email")), Passkeys: true,
		}, userpool.StepPasskey, ""},
		{"choice, nothing at all", signin.Facts{
			Settings: choice, Choice: true, User: someone(without("password", "phone_number", "email")),
		}, userpool.StepPassword, ""},
		{"choice, unverified address", signin.Facts{
			Settings: choice, Choice: true, User: someone(without("email_verified", "phone_number")),
		}, userpool.StepPassword, ""},
		{"choice, temporary password", signin.Facts{
			Settings: choice, Choice: true, User: someone(is(userpool.UserForceChange)), Passkeys: true,
		}, userpool.StepPassword, ""},
		{"choice, with a second factor", signin.Facts{
			Settings: choiceMFA, Choice: true, User: someone(on(totp)), Passkeys: true,
		}, userpool.StepPassword, ""},
		{"choice, with a second factor and a passkey that counts", signin.Facts{
			Settings: keysCount, Choice: true, User: someone(on(totp)), Passkeys: true,
		}, userpool.StepFactor, ""},
		{"passkey that counts", signin.Facts{
			Settings: keysCount, Choice: true, User: someone(on(totp)), Passkeys: true, Methods: []string{"swk", "mfa"},
		}, userpool.StepSignedIn, ""},
		{"passkey that does not", signin.Facts{
			Settings: keysCount, Choice: true, User: someone(on(totp)), Passkeys: true, Methods: []string{"swk"},
		}, userpool.StepMFACode, totp},

		{
			"wanted 4", signin.Facts{Settings: optional, User: someone(), Wanted: []int{4}, Methods: pwd},
			userpool.StepMFACode, totp,
		},
		{"wanted 4, without app", signin.Facts{
			Settings: optional, User: someone(without("totp")), Wanted: []int{4}, Methods: pwd,
		}, userpool.StepSignedIn, ""},
		{"wanted 4 or else 3, without app", signin.Facts{
			Settings: optional, User: someone(without("totp", "email")), Wanted: []int{4, 3}, Methods: pwd,
		}, userpool.StepMFACode, sms},
		{"wanted 4, but SMS is what is on", signin.Facts{
			Settings: optional, User: someone(on(sms)), Wanted: []int{4}, Methods: pwd,
		}, userpool.StepMFACode, totp},
		{"wanted 4, after a code by SMS", signin.Facts{
			Settings: optional, User: someone(on(sms)), Wanted: []int{4}, Methods: []string{"pwd", "sms", "mfa"},
		}, userpool.StepMFACode, totp},
		{"wanted 4, no MFA in the pool", signin.Facts{Settings: off, User: someone(), Wanted: []int{4}, Methods: pwd},
			userpool.StepSignedIn, ""},
		{"wanted 3 at the choice", signin.Facts{
			Settings: choice, Choice: true, User: someone(), Passkeys: true, Wanted: []int{3},
		}, userpool.StepPasskey, ""},
		{"wanted 2 at the choice", signin.Facts{
			Settings: choice, Choice: true, User: someone(without("phone_number")), Wanted: []int{2},
		}, userpool.StepCode, email},
		{"wanted 1", signin.Facts{Settings: optional, User: someone(), Wanted: []int{1, 4}, Methods: pwd},
			userpool.StepSignedIn, ""},

		{"came for a passkey", signin.Facts{
			Settings: off, User: someone(), Methods: pwd, After: userpool.StepAddPasskey,
		}, userpool.StepAddPasskey, ""},
		{"came for a passkey, second factor first", signin.Facts{
			Settings: needed, User: someone(), Methods: pwd, After: userpool.StepAddPasskey,
		}, userpool.StepMFACode, totp},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			step, factor := signin.Next(tt.x)
			if step != tt.step || factor != tt.factor {
				t.Errorf("got %s %s, want %s %s", step, factor, tt.step, tt.factor)
			}
		})
	}
}

// TestNextAlways holds the rule to what must be true of every combination.
func TestNextAlways(t *testing.T) {
	t.Parallel()
	each(func(x signin.Facts) {
		if t.Failed() {
			return // one example is enough
		}
		step, factor := signin.Next(x)
		what := shown{x}
		second := slices.Contains(x.Methods, "mfa") || slices.Contains(x.Methods, "fed")
		done := step == userpool.StepSignedIn || step == userpool.StepAddPasskey
		switch {
		case done && len(x.Methods) == 0:
			t.Errorf("nothing proven, and done: %s", what)
		case done && x.Settings.MFA == userpool.MFAOn && !second:
			t.Errorf("a second factor is needed, and done: %s", what)
		case done && x.User.Status == userpool.UserForceChange && slices.Contains(x.Methods, "pwd"):
			t.Errorf("a temporary password, and done: %s", what)
		case step == userpool.StepMFACode && slices.Contains(x.Methods, methods[factor]):
			t.Errorf("%s is asked for twice: %s", factor, what)
		case step == userpool.StepMFACode && factor == totp && x.User.TOTPSecret == "":
			t.Errorf("a code of no app is asked for: %s", what)
		case (step == userpool.StepMFACode || step == userpool.StepCode) == (factor == ""):
			t.Errorf("%s with the factor %q: %s", step, factor, what)
		case x.Settings.MFA == userpool.MFAOff && (step == userpool.StepMFACode || step == userpool.StepMFASetup):
			t.Errorf("no MFA, and %s: %s", step, what)
		}
		for _, f := range signin.FirstFactors(x) {
			if x.Settings.MFA == userpool.MFAOn && (f == email || f == sms) {
				t.Errorf("a code alone where everyone needs two factors: %s", what)
			}
		}
	})
}

// shown is written for an error only: there are many combinations.
type shown struct{ signin.Facts }

func (s shown) String() string { return fmt.Sprintf("%+v", s.Facts) }

var methods = map[string]string{totp: "otp", sms: "sms", email: "email_otp"}

// each calls f with every combination of what matters.
func each(f func(signin.Facts)) {
	proven := [][]string{
		nil, {"pwd"}, {"email_otp"}, {"sms"}, {"swk"}, {"swk", "mfa"}, {"pwd", "sms", "mfa"}, {"pwd", "otp", "mfa"},
		{"fed"},
	}
	for _, mode := range []userpool.MFA{userpool.MFAOff, userpool.MFAOptional, userpool.MFAOn} {
		for bits := range 1 << 9 {
			bit := func(i int) bool { return bits>>i&1 != 0 }
			x := signin.Facts{Choice: bit(0), Passkeys: bit(1), User: someone()}
			x.Settings = userpool.Settings{MFA: mode, MFATypes: allTypes, FirstFactors: any4, PasskeysAreMFA: bit(2)}
			if bit(3) {
				without("totp")(&x.User)
			}
			if bit(4) {
				without("email", "email_verified")(&x.User)
			}
			if bit(5) {
				without("phone_number", "phone_number_verified")(&x.User)
			}
			if bit(6) {
				x.User.Status = userpool.UserForceChange
			}
			if bit(7) {
				on(allTypes...)(&x.User)
			}
			if bit(8) {
				x.User.PreferredMFA, x.Wanted = sms, []int{4, 3}
			}
			for _, x.Methods = range proven {
				f(x)
			}
		}
	}
}

// TestAssurance is the table of the levels.
func TestAssurance(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		methods []string
		want    int
	}{
		{nil, 0}, {[]string{"fed"}, 0}, {[]string{"pwd"}, 1}, {[]string{"sms"}, 2}, {[]string{"email_otp"}, 2},
		{[]string{"swk"}, 3}, {[]string{"hwk"}, 3}, {[]string{"pwd", "sms"}, 3}, {[]string{"email_otp", "pwd"}, 3},
		{[]string{"pwd", "otp"}, 4}, {[]string{"pwd", "sms", "otp"}, 4}, {[]string{"otp"}, 0}, {[]string{"mfa"}, 0},
	} {
		if got := signin.Assurance(tt.methods); got != tt.want {
			t.Errorf("%v: got %d, want %d", tt.methods, got, tt.want)
		}
	}
}
