package userpool

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
)

const maxResends = 3 // of one step

// Our own sentences of the steps.
const (
	TextFollowLink  = "Please follow the link in the email first."
	TextPasswordSet = "Your password is changed. Please sign in."
	TextNewCode     = "We have sent you a new code. The earlier one no longer works."
	TextNewLink     = "We have sent you a new link. The earlier one no longer works."
	TextNotRepeated = "The passwords are not the same. Please type the new password twice."
	TextBadAddress  = "We cannot send codes to that address."
	TextRegistered  = "You have set up a second factor in the meantime. Please use it."
)

var errBadAddress = &Error{Code: CodeInvalidParameter, Description: TextBadAddress}

// sendFactor sends the code that the flow's step asks for, if it is one that is
// sent. For a decoy everything happens but that.
func (p *Pool) sendFactor(ctx context.Context, req Request, f *Flow, who account) (err error) {
	if f.Factor == FactorTOTP {
		return nil
	}
	to := f.Address
	if to == "" {
		to = who.Attributes[addressOf(f.Factor)]
	}
	r := codeRequest{
		Purpose: purposeOf(f.Step), Client: req.Client, User: who.User, Medium: mediumFor(addressOf(f.Factor)), To: to,
		Decoy: !who.known,
	}
	f.Hint, err = p.sendCode(ctx, r)
	if triggerFailed(err) && f.Step == StepCode && !req.Client.RevealUserExistence {
		r.Decoy, r.Why = true, err.Error() // the trigger is asked for users who exist alone
		f.Hint, err = p.sendCode(ctx, r)
	}
	return err
}

func purposeOf(s Step) string {
	if s == StepCode {
		return PurposeSignIn
	}
	return PurposeMFA
}

// ResendStep sends the code of the step again, a few times.
func (p *Pool) ResendStep(ctx context.Context, req Request, f *Flow) error {
	if f.Factor == FactorTOTP || f.Factor == "" {
		return errNoSuchLogin
	}
	if f.Resent >= maxResends {
		return errLimitExceeded
	}
	f.Resent++
	who, err := p.accountOf(ctx, f)
	if err == nil {
		err = p.sendFactor(ctx, req, f, who)
	}
	if err == nil {
		f.Notice = TextNewCode
	}
	return err
}

// CodeStep is the code that the flow's step asks for: as the first factor at
// StepCode, as the second at StepMFACode. A refusal is an [*Error] with one of
// the texts for codes; wrong ones lock as wrong passwords do.
func (p *Pool) CodeStep(ctx context.Context, req Request, f *Flow, code Secret) error {
	who, err := p.accountOf(ctx, f)
	if err != nil {
		return err
	}
	code = plainCode(code)
	u, methods := who.User, []string{methodOf(f.Factor)}
	if f.Step == StepMFACode {
		methods = append(methods, methodMFA)
	}
	if f.Factor == FactorTOTP {
		u, err = p.checkTOTP(ctx, u, code)
	} else {
		u, err = p.checkSent(ctx, f, who, code)
	}
	if errors.Is(err, errRegistered) {
		return p.elsewhere(ctx, req, f)
	}
	if err != nil {
		return err
	}
	return p.proved(ctx, req, f, u, methods...)
}

// checkSent checks a code that was sent, and keeps what it shows: that messages
// to the address arrive.
func (p *Pool) checkSent(ctx context.Context, f *Flow, who account, code Secret) (User, error) {
	c, err := p.matchCode(ctx, purposeOf(f.Step), who.Sub, code)
	if err != nil {
		return User{}, err
	}
	name := addressOf(f.Factor)
	if !who.known || c.To != cmp.Or(f.Address, who.Attributes[name]) {
		return User{}, errCodeExpired // a code for another address shows nothing about this one
	}
	err = p.spendCode(ctx, c)
	if err != nil {
		return User{}, err
	}
	if f.Address == "" && who.User.Verified(name) {
		return who.User, nil // nothing new is known
	}
	return p.change(ctx, who.Sub, func(u *User) error {
		if f.Address != "" {
			err := p.mayRegister(*u)
			if err != nil {
				return err
			}
			u.Attributes[name] = f.Address
			turnOn(u, f.Factor)
		}
		if u.Attributes[name] == c.To {
			return p.rules().verifyAddress(u, name)
		}
		return nil
	})
}

// mayRegister refuses a second factor to who has one by now: another browser may
// have been first, and whoever knows no more than the password must not replace
// what it registered. Nor does it give one to who may not sign in by now.
func (p *Pool) mayRegister(u User) error {
	if len(enrolledFactors(p.Settings(), u)) > 0 {
		return errRegistered
	}
	return p.rules().admit(u)
}

// verifyAddress marks an address as verified: the user may then sign in with it,
// where addresses are names.
func (r rules) verifyAddress(u *User, name string) error {
	u.Attributes[name+"_verified"] = "true"
	return r.setUserNames(u)
}

func turnOn(u *User, factor string) {
	if !slices.Contains(u.MFA, factor) {
		u.MFA = append(u.MFA, factor)
	}
}

// codeLock is what wrong codes are counted under: the account and what they are
// for. It is not that of passwords, which a right password would clear.
func codeLock(purpose, sub string) string { return Secret("code " + purpose + ":" + sub).digest() }

