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

// leasePoll is the pause between two looks at a session that another process refreshes.
const leasePoll = 50 * time.Millisecond

// A lease is one process's right to refresh the tokens.
type lease struct {
	holder string // random; empty if nobody is at it
	until  time.Time
}

// held reports whether somebody may be at it, as far as a clock can say that may differ from
// the holder's by the skew in both directions. A lease that ends later than any can comes
// from a clock that was wrong.
func (l lease) held(now time.Time, length, skew time.Duration) bool {
	return l.holder != "" && now.Before(l.until.Add(skew)) && l.until.Sub(now) <= length+skew
}

// A watch is how long one process has looked at a lease. What two clocks say is known within
// the skew, which is longer than a lease; but how much time passes every process can tell by
// itself. So a lease whose holder died is over, whatever the clocks say, when it has been
// watched for its length.
type watch struct {
	holder string
	since  time.Time // with a monotonic reading: not Config.Now, which may be set
}

// over reports whether the lease has been watched for long enough.
func (w *watch) over(l lease, length time.Duration) bool {
	if w.holder != l.holder {
		w.holder, w.since = l.holder, time.Now() //nolint:forbidigo // see since
	}
	return time.Since(w.since) >= length //nolint:forbidigo // see since
}

// refresh takes the lease, asks the provider and saves the tokens before anybody uses
// them. If another process has the lease, it waits for what that one gets.
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
	if err != nil || k.settled(s) {
		return s, err
	}
	defer k.config.Gate.Leave()
	done := false
	defer func() {
		if !done { // also after a panic
			k.giveBack(ctx, s)
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

// settled reports whether there is nothing to refresh.
func (k *storedSessions) settled(s *Session) bool {
	return s.stored.tokens == nil || s.stored.tokens.Fresh(k.config.Now())
}

// takeLease returns the session as it is in the store: settled, or with a lease that this
// call holds, inside the gate, which has to be left then. since is when the lease was asked
// for: others watch it from then on at the earliest.
func (k *storedSessions) takeLease(ctx context.Context, key string) (s *Session, since time.Time, err error) {
	waiting, cancel := context.WithTimeout(ctx, k.limits.wait)
	defer cancel()
	inside := false
	defer func() {
		if inside && (err != nil || k.settled(s)) {
			k.config.Gate.Leave()
		}
	}()
	mine := seal.Random(8)
	var seen watch
	for {
		s, err = k.loadLatest(ctx, key)
		if err != nil || k.settled(s) || inside && s.stored.lease.holder == mine {
			return s, since, err
		}
		now, length := k.config.Now(), k.limits.lease
		busy := s.stored.lease.held(now, length, k.config.Skew) && !seen.over(s.stored.lease, length)
		switch {
		case busy && inside: // somebody else was faster
			k.config.Gate.Leave()
			inside = false
		case busy:
		case !inside: // and look again: that may have taken time
			err := k.config.Gate.Enter(waiting)
			if err != nil {
				return nil, since, err
			}
			inside = true
			continue
		default:
			// Whatever goes wrong, the next look tells what came of it.
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

// giveBack lets others try at once, as far as the store lets it. Somebody may have changed
// the session's dates under the lease.
func (k *storedSessions) giveBack(ctx context.Context, s *Session) {
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

// pause waits, and reports whether the context let it.
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

// update replaces the session if nobody changed it, and returns it with its new version.
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

// save writes new tokens and gives back the lease. Only dates can have changed under the
// lease, so somebody else's change is taken over and the tokens put on top; so they are when
// the lease was over and somebody else's attempt came to nothing. A store that fails for a
// moment is tried again: the refresh token that was spent is worth it.
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
		case k.settled(latest):
			return latest, nil // it was saved after all, or another process was faster
		case got.Unusable != nil && latest.stored.lease.holder != mine &&
			latest.stored.tokens.Refresh == got.Tokens.Refresh:
			return latest, nil // the same, with nothing that can be used
		}
		s = latest
	}
}
