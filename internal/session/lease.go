package session

import (
	"context"
	"errors"
	"time"

	"github.com/cognate-auth/cognate/internal/flight"
	"github.com/cognate-auth/cognate/internal/record"
	"github.com/cognate-auth/cognate/internal/refusal"
	"github.com/cognate-auth/cognate/internal/seal"
	"github.com/cognate-auth/cognate/sessionstore"
)

// leasePoll is the time between two reads of a session that another process refreshes.
const leasePoll = 50 * time.Millisecond

// A lease is one process's right to refresh the tokens.
type lease struct {
	holder string // random; empty if there is no holder
	until  time.Time
}

// held reports whether the lease may still be held, given that the holder's clock may differ
// from ours by the skew in both directions. A lease that ends too far in the future comes
// from a wrong clock and does not count.
func (l lease) held(now time.Time, length, skew time.Duration) bool {
	return l.holder != "" && now.Before(l.until.Add(skew)) && l.until.Sub(now) <= length+skew
}

// A watch measures how long this process has watched a lease. The times on two clocks can
// only be compared within the skew, which is longer than a lease; but every process can
// measure elapsed time. So once a lease has been watched for its length it has expired,
// whatever the clocks say, as when its holder has died.
type watch struct {
	holder string
	since  time.Time // has a monotonic reading; Config.Now may be set
}

// expired reports whether the lease has been watched for its length.
func (w *watch) expired(l lease, length time.Duration) bool {
	if w.holder != l.holder {
		w.holder, w.since = l.holder, time.Now() //nolint:forbidigo // see since
	}
	return time.Since(w.since) >= length //nolint:forbidigo // see since
}

// refresh takes the lease, asks the provider and saves the tokens before anyone uses them.
// If another process has the lease, refresh waits for that one's result.
func (k *storedSessions) refresh(
	ctx context.Context, _ *Visit, s *Session, _ *Tokens, ask Refresher,
) (*Session, *Tokens, error) {
	key := s.stored.key
	next, err := flight.Do(ctx, &k.flight, key, k.limits.all, func(ctx context.Context) (*Session, error) {
		return k.refreshOnce(ctx, key, ask)
	})
	if err != nil {
		return nil, nil, err
	}
	return next, next.stored.tokens, nil
}

func (k *storedSessions) refreshOnce(ctx context.Context, key string, ask Refresher) (*Session, error) {
	s, since, err := k.takeLease(ctx, key)
	if err != nil || k.upToDate(s) {
		return s, err
	}
	defer k.config.Gate.Leave()
	done := false
	defer func() {
		if !done { // also after a panic
			k.releaseLease(ctx, s)
		}
	}()
	asking, cancel := context.WithDeadline(ctx, since.Add(k.limits.ask))
	defer cancel()
	got, err := ask(asking, s, s.stored.tokens)
	done = err == nil || errors.Is(err, ErrEnded)
	if err != nil {
		return nil, err
	}
	next, err := k.save(ctx, s, got)
	if errors.Is(err, ErrEndedElsewhere) {
		got.TooLate(ctx)
	}
	if err != nil {
		return nil, err
	}
	return next, got.Unusable
}

// upToDate reports whether there is nothing to refresh.
func (k *storedSessions) upToDate(s *Session) bool {
	return s.stored.tokens == nil || s.stored.tokens.Fresh(k.config.Now())
}

