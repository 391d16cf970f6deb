package userpool

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/cognate-auth/cognate/userpool/internal/text"
	"github.com/cognate-auth/cognate/userpool/store"
)

const (
	maxPasskeys       = 20 // of one user (developer guide, page "quotas")
	maxPasskeyAnswer  = 32 << 10
	maxCredentialID   = 1023 // bytes (Web Authentication section 4, "credential id")
	textPasskeyFailed = "That passkey did not work. Try again, or sign in another way."
)

// TextPasskeyLimit is what a person with 20 passkeys reads who wants another.
const TextPasskeyLimit = "You have as many passkeys as one account can have."

var errPasskey = &Error{Code: CodeNotAuthorized, Description: textPasskeyFailed}

// Passkeys checks what authenticators answer (Web Authentication Level 3). What
// goes in and out as options and response is the JSON that browsers know
// (PublicKeyCredential.toJSON and its counterparts). state is what one method
// of a pair hands to the other; it stays in the pool. The methods are safe for
// concurrent use and have no effect of their own.
type Passkeys interface {
	// BeginRegistration returns options for navigator.credentials.create. An
	// error is a failure of the implementation.
	BeginRegistration(r PasskeyRegistration) (options, state []byte, err error)
	// FinishRegistration checks the response and returns what to keep of it:
	// Credential and all that the authenticator said. An error is a refusal.
	FinishRegistration(r PasskeyRegistration, state, response []byte) (Passkey, error)
	// BeginAssertion returns options for navigator.credentials.get, the same for
	// everybody: the browser offers the passkeys that it has.
	BeginAssertion(rp RelyingParty) (options, state []byte, err error)
	// FinishAssertion checks the response, which names the passkey stored, and
	// returns that as it is now. An error is a refusal, also when the sign count
	// went back: then there are two copies of the authenticator (section 6.1.1).
	FinishAssertion(rp RelyingParty, state, response []byte, stored Passkey) (Passkey, error)
}

// RelyingParty is for whom an authenticator makes and uses a passkey.
type RelyingParty struct {
	ID         string // a host; empty: that of the domain
	Name       string // for people
	VerifyUser bool   // demand user verification, such as a PIN; otherwise it is preferred
}

// PasskeyRegistration says for whom a passkey is to be made.
type PasskeyRegistration struct {
	RelyingParty

	Sub      string // the user handle
	Username string // what people know the account by
	Have     []Passkey
}

// Passkey is a passkey of a user: a public key and what is known of it.
type Passkey struct {
	ID           string // credential id, unpadded base64url
	Sub          string // whose
	Name         string // for people
	RelyingParty string // the ID that it was made for
	AAGUID       string // the model of the authenticator; empty: not told
	Platform     bool   // it is part of a device; otherwise a key that is carried along
	Transports   []string
	BackedUp     bool   // it is on several devices
	Verified     bool   // the authenticator verified its user the last time
	SignCount    uint32 // of the last time; always zero: it does not count
	Credential   []byte // what [Passkeys] keeps of it
	Created      time.Time
	Used         time.Time // zero: never
	Version      int64     // counted up by the store
}

// passkeyMethod is the amr value of the passkey.
func passkeyMethod(k Passkey) string {
	if k.Platform {
		return methodPlatform
	}
	return methodRoaming
}

// Passkeys returns the passkeys of a user, at most 20, in no order that means
// anything.
func (p *Pool) Passkeys(ctx context.Context, sub string) ([]Passkey, error) {
	list, err := p.store.Passkeys(ctx, sub, maxPasskeys)
	if err != nil {
		return nil, fmt.Errorf("userpool: reading passkeys: %w", err)
	}
	return list, nil
}

// DeletePasskey removes a passkey of a user. One that is not there, or somebody
// else's, is no error.
func (p *Pool) DeletePasskey(ctx context.Context, sub, id string) error {
	k, ok, err := p.store.Passkey(ctx, id)
	if err == nil && ok && k.Sub == sub {
		err = p.store.DeletePasskey(ctx, id)
	}
	if err != nil {
		return fmt.Errorf("userpool: removing a passkey: %w", err)
	}
	return nil
}

// OffersPasskeys reports whether people can have passkeys: the settings have
// them among the first factors and something can check them.
func (p *Pool) OffersPasskeys() bool {
	return p.passkeys != nil && slices.Contains(p.Settings().FirstFactors, FactorPasskey)
}

// relyingParty is the pool as authenticators know it. A passkey that counts as
// two factors is worth that only with the user verified.
func (p *Pool) relyingParty() RelyingParty {
	s := p.Settings()
	name := s.Name
	if name == "" {
		name = p.id
	}
	return RelyingParty{ID: s.PasskeyDomain, Name: name, VerifyUser: s.PasskeysVerifyUser || s.PasskeysAreMFA}
}

