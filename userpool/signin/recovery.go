package signin

import (
	"context"
	"time"

	"github.com/cognate-auth/cognate/userpool"
	"github.com/cognate-auth/cognate/userpool/accounts"
	"github.com/cognate-auth/cognate/userpool/internal/naming"
	"github.com/cognate-auth/cognate/userpool/internal/totp"
)

// Forgot is the page that asks for the name: f.Username. The next step is
// the code, whoever that is.
func (s *Steps) Forgot(ctx context.Context, req Request, f *userpool.Flow) error {
	err := CheckForgot(s.core.Settings(), req)
	if err != nil {
		return err
	}
	if naming.Fold(f.Username) == "" {
		return userpool.InvalidParameter("Missing required parameter USERNAME")
	}
	d, sub, err := s.recovery.Forgot(ctx, req.Client, f.Username)
	if err != nil {
		return err
	}
	toReset(f, sub, d, s.core.Now())
	return nil
}

// CheckForgot returns the [*userpool.PageError] that the page is answered with where only an
// administrator gives people a new password.
func CheckForgot(s *userpool.Settings, req Request) error {
	if s.CanRecover() {
		return nil
	}
	return &userpool.PageError{
		Code: userpool.PageNoRecovery, ClientID: req.Client.ID, Hint: "Settings.Recovery is admin_only",
	}
}

// toReset moves the flow to the page for the code and the new password.
func toReset(f *userpool.Flow, sub string, d accounts.CodeDelivery, now time.Time) {
	f.Sub, f.Named, f.Methods, f.Step = sub, true, nil, userpool.StepReset
	awaitCode(f, d, now)
}

// sendToReset moves the flow on when the user must choose a new
// password: a code, and the page for it. It tells that the user exists, so the
// password must be proven, or the client must reveal that.
func (s *Steps) sendToReset(ctx context.Context, req Request, f *userpool.Flow, u userpool.User) error {
	if s.recovery.CheckRecoverable(u) != nil {
		return accounts.ErrResetRequired
	}
	d, err := s.recovery.SendReset(ctx, req.Client, u)
	if err != nil {
		return err
	}
	toReset(f, u.Sub, d, s.core.Now())
	f.Notice = accounts.TextResetRequired
	return nil
}

// ResetRequest is what the page for a new password brings.
type ResetRequest struct {
	Code, Password userpool.Secret
	Repeated       userpool.Secret // the password again
}

// Reset is the page for the code and the new password. The person signs in
// with it next.
func (s *Steps) Reset(ctx context.Context, req Request, f *userpool.Flow, r ResetRequest) error {
	if !r.Password.Equal(r.Repeated) {
		return userpool.InvalidParameter(TextNotRepeated)
	}
	sub, err := resetSub(ctx, s.decoys, f)
	if err != nil {
		return err
	}
	u, err := s.recovery.Reset(ctx, req.Client, sub, totp.Plain(r.Code), r.Password)
	switch {
	case err != nil && u.Sub == "":
		return err
	case err != nil:
		return signInAgain(f, err)
	}
	toSignIn(f, TextPasswordSet, false)
	f.Expires = s.core.Now().Add(FlowLifetime)
	return nil
}

// resetSub returns whose code the flow waits for: of nobody it is the decoy's.
func resetSub(ctx context.Context, decoys *accounts.Decoys, f *userpool.Flow) (string, error) {
	if f.Sub != "" {
		return f.Sub, nil
	}
	decoy, err := decoys.User(ctx, f.Username)
	return decoy.Sub, err
}

// ResendReset sends another code to who is at the page for it, by the same
// rules as the first.
func (s *Steps) ResendReset(ctx context.Context, req Request, f *userpool.Flow) error {
	d, sub, err := s.recovery.Forgot(ctx, req.Client, f.Username)
	if err != nil {
		return err
	}
	toReset(f, sub, d, s.core.Now())
	f.Notice = TextNewCode
	return nil
}
