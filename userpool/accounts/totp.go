package accounts

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/cognate-auth/cognate/userpool"
	"github.com/cognate-auth/cognate/userpool/internal/codes"
	"github.com/cognate-auth/cognate/userpool/internal/lockout"
	"github.com/cognate-auth/cognate/userpool/internal/totp"
)

var errCodeUsed = &userpool.Error{Code: userpool.CodeExpired, Description: TextCodeUsed}

// CheckTOTP checks a code of the user's authenticator app. Each code is good
// once (RFC 6238 section 5.2), also for two who send it at the same moment.
func (a *Users) CheckTOTP(ctx context.Context, u userpool.User, code userpool.Secret) (userpool.User, error) {
	var step int64
	err := a.Guess(ctx, u.Sub, func() (ok bool) {
		step, ok = totp.Match(u.TOTPSecret, code, a.core.Now())
		return ok
	})
	if err != nil {
		return userpool.User{}, err
	}
	secret := u.TOTPSecret
	u, err = a.Change(ctx, u.Sub, func(u *userpool.User) error {
		if !u.TOTPSecret.Equal(secret) {
			return codes.ErrMismatch
		}
		return spendTOTP(u, step, a.core.Now())
	})
	return u, err
}

// Guess lets one caller per account try a code of an authenticator app, and
// counts what is wrong.
func (a *Users) Guess(ctx context.Context, sub string, try func() bool) error {
	key := lockout.CodeKey(userpool.PurposeMFA, sub)
	leave, err := a.core.Gate.Enter(ctx, key)
	if err != nil {
		return err
	}
	defer leave()
	err = a.lockout.Check(ctx, key)
	if errors.Is(err, lockout.ErrLocked) {
		err = lockout.ErrLimitExceeded
	}
	if err == nil && !try() {
		err = a.lockout.CountFailure(ctx, key)
		if err == nil {
			err = codes.ErrMismatch
		}
	}
	a.codes.Audit(ctx, userpool.PurposeMFA, sub, err)
	if err != nil {
		return err
	}
	err = a.core.Records.DeleteAttempts(ctx, key)
	if err != nil {
		return fmt.Errorf("userpool: forgetting failures: %w", err)
	}
	return nil
}

// maxTOTPBefore is how many steps before the last one a user keeps.
const maxTOTPBefore = 16

// spendTOTP records that the code of a step was accepted. Each is accepted once
// (RFC 6238 section 5.2), and no code of an earlier step than the last. If that is
// of a time to come, the clock was set back since: then a step is good that is not
// among those that are kept, or nobody could sign in until the clock has caught up.
func spendTOTP(u *userpool.User, step int64, now time.Time) error {
	setBack := u.TOTPStep > totp.Step(now)+totp.Skew
	if step == u.TOTPStep || slices.Contains(u.TOTPBefore, step) || step < u.TOTPStep && !setBack {
		return errCodeUsed
	}
	if u.TOTPStep != 0 {
		u.TOTPBefore = slices.Insert(u.TOTPBefore, 0, u.TOTPStep)
		u.TOTPBefore = u.TOTPBefore[:min(len(u.TOTPBefore), maxTOTPBefore)]
	}
	u.TOTPStep = step
	return nil
}
