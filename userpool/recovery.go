package userpool

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// decoyUser stands in for a name that nobody has, or nobody whom a code could
// reach. Its sub and addresses depend on the name and on a secret of the pool, so
// that they are the same at every visit.
func (p *Pool) decoyUser(ctx context.Context, username string) (User, error) {
	who, err := p.decoyAccount(ctx, username)
	if err != nil {
		return User{}, err
	}
	login := foldLogin(username)
	sum, err := hex.DecodeString(strings.TrimPrefix(who.Sub, "decoy-"))
	if err != nil {
		return User{}, fmt.Errorf("userpool: making a decoy: %w", err)
	}
	who.Attributes = map[string]string{"email": decoyEmail(login, sum), "phone_number": decoyPhone(login, sum)}
	return who.User, nil
}

// pretend does what sending a code does, and sends none; why is for the log.
func (p *Pool) pretend(
	ctx context.Context, c Client, purpose string, decoy User, attribute string, why error,
) (CodeDelivery, error) {
	r := codeRequest{
		Purpose: purpose, Client: c, User: decoy, Medium: mediumFor(attribute), To: decoy.Attributes[attribute],
		Decoy: true, Why: why.Error(),
	}
	hint, err := p.sendCode(ctx, r)
	return CodeDelivery{Attribute: attribute, Medium: r.Medium, Destination: hint}, err
}

// recoveryAddress returns the attribute that the code for a forgotten password
// goes to: the first of the pool's that is verified, and that is not the user's
// second factor too (page "managing-users-passwords"). Empty: none.
func (p *Pool) recoveryAddress(u User) string {
	for _, way := range p.Settings().Recovery {
		name, _ := strings.CutPrefix(way, "verified_")
		second := slices.Contains(enrolledFactors(p.Settings(), u), factorFor(mediumFor(name)))
		if u.Verified(name) && !second {
			return name
		}
	}
	return ""
}

// CanRecover reports whether people who forgot their password can help
// themselves; otherwise only an administrator resets passwords.
func (s *Settings) CanRecover() bool { return !slices.Contains(s.Recovery, "admin_only") }

// checkRecoverable says why a user cannot have a code for a new password.
func (p *Pool) checkRecoverable(u User) error {
	switch {
	case u.Sub == "":
		return &Error{Code: CodeUserNotFound, Description: TextNoSuchCombination}
	case u.Disabled:
		return &Error{Code: CodeNotAuthorized, Description: TextDisabled}
	case u.Status == UserForceChange, u.Status == UserExternal:
		return &Error{Code: CodeNotAuthorized, Description: TextNoReset}
	case p.recoveryAddress(u) == "":
		return invalid(TextNoRecovery)
	default:
		return nil
	}
}

// ForgotPassword sends the code by which a person chooses a new password (API
// reference, ForgotPassword). Unless the client reveals who exists, who cannot
// have one, or does not exist, gets the same answer for the same work.
func (p *Pool) ForgotPassword(ctx context.Context, c Client, username string) (CodeDelivery, error) {
	d, _, err := p.forgot(ctx, c, username)
	return d, err
}

// forgot also returns whose code it is; empty: nobody's.
func (p *Pool) forgot(ctx context.Context, c Client, username string) (d CodeDelivery, sub string, err error) {
	if !p.Settings().CanRecover() {
		return CodeDelivery{}, "", &Error{Code: CodeNotAuthorized, Description: TextAdminReset}
	}
	u, decoy, err := p.userOrDecoy(ctx, username)
	if err != nil {
		return CodeDelivery{}, "", err
	}
	why := p.checkRecoverable(u)
	if why == nil {
		d, err = p.sendReset(ctx, c, u)
		if !triggerFailed(err) || c.RevealUserExistence {
			return d, u.Sub, err
		}
		why = err
	}
	if c.RevealUserExistence {
		return CodeDelivery{}, "", why
	}
	attribute, _ := strings.CutPrefix(p.Settings().Recovery[0], "verified_")
	d, err = p.pretend(ctx, c, PurposeReset, decoy, attribute, why)
	return d, "", err
}

// userOrDecoy returns the user with this name, who may be nobody, and who stands
// in for him; both always, since it takes time.
func (p *Pool) userOrDecoy(ctx context.Context, username string) (u, decoy User, err error) {
	u, _, err = p.FindUser(ctx, username)
	if err == nil {
		decoy, err = p.decoyUser(ctx, username)
	}
	return u, decoy, err
}

// triggerFailed reports whether a message was not sent because of its trigger,
// which is asked for users who exist alone.
func triggerFailed(err error) bool {
	refusal, ok := errors.AsType[*Error](err)
	return ok && refusal.Code != CodeLimitExceeded
}

func (p *Pool) sendReset(ctx context.Context, c Client, u User) (d CodeDelivery, err error) {
	d.Attribute = p.recoveryAddress(u)
	d.Medium = mediumFor(d.Attribute)
	d.Destination, err = p.sendCode(ctx, codeRequest{
		Purpose: PurposeReset, Client: c, User: u, Medium: d.Medium, To: u.Attributes[d.Attribute],
	})
	return d, err
}

