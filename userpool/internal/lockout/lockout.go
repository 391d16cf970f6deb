// Package lockout counts wrong guesses, which lock an account for longer and longer, and
// what a user may ask for only so often in an hour. The counts are in the store, so they
// hold for every process on it.
//
// It knows the words (userpool), core, records, clock and the errors of package store.
package lockout

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/cognate-auth/cognate/userpool"
	"github.com/cognate-auth/cognate/userpool/internal/clock"
	"github.com/cognate-auth/cognate/userpool/internal/core"
	"github.com/cognate-auth/cognate/userpool/internal/records"
	"github.com/cognate-auth/cognate/userpool/store"
)

// Lockout is the counts of one pool.
type Lockout struct{ core *core.Core }

// New returns the counts of a pool.
func New(c *core.Core) *Lockout { return &Lockout{core: c} }

// Lockout, as in the developer guide, page "authentication".
const (
	freeFailures = 5 // the fifth failure locks for a second, each further one twice as long
	maxLock      = 15 * time.Minute
	quietPeriod  = 15 * time.Minute // without any attempt: the count is forgotten
)

// What there is to be told of a count.
var (
	ErrLocked        = &userpool.Error{Code: userpool.CodeNotAuthorized, Description: userpool.TextLocked}
	ErrLimitExceeded = &userpool.Error{Code: userpool.CodeLimitExceeded, Description: userpool.TextLimitExceeded}
)

// Check returns ErrLocked while the account is locked. The attempt does not
// count then, but it ends the quiet.
func (l *Lockout) Check(ctx context.Context, key string) error {
	a, ok, err := l.core.Records.Attempts(ctx, key)
	if err != nil {
		return fmt.Errorf("userpool: reading failures: %w", err)
	}
	now, lock := l.core.Now(), lockFor(a.Failures)
	if !ok || !clock.InTime(now, a.LockedUntil, lock) {
		return nil
	}
	a.LockedUntil = clock.Earlier(a.LockedUntil, now.Add(lock)) // if the clock was set back a little
	a.Expires = now.Add(quietPeriod)
	err = l.core.Records.PutAttempts(ctx, a)
	if err != nil && !errors.Is(err, store.ErrConflict) { // a conflict: another process wrote the same
		return fmt.Errorf("userpool: keeping failures: %w", err)
	}
	return ErrLocked
}

// CountFailure adds one to the count and sets the lock. Another process may do
// so at the same time; then the next round counts on top of it.
func (l *Lockout) CountFailure(ctx context.Context, key string) error {
	now := l.core.Now()
	l.core.Collect(ctx, now)
	for range 10 {
		a, ok, err := l.core.Records.Attempts(ctx, key)
		if err != nil {
			return fmt.Errorf("userpool: reading failures: %w", err)
		}
		if !ok {
			a = records.Attempts{Key: key}
		} else if !clock.InTime(now, a.Expires, quietPeriod) {
			a.Failures = 0
		}
		a.Failures++
		a.LockedUntil, a.Expires = now.Add(lockFor(a.Failures)), now.Add(quietPeriod)
		err = l.core.Records.PutAttempts(ctx, a)
		if !errors.Is(err, store.ErrConflict) {
			return err
		}
	}
	return fmt.Errorf("userpool: counting a failure: %w", store.ErrConflict)
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

// CodeKey is what wrong codes are counted under: the account and what they are
// for. It is not that of passwords, which a right password would clear.
func CodeKey(purpose, sub string) string {
	return userpool.Secret("code " + purpose + ":" + sub).Digest()
}

// limitPeriod is how long a limit counts, from the first on.
const limitPeriod = time.Hour

// Limit counts one more of something that a user may do so often per hour. The
// hour begins with the first. Zero is no limit.
func (l *Lockout) Limit(ctx context.Context, what, sub string, most int) error {
	if most == 0 {
		return nil
	}
	key, now := userpool.Secret(what+":"+sub).Digest(), l.core.Now()
	for range 10 {
		a, ok, err := l.core.Records.Attempts(ctx, key)
		if err != nil {
			return fmt.Errorf("userpool: reading a limit: %w", err)
		}
		if !ok || !clock.InTime(now, a.Expires, limitPeriod) {
			a = records.Attempts{Key: key, Version: a.Version, Expires: now.Add(limitPeriod)}
		}
		if a.Failures >= most {
			return ErrLimitExceeded
		}
		a.Failures++
		err = l.core.Records.PutAttempts(ctx, a)
		if !errors.Is(err, store.ErrConflict) {
			return err
		}
	}
	return ErrLimitExceeded // so many at once are too many
}
