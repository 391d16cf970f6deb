package userpool

import "slices"

// The names of the challenges that steps of a sign-in are in the user pools API
// (API reference, ChallengeNameType).
const (
	ChallengeNewPassword = "NEW_PASSWORD_REQUIRED"
	ChallengeSelect      = "SELECT_CHALLENGE"
	ChallengeSelectMFA   = "SELECT_MFA_TYPE"
	ChallengeMFASetup    = "MFA_SETUP"
	challengeSMSOTP      = "SMS_OTP"
)

// ChallengeName returns what the API calls the step that the flow is at; empty
// when it is none of a challenge.
func (f *Flow) ChallengeName() string {
	switch f.Step {
	case StepNewPassword:
		return ChallengeNewPassword
	case StepFactor:
		return ChallengeSelect
	case StepPassword:
		return FactorPassword
	case StepPasskey:
		return FactorPasskey
	case StepMFAChoice:
		return ChallengeSelectMFA
	case StepMFASetup:
		return ChallengeMFASetup
	case StepCode:
		if f.Factor == FactorSMS {
			return challengeSMSOTP
		}
		return f.Factor
	case StepMFACode:
		return f.Factor
	default:
		return ""
	}
}

// What a person has proven, as amr values (developer guide, page
// "cognito-user-pools-step-up-authentication"; RFC 8176).
const (
	methodPassword  = "pwd"
	methodTOTP      = "otp"
	methodSMS       = "sms"
	methodEmail     = "email_otp"
	methodPlatform  = "swk" // a passkey of this device
	methodRoaming   = "hwk" // a passkey of a security key or another device
	methodMFA       = "mfa" // more than one of them
	methodFederated = "fed"
)

// methodOf is the amr value of a factor. A passkey's depends on the passkey;
// for its level either will do.
func methodOf(factor string) string {
	switch factor {
	case FactorPassword:
		return methodPassword
	case FactorTOTP:
		return methodTOTP
	case FactorSMS:
		return methodSMS
	case FactorEmail:
		return methodEmail
	default:
		return methodRoaming
	}
}

// assurance is the level that methods reach: the n of urn:cognito:loa:n; zero:
// none.
func assurance(methods []string) int {
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
	settings *Settings
	choice   bool  // the client lets people choose how to sign in (ALLOW_USER_AUTH)
	wanted   []int // levels of assurance, in order of preference (acr_values)

	user     User
	passkeys bool // the user has one, and the pool takes them

	methods []string // proven so far
	after   Step     // what the person came for, besides signing in
}

// A move is a step of a flow and, if it asks for a code, the factor that the
// code is of.
type move struct {
	Step   Step
	Factor string
}

// next decides what a person has to do next. It is the one place that does.
func (x facts) next() move {
	if len(x.methods) == 0 {
		return x.first()
	}
	if x.user.Status == UserForceChange && slices.Contains(x.methods, methodPassword) {
		return move{Step: StepNewPassword}
	}
	m, needed := x.second()
	switch {
	case needed:
		return m
	case x.after != "":
		return move{Step: x.after}
	default:
		return move{Step: StepSignedIn}
	}
}

// first decides how the person begins. With one factor there is nothing to
// choose; without any, the password is asked for, and none will do.
func (x facts) first() move {
	factors := x.firstFactors()
	switch {
	case !x.choice:
		return move{Step: StepSignIn}
	case len(factors) == 0:
		return move{Step: StepPassword}
	case len(factors) == 1:
		return firstMove(factors[0])
	default:
		return move{Step: StepFactor}
	}
}

func firstMove(factor string) move {
	switch factor {
	case FactorPassword:
		return move{Step: StepPassword}
	case FactorPasskey:
		return move{Step: StepPasskey}
	default:
		return move{Step: StepCode, Factor: factor}
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
		return []string{FactorPassword}
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
	if factor == FactorPassword {
		return x.user.PasswordHash != ""
	}
	if x.user.Status != UserConfirmed {
		return false
	}
	secondFactor := x.settings.MFA == MFAOn || len(enrolledFactors(x.settings, x.user)) > 0
	switch factor {
	case FactorPasskey:
		return x.passkeys && (!secondFactor || x.settings.PasskeysAreMFA)
	case FactorEmail:
		return !secondFactor && x.user.Verified("email")
	case FactorSMS:
		return !secondFactor && x.user.Verified("phone_number")
	default:
		return false
	}
}

// best is the highest level that can be reached when beginning with a factor.
func (x facts) best(factor string) int {
	level := assurance([]string{methodOf(factor)})
	if factor == FactorPassword {
		for _, second := range readyFactors(x.settings, x.user) {
			level = max(level, assurance([]string{methodPassword, methodOf(second)}))
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
	due := x.settings.MFA != MFAOff && !slices.Contains(x.methods, methodMFA)
	low := assurance(x.methods) < x.target()
	if slices.Contains(x.methods, methodFederated) || !due && !low {
		return move{}, false
	}
	options := x.secondFactors()
	switch {
	case len(options) == 0 && due && x.settings.MFA == MFAOn:
		return move{Step: StepMFASetup}, true
	case len(options) == 0:
		return move{}, false
	case slices.Contains(options, x.user.PreferredMFA):
		return move{StepMFACode, x.user.PreferredMFA}, true
	case len(options) == 1:
		return move{StepMFACode, options[0]}, true
	default:
		return move{Step: StepMFAChoice}, true
	}
}

// secondFactors are what the person may be asked for now: what is turned on for
// the user or, if a level is still missing, what leads there.
func (x facts) secondFactors() []string {
	target, options := x.target(), enrolledFactors(x.settings, x.user)
	if assurance(x.methods) < target {
		options = readyFactors(x.settings, x.user)
	}
	return slices.DeleteFunc(options, func(factor string) bool {
		return slices.Contains(x.methods, methodOf(factor)) ||
			assurance(append(slices.Clone(x.methods), methodOf(factor))) < target
	})
}

// setups are the second factors that the user can register.
func (x facts) setups() []string {
	return slices.DeleteFunc(slices.Clone(x.settings.MFATypes), func(factor string) bool {
		return factor != FactorTOTP && x.user.Attributes[addressOf(factor)] != ""
	})
}

// addressOf names the attribute that the codes of a factor go to; empty: they
// go nowhere.
func addressOf(factor string) string {
	switch factor {
	case FactorSMS:
		return "phone_number"
	case FactorEmail:
		return "email"
	default:
		return ""
	}
}