// hasPasskey reports whether the user has any.
func (p *Pool) hasPasskey(ctx context.Context, sub string) (bool, error) {
	list, err := p.store.Passkeys(ctx, sub, 1)
	if err != nil {
		return false, fmt.Errorf("userpool: reading passkeys: %w", err)
	}
	return len(list) > 0, nil
}

// beginAssertion puts a fresh challenge into the flow.
func (p *Pool) beginAssertion(f *Flow) error {
	options, state, err := p.passkeys.BeginAssertion(p.relyingParty())
	if err != nil {
		return fmt.Errorf("userpool: beginning with a passkey: %w", err)
	}
	f.Options, f.Secret = string(options), Secret(state)
	return nil
}

// DiscoverStep begins a sign-in with a passkey and without a name: the passkey
// says whose it is.
func (p *Pool) DiscoverStep(_ context.Context, req Request, f *Flow) error {
	if !p.OffersPasskeys() || !req.Client.ChoosesFactor() || !req.Client.Supports(ProviderCognito) {
		return errNoSuchLogin
	}
	f.Username, f.Sub, f.Named = "", "", false
	return p.enterPasskey(f)
}

func (p *Pool) enterPasskey(f *Flow) error {
	err := p.beginAssertion(f)
	if err == nil {
		f.Step, f.Factor = StepPasskey, FactorPasskey
	}
	return err
}

// PasskeyStep is what an authenticator answered to f.Options, as JSON. Every
// challenge is answered once: after a refusal, which is an [*Error] and does not
// say why, there is another.
func (p *Pool) PasskeyStep(ctx context.Context, req Request, f *Flow, response []byte) error {
	if p.passkeys == nil {
		return errNoSuchLogin
	}
	state := []byte(f.Secret)
	u, used, err := p.assert(ctx, req, f, state, response)
	if err == nil {
		err = p.proved(ctx, req, f, u, passkeyMethods(p.Settings(), used)...)
	}
	if _, refused := errors.AsType[*Error](err); !refused {
		return err
	}
	p.audit(ctx, "passkey refused", subAttr(u.Sub), reasonAttr(err.Error()))
	return orFault(p.beginAssertion(f), err)
}

// orFault is the refusal, unless something else went wrong on the way back.
func orFault(fault, refusal error) error {
	if fault != nil {
		return fault
	}
	return refusal
}

func passkeyMethods(s *Settings, k Passkey) []string {
	methods := []string{passkeyMethod(k)}
	if s.PasskeysAreMFA && k.Verified {
		methods = append(methods, methodMFA)
	}
	return methods
}

// assert checks the response and returns whose passkey it was, and the passkey.
func (p *Pool) assert(
	ctx context.Context, req Request, f *Flow, state, response []byte,
) (User, Passkey, error) {
	stored, u, err := p.presented(ctx, f, response)
	if err != nil {
		return u, stored, err
	}
	x, err := p.factsOf(ctx, req, &Flow{}, account{u, true})
	if err != nil {
		return u, stored, err
	}
	if !slices.Contains(x.firstFactors(), FactorPasskey) {
		return u, stored, errNoSuchLogin
	}
	used, err := p.passkeys.FinishAssertion(p.relyingParty(), state, response, stored)
	if err != nil {
		p.audit(ctx, "passkey did not verify", subAttr(u.Sub), slog.String("reason", text.Clip(err.Error())))
		return u, stored, errPasskey
	}
	used = renewed(stored, used, p.now())
	err = p.store.UpdatePasskey(ctx, used)
	if errors.Is(err, store.ErrConflict) { // used or removed at the same moment: the count may be old
		return u, used, errPasskey
	}
	if err != nil {
		return u, used, fmt.Errorf("userpool: storing a passkey: %w", err)
	}
	return u, used, nil
}

// presented finds the passkey that the response names. If the flow is of
// somebody it must be theirs.
func (p *Pool) presented(ctx context.Context, f *Flow, response []byte) (Passkey, User, error) {
	id, ok := credentialID(response)
	if !ok {
		return Passkey{}, User{}, errPasskey
	}
	stored, ok, err := p.store.Passkey(ctx, id)
	if err != nil {
		return Passkey{}, User{}, fmt.Errorf("userpool: reading a passkey: %w", err)
	}
	if !ok || f.Named && stored.Sub != f.Sub {
		return Passkey{}, User{}, errPasskey
	}
	u, err := p.user(ctx, stored.Sub)
	if errors.Is(err, errGone) {
		return Passkey{}, User{}, errPasskey
	}
	return stored, u, err
}

// renewed is k after it was used: what the authenticator says can change, and
// no more.
func renewed(k, used Passkey, now time.Time) Passkey {
	k.BackedUp, k.Verified = used.BackedUp, used.Verified
	k.SignCount, k.Credential, k.Used = used.SignCount, used.Credential, now
	return k
}

