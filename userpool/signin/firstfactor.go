package signin

import (
	"context"
	"errors"
	"slices"

	"github.com/cognate-auth/cognate/userpool"
	"github.com/cognate-auth/cognate/userpool/accounts"
)

// SignIn is what the sign-in page asks for: f.Username and the password or,
// at a client whose people choose how to sign in, the name alone. What follows
// is in f.Step. A refusal is an [*userpool.Error].
func (s *Steps) SignIn(ctx context.Context, req Request, f *userpool.Flow, password userpool.Secret) error {
	if !req.Client.Supports(userpool.ProviderCognito) {
		return errNoSuchLogin
	}
	f.Named, f.Sub, f.Methods = false, "", nil
	if !req.Client.ChoosesFactor() {
		return s.Password(ctx, req, f, password)
	}
	who, err := s.accountOf(ctx, f)
	if err != nil {
		return err
	}
	if req.Client.RevealUserExistence && !who.Known {
		return accounts.ErrNoSuchUser
	}
	g := *f
	g.Named = true
	if who.Known {
		g.Sub = who.Sub
	}
	err = s.advance(ctx, req, &g, who)
	if err == nil {
		*f = g
	}
	return err
}

// Factor is the choice among the first factors (SELECT_CHALLENGE).
func (s *Steps) Factor(ctx context.Context, req Request, f *userpool.Flow, factor string) error {
	who, x, err := s.load(ctx, req, f)
	if err != nil {
		return err
	}
	if len(f.Methods) > 0 || !slices.Contains(x.firstFactors(), factor) {
		return errNoSuchLogin
	}
	return s.enter(ctx, req, f, who, firstMove(factor))
}

// OtherFactor goes back to the choice among the first factors, or to the
// sign-in page if there is no name to choose for.
func (s *Steps) OtherFactor(_ context.Context, f *userpool.Flow) error {
	if len(f.Methods) > 0 {
		return errNoSuchLogin
	}
	f.Step, f.Factor, f.Secret, f.Options = userpool.StepFactor, "", "", ""
	if !f.Named {
		f.Step = userpool.StepSignIn
	}
	return nil
}

// Factors are the factors that can be chosen at the flow's step: to begin with,
// as the second one, or to register.
func (s *Steps) Factors(ctx context.Context, req Request, f *userpool.Flow) ([]string, error) {
	_, x, err := s.load(ctx, req, f)
	switch {
	case err != nil:
		return nil, err
	case f.Step == userpool.StepMFASetup:
		return x.setups(), nil
	case len(f.Methods) > 0:
		return x.secondFactors(), nil
	default:
		return x.firstFactors(), nil
	}
}

// Password is the step that asks for the password of f.Username. What
// follows is in f.Step. A refusal is an [*userpool.Error], as that of [accounts.Users.SignIn].
func (s *Steps) Password(ctx context.Context, req Request, f *userpool.Flow, password userpool.Secret) error {
	who, err := s.accountOf(ctx, f)
	if err != nil {
		return err
	}
	err = s.checkAttempt(ctx, req.Client, who)
	if err == nil && req.Client.RevealUserExistence && who.Status == userpool.UserResetRequired {
		return s.sendToReset(ctx, req, f, who.User) // no password would do
	}
	if err == nil {
		err = s.users.CheckPassword(ctx, who, f.Username, password)
	}
	if err != nil {
		return err
	}
	return s.recordProof(ctx, req, f, who.User, methodPassword)
}

// checkAttempt asks the trigger, and tells what is wrong with an account before the
// password is looked at, if the client wants that to be known.
func (s *Steps) checkAttempt(ctx context.Context, c userpool.Client, who accounts.Account) error {
	u := who.User
	if !who.Known {
		u = userpool.User{Username: u.Username}
	}
	err := s.triggers.PreAuthentication(ctx, c, u)
	if err != nil || !c.RevealUserExistence {
		return err
	}
	if !who.Known {
		return accounts.ErrNoSuchUser
	}
	err = s.users.Rules().Admit(u)
	if errors.Is(err, accounts.ErrNotConfirmed) || errors.Is(err, accounts.ErrResetRequired) {
		return nil // there is a way on from here: see divert
	}
	return err
}