// checkTOTP checks a code of the user's authenticator app. Each code is good
// once (RFC 6238 section 5.2), also for two who send it at the same moment.
func (p *Pool) checkTOTP(ctx context.Context, u User, code Secret) (User, error) {
	var step int64
	err := p.guess(ctx, u.Sub, func() (ok bool) {
		step, ok = matchTOTP(u.TOTPSecret, code, p.now())
		return ok
	})
	if err != nil {
		return User{}, err
	}
	secret := u.TOTPSecret
	u, err = p.change(ctx, u.Sub, func(u *User) error {
		if !u.TOTPSecret.Equal(secret) {
			return errCodeMismatch
		}
		return spendTOTP(u, step, p.now())
	})
	return u, err
}

// guess lets one caller per account try a code of an authenticator app, and
// counts what is wrong.
func (p *Pool) guess(ctx context.Context, sub string, try func() bool) error {
	key := codeLock(PurposeMFA, sub)
	leave, err := p.gate.enter(ctx, key)
	if err != nil {
		return err
	}
	defer leave()
	err = p.checkLock(ctx, key)
	if errors.Is(err, errLocked) {
		err = errLimitExceeded
	}
	if err == nil && !try() {
		err = p.countFailure(ctx, key)
		if err == nil {
			err = errCodeMismatch
		}
	}
	p.auditCode(ctx, PurposeMFA, sub, err)
	if err != nil {
		return err
	}
	err = p.store.DeleteAttempts(ctx, key)
	if err != nil {
		return fmt.Errorf("userpool: forgetting failures: %w", err)
	}
	return nil
}

// MFAChoiceStep is the choice among the second factors (SELECT_MFA_TYPE).
func (p *Pool) MFAChoiceStep(ctx context.Context, req Request, f *Flow, factor string) error {
	who, x, err := p.at(ctx, req, f)
	if err != nil {
		return err
	}
	if len(f.Methods) == 0 || !slices.Contains(x.secondFactors(), factor) {
		return errNoSuchLogin
	}
	return p.enter(ctx, req, f, who, move{StepMFACode, factor})
}

// OtherMFAStep goes back from the code to the choice of a second factor, or to
// its set-up if the code is a part of that.
func (p *Pool) OtherMFAStep(ctx context.Context, req Request, f *Flow) error {
	who, x, err := p.at(ctx, req, f)
	switch {
	case err != nil:
		return err
	case f.Step != StepMFACode:
		return errNoSuchLogin
	case f.Address != "":
		return p.advance(ctx, req, f, who)
	case len(x.secondFactors()) > 1:
		return p.enter(ctx, req, f, who, move{Step: StepMFAChoice})
	default:
		return errNoSuchLogin
	}
}

// TOTPSetup returns what an authenticator app needs: the secret, and the same as
// the address that its camera reads.
func (p *Pool) TOTPSetup(ctx context.Context, f *Flow) (secret, uri Secret, err error) {
	who, err := p.accountOf(ctx, f)
	if err != nil {
		return "", "", err
	}
	name := p.Settings().Name
	if name == "" {
		name = p.id
	}
	return f.Secret, totpURI(name, p.rules().displayName(who.User), f.Secret), nil
}

// TOTPSetupStep is the first code of an authenticator app that was given the
// flow's secret. It registers the app and is the second factor of this sign-in.
func (p *Pool) TOTPSetupStep(ctx context.Context, req Request, f *Flow, code Secret) error {
	who, x, err := p.at(ctx, req, f)
	if err != nil {
		return err
	}
	if f.Step != StepMFASetup || !slices.Contains(x.setups(), FactorTOTP) {
		return errNoSuchLogin
	}
	var step int64
	err = p.guess(ctx, who.Sub, func() (ok bool) {
		step, ok = matchTOTP(f.Secret, plainCode(code), p.now())
		return ok
	})
	if err != nil {
		return err
	}
	u, err := p.change(ctx, who.Sub, func(u *User) error {
		err := p.mayRegister(*u)
		if err != nil {
			return err
		}
		u.TOTPSecret, u.TOTPStep, u.TOTPBefore = f.Secret, step, nil
		turnOn(u, FactorTOTP)
		return nil
	})
	if errors.Is(err, errRegistered) {
		return p.elsewhere(ctx, req, f)
	}
	if err != nil {
		return err
	}
	p.audit(ctx, "authenticator app registered", subAttr(u.Sub))
	return p.proved(ctx, req, f, u, methodTOTP, methodMFA)
}

// errRegistered says that the user has a second factor by now.
var errRegistered = errors.New("userpool: a second factor is registered")

// elsewhere asks for the second factor that was registered meanwhile.
func (p *Pool) elsewhere(ctx context.Context, req Request, f *Flow) error {
	who, err := p.accountOf(ctx, f)
	if err == nil {
		err = p.advance(ctx, req, f, who)
	}
	if err == nil {
		f.Notice = TextRegistered
	}
	return err
}

// AddressSetupStep is an address that the user wants codes to go to as the
// second factor. It becomes the user's own when the code arrives.
func (p *Pool) AddressSetupStep(ctx context.Context, req Request, f *Flow, factor, address string) error {
	who, x, err := p.at(ctx, req, f)
	if err != nil {
		return err
	}
	if f.Step != StepMFASetup || addressOf(factor) == "" || !slices.Contains(x.setups(), factor) {
		return errNoSuchLogin
	}
	if len(enrolledFactors(x.settings, x.user)) > 0 {
		return p.elsewhere(ctx, req, f)
	}
	address = strings.TrimSpace(address)
	_, err = p.Settings().cleanAttribute(addressOf(factor), address)
	if err != nil || address == "" {
		return errBadAddress
	}
	g := *f
	g.Step, g.Factor, g.Address, g.Secret, g.Resent = StepMFACode, factor, address, "", 0
	err = p.sendFactor(ctx, req, &g, who)
	if err == nil {
		*f = g
	}
	return err
}