// credentialID reads which passkey a response is of, in canonical form.
func credentialID(response []byte) (id string, ok bool) {
	if len(response) == 0 || len(response) > maxPasskeyAnswer {
		return "", false
	}
	var answer struct {
		RawID string `json:"rawId"`
	}
	err := json.Unmarshal(response, &answer)
	if err != nil {
		return "", false
	}
	raw, err := base64.RawURLEncoding.Strict().DecodeString(answer.RawID)
	if err != nil || len(raw) == 0 || len(raw) > maxCredentialID {
		return "", false
	}
	return base64.RawURLEncoding.EncodeToString(raw), true
}

// BeginAddPasskey takes the flow to the page that adds a passkey to the account
// of the user sub, who is signed in.
func (p *Pool) BeginAddPasskey(ctx context.Context, f *Flow, sub string) error {
	u, err := p.passkeyOwner(ctx, sub)
	if err != nil {
		return err
	}
	r, err := p.registration(ctx, u)
	if err != nil {
		return err
	}
	options, state, err := p.passkeys.BeginRegistration(r)
	if err != nil {
		return fmt.Errorf("userpool: beginning to make a passkey: %w", err)
	}
	f.Step, f.Sub, f.Options, f.Secret = StepAddPasskey, u.Sub, string(options), Secret(state)
	return nil
}

// passkeyOwner returns the user to whom a passkey is added. That follows the
// sign-in, perhaps by minutes or days, so what keeps the user from signing in is
// looked at again.
func (p *Pool) passkeyOwner(ctx context.Context, sub string) (User, error) {
	u, err := p.user(ctx, sub)
	switch {
	case errors.Is(err, errGone), !p.OffersPasskeys():
		return User{}, errNoSuchLogin
	case err != nil:
		return User{}, err
	}
	return u, p.rules().admit(u)
}

func (p *Pool) registration(ctx context.Context, u User) (PasskeyRegistration, error) {
	have, err := p.Passkeys(ctx, u.Sub)
	return PasskeyRegistration{
		RelyingParty: p.relyingParty(), Sub: u.Sub, Username: p.rules().displayName(u), Have: have,
	}, err
}

// displayName is what the user knows the account by.
func (r rules) displayName(u User) string {
	if !r.names.replaced() {
		return u.Username
	}
	for _, name := range []string{"email", "phone_number"} {
		if u.Attributes[name] != "" {
			return u.Attributes[name]
		}
	}
	return u.Username
}

// AddPasskeyStep is what an authenticator answered to f.Options, as JSON: a new
// passkey of the flow's user. Then the flow is at its end. After a refusal
// there is another challenge.
func (p *Pool) AddPasskeyStep(ctx context.Context, f *Flow, response []byte) error {
	u, err := p.passkeyOwner(ctx, f.Sub)
	if err != nil {
		return err
	}
	err = p.addPasskey(ctx, u, []byte(f.Secret), response)
	if err == nil {
		f.Options, f.Secret = "", ""
		return p.SkipPasskeyStep(ctx, f)
	}
	if _, refused := errors.AsType[*Error](err); !refused {
		return err
	}
	p.audit(ctx, "new passkey refused", subAttr(u.Sub), reasonAttr(err.Error()))
	return orFault(p.BeginAddPasskey(ctx, f, u.Sub), err)
}

// SkipPasskeyStep leaves the page that adds a passkey without one.
func (p *Pool) SkipPasskeyStep(ctx context.Context, f *Flow) error {
	_, err := p.passkeyOwner(ctx, f.Sub)
	if err == nil {
		f.Step = StepSignedIn
	}
	return err
}

// addPasskey lets one request of a user at a time count and add.
func (p *Pool) addPasskey(ctx context.Context, u User, state, response []byte) error {
	leave, err := p.gate.enter(ctx, "passkeys of "+u.Sub)
	if err != nil {
		return err
	}
	defer leave()
	r, err := p.registration(ctx, u)
	switch {
	case err != nil:
		return err
	case len(r.Have) >= maxPasskeys:
		return &Error{Code: CodeLimitExceeded, Description: TextPasskeyLimit}
	case len(response) == 0 || len(response) > maxPasskeyAnswer:
		return errPasskey
	}
	made, err := p.passkeys.FinishRegistration(r, state, response)
	if err != nil {
		p.audit(ctx, "new passkey did not verify", subAttr(u.Sub), slog.String("reason", text.Clip(err.Error())))
		return errPasskey
	}
	made.Sub, made.RelyingParty, made.Created, made.Version = u.Sub, r.ID, p.now(), 0
	if made.Name == "" {
		made.Name = fmt.Sprintf("Passkey %d", len(r.Have)+1)
	}
	err = p.store.CreatePasskey(ctx, made)
	if errors.Is(err, store.ErrExists) {
		return errPasskey
	}
	if err != nil {
		return fmt.Errorf("userpool: storing a passkey: %w", err)
	}
	p.audit(ctx, "passkey added", subAttr(u.Sub))
	return nil
}
