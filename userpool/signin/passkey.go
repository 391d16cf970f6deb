package signin

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/cognate-auth/cognate/userpool"
	"github.com/cognate-auth/cognate/userpool/accounts"
	"github.com/cognate-auth/cognate/userpool/internal/core"
	"github.com/cognate-auth/cognate/userpool/internal/decision"
	"github.com/cognate-auth/cognate/userpool/internal/records"
	"github.com/cognate-auth/cognate/userpool/internal/text"
	"github.com/cognate-auth/cognate/userpool/store"
)

// Passkeys are the passkeys of users, and how one is added.
type Passkeys struct {
	core    *core.Core
	users   *accounts.Users
	stored  records.Passkeys
	checker userpool.Passkeys // nil: there are no passkeys
}

const (
	maxPasskeys      = 20 // of one user (developer guide, page "quotas")
	maxPasskeyAnswer = 32 << 10
	maxCredentialID  = 1023 // bytes (Web Authentication section 4, "credential id")
)

var errPasskey = &userpool.Error{Code: userpool.CodeNotAuthorized, Description: textPasskeyFailed}

// passkeyMethod is the amr value of the passkey.
func passkeyMethod(k userpool.Passkey) string {
	if k.Platform {
		return methodPlatform
	}
	return methodRoaming
}

// List returns the passkeys of a user, at most 20, in no order that means
// anything.
func (pk *Passkeys) List(ctx context.Context, sub string) ([]userpool.Passkey, error) {
	list, err := pk.stored.List(ctx, sub, maxPasskeys)
	if err != nil {
		return nil, fmt.Errorf("userpool: reading passkeys: %w", err)
	}
	return list, nil
}

// Delete removes a passkey of a user. One that is not there, or somebody
// else's, is no error.
func (pk *Passkeys) Delete(ctx context.Context, sub, id string) error {
	k, ok, err := pk.stored.Get(ctx, id)
	if err == nil && ok && k.Sub == sub {
		err = pk.stored.Delete(ctx, id)
	}
	if err != nil {
		return fmt.Errorf("userpool: removing a passkey: %w", err)
	}
	return nil
}

// Offered reports whether people can have passkeys: the settings have
// them among the first factors and something can check them.
func (pk *Passkeys) Offered() bool {
	return pk.checker != nil && slices.Contains(pk.core.Settings().FirstFactors, userpool.FactorPasskey)
}

// relyingParty is the pool as authenticators know it. A passkey that counts as
// two factors is worth that only with the user verified.
func (pk *Passkeys) relyingParty() userpool.RelyingParty {
	s := pk.core.Settings()
	name := s.Name
	if name == "" {
		name = pk.core.ID
	}
	return userpool.RelyingParty{ID: s.PasskeyDomain, Name: name, VerifyUser: s.PasskeysVerifyUser || s.PasskeysAreMFA}
}

// has reports whether the user has any.
func (pk *Passkeys) has(ctx context.Context, sub string) (bool, error) {
	list, err := pk.stored.List(ctx, sub, 1)
	if err != nil {
		return false, fmt.Errorf("userpool: reading passkeys: %w", err)
	}
	return len(list) > 0, nil
}

// beginAssertion puts a fresh challenge into the flow.
func (pk *Passkeys) beginAssertion(f *userpool.Flow) error {
	options, state, err := pk.checker.BeginAssertion(pk.relyingParty())
	if err != nil {
		return fmt.Errorf("userpool: beginning with a passkey: %w", err)
	}
	f.Options, f.Secret = string(options), userpool.Secret(state)
	return nil
}

// orFault is the refusal, unless something else went wrong on the way back.
func orFault(fault, refusal error) error {
	if fault != nil {
		return fault
	}
	return refusal
}

func passkeyMethods(s *userpool.Settings, k userpool.Passkey) []string {
	methods := []string{passkeyMethod(k)}
	if s.PasskeysAreMFA && k.Verified {
		methods = append(methods, MethodMFA)
	}
	return methods
}

// presented finds the passkey that the response names. If the flow is of
// somebody it must be theirs.
func (pk *Passkeys) presented(
	ctx context.Context, f *userpool.Flow, response []byte,
) (userpool.Passkey, userpool.User, error) {
	id, ok := credentialID(response)
	if !ok {
		return userpool.Passkey{}, userpool.User{}, errPasskey
	}
	stored, ok, err := pk.stored.Get(ctx, id)
	if err != nil {
		return userpool.Passkey{}, userpool.User{}, fmt.Errorf("userpool: reading a passkey: %w", err)
	}
	if !ok || f.Named && stored.Sub != f.Sub {
		return userpool.Passkey{}, userpool.User{}, errPasskey
	}
	u, err := pk.users.BySub(ctx, stored.Sub)
	if errors.Is(err, accounts.ErrGone) {
		return userpool.Passkey{}, userpool.User{}, errPasskey
	}
	return stored, u, err
}

