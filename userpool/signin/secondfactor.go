package signin

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/cognate-auth/cognate/userpool"
	"github.com/cognate-auth/cognate/userpool/accounts"
	"github.com/cognate-auth/cognate/userpool/internal/codes"
	"github.com/cognate-auth/cognate/userpool/internal/core"
	"github.com/cognate-auth/cognate/userpool/internal/lockout"
	"github.com/cognate-auth/cognate/userpool/internal/totp"
)

const maxResends = 3 // of one step

var errBadAddress = &userpool.Error{Code: userpool.CodeInvalidParameter, Description: TextBadAddress}

// sendFactor sends the code that the flow's step asks for, if it is one that is
// sent. For a decoy everything happens but that.
func (s *Steps) sendFactor(ctx context.Context, req Request, f *userpool.Flow, who accounts.Account) (err error) {
	if f.Factor == userpool.FactorTOTP {
		return nil
	}
	to := f.Address
	if to == "" {
		to = who.Attributes[userpool.AddressOf(f.Factor)]
	}
	r := codes.Request{
		Purpose: purposeOf(f.Step), Client: req.Client, User: who.User,
		Medium: userpool.MediumFor(userpool.AddressOf(f.Factor)), To: to,
		Decoy: !who.Known,
	}
	f.Hint, err = s.codes.Send(ctx, r)
	if accounts.TriggerFailed(err) && f.Step == userpool.StepCode && !req.Client.RevealUserExistence {
		r.Decoy, r.Why = true, err.Error() // the trigger is asked for users who exist alone
		f.Hint, err = s.codes.Send(ctx, r)
	}
	return err
}

func purposeOf(s userpool.Step) string {
	if s == userpool.StepCode {
		return userpool.PurposeSignIn
	}
	return userpool.PurposeMFA
}

// Resend sends the code of the step again, a few times.
func (s *Steps) Resend(ctx context.Context, req Request, f *userpool.Flow) error {
	if f.Factor == userpool.FactorTOTP || f.Factor == "" {
		return errNoSuchLogin
	}
	if f.Resent >= maxResends {
		return lockout.ErrLimitExceeded
	}
	f.Resent++
	who, err := s.accountOf(ctx, f)
	if err == nil {
		err = s.sendFactor(ctx, req, f, who)
	}
	if err == nil {
		f.Notice = TextNewCode
	}
	return err
}

// Code is the code that the flow's step asks for: as the first factor at
// StepCode, as the second at StepMFACode. A refusal is an [*userpool.Error] with one of
// the texts for codes; wrong ones lock as wrong passwords do.
func (s *Steps) Code(ctx context.Context, req Request, f *userpool.Flow, code userpool.Secret) error {
	who, err := s.accountOf(ctx, f)
	if err != nil {
		return err
	}
	code = totp.Plain(code)
	u, methods := who.User, []string{methodOf(f.Factor)}
	if f.Step == userpool.StepMFACode {
		methods = append(methods, MethodMFA)
	}
	if f.Factor == userpool.FactorTOTP {
		u, err = s.users.CheckTOTP(ctx, u, code)
	} else {
		u, err = s.checkSent(ctx, f, who, code)
	}
	if errors.Is(err, errRegistered) {
		return s.askForRegistered(ctx, req, f)
	}
	if err != nil {
		return err
	}
	return s.recordProof(ctx, req, f, u, methods...)
}

// checkSent checks a code that was sent, and keeps what it shows: that messages
// to the address arrive.
func (s *Steps) checkSent(
	ctx context.Context, f *userpool.Flow, who accounts.Account, code userpool.Secret,
) (userpool.User, error) {
	c, err := s.codes.Match(ctx, purposeOf(f.Step), who.Sub, code)
	if err != nil {
		return userpool.User{}, err
	}
	name := userpool.AddressOf(f.Factor)
	if !who.Known || c.To != cmp.Or(f.Address, who.Attributes[name]) {
		return userpool.User{}, codes.ErrExpired // a code for another address shows nothing about this one
	}
	err = s.codes.Spend(ctx, c)
	if err != nil {
		return userpool.User{}, err
	}
	if f.Address == "" && who.Verified(name) {
		return who.User, nil // nothing new is known
	}
	return s.users.Change(ctx, who.Sub, func(u *userpool.User) error {
		if f.Address != "" {
			err := s.checkRegistration(*u)
			if err != nil {
				return err
			}
			u.Attributes[name] = f.Address
			turnOn(u, f.Factor)
		}
		if u.Attributes[name] == c.To {
			return s.users.Rules().VerifyAddress(u, name)
		}
		return nil
	})
}

// checkRegistration refuses a second factor to who has one by now: another browser may
// have been first, and whoever knows no more than the password must not replace
// what it registered. Nor does it give one to who may not sign in by now.
func (s *Steps) checkRegistration(u userpool.User) error {
	if len(accounts.EnrolledFactors(s.core.Settings(), u)) > 0 {
		return errRegistered
	}
	return s.users.Rules().Admit(u)
}

