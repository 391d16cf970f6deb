package userpool

import (
	"cmp"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/cognate-auth/cognate/userpool/store"
)

// FlowLifetime is how long a person has for a whole way through the sign-in
// pages (developer guide, page "cognito-user-pools-managed-login").
const FlowLifetime = 5 * time.Minute

// mfaLifetime is how long a person has for the second factor of it (page
// "authentication").
const mfaLifetime = 3 * time.Minute

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

// storedFlow is a Flow with its secret in the clear.
type storedFlow struct {
	Flow

	Secret string `json:",omitempty"`
}

func storeFlow(f *Flow) storedFlow { return storedFlow{*f, string(f.Secret)} }

// A Request is what a sign-in has to know of whoever asks for it: an
// authorization request of a browser, or a call of the user pools API.
type Request struct {
	Client Client
	Levels []int // of assurance that are wanted, in order of preference (acr_values)
}

// ErrStale says that a form does not belong to the step that its flow is at: it
// was sent before, or another tab went on.
var ErrStale = errors.New("userpool: the flow is at another step")

// StartFlow begins a flow for the browser with this token and this
// authorization request, and returns the id that its pages carry. It is stored
// by [Pool.SaveFlow].
func (p *Pool) StartFlow(browser Secret, request string) (id Secret, f *Flow) {
	id = newOpaque()
	return id, &Flow{
		Hash: id.digest(), Browser: browser.digest(), Request: Secret(request).digest(), Step: StepSignIn,
		Expires: p.now().Add(FlowLifetime),
	}
}

// Flow returns the flow with this id, if it is this browser's and this
// authorization request's and not over. Anything else is ok == false.
func (p *Pool) Flow(ctx context.Context, id, browser Secret, request string) (f *Flow, ok bool, err error) {
	if id == "" || browser == "" {
		return nil, false, nil
	}
	f, ok, err = p.store.Flow(ctx, id.digest())
	if err != nil {
		return nil, false, fmt.Errorf("userpool: reading flow: %w", err)
	}
	if !ok || f.Browser != browser.digest() || f.Request != Secret(request).digest() ||
		!inTime(p.now(), f.Expires, max(FlowLifetime, codeStepLifetime)) {
		return nil, false, nil
	}
	return f, true, nil
}

// SaveFlow stores what happened. [ErrStale] means that another request of the
// same flow was faster: nothing is stored then.
func (p *Pool) SaveFlow(ctx context.Context, f *Flow) error {
	p.collect(ctx, p.now())
	err := p.store.PutFlow(ctx, f)
	if errors.Is(err, store.ErrConflict) {
		return ErrStale
	}
	if err != nil {
		return fmt.Errorf("userpool: storing flow: %w", err)
	}
	return nil
}

// RenewFlow stores what happened, as SaveFlow, under another id. It is for a flow
// in which something was proven for the first time: somebody may have planted the
// browser's token and a flow of his own, and waited (session fixation).
func (p *Pool) RenewFlow(ctx context.Context, f *Flow) (id Secret, err error) {
	id = newOpaque()
	g := *f
	g.Hash, g.Version = id.digest(), 0
	err = p.store.ReplaceFlow(ctx, f, &g)
	if errors.Is(err, store.ErrConflict) {
		return "", ErrStale
	}
	if err != nil {
		return "", fmt.Errorf("userpool: storing flow: %w", err)
	}
	*f = g
	return id, nil
}

// EndFlow removes a flow, so that no form of it counts any more. [ErrStale] means
// that another request of the same flow was faster: it is not this one's to end.
func (p *Pool) EndFlow(ctx context.Context, f *Flow) error {
	if f.Version == 0 {
		return nil // it was never stored
	}
	err := p.store.DeleteFlow(ctx, f)
	if errors.Is(err, store.ErrConflict) {
		return ErrStale
	}
	if err != nil {
		return fmt.Errorf("userpool: ending flow: %w", err)
	}
	return nil
}

// account is who a flow is of: a user, or nobody, who must not show: then User
// is a decoy.
type account struct {
	User
	known bool
}

// accountOf returns who the flow is of.
func (p *Pool) accountOf(ctx context.Context, f *Flow) (account, error) {
	if !f.Named {
		return p.accountByName(ctx, f.Username)
	}
	decoy, err := p.decoyAccount(ctx, f.Username)
	if err != nil {
		return account{}, err
	}
	u, err := p.user(ctx, cmp.Or(f.Sub, decoy.Sub)) // there or not, it is looked for
	if errors.Is(err, errGone) {
		return decoy, nil
	}
	return account{u, true}, err
}

func (p *Pool) accountByName(ctx context.Context, username string) (account, error) {
	decoy, err := p.decoyAccount(ctx, username)
	if err != nil {
		return account{}, err
	}
	u, ok, err := p.store.UserByLogin(ctx, foldLogin(username))
	if err != nil {
		return account{}, fmt.Errorf("userpool: reading user: %w", err)
	}
	if !ok {
		return decoy, nil
	}
	return account{u, true}, nil
}

// decoyAccount is who stands in for a name that nobody has. What such a user
// has depends on the name and a secret of the pool, so that it is the same at
// every visit and no set of factors is certain to be a real user's.
func (p *Pool) decoyAccount(ctx context.Context, username string) (account, error) {
	secret, err := p.decoySecret(ctx)
	if err != nil {
		return account{}, err
	}
	login := foldLogin(username)
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(login))
	sum := mac.Sum(nil)
	u := User{
		Sub: "decoy-" + hex.EncodeToString(sum), Username: username, Status: UserConfirmed,
		PasswordHash: p.hasher.decoy, Attributes: map[string]string{},
	}
	if sum[0]&1 != 0 {
		u.Attributes["email"], u.Attributes["email_verified"] = decoyEmail(login, sum), "true"
	}
	if sum[0]&2 != 0 {
		u.Attributes["phone_number"], u.Attributes["phone_number_verified"] = decoyPhone(login, sum), "true"
	}
	return account{User: u}, nil
}