// renewed is k after it was used: what the authenticator says can change, and
// no more.
func renewed(k, used userpool.Passkey, now time.Time) userpool.Passkey {
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

// BeginAdd takes the flow to the page that adds a passkey to the account
// of the user sub, who is signed in.
func (pk *Passkeys) BeginAdd(ctx context.Context, f *userpool.Flow, sub string) error {
	u, err := pk.owner(ctx, sub)
	if err != nil {
		return err
	}
	r, err := pk.registration(ctx, u)
	if err != nil {
		return err
	}
	options, state, err := pk.checker.BeginRegistration(r)
	if err != nil {
		return fmt.Errorf("userpool: beginning to make a passkey: %w", err)
	}
	f.Step, f.Sub, f.Options, f.Secret = userpool.StepAddPasskey, u.Sub, string(options), userpool.Secret(state)
	return nil
}

// owner returns the user to whom a passkey is added. That follows the
// sign-in, perhaps by minutes or days, so what keeps the user from signing in is
// looked at again.
func (pk *Passkeys) owner(ctx context.Context, sub string) (userpool.User, error) {
	u, err := pk.users.BySub(ctx, sub)
	switch {
	case errors.Is(err, accounts.ErrGone), !pk.Offered():
		return userpool.User{}, errNoSuchLogin
	case err != nil:
		return userpool.User{}, err
	}
	return u, pk.users.Rules().Admit(u)
}

func (pk *Passkeys) registration(ctx context.Context, u userpool.User) (userpool.PasskeyRegistration, error) {
	have, err := pk.List(ctx, u.Sub)
	return userpool.PasskeyRegistration{
		RelyingParty: pk.relyingParty(), Sub: u.Sub, Username: pk.users.Rules().DisplayName(u), Have: have,
	}, err
}

// Add is what an authenticator answered to f.Options, as JSON: a new
// passkey of the flow's user. Then the flow is at its end. After a refusal
// there is another challenge.
func (pk *Passkeys) Add(ctx context.Context, f *userpool.Flow, response []byte) error {
	u, err := pk.owner(ctx, f.Sub)
	if err != nil {
		return err
	}
	err = pk.register(ctx, u, []byte(f.Secret), response)
	if err == nil {
		f.Options, f.Secret = "", ""
		return pk.Skip(ctx, f)
	}
	if _, refused := errors.AsType[*userpool.Error](err); !refused {
		return err
	}
	pk.core.Audit(ctx, decision.NewPasskeyRefused, core.SubAttr(u.Sub), core.ReasonAttr(err.Error()))
	return orFault(pk.BeginAdd(ctx, f, u.Sub), err)
}

// Skip leaves the page that adds a passkey without one.
func (pk *Passkeys) Skip(ctx context.Context, f *userpool.Flow) error {
	_, err := pk.owner(ctx, f.Sub)
	if err == nil {
		f.Step = userpool.StepSignedIn
	}
	return err
}

// register lets one request of a user at a time count and add.
func (pk *Passkeys) register(ctx context.Context, u userpool.User, state, response []byte) error {
	leave, err := pk.core.Gate.Enter(ctx, "passkeys of "+u.Sub)
	if err != nil {
		return err
	}
	defer leave()
	r, err := pk.registration(ctx, u)
	switch {
	case err != nil:
		return err
	case len(r.Have) >= maxPasskeys:
		return &userpool.Error{Code: userpool.CodeLimitExceeded, Description: TextPasskeyLimit}
	case len(response) == 0 || len(response) > maxPasskeyAnswer:
		return errPasskey
	}
	made, err := pk.checker.FinishRegistration(r, state, response)
	if err != nil {
		pk.core.Audit(
			ctx, decision.NewPasskeyInvalid, core.SubAttr(u.Sub), slog.String("reason", text.Clip(err.Error())),
		)
		return errPasskey
	}
	made.Sub, made.RelyingParty, made.Created, made.Version = u.Sub, r.ID, pk.core.Now(), 0
	if made.Name == "" {
		made.Name = fmt.Sprintf("Passkey %d", len(r.Have)+1)
	}
	err = pk.stored.Create(ctx, made)
	if errors.Is(err, store.ErrExists) {
		return errPasskey
	}
	if err != nil {
		return fmt.Errorf("userpool: storing a passkey: %w", err)
	}
	pk.core.Audit(ctx, "passkey added", core.SubAttr(u.Sub))
	return nil
}
