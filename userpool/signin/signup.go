package signin

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/cognate-auth/cognate/userpool"
	"github.com/cognate-auth/cognate/userpool/accounts"
	"github.com/cognate-auth/cognate/userpool/internal/codes"
	"github.com/cognate-auth/cognate/userpool/internal/records"
	"github.com/cognate-auth/cognate/userpool/internal/totp"
	"github.com/cognate-auth/cognate/userpool/internal/triggers"
)

// codeStepLifetime is how long a person has for the page that a code is typed
// into (developer guide, page "authentication": 8 minutes). The code lasts longer.
const codeStepLifetime = 8 * time.Minute

// SignUp is the sign-up page. The next step is the code or, if the trigger
// confirmed the user, whatever comes after the password. In a pool that verifies
// nothing, the user exists now and cannot be confirmed here: that is a
// [*userpool.PageError], as at Cognito.
func (s *Steps) SignUp(ctx context.Context, req Request, f *userpool.Flow, r accounts.SignUpRequest) error {
	err := CheckSignUp(s.core.Settings(), req)
	if err != nil {
		return err
	}
	r.Client = req.Client
	u, d, err := s.registration.SignUp(ctx, r)
	switch {
	case u.Sub == "":
		return err
	case u.Status == userpool.UserConfirmed && err != nil:
		return signInAgain(f, err)
	case u.Status == userpool.UserConfirmed:
		return s.finishSignUp(ctx, req, f, u, methodPassword)
	case err == nil && d.Attribute == "":
		return cannotBeConfirmed(req)
	}
	f.Username, f.Methods = r.Username, []string{methodPassword} // which was chosen just now
	return toConfirm(f, u, d, s.core.Now(), err)
}

// CheckSignUp returns the [*userpool.PageError] that the sign-up page is answered with where
// people cannot make an account of their own.
func CheckSignUp(s *userpool.Settings, req Request) error {
	if s.SelfSignUp {
		return nil
	}
	return &userpool.PageError{
		Code: userpool.PageNoSignUp, ClientID: req.Client.ID, Hint: "set Settings.SelfSignUp, or leave /signup out",
	}
}

func cannotBeConfirmed(req Request) error {
	return &userpool.PageError{Code: userpool.PageCannotConfirm, ClientID: req.Client.ID,
		Hint: "the user waits for AdminConfirmSignUp: no code can be sent unless AutoVerifiedAttributes names an " +
			"address that the user has"}
}

// toConfirm moves the flow to the page for the code, also when it could not be
// sent: one that was sent before may be good, and the page sends another.
func toConfirm(f *userpool.Flow, u userpool.User, d accounts.CodeDelivery, now time.Time, failure error) error {
	refusal, refused := errors.AsType[*userpool.Error](failure)
	if failure != nil && !refused {
		return failure
	}
	f.Sub, f.Named, f.Step = u.Sub, true, userpool.StepConfirm
	awaitCode(f, d, now)
	if refused {
		f.Notice, f.Failed, f.Hint = refusal.Description, true, userpool.Mask(u.Attributes[d.Attribute])
	}
	return nil
}

// awaitCode gives the person the time that it takes to type a code which was sent.
func awaitCode(f *userpool.Flow, d accounts.CodeDelivery, now time.Time) {
	f.Factor, f.Hint, f.Expires = userpool.FactorFor(d.Medium), d.Destination, now.Add(codeStepLifetime)
}

// sendToConfirm moves the flow on when the user is not confirmed: a new
// code, and the page for it. What was proven stays proven.
func (s *Steps) sendToConfirm(ctx context.Context, req Request, f *userpool.Flow, u userpool.User) error {
	d, err := s.registration.SendConfirmation(ctx, req.Client, u, triggers.SourceMessageResend)
	if err == nil && d.Attribute == "" {
		return accounts.ErrNotConfirmed
	}
	return toConfirm(f, u, d, s.core.Now(), err)
}

