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
	// refreshPause is how long a session's tokens are left alone after a refresh that failed.
	refreshPause = 3 * time.Second
	// loopTime is how young a session is whose tokens are lost already: another sign-in would
	// end the same way, and so on.
	loopTime = 10 * time.Second
)

var (
	// ErrEnded marks the error of a refresh after which there is no session any more.
	ErrEnded = errors.New("the session has ended")
	// ErrEndedElsewhere is that of a session that somebody else ended in the meantime.
	ErrEndedElsewhere = &refusal.Error{Reason: refusal.RefreshRefused, Err: ErrEnded}
)

// Refreshed is what came of a refresh.
type Refreshed struct {
	// Identity is who the session is of, as the provider says now.
	Identity Identity
	// Tokens are the new ones.
	Tokens *Tokens
	// Unusable says why the access token must not be used although the refresh token
	// is good: the ID token that came along could not be checked.
	Unusable error
	// TooLate is called when the session turns out to have ended meanwhile.
	TooLate func(context.Context)
}

// A Refresher asks the provider for new tokens in the place of old ones. If it refuses, the
// session has ended and the error is ErrEnded too. It ends the session as well if old is nil or
// has no refresh token.
type Refresher func(ctx context.Context, s *Session, old *Tokens) (*Refreshed, error)

// limits are how long the parts of a refresh may take.
type limits struct {
	// lease is how long one process may take to refresh the tokens of a session before
	// another one tries: longer than a request to the provider can take, and short enough
	// for those who wait when the process died.
	lease time.Duration
	// ask bounds what is done under a lease before the tokens are saved, userInfo and hooks
	// included: after it somebody else would spend the same refresh token.
	ask time.Duration
	// all bounds a refresh in all: another process's lease, the provider, and saving what
	// it gave.
	all time.Duration
	// wait bounds how long a refresh waits before it may begin: for others, or for another
	// process's lease. What is left of all is enough for it then.
	wait time.Duration
}

func newLimits(request time.Duration) limits {
	l := limits{lease: request + 5*time.Second}
	l.ask, l.all = l.lease-2*time.Second, 2*l.lease
	l.wait = l.all - l.ask - time.Second
	return l
}

// Tokens returns the tokens of the visit's session, fresh: it has ask get new ones in the place
// of those that are not. For any number of visits of a session only one asks. As long as the old
// ones work, a provider that is down disturbs nobody. A nil visit, or one of no session, has
// none.
func (v *Visit) Tokens(ctx context.Context, ask Refresher) (*Tokens, error) {
	if v == nil || v.sessions == nil {
		return nil, refusal.New(refusal.NotSignedIn, "the context is none of a request behind RequireLogin")
	}
	s, t := v.held()
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

// refresh gets new tokens, unless they have to be left alone. It returns none if the new ones are
// too large to be kept.
func (v *Visit) refresh(ctx context.Context, s *Session, old *Tokens, ask Refresher) (*Tokens, error) {
	e := v.sessions.paused(s)
	if e != nil {
		return nil, e
	}
	next, t, err := v.sessions.refresh(ctx, v, s, old, ask)
	if err != nil || t == nil {
		return nil, err
	}
	v.hold(next, t)
	return t, nil
}

// retryLater says of a refresh that failed when another makes sense.
func retryLater(err error) error {
	e, ok := errors.AsType[*refusal.Error](err)
	if !ok {
		e = refusal.New(refusal.RefreshFailed, "%w", err)
	}
	later := *e // others may wait for the same error
	if later.RetryAfter == 0 {
		later.RetryAfter = refreshPause
	}
	return &later
}

// JustBegun reports whether the sign-in is so recent that another one would end the same way,
// and so on: a browser must not be sent round without end.
func (m *Sessions) JustBegun(s *Session) bool {
	return cache.Within(m.config.Now(), s.Created, loopTime)
}

// PauseRefreshes leaves the tokens of a session alone for a moment: a refresh has failed.
func (m *Sessions) PauseRefreshes(s *Session) { m.failedRefresh.Put(s.ID, m.config.Now()) }

// paused returns why the tokens of a session are not to be refreshed for a moment, or nil.
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