// ConfirmForgotPassword gives a user a new password, by the code that was sent
// (API reference, ConfirmForgotPassword). It ends no session and revokes no
// token, as at Cognito. Where nobody asked for a code before, the answer is
// ExpiredCodeException, whoever has the name; so a CodeMismatchException tells
// that somebody did.
func (p *Pool) ConfirmForgotPassword(
	ctx context.Context, c Client, username string, code, password Secret,
) error {
	u, decoy, err := p.userOrDecoy(ctx, username)
	switch {
	case err != nil:
		return err
	case u.Sub == "" && c.RevealUserExistence:
		return &Error{Code: CodeUserNotFound, Description: TextNoSuchCombination}
	case !c.RevealUserExistence && p.checkRecoverable(u) != nil:
		u = decoy
	}
	_, err = p.reset(ctx, c, u.Sub, code, password)
	return err
}

// reset spends the code and sets the password, or neither: a password that the
// policy refuses does not cost the code. What is hashed is hashed for who has the
// right code alone, and the policy is the same for all.
func (p *Pool) reset(ctx context.Context, c Client, sub string, code, password Secret) (User, error) {
	err := p.Settings().Passwords.Check(password)
	if err != nil {
		return User{}, err
	}
	sent, err := p.matchCode(ctx, PurposeReset, sub, code)
	if err != nil {
		return User{}, err
	}
	u, err := p.spendOn(ctx, sent, func(u *User) error {
		moved := !slices.Contains([]string{u.Attributes["email"], u.Attributes["phone_number"]}, sent.To)
		if u.Disabled || u.Status == UserForceChange || u.Status == UserExternal || moved {
			return errCodeExpired
		}
		u.Status = UserConfirmed
		return p.newPassword(ctx, u, password)
	})
	if err != nil {
		return User{}, err
	}
	p.audit(ctx, "password reset", clientAttr(c.ID), subAttr(u.Sub))
	// Who was locked out by somebody else's guesses has proven who he is.
	err = p.store.DeleteAttempts(ctx, attemptKey(account{u, true}, u.Username))
	if err != nil {
		return u, fmt.Errorf("userpool: forgetting failures: %w", err)
	}
	return u, p.postConfirmation(ctx, c, sourceConfirmForgot, u)
}

// ResetPassword makes a user choose a new password by a code, which it sends
// (AdminResetUserPassword). The password before does not sign in any more.
func (p *Pool) ResetPassword(ctx context.Context, name string) (CodeDelivery, error) {
	u, err := p.change(ctx, name, func(u *User) error {
		err := p.checkRecoverable(*u)
		if err == nil && u.Status == UserUnconfirmed {
			err = &Error{Code: CodeNotAuthorized, Description: TextNoReset}
		}
		u.Status = UserResetRequired
		return err
	})
	if err != nil {
		return CodeDelivery{}, err
	}
	p.audit(ctx, "password reset required", subAttr(u.Sub))
	return p.sendReset(ctx, Client{}, u)
}

// ForgotStep is the page that asks for the name: f.Username. The next step is
// the code, whoever that is.
func (p *Pool) ForgotStep(ctx context.Context, req Request, f *Flow) error {
	if !p.Settings().CanRecover() {
		return &PageError{Code: PageNoRecovery, ClientID: req.Client.ID, Mend: "Settings.Recovery is admin_only"}
	}
	if foldLogin(f.Username) == "" {
		return invalid("Missing required parameter USERNAME")
	}
	d, sub, err := p.forgot(ctx, req.Client, f.Username)
	if err != nil {
		return err
	}
	toReset(f, sub, d, p.now())
	return nil
}

// toReset moves the flow to the page for the code and the new password.
func toReset(f *Flow, sub string, d CodeDelivery, now time.Time) {
	f.Sub, f.Named, f.Methods, f.Step = sub, true, nil, StepReset
	awaitCode(f, d, now)
}

// resetRequired is what a sign-in leads to when the user must choose a new
// password: a code, and the page for it. It tells that the user exists, so the
// password must be proven, or the client must reveal that.
func (p *Pool) resetRequired(ctx context.Context, req Request, f *Flow, u User) error {
	if p.checkRecoverable(u) != nil {
		return errResetRequired
	}
	d, err := p.sendReset(ctx, req.Client, u)
	if err != nil {
		return err
	}
	toReset(f, u.Sub, d, p.now())
	f.Notice = TextResetRequired
	return nil
}

// ResetRequest is what the page for a new password brings.
type ResetRequest struct {
	Code, Password Secret
	Repeated       Secret // the password again
}

// ResetStep is the page for the code and the new password. The person signs in
// with it next.
func (p *Pool) ResetStep(ctx context.Context, req Request, f *Flow, r ResetRequest) error {
	if !r.Password.Equal(r.Repeated) {
		return invalid(TextNotRepeated)
	}
	sub, err := p.resetSub(ctx, f)
	if err != nil {
		return err
	}
	u, err := p.reset(ctx, req.Client, sub, plainCode(r.Code), r.Password)
	switch {
	case err != nil && u.Sub == "":
		return err
	case err != nil:
		return signInAgain(f, err)
	}
	toSignIn(f, TextPasswordSet, false)
	f.Expires = p.now().Add(FlowLifetime)
	return nil
}

// resetSub returns whose code the flow waits for: of nobody it is the decoy's.
func (p *Pool) resetSub(ctx context.Context, f *Flow) (string, error) {
	if f.Sub != "" {
		return f.Sub, nil
	}
	decoy, err := p.decoyUser(ctx, f.Username)
	return decoy.Sub, err
}

// ResendResetStep sends another code to who is at the page for it, by the same
// rules as the first.
func (p *Pool) ResendResetStep(ctx context.Context, req Request, f *Flow) error {
	d, sub, err := p.forgot(ctx, req.Client, f.Username)
	if err != nil {
		return err
	}
	toReset(f, sub, d, p.now())
	f.Notice = TextNewCode
	return nil
}