// decoySecret is the same in every process on one store.
func (p *Pool) decoySecret(ctx context.Context) (Secret, error) {
	if known := p.decoys.Load(); known != nil {
		return *known, nil
	}
	secret, err := p.store.PoolSecret(ctx, "decoys")
	if err != nil {
		return "", fmt.Errorf("userpool: reading the secret of decoys: %w", err)
	}
	p.decoys.Store(&secret)
	return secret, nil
}

// decoyHasPasskey says whether a decoy seems to have passkeys.
func decoyHasPasskey(u User) bool { return u.Sub[len(u.Sub)-1]&1 != 0 }

// decoyEmail is an address of which only the first letters show: those of the
// name, if that is an address.
func decoyEmail(login string, sum []byte) string {
	if validEmail(login) {
		return login
	}
	letter := func(b byte) string { return string(rune('a' + b%26)) }
	return letter(sum[1]) + "@" + letter(sum[2])
}

// decoyPhone is a number of which only the last digits show.
func decoyPhone(login string, sum []byte) string {
	if strings.HasPrefix(login, "+") && len(login) <= 16 {
		return login
	}
	return fmt.Sprintf("+1555555%04d", (int(sum[3])<<8|int(sum[4]))%10_000)
}

// factsOf gathers what decides the next step of a flow.
func (p *Pool) factsOf(ctx context.Context, req Request, f *Flow, who account) (facts, error) {
	x := facts{
		settings: p.Settings(), choice: req.Client.ChoosesFactor(), wanted: req.Levels,
		user: who.User, methods: f.Methods, after: f.After,
	}
	if !x.choice || !p.OffersPasskeys() {
		return x, nil
	}
	has, err := p.hasPasskey(ctx, who.Sub) // also of a decoy: it takes time
	x.passkeys = has || !who.known && decoyHasPasskey(who.User)
	return x, err
}

// at returns who the flow is of, and what decides its next step.
func (p *Pool) at(ctx context.Context, req Request, f *Flow) (account, facts, error) {
	who, err := p.accountOf(ctx, f)
	if err != nil {
		return who, facts{}, err
	}
	x, err := p.factsOf(ctx, req, f, who)
	return who, x, err
}

// proved records that the person is u, which the methods have shown, and moves
// the flow on. If it cannot go on, f is as before and the error says why.
func (p *Pool) proved(ctx context.Context, req Request, f *Flow, u User, methods ...string) error {
	g := *f
	g.Sub, g.Named, g.Methods = u.Sub, true, slices.Clone(f.Methods)
	for _, m := range methods {
		if !slices.Contains(g.Methods, m) {
			g.Methods = append(g.Methods, m)
		}
	}
	err := p.rules().admit(u)
	if err != nil {
		err = p.held(ctx, req, &g, u, err)
	} else {
		err = p.advance(ctx, req, &g, account{u, true})
	}
	if err == nil {
		*f = g
	}
	return err
}

// held is where a person goes whose account something keeps from signing in,
// after the proof of who it is: to the code that confirms it, or to that for a new
// password, if that is what is missing.
func (p *Pool) held(ctx context.Context, req Request, f *Flow, u User, why error) error {
	switch {
	case errors.Is(why, errNotConfirmed):
		return p.unconfirmed(ctx, req, f, u)
	case errors.Is(why, errResetRequired):
		return p.resetRequired(ctx, req, f, u)
	default:
		return why
	}
}

// advance moves the flow to its next step.
func (p *Pool) advance(ctx context.Context, req Request, f *Flow, who account) error {
	x, err := p.factsOf(ctx, req, f, who)
	if err != nil {
		return err
	}
	return p.enter(ctx, req, f, who, x.next())
}

// enter does what the beginning of a step takes, and is at it then. If it
// cannot, f is as before.
func (p *Pool) enter(ctx context.Context, req Request, f *Flow, who account, m move) error {
	g := *f
	g.Step, g.Factor = m.Step, m.Factor
	g.Hint, g.Resent, g.Address, g.Options, g.Secret = "", 0, "", "", ""
	var err error
	switch m.Step {
	case StepCode, StepMFACode:
		err = p.sendFactor(ctx, req, &g, who)
	case StepMFASetup:
		g.Secret = newTOTPSecret()
	case StepPasskey:
		err = p.beginAssertion(&g)
	case StepSignedIn, StepAddPasskey:
		err = p.completed(ctx, req, &g, who)
	}
	if err != nil {
		return err
	}
	if m.Step == StepMFACode || m.Step == StepMFAChoice {
		g.Expires = earlier(g.Expires, p.now().Add(mfaLifetime))
	}
	*f = g
	return nil
}

// completed is when nothing is left to prove.
func (p *Pool) completed(ctx context.Context, req Request, f *Flow, who account) error {
	if !who.known || len(f.Methods) == 0 {
		return errIncorrect // no way leads here, and none may
	}
	err := p.postAuthentication(ctx, req.Client, who.User)
	if err != nil {
		return err
	}
	p.audit(ctx, "signed in", clientAttr(req.Client.ID), slog.String("username", who.Username), subAttr(who.Sub),
		slog.Any("methods", f.Methods))
	if f.Step == StepAddPasskey {
		return p.BeginAddPasskey(ctx, f, who.Sub)
	}
	return nil
}
