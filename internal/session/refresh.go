package session

import (
	"context"
	"errors"
	"time"

	"github.com/cognate-auth/cognate/internal/cache"
	"github.com/cognate-auth/cognate/internal/gate"
	"github.com/cognate-auth/cognate/internal/refusal"
)

const (
	// refreshPause is how long a session's tokens are not refreshed after a failure.
	refreshPause = 3 * time.Second
	// loopTime is the age up to which a session that lost its tokens does not lead to a new
	// sign-in, which would probably end the same way, again and again.
	loopTime = 10 * time.Second
)

var (
	// ErrEnded marks the error of a refresh that has ended the session.
	ErrEnded = errors.New("the session has ended")
	// ErrEndedElsewhere is the error for a session that another request or process has ended
	// in the meantime.
	ErrEndedElsewhere = &refusal.Error{Reason: refusal.RefreshRefused, Err: ErrEnded}
)

// Refreshed is the result of a refresh.
type Refreshed struct {
	// Identity is the user of the session, with the provider's current claims.
	Identity Identity
	// Tokens are the new tokens.
	Tokens *Tokens
	// Unusable, if not nil, says why the access token must not be used although the refresh
	// token is valid: the new ID token could not be checked.
	Unusable error
	// TooLate is called if the session has ended in the meantime.
	TooLate func(context.Context)
}

// A Refresher asks the provider for new tokens to replace old ones. If the provider refuses,
// the Refresher ends the session, and its error wraps ErrEnded. It also ends the session if
// old is nil or has no refresh token.
type Refresher func(ctx context.Context, s *Session, old *Tokens) (*Refreshed, error)

// limits are how long the parts of a refresh may take.
type limits struct {
	// lease is how long one process may take to refresh the tokens of a session before
	// another one tries. It is longer than a request to the provider can take, and short
	// enough for those who wait for a process that has died.
	lease time.Duration
	// ask bounds the work under a lease before the tokens are saved, userInfo and hooks
	// included. After that, another process would use the same refresh token.
	ask time.Duration
	// all bounds a whole refresh: waiting for another process's lease, asking the provider,
	// and saving the tokens.
	all time.Duration
	// wait bounds how long a refresh waits before it begins, for the gate or for another
	// process's lease. It leaves enough of all for the refresh itself.
	wait time.Duration
}

func newLimits(request time.Duration) limits {
	l := limits{lease: request + 5*time.Second}
	l.ask, l.all = l.lease-2*time.Second, 2*l.lease
	l.wait = l.all - l.ask - time.Second
	return l
}

// Tokens returns the tokens of the visit's session. If they are not fresh it calls ask for new
// ones; any number of visits of a session share one call. If that fails but the old access
// token has not expired yet, Tokens returns the old tokens. For a nil visit, or one without a
// session, it returns an error.
func (v *Visit) Tokens(ctx context.Context, ask Refresher) (*Tokens, error) {
	if v == nil || v.sessions == nil {
		return nil, refusal.New(refusal.NotSignedIn, "the context does not belong to a request behind RequireLogin")
	}
	s, t := v.current()
	now := v.sessions.config.Now()
	switch {
	case t != nil && (t.Fresh(now) || t.Refresh == "" && t.Usable(now)):
		return t, nil
	case t == nil && (!v.sessions.KeepTokens() || s.TokensDropped):
		return nil, refusal.New(refusal.NoTokens, "the session holds no tokens: set Session.Store, "+
			"or Session.TokensInCookie if they are small")
	case t == nil || t.Refresh == "":
		_, err := ask(ctx, s, t)
		return nil, err
	}
	next, err := v.refresh(ctx, s, t, ask)
	switch {
	case err == nil && next == nil:
		return nil, refusal.New(refusal.NoTokens, "the new tokens are too large to be kept")
	case err == nil || errors.Is(err, ErrEnded):
		return next, err
	case t.Usable(v.sessions.config.Now()):
		return t, nil
	}
	return nil, retryLater(err)
}

// refresh gets new tokens, unless refreshes are paused. It returns nil if the new ones are too
// large to be kept.
func (v *Visit) refresh(ctx context.Context, s *Session, old *Tokens, ask Refresher) (*Tokens, error) {
	e := v.sessions.paused(s)
	if e != nil {
		return nil, e
	}
	next, t, err := v.sessions.refresh(ctx, v, s, old, ask)
	if err != nil || t == nil {
		return nil, err
	}
	v.replace(next, t)
	return t, nil
}

// retryLater returns the error of a failed refresh with a RetryAfter.
func retryLater(err error) error {
	e, ok := errors.AsType[*refusal.Error](err)
	if !ok {
		e = refusal.New(refusal.RefreshFailed, "%w", err)
	}
	later := *e // a copy: other callers may have got the same error
	if later.RetryAfter == 0 {
		later.RetryAfter = refreshPause
	}
	return &later
}

// JustBegun reports whether the sign-in is so recent that another one would probably end the
// same way, and the browser would be redirected in a loop.
func (m *Sessions) JustBegun(s *Session) bool {
	return cache.Within(m.config.Now(), s.Created, loopTime)
}

// PauseRefreshes stops refreshes of a session's tokens for a moment, after one has failed.
func (m *Sessions) PauseRefreshes(s *Session) { m.failedRefresh.Put(s.ID, m.config.Now()) }

// paused returns an error if the tokens of a session must not be refreshed at the moment.
func (m *Sessions) paused(s *Session) *refusal.Error {
	if left := m.config.Gate.Left(); left > 0 {
		return gate.HeldOff(left)
	}
	at, ok := m.failedRefresh.Get(s.ID)
	if !ok || !cache.Within(m.config.Now(), at, refreshPause) {
		return nil
	}
	e := refusal.New(refusal.RefreshFailed, "the provider could not refresh the tokens a moment ago")
	e.RetryAfter = refreshPause
	return e
}
