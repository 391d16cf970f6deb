package accounts

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/cognate-auth/cognate/userpool"
	"github.com/cognate-auth/cognate/userpool/internal/core"
	"github.com/cognate-auth/cognate/userpool/internal/decision"
	"github.com/cognate-auth/cognate/userpool/internal/naming"
)

// What keeps a person from signing in.
var (
	ErrIncorrect        = &userpool.Error{Code: userpool.CodeNotAuthorized, Description: userpool.TextIncorrect}
	errDisabled         = &userpool.Error{Code: userpool.CodeNotAuthorized, Description: TextDisabled}
	ErrNotConfirmed     = &userpool.Error{Code: userpool.CodeUserNotConfirmed, Description: TextNotConfirmed}
	ErrResetRequired    = &userpool.Error{Code: userpool.CodePasswordResetRequired, Description: TextResetRequired}
	errTemporaryExpired = &userpool.Error{Code: userpool.CodeNotAuthorized, Description: TextTemporaryExpired}
)

// SignIn returns the user with this name and password, whom nothing keeps from
// signing in; it asks for no second factor. A refusal is an [*userpool.Error] with
// [userpool.TextIncorrect] or [userpool.TextLocked] as its description, or one that says what is
// wrong with the account, and [userpool.ErrBusy] when too many sign-ins are under way.
//
// A name that nobody has gets the same answers as one that somebody has, for
// the same work: its failures are counted, and a password is hashed.
func (a *Users) SignIn(ctx context.Context, username string, password userpool.Secret) (userpool.User, error) {
	who, err := a.Account(ctx, username)
	if err == nil {
		err = a.CheckPassword(ctx, who, username, password)
	}
	if err == nil {
		err = a.Rules().Admit(who.User)
	}
	if err != nil {
		return userpool.User{}, err
	}
	a.core.Audit(ctx, "signed in", slog.String("username", who.Username), core.SubAttr(who.Sub))
	return who.User, nil
}

// CheckPassword is the check of a password and all that goes with it.
func (a *Users) CheckPassword(ctx context.Context, who Account, username string, password userpool.Secret) error {
	if who.PasswordHash == "" { // no password signs this user in: it takes as long
		who.PasswordHash, who.Known = a.core.Hasher.Decoy, false
	}
	key := attemptKey(who, username)
	leave, err := a.core.Gate.Enter(ctx, key)
	if err != nil {
		return err
	}
	defer leave()
	err = a.tryPassword(ctx, key, who, password)
	a.auditSignIn(ctx, who, err)
	return err
}

// attemptKey is what failures are counted under: the account, however it was
// named, or else the name. It is a digest because names may be long.
func attemptKey(who Account, username string) string {
	if who.Known {
		return userpool.Secret("sub:" + who.Sub).Digest()
	}
	return userpool.Secret("name:" + naming.Fold(username)).Digest()
}

// tryPassword is the part of a sign-in that only one caller per account is in.
func (a *Users) tryPassword(ctx context.Context, key string, who Account, password userpool.Secret) error {
	err := a.lockout.Check(ctx, key)
	if err != nil {
		return err
	}
	ok, stale, err := a.core.Hasher.Verify(ctx, who.PasswordHash, password)
	switch {
	case err != nil:
		return err
	case !ok || !who.Known:
		err = a.lockout.CountFailure(ctx, key)
		if err != nil {
			return err // a guess that cannot be counted gets no answer
		}
		return ErrIncorrect
	}
	err = a.core.Records.DeleteAttempts(ctx, key)
	if err != nil {
		return fmt.Errorf("userpool: forgetting failures: %w", err)
	}
	if stale {
		a.rehash(ctx, who.User, password)
	}
	return nil
}

// rehash replaces a hash of another cost. If it fails the old one still works,
// and the next sign-in tries again.
func (a *Users) rehash(ctx context.Context, user userpool.User, password userpool.Secret) {
	hash, err := a.core.Hasher.Hash(ctx, password)
	if err == nil {
		user.PasswordHash = hash
		err = a.core.Records.UpdateUser(ctx, user)
	}
	if err != nil {
		a.core.Log.WarnContext(ctx, "renewing a password hash failed", "sub", user.Sub, "err", err)
	}
}

// auditSignIn names the user, if there is one, and never what was typed: people
// type their password into the wrong field.
func (a *Users) auditSignIn(ctx context.Context, who Account, err error) {
	attrs := []slog.Attr{slog.Bool("known", who.Known)}
	if who.Known {
		attrs = append(attrs, slog.String("username", who.Username), core.SubAttr(who.Sub))
	}
	refusal, refused := errors.AsType[*userpool.Error](err)
	switch {
	case err == nil:
		a.core.Audit(ctx, "password accepted", attrs...)
	case refused:
		a.core.Audit(ctx, decision.SignInRefused, append(attrs, core.RefusalAttrs(refusal)...)...)
	default:
		a.core.Audit(ctx, decision.SignInFailed, append(attrs, slog.Any("err", err))...)
	}
}

// SetNewPassword gives u a password that fits the policy and its history. The hash
// that it replaces joins the history. The caller stores u.
func (a *Users) SetNewPassword(ctx context.Context, u *userpool.User, pw userpool.Secret) error {
	policy := a.core.Settings().Passwords
	err := policy.Check(pw)
	if err != nil {
		return err
	}
	err = a.checkHistory(ctx, *u, pw, policy.History)
	if err != nil {
		return err
	}
	hash, err := a.core.Hasher.Hash(ctx, pw)
	if err != nil {
		return err
	}
	if u.PasswordHash != "" {
		u.PreviousHashes = slices.Insert(slices.Clone(u.PreviousHashes), 0, u.PasswordHash)
	}
	u.PreviousHashes = u.PreviousHashes[:min(len(u.PreviousHashes), policy.History)]
	u.PasswordHash, u.TemporaryUntil = hash, time.Time{}
	return nil
}

// checkHistory refuses the last passwords, of which today's is one. It hashes
// once for each: only for who has proven something.
func (a *Users) checkHistory(ctx context.Context, u userpool.User, pw userpool.Secret, depth int) error {
	last := u.PreviousHashes
	if u.PasswordHash != "" {
		last = slices.Insert(slices.Clone(last), 0, u.PasswordHash)
	}
	for _, hash := range last[:min(len(last), depth)] {
		same, _, err := a.core.Hasher.Verify(ctx, hash, pw)
		if err != nil {
			return err
		}
		if same {
			return &userpool.Error{Code: userpool.CodePasswordHistory, Description: TextUsedPassword}
		}
	}
	return nil
}

// temporaryPassword returns a random password that fits every policy.
func (a *Users) temporaryPassword() userpool.Secret {
	length := max(a.core.Settings().Passwords.MinimumLength, 12)
	text := ""
	for len(text) < length {
		text += rand.Text()
	}
	return userpool.Secret("Aa1-" + text[:length-4])
}
