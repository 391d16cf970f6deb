package signin

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"

	"github.com/cognate-auth/cognate/userpool"
	"github.com/cognate-auth/cognate/userpool/accounts"
	"github.com/cognate-auth/cognate/userpool/internal/core"
	"github.com/cognate-auth/cognate/userpool/internal/decision"
	"github.com/cognate-auth/cognate/userpool/internal/text"
	"github.com/cognate-auth/cognate/userpool/store"
)

// Discover begins a sign-in with a passkey and without a name: the passkey
// says whose it is.
func (s *Steps) Discover(_ context.Context, req Request, f *userpool.Flow) error {
	if !s.passkeys.Offered() || !req.Client.ChoosesFactor() || !req.Client.Supports(userpool.ProviderCognito) {
		return errNoSuchLogin
	}
	f.Username, f.Sub, f.Named = "", "", false
	return s.enterPasskey(f)
}

func (s *Steps) enterPasskey(f *userpool.Flow) error {
	err := s.passkeys.beginAssertion(f)
	if err == nil {
		f.Step, f.Factor = userpool.StepPasskey, userpool.FactorPasskey
	}
	return err
}

// Passkey is what an authenticator answered to f.Options, as JSON. Every
// challenge is answered once: after a refusal, which is an [*userpool.Error] and does not
// say why, there is another.
func (s *Steps) Passkey(ctx context.Context, req Request, f *userpool.Flow, response []byte) error {
	if s.passkeys.checker == nil {
		return errNoSuchLogin
	}
	state := []byte(f.Secret)
	u, used, err := s.assert(ctx, req, f, state, response)
	if err == nil {
		err = s.recordProof(ctx, req, f, u, passkeyMethods(s.core.Settings(), used)...)
	}
	if _, refused := errors.AsType[*userpool.Error](err); !refused {
		return err
	}
	s.core.Audit(ctx, decision.PasskeyRefused, core.SubAttr(u.Sub), core.ReasonAttr(err.Error()))
	return orFault(s.passkeys.beginAssertion(f), err)
}

// assert checks the response and returns whose passkey it was, and the passkey.
func (s *Steps) assert(
	ctx context.Context, req Request, f *userpool.Flow, state, response []byte,
) (userpool.User, userpool.Passkey, error) {
	stored, u, err := s.passkeys.presented(ctx, f, response)
	if err != nil {
		return u, stored, err
	}
	x, err := s.factsOf(ctx, req, &userpool.Flow{}, accounts.Account{User: u, Known: true})
	if err != nil {
		return u, stored, err
	}
	if !slices.Contains(x.firstFactors(), userpool.FactorPasskey) {
		return u, stored, errNoSuchLogin
	}
	used, err := s.passkeys.checker.FinishAssertion(s.passkeys.relyingParty(), state, response, stored)
	if err != nil {
		s.core.Audit(ctx, decision.PasskeyInvalid, core.SubAttr(u.Sub), slog.String("reason", text.Clip(err.Error())))
		return u, stored, errPasskey
	}
	used = renewed(stored, used, s.core.Now())
	err = s.passkeys.stored.Update(ctx, used)
	if errors.Is(err, store.ErrConflict) { // used or removed at the same moment: the count may be old
		return u, used, errPasskey
	}
	if err != nil {
		return u, used, fmt.Errorf("userpool: storing a passkey: %w", err)
	}
	return u, used, nil
}
