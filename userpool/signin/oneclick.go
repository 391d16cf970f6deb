package signin

import (
	"context"
	"errors"
	"log/slog"
	"slices"

	"github.com/cognate-auth/cognate/userpool"
	"github.com/cognate-auth/cognate/userpool/accounts"
	"github.com/cognate-auth/cognate/userpool/internal/core"
)

// MethodOneClick is the amr value of a sign-in in which nothing was proven. It reaches no
// level: the values beside it do.
const MethodOneClick = "one_click"

// CanSignInAs reports whether [Steps.SignInAs] signs in this user: one who has nothing left
// to do but to prove who they are, here.
func CanSignInAs(u userpool.User) bool { return !u.Disabled && u.Status == userpool.UserConfirmed }

// SignInAs signs in the user sub without any proof. It is for a developer's one-click
// sign-in, and whoever calls it has made sure that a developer asks. All else is as at
// every sign-in: what the client allows, the triggers, and what follows. It ends as if the
// password had been given, and each factor that would have been asked for next, so that an
// app gets what it asked for; amr has one_click besides.
func (s *Steps) SignInAs(ctx context.Context, req Request, f *userpool.Flow, sub string) error {
	if !req.Client.Supports(userpool.ProviderCognito) {
		return errNoSuchLogin
	}
	u, err := s.users.BySub(ctx, sub)
	if errors.Is(err, accounts.ErrGone) || err == nil && !CanSignInAs(u) {
		return errNoSuchLogin
	}
	if err == nil {
		err = s.triggers.PreAuthentication(ctx, req.Client, u)
	}
	if err != nil {
		return err
	}
	who := accounts.Account{User: u, Known: true}
	g := *f
	g.Username, g.Sub, g.Named = u.Username, u.Sub, true
	x, err := s.factsOf(ctx, req, &g, who)
	if err != nil {
		return err
	}
	g.Methods = append(x.allMethods(), MethodOneClick)
	s.core.Audit(ctx, "one-click sign-in: nothing was proven", core.ClientAttr(req.Client.ID),
		slog.String("username", u.Username), core.SubAttr(u.Sub))
	err = s.advance(ctx, req, &g, who)
	if err == nil {
		*f = g
	}
	return err
}

// allMethods are what a sign-in with the password would prove, with whatever is asked for
// after it.
func (x facts) allMethods() []string {
	x.methods = []string{methodPassword}
	for range 3 { // there are no more second factors
		m, needed := x.second()
		if !needed {
			break
		}
		factor := m.Factor
		switch m.Step {
		case userpool.StepMFAChoice:
			factor = x.secondFactors()[0]
		case userpool.StepMFASetup:
			factor = userpool.FactorTOTP // nothing is registered
		}
		x.methods = append(x.methods, methodOf(factor))
		if !slices.Contains(x.methods, MethodMFA) {
			x.methods = append(x.methods, MethodMFA)
		}
	}
	return x.methods
}