// takeLease returns the session as it is in the store. Either it is up to date, or this call
// now holds its lease and has entered the gate, which the caller has to leave. since is a
// time before which no other process can have seen the lease.
func (k *storedSessions) takeLease(ctx context.Context, key string) (s *Session, since time.Time, err error) {
	waiting, cancel := context.WithTimeout(ctx, k.limits.wait)
	defer cancel()
	inGate := false
	defer func() {
		if inGate && (err != nil || k.upToDate(s)) {
			k.config.Gate.Leave()
		}
	}()
	mine := seal.Random(8)
	var other watch
	for {
		s, err = k.loadLatest(ctx, key)
		if err != nil || k.upToDate(s) || inGate && s.stored.lease.holder == mine {
			return s, since, err
		}
		now, length := k.config.Now(), k.limits.lease
		busy := s.stored.lease.held(now, length, k.config.Skew) && !other.expired(s.stored.lease, length)
		switch {
		case busy && inGate: // another process was faster
			k.config.Gate.Leave()
			inGate = false
		case busy:
		case !inGate: // entering may take time, so load the session again after it
			err := k.config.Gate.Enter(waiting)
			if err != nil {
				return nil, since, err
			}
			inGate = true
			continue
		default:
			// If the update fails, the next load shows whether the lease was saved.
			since = time.Now() //nolint:forbidigo // as others watch it; see watch
			next, err := k.update(ctx, s, s.stored.tokens, lease{holder: mine, until: k.config.Now().Add(length)})
			if err == nil || errors.Is(err, ErrEndedElsewhere) {
				return next, since, err
			}
		}
		if !pause(waiting, leasePoll) {
			return nil, since, refusal.New(refusal.RefreshFailed,
				"another process took too long to refresh the tokens: %w", waiting.Err())
		}
	}
}

// releaseLease removes the lease, so that others can try at once, unless the store fails. It
// tries again if the session's dates were changed while the lease was held.
func (k *storedSessions) releaseLease(ctx context.Context, s *Session) {
	for range 3 {
		_, err := k.update(ctx, s, s.stored.tokens, lease{})
		if !errors.Is(err, sessionstore.ErrRecordChanged) {
			return
		}
		latest, err := k.loadLatest(ctx, s.stored.key)
		if err != nil || latest.stored.lease.holder != s.stored.lease.holder {
			return
		}
		s = latest
	}
}

// pause waits for d, and reports whether it did so before the context ended.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

// update replaces the session if its version is still the same, and returns it with its new
// version.
func (k *storedSessions) update(ctx context.Context, s *Session, t *Tokens, l lease) (*Session, error) {
	rec, kept, t := k.record(ctx, s.stored.key, s, t, l)
	rec.Version = s.stored.version
	err := k.config.Store.Update(ctx, rec)
	switch {
	case errors.Is(err, sessionstore.ErrNoRecord):
		return nil, ErrEndedElsewhere
	case errors.Is(err, sessionstore.ErrRecordChanged):
		return nil, err
	case err != nil:
		return nil, record.Down(err)
	}
	next := *kept
	next.stored = &stored{key: s.stored.key, version: s.stored.version + 1, tokens: t, lease: l}
	return &next, nil
}

// save saves new tokens and releases the lease. If the session has changed meanwhile, save
// puts the tokens into the changed session: while the lease was held only dates can have
// changed, and after it expired another process may have tried to refresh and failed. If the
// store fails, save tries again, because the old refresh token has been used.
func (k *storedSessions) save(ctx context.Context, s *Session, got *Refreshed) (*Session, error) {
	mine, wait := s.stored.lease.holder, leasePoll
	for {
		next := *s
		next.Identity = got.Identity
		saved, err := k.update(ctx, &next, got.Tokens, lease{})
		if err == nil || errors.Is(err, ErrEndedElsewhere) {
			return saved, err
		}
		if !pause(ctx, wait) {
			return nil, err
		}
		wait = min(2*wait, time.Second)
		latest, readErr := k.loadLatest(ctx, s.stored.key)
		switch {
		case errors.Is(readErr, ErrEndedElsewhere):
			return nil, readErr
		case readErr != nil:
			continue
		case k.upToDate(latest):
			return latest, nil // the update succeeded after all, or another process was faster
		case got.Unusable != nil && latest.stored.lease.holder != mine &&
			latest.stored.tokens.Refresh == got.Tokens.Refresh:
			return latest, nil // these tokens were saved already, though not usable yet
		}
		s = latest
	}
}
