package userpool

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"
)

// Lockout, as in the developer guide, page "authentication".
const (
	freeFailures = 5 // the fifth failure locks for a second, each further one twice as long
	maxLock      = 15 * time.Minute
	quietPeriod  = 15 * time.Minute // without any attempt: the count is forgotten
)

var (
	errIncorrect = &Error{Code: CodeNotAuthorized, Description: TextIncorrect}
	errLocked    = &Error{Code: CodeNotAuthorized, Description: TextLocked}
)

// SignIn returns the user with this name and password. A refusal is an
// [*Error] with [TextIncorrect] or [TextLocked] as its description, and
// [ErrBusy] when too many sign-ins are under way.
//
// A name that nobody has gets the same answers as one that somebody has, for
// the same work: its failures are counted, and a password is hashed.
func (p *Pool) SignIn(ctx context.Context, username string, password Secret) (User, error) {
	login := foldLogin(username)
	user, known, err := p.store.UserByLogin(ctx, p.id, login)
	if err != nil {
		return User{}, fmt.Errorf("userpool: reading user: %w", err)
	}
	if !known || user.PasswordHash == "" { // nobody, or somebody who signs in elsewhere
		user.PasswordHash = p.hasher.decoy
	}
	key := attemptKey(user.Sub, login)
	leave, err := p.gate.enter(ctx, key)
	if err != nil {
		return User{}, err
	}
	defer leave()
	err = p.tryPassword(ctx, key, user, password)
	p.auditSignIn(ctx, user, err)
	if err != nil {
		return User{}, err
	}
	return user, nil
}

// attemptKey is what failures are counted under: the account, however it was
// named, or else the name. It is a digest because names may be long.
func attemptKey(sub, login string) string {
	if sub != "" {
		return Secret("sub:" + sub).digest()
	}
	return Secret("name:" + login).digest()
}

// tryPassword is the part of a sign-in that only one caller per account is in.
func (p *Pool) tryPassword(ctx context.Context, key string, user User, password Secret) error {
	err := p.checkLock(ctx, key)
	if err != nil {
		return err
	}
	ok, stale, err := p.hasher.verify(ctx, user.PasswordHash, password)
	switch {
	case err != nil:
		return err
	case !ok || user.Sub == "":
		err = p.countFailure(ctx, key)
		if err != nil {
			return err // a guess that cannot be counted gets no answer
		}
		return errIncorrect
	}
	err = p.store.DeleteAttempts(ctx, p.id, key)
	if err != nil {
		return fmt.Errorf("userpool: forgetting failures: %w", err)
	}
	if stale {
		p.rehash(ctx, user, password)
	}
	return nil
}

// checkLock returns errLocked while the account is locked. The attempt does not
// count then, but it ends the quiet.
func (p *Pool) checkLock(ctx context.Context, key string) error {
	a, ok, err := p.store.Attempts(ctx, p.id, key)
	if err != nil {
		return fmt.Errorf("userpool: reading failures: %w", err)
	}
	now := p.now()
	if !ok || !now.Before(a.LockedUntil) {
		return nil
	}
	a.Expires = now.Add(quietPeriod)
	err = p.store.PutAttempts(ctx, p.id, a)
	if err != nil && !errors.Is(err, ErrConflict) { // a conflict: another process wrote the same
		return fmt.Errorf("userpool: keeping failures: %w", err)
	}
	return errLocked
}

// countFailure adds one to the count and sets the lock. Another process may do
// so at the same time; then the next round counts on top of it.
func (p *Pool) countFailure(ctx context.Context, key string) error {
	now := p.now()
	p.collect(ctx, now)
	for range 10 {
		a, ok, err := p.store.Attempts(ctx, p.id, key)
		if err != nil {
			return fmt.Errorf("userpool: reading failures: %w", err)
		}
		if !ok {
			a = Attempts{Key: key}
		} else if !now.Before(a.Expires) {
			a.Failures = 0
		}
		a.Failures++
		a.LockedUntil, a.Expires = now.Add(lockFor(a.Failures)), now.Add(quietPeriod)
		err = p.store.PutAttempts(ctx, p.id, a)
		if !errors.Is(err, ErrConflict) {
			return err
		}
	}
	return fmt.Errorf("userpool: counting a failure: %w", ErrConflict)
}

// lockFor returns how long the n-th failure locks: 2^(n-5) s from the fifth on.
func lockFor(n int) time.Duration {
	switch {
	case n < freeFailures:
		return 0
	case n-freeFailures >= 10: // 2^10 s is more than 15 minutes
		return maxLock
	default:
		return time.Second << (n - freeFailures)
	}
}

// rehash replaces a hash of another cost. If it fails the old one still works,
// and the next sign-in tries again.
func (p *Pool) rehash(ctx context.Context, user User, password Secret) {
	hash, err := p.hasher.hash(ctx, password)
	if err == nil {
		user.PasswordHash = hash
		err = p.store.UpdateUser(ctx, p.id, user)
	}
	if err != nil {
		p.log.WarnContext(ctx, "renewing a password hash failed", "sub", user.Sub, "err", err)
	}
}

// auditSignIn names the user, if there is one, and never what was typed: people
// type their password into the wrong field.
func (p *Pool) auditSignIn(ctx context.Context, user User, err error) {
	who := []slog.Attr{slog.Bool("known", user.Sub != "")}
	if user.Sub != "" {
		who = append(who, slog.String("username", user.Username), subAttr(user.Sub))
	}
	refusal, refused := errors.AsType[*Error](err)
	switch {
	case err == nil:
		p.audit(ctx, "signed in", who...)
	case refused:
		p.audit(ctx, "sign-in refused", append(who, reasonAttr(refusal.Description))...)
	default:
		p.audit(ctx, "sign-in failed", append(who, slog.Any("err", err))...)
	}
}