// Confirm is the page for the code of a sign-up. The password was proven in
// this flow, when the user was made or signed in, so the person is signed in.
// Where a link confirms, the page goes on once it was followed.
func (s *Steps) Confirm(ctx context.Context, req Request, f *userpool.Flow, code userpool.Secret) error {
	if s.core.Settings().ByLink(f) {
		return s.confirmByLink(ctx, req, f)
	}
	u, sent, err := s.registration.Confirm(ctx, req.Client, f.Sub, totp.Plain(code))
	switch {
	case err != nil && u.Sub == "":
		return err
	case err != nil:
		return signInAgain(f, err)
	}
	return s.finishSignUp(ctx, req, f, u, codeMethods(s.core.Settings(), sent)...)
}

func (s *Steps) confirmByLink(ctx context.Context, req Request, f *userpool.Flow) error {
	u, err := pendingUser(ctx, s.users, f)
	switch {
	case err != nil:
		return err
	case u.Status != userpool.UserConfirmed:
		return &userpool.Error{Code: userpool.CodeUserNotConfirmed, Description: TextFollowLink}
	}
	return s.finishSignUp(ctx, req, f, u)
}

// pendingUser returns the user whose code the flow waits for.
func pendingUser(ctx context.Context, users *accounts.Users, f *userpool.Flow) (userpool.User, error) {
	u, err := users.BySub(ctx, f.Sub)
	if errors.Is(err, accounts.ErrGone) {
		return userpool.User{}, codes.ErrExpired
	}
	return u, err
}

// codeMethods are what the code has shown. It counts as the second factor of this
// sign-in, if its medium is one (page "user-pool-settings-mfa").
func codeMethods(s *userpool.Settings, c records.OneTimeCode) []string {
	factor := userpool.FactorFor(c.Medium)
	if !slices.Contains(s.MFATypes, factor) {
		return nil
	}
	return []string{methodOf(factor), MethodMFA}
}

// signInAgain is for a flow whose work is done and whose end failed: the trigger
// refused after the user was confirmed. Nothing is proven then.
func signInAgain(f *userpool.Flow, err error) error {
	refusal, ok := errors.AsType[*userpool.Error](err)
	if !ok {
		return err
	}
	toSignIn(f, refusal.Description, true)
	return nil
}

// toSignIn goes back to the sign-in page, where all has to be proven anew.
func toSignIn(f *userpool.Flow, notice string, failed bool) {
	f.Step, f.Sub, f.Named, f.Methods, f.Factor, f.Hint = userpool.StepSignIn, "", false, nil, "", ""
	f.Notice, f.Failed = notice, failed
}

// finishSignUp hands the flow on, with what was proven before and the methods. The
// user is confirmed, whatever comes of it. Where people have passkeys they may
// add one at once (page "cognito-user-pools-managed-login").
func (s *Steps) finishSignUp(
	ctx context.Context, req Request, f *userpool.Flow, u userpool.User, methods ...string,
) error {
	if req.Client.ChoosesFactor() && s.passkeys.Offered() {
		f.After = userpool.StepAddPasskey
	}
	err := s.recordProof(ctx, req, f, u, methods...)
	if err != nil {
		return signInAgain(f, err)
	}
	return nil
}

// ResendConfirmation sends another code, or link, to who is at the page for it.
func (s *Steps) ResendConfirmation(ctx context.Context, req Request, f *userpool.Flow) error {
	u, err := pendingUser(ctx, s.users, f)
	switch {
	case err != nil:
		return err
	case u.Status != userpool.UserUnconfirmed:
		return userpool.InvalidParameter(accounts.TextResendConfirmed)
	}
	d, err := s.registration.SendConfirmation(ctx, req.Client, u, triggers.SourceMessageResend)
	if err != nil {
		return err
	}
	if d.Attribute == "" {
		return cannotBeConfirmed(req)
	}
	awaitCode(f, d, s.core.Now())
	f.Notice = TextNewCode
	if s.core.Settings().ByLink(f) {
		f.Notice = TextNewLink
	}
	return nil
}
