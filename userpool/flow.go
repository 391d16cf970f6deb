package userpool

import "time"

// A Step is a page of a flow: what the person has to do next.
type Step string

// The steps. Each has a page in package hosted.
const (
	StepSignIn      Step = "sign-in"      // name, or name and password
	StepSignUp      Step = "sign-up"      // name, password and attributes of a new user
	StepForgot      Step = "forgot"       // the name of who forgot the password
	StepConfirm     Step = "confirm"      // the code that confirms a sign-up
	StepReset       Step = "reset"        // the code for, and the new password
	StepNewPassword Step = "new-password" // instead of a temporary one, and missing attributes
	StepFactor      Step = "factor"       // which first factor: password, passkey, code
	StepPassword    Step = "password"     // the password alone, after the choice
	StepCode        Step = "code"         // a code by e-mail or SMS as the first factor
	StepPasskey     Step = "passkey"      // sign in with a passkey
	StepMFAChoice   Step = "mfa-choice"   // which second factor
	StepMFASetup    Step = "mfa-setup"    // register an authenticator app, or an address for codes
	StepMFACode     Step = "mfa-code"     // the code of the second factor
	StepAddPasskey  Step = "add-passkey"  // register a passkey
	StepSignedIn    Step = "signed-in"    // back to the app
	StepDone        Step = "done"         // nothing is left; a form that comes now is a replay
)

// A Flow is one person's way through the sign-in pages, from one request to the
// next. It is bound to the browser, to the authorization request and to its
// step: every change counts Version up, and a form carries the Version of the
// page that it was on, so that no step is done twice, skipped or out of turn.
type Flow struct {
	Hash    string // hexadecimal SHA-256 of the flow's id
	Browser string // hexadecimal SHA-256 of the browser's token
	Request string // hexadecimal SHA-256 of the authorization request: its query, encoded
	Step    Step

	Username string   // as typed
	Named    bool     // the name was looked up: Sub is its, or nobody's
	Sub      string   // who that is; empty: nobody, which must not show
	Methods  []string // what was proven so far: amr values, such as pwd; empty: nothing
	Factor   string   // the factor that the step asks for, in Cognito's words, such as SMS_MFA
	Hint     string   // where a code went, masked, as in a***@e***
	Notice   string   // what the next page tells first: one of the fixed texts
	Failed   bool     // Notice is an error
	Resent   int      // how often the person asked for another code at this step
	Address  string   // where codes are to go from now on, once the person has shown that they arrive
	Options  string   // what the browser's passkey call is told, as JSON
	Secret   Secret   // what is being registered or asked for: a TOTP secret, a passkey ceremony
	After    Step     // what the person came for, besides signing in: StepAddPasskey, or empty

	Expires time.Time
	Version int64
}

// ChallengeName returns what the API calls the step that the flow is at; empty
// when the step is no challenge.
func (f *Flow) ChallengeName() string {
	switch f.Step {
	case StepNewPassword:
		return "NEW_PASSWORD_REQUIRED"
	case StepFactor:
		return "SELECT_CHALLENGE"
	case StepPassword:
		return FactorPassword
	case StepPasskey:
		return FactorPasskey
	case StepMFAChoice:
		return "SELECT_MFA_TYPE"
	case StepMFASetup:
		return "MFA_SETUP"
	case StepCode:
		if f.Factor == FactorSMS {
			return "SMS_OTP"
		}
		return f.Factor
	case StepMFACode:
		return f.Factor
	default:
		return ""
	}
}
