package userpool

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// FlowLifetime is how long a person has for a whole way through the sign-in
// pages (developer guide, page "cognito-user-pools-managed-login").
const FlowLifetime = 5 * time.Minute

// maxFlows is how many flows one browser can have under way; the oldest makes
// room for the next.
const maxFlows = 16

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
	StepFederation  Step = "federation"   // at another identity provider
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
	Request string // the authorization request: its query, encoded
	Step    Step

	Username string   // as typed
	Sub      string   // who that is; empty: nobody, which must not show
	Methods  []string // what was proven so far: amr values, such as pwd; empty: nothing
	Factor   string   // the factor that the step asks for, in Cognito's words, such as SMS_MFA
	Hint     string   // where a code went, masked, as in a***@e***
	Notice   string   // what the next page tells first: one of the fixed texts
	Failed   bool     // Notice is an error
	Secret   Secret   // what is being registered: a TOTP secret, a passkey ceremony

	Expires time.Time
	Version int64
}

// storedFlow is a Flow with its secret in the clear.
type storedFlow struct {
	Flow

	Secret string `json:",omitempty"`
}

func (f *Flow) stored() storedFlow { return storedFlow{*f, string(f.Secret)} }

// ErrStale says that a form does not belong to the step that its flow is at: it
// was sent before, or another tab went on.
var ErrStale = errors.New("userpool: the flow is at another step")

// StartFlow begins a flow for the browser with this token and this
// authorization request, and returns the id that its pages carry. It is stored
// by [Pool.SaveFlow].
func (p *Pool) StartFlow(browser Secret, request string) (id Secret, f *Flow) {
	id = newOpaque()
	return id, &Flow{
		Hash: id.digest(), Browser: browser.digest(), Request: request, Step: StepSignIn,
		Expires: p.now().Add(FlowLifetime),
	}
}

// Flow returns the flow with this id, if it is this browser's and this
// authorization request's and not over. Anything else is ok == false.
func (p *Pool) Flow(ctx context.Context, id, browser Secret, request string) (f *Flow, ok bool, err error) {
	if id == "" || browser == "" {
		return nil, false, nil
	}
	f, ok, err = p.store.Flow(ctx, p.id, id.digest())
	if err != nil {
		return nil, false, fmt.Errorf("userpool: reading flow: %w", err)
	}
	if !ok || f.Browser != browser.digest() || f.Request != request || !p.now().Before(f.Expires) {
		return nil, false, nil
	}
	return f, true, nil
}

// SaveFlow stores what happened. [ErrStale] means that another request of the
// same flow was faster: nothing is stored then.
func (p *Pool) SaveFlow(ctx context.Context, f *Flow) error {
	p.collect(ctx, p.now())
	err := p.store.PutFlow(ctx, p.id, f)
	if errors.Is(err, ErrConflict) {
		return ErrStale
	}
	if err != nil {
		return fmt.Errorf("userpool: storing flow: %w", err)
	}
	return nil
}

// EndFlow removes a flow, so that no form of it counts any more.
func (p *Pool) EndFlow(ctx context.Context, f *Flow) error {
	if f.Version == 0 {
		return nil // it was never stored
	}
	err := p.store.DeleteFlow(ctx, p.id, f.Hash)
	if err != nil {
		return fmt.Errorf("userpool: ending flow: %w", err)
	}
	return nil
}

// PasswordStep is the step that asks for a name and a password: f.Username and
// this one. What follows is in f.Step. A refusal is an [*Error], as that of
// [Pool.SignIn].
func (p *Pool) PasswordStep(ctx context.Context, _ *Authorization, f *Flow, password Secret) error {
	u, err := p.SignIn(ctx, f.Username, password)
	if err != nil {
		return err
	}
	f.Sub, f.Methods, f.Step = u.Sub, []string{"pwd"}, StepSignedIn
	return nil
}
