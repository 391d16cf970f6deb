package signin

import (
	"slices"

	"github.com/cognate-auth/cognate/userpool"
	"github.com/cognate-auth/cognate/userpool/accounts"
)

// What a person has proven, as amr values (developer guide, page
// "cognito-user-pools-step-up-authentication"; RFC 8176).
const (
	methodPassword  = "pwd"
	methodTOTP      = "otp"
	methodSMS       = "sms"
	methodEmail     = "email_otp"
	methodPlatform  = "swk" // a passkey of this device
	methodRoaming   = "hwk" // a passkey of a security key or another device
	MethodMFA       = "mfa" // more than one of them
	MethodFederated = "fed"
)

// methodOf is the amr value of a factor. A passkey's depends on the passkey;
// for its level either will do.
func methodOf(factor string) string {
	switch factor {
	case userpool.FactorPassword:
		return methodPassword
	case userpool.FactorTOTP:
		return methodTOTP
	case userpool.FactorSMS:
		return methodSMS
	case userpool.FactorEmail:
		return methodEmail
	default:
		return methodRoaming
	}
}

// Assurance is the level that methods reach: the n of urn:cognito:loa:n; zero:
// none.
func Assurance(methods []string) int {
	has := func(m string) bool { return slices.Contains(methods, m) }
	code := has(methodSMS) || has(methodEmail)
	switch {
	case has(methodPassword) && has(methodTOTP):
		return 4
	case has(methodPlatform), has(methodRoaming), has(methodPassword) && code:
		return 3
	case code:
		return 2
	case has(methodPassword):
		return 1
	default:
		return 0
	}
}

// facts are all that decides what a person has to do next.
type facts struct {
	settings *userpool.Settings
	choice   bool  // the client lets people choose how to sign in (ALLOW_USER_AUTH)
	wanted   []int // levels of assurance, in order of preference (acr_values)

	user     userpool.User
	passkeys bool // the user has one, and the pool takes them

	methods []string      // proven so far
	after   userpool.Step // what the person came for, besides signing in
}

// A move is a step of a flow and, if it asks for a code, the factor that the
// code is of.
type move struct {
	Step   userpool.Step
	Factor string
}

// next decides what a person has to do next. It is the one place that does.
func (x facts) next() move {
	if len(x.methods) == 0 {
		return x.first()
	}
	if x.user.Status == userpool.UserForceChange && slices.Contains(x.methods, methodPassword) {
		return move{Step: userpool.StepNewPassword}
	}
	m, needed := x.second()
	switch {
	case needed:
		return m
	case x.after != "":
		return move{Step: x.after}
	default:
		return move{Step: userpool.StepSignedIn}
	}
}

// first decides how the person begins. With one factor there is nothing to
// choose; without any, the password is asked for, and none will do.
func (x facts) first() move {
	factors := x.firstFactors()
	switch {
	case !x.choice:
		return move{Step: userpool.StepSignIn}
	case len(factors) == 0:
		return move{Step: userpool.StepPassword}
	case len(factors) == 1:
		return firstMove(factors[0])
	default:
		return move{Step: userpool.StepFactor}
	}
}

func firstMove(factor string) move {
	switch factor {
	case userpool.FactorPassword:
		return move{Step: userpool.StepPassword}
	case userpool.FactorPasskey:
		return move{Step: userpool.StepPasskey}
	default:
		return move{Step: userpool.StepCode, Factor: factor}
	}
}

// firstFactors are what the person may begin with: what the pool allows and the
// user has, without what cannot lead to the level that is wanted.
func (x facts) firstFactors() []string {
	target := x.target()
	return slices.DeleteFunc(x.available(), func(factor string) bool { return x.best(factor) < target })
}

// available is firstFactors, whatever level is wanted.
func (x facts) available() []string {
	if !x.choice {
		return []string{userpool.FactorPassword}
	}
	out := []string{}
	for _, factor := range x.settings.FirstFactors {
		if x.hasFirst(factor) {
			out = append(out, factor)
		}
	}
	return out
}

// hasFirst reports whether the user can begin with a factor. Codes go to
// verified addresses only: an address that was mistyped is somebody else's. Who
// has a second factor, or needs one, must begin with the password, or with a
// passkey that counts as both (page
// "amazon-cognito-user-pools-authentication-flow-methods").
func (x facts) hasFirst(factor string) bool {
	if factor == userpool.FactorPassword {
		return x.user.PasswordHash != ""
	}
	if x.user.Status != userpool.UserConfirmed {
		return false
	}
	secondFactor := x.settings.MFA == userpool.MFAOn || len(accounts.EnrolledFactors(x.settings, x.user)) > 0
	switch factor {
	case userpool.FactorPasskey:
		return x.passkeys && (!secondFactor || x.settings.PasskeysAreMFA)
	case userpool.FactorEmail:
		return !secondFactor && x.user.Verified("email")
	case userpool.FactorSMS:
		return !secondFactor && x.user.Verified("phone_number")
	default:
		return false
	}
}

// best is the highest level that can be reached when beginning with a factor.
func (x facts) best(factor string) int {
	level := Assurance([]string{methodOf(factor)})
	if factor == userpool.FactorPassword {
		for _, second := range accounts.ReadyFactors(x.settings, x.user) {
			level = max(level, Assurance([]string{methodPassword, methodOf(second)}))
		}
	}
	return level
}

// target is the first of the wanted levels that the user can reach; zero: any
// will do.
func (x facts) target() int {
	most := 0
	for _, factor := range x.available() {
		most = max(most, x.best(factor))
	}
	for _, level := range x.wanted {
		if level <= most {
			return level
		}
	}
	return 0
}

// second decides whether a second factor is due, and which. People who sign in
// at another identity provider are never asked (page "user-pool-settings-mfa").
func (x facts) second() (m move, needed bool) {
	due := x.settings.MFA != userpool.MFAOff && !slices.Contains(x.methods, MethodMFA)
	low := Assurance(x.methods) < x.target()
	if slices.Contains(x.methods, MethodFederated) || !due && !low {
		return move{}, false
	}
	options := x.secondFactors()
	switch {
	case len(options) == 0 && due && x.settings.MFA == userpool.MFAOn:
		return move{Step: userpool.StepMFASetup}, true
	case len(options) == 0:
		return move{}, false
	case slices.Contains(options, x.user.PreferredMFA):
		return move{userpool.StepMFACode, x.user.PreferredMFA}, true
	case len(options) == 1:
		return move{userpool.StepMFACode, options[0]}, true
	default:
		return move{Step: userpool.StepMFAChoice}, true
	}
}

// secondFactors are what the person may be asked for now: what is turned on for
// the user or, if a level is still missing, what leads there.
func (x facts) secondFactors() []string {
	target, options := x.target(), accounts.EnrolledFactors(x.settings, x.user)
	if Assurance(x.methods) < target {
		options = accounts.ReadyFactors(x.settings, x.user)
	}
	return slices.DeleteFunc(options, func(factor string) bool {
		return slices.Contains(x.methods, methodOf(factor)) ||
			Assurance(append(slices.Clone(x.methods), methodOf(factor))) < target
	})
}

// setups are the second factors that the user can register.
func (x facts) setups() []string {
	return slices.DeleteFunc(slices.Clone(x.settings.MFATypes), func(factor string) bool {
		return factor != userpool.FactorTOTP && x.user.Attributes[userpool.AddressOf(factor)] != ""
	})
}
