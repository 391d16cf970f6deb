package accounts

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/cognate-auth/cognate/userpool"
	"github.com/cognate-auth/cognate/userpool/internal/codes"
	"github.com/cognate-auth/cognate/userpool/internal/core"
	"github.com/cognate-auth/cognate/userpool/internal/triggers"
)

// Recovery is how people get back into an account whose password they forgot.
type Recovery struct {
	core     *core.Core
	users    *Users
	codes    *codes.Codes
	triggers *triggers.Triggers
}

// ForgotPassword sends the code by which a person chooses a new password (API
// reference, ForgotPassword). Unless the client reveals who exists, who cannot
// have one, or does not exist, gets the same answer for the same work.
func (a *Recovery) ForgotPassword(ctx context.Context, c userpool.Client, username string) (CodeDelivery, error) {
	d, _, err := a.Forgot(ctx, c, username)
	return d, err
}

// Forgot also returns whose code it is; empty: nobody's.
func (a *Recovery) Forgot(
	ctx context.Context, c userpool.Client, username string,
) (d CodeDelivery, sub string, err error) {
	if !a.core.Settings().CanRecover() {
		return CodeDelivery{}, "", &userpool.Error{Code: userpool.CodeNotAuthorized, Description: TextAdminReset}
	}
	u, decoy, err := a.users.userOrDecoy(ctx, username)
	if err != nil {
		return CodeDelivery{}, "", err
	}
	why := a.CheckRecoverable(u)
	if why == nil {
		d, err = a.SendReset(ctx, c, u)
		if !TriggerFailed(err) || c.RevealUserExistence {
			return d, u.Sub, err
		}
		why = err
	}
	if c.RevealUserExistence {
		return CodeDelivery{}, "", why
	}
	attribute, _ := strings.CutPrefix(a.core.Settings().Recovery[0], "verified_")
	d, err = pretend(ctx, a.codes, c, userpool.PurposeReset, decoy, attribute, why)
	return d, "", err
}

// recoveryAddress returns the attribute that the code for a forgotten password
// goes to: the first of the pool's that is verified, and that is not the user's
// second factor too (page "managing-users-passwords"). Empty: none.
func (a *Recovery) recoveryAddress(u userpool.User) string {
	for _, way := range a.core.Settings().Recovery {
		name, _ := strings.CutPrefix(way, "verified_")
		second := slices.Contains(EnrolledFactors(a.core.Settings(), u), userpool.FactorFor(userpool.MediumFor(name)))
		if u.Verified(name) && !second {
			return name
		}
	}
	return ""
}

// CheckRecoverable says why a user cannot have a code for a new password.
func (a *Recovery) CheckRecoverable(u userpool.User) error {
	switch {
	case u.Sub == "":
		return &userpool.Error{Code: userpool.CodeUserNotFound, Description: TextNoSuchCombination}
	case u.Disabled:
		return &userpool.Error{Code: userpool.CodeNotAuthorized, Description: TextDisabled}
	case u.Status == userpool.UserForceChange, u.Status == userpool.UserExternal:
		return &userpool.Error{Code: userpool.CodeNotAuthorized, Description: TextNoReset}
	case a.recoveryAddress(u) == "":
		return userpool.InvalidParameter(TextNoRecovery)
	default:
		return nil
	}
}

// TriggerFailed reports whether a message was not sent because of its trigger,
// which is asked for users who exist alone.
func TriggerFailed(err error) bool {
	refusal, ok := errors.AsType[*userpool.Error](err)
	return ok && refusal.Code != userpool.CodeLimitExceeded
}

// SendReset sends the code by which u chooses a new password.
func (a *Recovery) SendReset(ctx context.Context, c userpool.Client, u userpool.User) (d CodeDelivery, err error) {
	d.Attribute = a.recoveryAddress(u)
	d.Medium = userpool.MediumFor(d.Attribute)
	d.Destination, err = a.codes.Send(ctx, codes.Request{
		Purpose: userpool.PurposeReset, Client: c, User: u, Medium: d.Medium, To: u.Attributes[d.Attribute],
	})
	return d, err
}

// ConfirmForgotPassword gives a user a new password, by the code that was sent
// (API reference, ConfirmForgotPassword). It ends no session and revokes no
// token, as at Cognito. Where nobody asked for a code before, the answer is
// ExpiredCodeException, whoever has the name; so a CodeMismatchException tells
// that somebody did.
func (a *Recovery) ConfirmForgotPassword(
	ctx context.Context, c userpool.Client, username string, code, password userpool.Secret,
) error {
	u, decoy, err := a.users.userOrDecoy(ctx, username)
	switch {
	case err != nil:
		return err
	case u.Sub == "" && c.RevealUserExistence:
		return &userpool.Error{Code: userpool.CodeUserNotFound, Description: TextNoSuchCombination}
	case !c.RevealUserExistence && a.CheckRecoverable(u) != nil:
		u = decoy
	}
	_, err = a.Reset(ctx, c, u.Sub, code, password)
	return err
}

// Reset spends the code and sets the password, or neither: a password that the
// policy refuses does not cost the code. What is hashed is hashed for who has the
// right code alone, and the policy is the same for all.
func (a *Recovery) Reset(
	ctx context.Context, c userpool.Client, sub string, code, password userpool.Secret,
) (userpool.User, error) {
	err := a.core.Settings().Passwords.Check(password)
	if err != nil {
		return userpool.User{}, err
	}
	sent, err := a.codes.Match(ctx, userpool.PurposeReset, sub, code)
	if err != nil {
		return userpool.User{}, err
	}
	u, err := a.users.spendOn(ctx, sent, func(u *userpool.User) error {
		moved := !slices.Contains([]string{u.Attributes["email"], u.Attributes["phone_number"]}, sent.To)
		if u.Disabled || u.Status == userpool.UserForceChange || u.Status == userpool.UserExternal || moved {
			return codes.ErrExpired
		}
		u.Status = userpool.UserConfirmed
		return a.users.SetNewPassword(ctx, u, password)
	})
	if err != nil {
		return userpool.User{}, err
	}
	a.core.Audit(ctx, "password reset", core.ClientAttr(c.ID), core.SubAttr(u.Sub))
	// Who was locked out by somebody else's guesses has proven who they are.
	err = a.core.Records.DeleteAttempts(ctx, attemptKey(Account{u, true}, u.Username))
	if err != nil {
		return u, fmt.Errorf("userpool: forgetting failures: %w", err)
	}
	return u, a.triggers.PostConfirmation(ctx, c, triggers.SourceConfirmForgot, u)
}

// ResetPassword makes a user choose a new password by a code, which it sends
// (AdminResetUserPassword). The password before does not sign in any more.
func (a *Recovery) ResetPassword(ctx context.Context, name string) (CodeDelivery, error) {
	u, err := a.users.Change(ctx, name, func(u *userpool.User) error {
		err := a.CheckRecoverable(*u)
		if err == nil && u.Status == userpool.UserUnconfirmed {
			err = &userpool.Error{Code: userpool.CodeNotAuthorized, Description: TextNoReset}
		}
		u.Status = userpool.UserResetRequired
		return err
	})
	if err != nil {
		return CodeDelivery{}, err
	}
	a.core.Audit(ctx, "password reset required", core.SubAttr(u.Sub))
	return a.SendReset(ctx, userpool.Client{}, u)
}
