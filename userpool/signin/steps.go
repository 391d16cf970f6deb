package signin

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"slices"
	"time"

	"github.com/cognate-auth/cognate/userpool"
	"github.com/cognate-auth/cognate/userpool/accounts"
	"github.com/cognate-auth/cognate/userpool/internal/clock"
	"github.com/cognate-auth/cognate/userpool/internal/codes"
	"github.com/cognate-auth/cognate/userpool/internal/core"
	"github.com/cognate-auth/cognate/userpool/internal/decision"
	"github.com/cognate-auth/cognate/userpool/internal/totp"
	"github.com/cognate-auth/cognate/userpool/internal/triggers"
)

// Steps decide what the person's answer is worth at each step of a flow.
type Steps struct {
	core         *core.Core
	users        *accounts.Users
	decoys       *accounts.Decoys
	registration *accounts.Registration
	recovery     *accounts.Recovery
	passkeys     *Passkeys
	codes        *codes.Codes
	triggers     *triggers.Triggers
}

var errNoSuchLogin = &userpool.Error{Code: userpool.CodeNotAuthorized, Description: userpool.TextNoSuchLogin}

// load returns who the flow is of, and what decides its next step.
func (s *Steps) load(ctx context.Context, req Request, f *userpool.Flow) (accounts.Account, facts, error) {
	who, err := s.accountOf(ctx, f)
	if err != nil {
		return who, facts{}, err
	}
	x, err := s.factsOf(ctx, req, f, who)
	return who, x, err
}

// accountOf returns who the flow is of.
func (s *Steps) accountOf(ctx context.Context, f *userpool.Flow) (accounts.Account, error) {
	if !f.Named {
		return s.users.Account(ctx, f.Username)
	}
	decoy, err := s.decoys.Account(ctx, f.Username)
	if err != nil {
		return accounts.Account{}, err
	}
	u, err := s.users.BySub(ctx, cmp.Or(f.Sub, decoy.Sub)) // there or not, it is looked for
	if errors.Is(err, accounts.ErrGone) {
		return decoy, nil
	}
	return accounts.Account{User: u, Known: true}, err
}

// factsOf gathers what decides the next step of a flow.
func (s *Steps) factsOf(ctx context.Context, req Request, f *userpool.Flow, who accounts.Account) (facts, error) {
	x := facts{
		settings: s.core.Settings(), choice: req.Client.ChoosesFactor(), wanted: req.Levels,
		user: who.User, methods: f.Methods, after: f.After,
	}
	if !x.choice || !s.passkeys.Offered() {
		return x, nil
	}
	has, err := s.passkeys.has(ctx, who.Sub) // also of a decoy: it takes time
	x.passkeys = has || !who.Known && accounts.DecoyHasPasskey(who.User)
	return x, err
}

// StrongEnough reports whether what a user has proven reaches the level that is
// asked of this user: the first of those wanted that the user can reach. Whoever
// signed in at another identity provider was never asked for more.
func (s *Steps) StrongEnough(ctx context.Context, req Request, methods []string, u userpool.User) (bool, error) {
	if len(req.Levels) == 0 || slices.Contains(methods, MethodFederated) {
		return true, nil
	}
	x, err := s.factsOf(ctx, req, &userpool.Flow{}, accounts.Account{User: u, Known: true})
	if err != nil {
		return false, err
	}
	return Assurance(methods) >= x.target(), nil
}

// recordProof notes that the person is u, which the methods have shown, and moves
// the flow on. If it cannot go on, f is as before and the error says why.
func (s *Steps) recordProof(
	ctx context.Context, req Request, f *userpool.Flow, u userpool.User, methods ...string,
) error {
	g := *f
	g.Sub, g.Named, g.Methods = u.Sub, true, slices.Clone(f.Methods)
	for _, m := range methods {
		if !slices.Contains(g.Methods, m) {
			g.Methods = append(g.Methods, m)
		}
	}
	err := s.users.Rules().Admit(u)
	if err != nil {
		err = s.divert(ctx, req, &g, u, err)
		s.auditRefusal(ctx, u, err)
	} else {
		err = s.advance(ctx, req, &g, accounts.Account{User: u, Known: true})
	}
	if err == nil {
		*f = g
	}
	return err
}

// auditRefusal notes that a person has proven who they are, and still may not sign in.
func (s *Steps) auditRefusal(ctx context.Context, u userpool.User, err error) {
	refusal, refused := errors.AsType[*userpool.Error](err)
	if refused {
		s.core.Audit(ctx, decision.SignInRefused, append([]slog.Attr{
			slog.String("username", u.Username), core.SubAttr(u.Sub),
		}, core.RefusalAttrs(refusal)...)...)
	}
}

// divert leads a person on whose account something keeps from signing in,
// after the proof of who it is: to the code that confirms it, or to that for a new
// password, if that is what is missing.
func (s *Steps) divert(ctx context.Context, req Request, f *userpool.Flow, u userpool.User, why error) error {
	switch {
	case errors.Is(why, accounts.ErrNotConfirmed):
		return s.sendToConfirm(ctx, req, f, u)
	case errors.Is(why, accounts.ErrResetRequired):
		return s.sendToReset(ctx, req, f, u)
	default:
		return why
	}
}

// advance moves the flow to its next step.
func (s *Steps) advance(ctx context.Context, req Request, f *userpool.Flow, who accounts.Account) error {
	x, err := s.factsOf(ctx, req, f, who)
	if err != nil {
		return err
	}
	return s.enter(ctx, req, f, who, x.next())
}

// mfaLifetime is how long a person has for the second factor of it (page
// "authentication").
const mfaLifetime = 3 * time.Minute

// enter does what the beginning of a step takes, and is at it then. If it
// cannot, f is as before.
func (s *Steps) enter(ctx context.Context, req Request, f *userpool.Flow, who accounts.Account, m move) error {
	g := *f
	g.Step, g.Factor = m.Step, m.Factor
	g.Hint, g.Resent, g.Address, g.Options, g.Secret = "", 0, "", "", ""
	var err error
	switch m.Step {
	case userpool.StepCode, userpool.StepMFACode:
		err = s.sendFactor(ctx, req, &g, who)
	case userpool.StepMFASetup:
		g.Secret = totp.NewSecret()
	case userpool.StepPasskey:
		err = s.passkeys.beginAssertion(&g)
	case userpool.StepSignedIn, userpool.StepAddPasskey:
		err = s.complete(ctx, req, &g, who)
	}
	if err != nil {
		return err
	}
	if m.Step == userpool.StepMFACode || m.Step == userpool.StepMFAChoice {
		g.Expires = clock.Earlier(g.Expires, s.core.Now().Add(mfaLifetime))
	}
	*f = g
	return nil
}

// complete ends a flow in which nothing is left to prove.
func (s *Steps) complete(ctx context.Context, req Request, f *userpool.Flow, who accounts.Account) error {
	if !who.Known || len(f.Methods) == 0 {
		return accounts.ErrIncorrect // no way leads here, and none may
	}
	err := s.triggers.PostAuthentication(ctx, req.Client, who.User)
	if err != nil {
		return err
	}
	s.core.Audit(ctx, "signed in", core.ClientAttr(req.Client.ID), slog.String(
		"username", who.Username,
	), core.SubAttr(who.Sub),
		slog.Any("methods", f.Methods))
	if f.Step == userpool.StepAddPasskey {
		return s.passkeys.BeginAdd(ctx, f, who.Sub)
	}
	return nil
}