func turnOn(u *userpool.User, factor string) {
	if !slices.Contains(u.MFA, factor) {
		u.MFA = append(u.MFA, factor)
	}
}

// MFAChoice is the choice among the second factors (SELECT_MFA_TYPE).
func (s *Steps) MFAChoice(ctx context.Context, req Request, f *userpool.Flow, factor string) error {
	who, x, err := s.load(ctx, req, f)
	if err != nil {
		return err
	}
	if len(f.Methods) == 0 || !slices.Contains(x.secondFactors(), factor) {
		return errNoSuchLogin
	}
	return s.enter(ctx, req, f, who, move{userpool.StepMFACode, factor})
}

// OtherMFA goes back from the code to the choice of a second factor, or to
// its set-up if the code is a part of that.
func (s *Steps) OtherMFA(ctx context.Context, req Request, f *userpool.Flow) error {
	who, x, err := s.load(ctx, req, f)
	switch {
	case err != nil:
		return err
	case f.Step != userpool.StepMFACode:
		return errNoSuchLogin
	case f.Address != "":
		return s.advance(ctx, req, f, who)
	case len(x.secondFactors()) > 1:
		return s.enter(ctx, req, f, who, move{Step: userpool.StepMFAChoice})
	default:
		return errNoSuchLogin
	}
}

// TOTPSecret returns what an authenticator app needs: the secret, and the same as
// the address that its camera reads.
func (s *Steps) TOTPSecret(ctx context.Context, f *userpool.Flow) (secret, uri userpool.Secret, err error) {
	who, err := s.accountOf(ctx, f)
	if err != nil {
		return "", "", err
	}
	name := s.core.Settings().Name
	if name == "" {
		name = s.core.ID
	}
	return f.Secret, totp.URI(name, s.users.Rules().DisplayName(who.User), f.Secret), nil
}

// SetUpTOTP is the first code of an authenticator app that was given the
// flow's secret. It registers the app and is the second factor of this sign-in.
func (s *Steps) SetUpTOTP(ctx context.Context, req Request, f *userpool.Flow, code userpool.Secret) error {
	who, x, err := s.load(ctx, req, f)
	if err != nil {
		return err
	}
	if f.Step != userpool.StepMFASetup || !slices.Contains(x.setups(), userpool.FactorTOTP) {
		return errNoSuchLogin
	}
	var step int64
	err = s.users.Guess(ctx, who.Sub, func() (ok bool) {
		step, ok = totp.Match(f.Secret, totp.Plain(code), s.core.Now())
		return ok
	})
	if err != nil {
		return err
	}
	u, err := s.users.Change(ctx, who.Sub, func(u *userpool.User) error {
		err := s.checkRegistration(*u)
		if err != nil {
			return err
		}
		u.TOTPSecret, u.TOTPStep, u.TOTPBefore = f.Secret, step, nil
		turnOn(u, userpool.FactorTOTP)
		return nil
	})
	if errors.Is(err, errRegistered) {
		return s.askForRegistered(ctx, req, f)
	}
	if err != nil {
		return err
	}
	s.core.Audit(ctx, "authenticator app registered", core.SubAttr(u.Sub))
	return s.recordProof(ctx, req, f, u, methodTOTP, MethodMFA)
}

// errRegistered says that the user has a second factor by now.
var errRegistered = errors.New("userpool: a second factor is registered")

// askForRegistered asks for the second factor that was registered meanwhile.
func (s *Steps) askForRegistered(ctx context.Context, req Request, f *userpool.Flow) error {
	who, err := s.accountOf(ctx, f)
	if err == nil {
		err = s.advance(ctx, req, f, who)
	}
	if err == nil {
		f.Notice = TextRegistered
	}
	return err
}

// SetUpAddress is an address that the user wants codes to go to as the
// second factor. It becomes the user's own when the code arrives.
func (s *Steps) SetUpAddress(ctx context.Context, req Request, f *userpool.Flow, factor, address string) error {
	who, x, err := s.load(ctx, req, f)
	if err != nil {
		return err
	}
	if f.Step != userpool.StepMFASetup || userpool.AddressOf(factor) == "" || !slices.Contains(x.setups(), factor) {
		return errNoSuchLogin
	}
	if len(accounts.EnrolledFactors(x.settings, x.user)) > 0 {
		return s.askForRegistered(ctx, req, f)
	}
	address = strings.TrimSpace(address)
	_, err = s.core.Settings().CleanAttribute(userpool.AddressOf(factor), address)
	if err != nil || address == "" {
		return errBadAddress
	}
	g := *f
	g.Step, g.Factor, g.Address, g.Secret, g.Resent = userpool.StepMFACode, factor, address, "", 0
	err = s.sendFactor(ctx, req, &g, who)
	if err == nil {
		*f = g
	}
	return err
}
