package session

import (
	"context"
	"errors"
	"time"

	"github.com/cognate-auth/cognate/internal/cache"
	"github.com/cognate-auth/cognate/internal/gate"
	"github.com/cognate-auth/cognate/internal/refusal"
)

// RefreshPause is how long a session's tokens are left alone after a refresh that failed.
const RefreshPause = 3 * time.Second

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

// A Refresher asks the provider for new tokens. If it refuses, the session has ended and the
// error is ErrEnded too.
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

// PauseRefreshes leaves the tokens of a session alone for a moment: a refresh has failed.
func (m *Sessions) PauseRefreshes(s *Session) { m.failedRefresh.Put(s.ID, m.config.Now()) }

// Paused returns why the tokens of a session are not to be refreshed for a moment, or nil.
func (m *Sessions) Paused(s *Session) *refusal.Error {
	if left := m.config.Gate.Left(); left > 0 {
		return gate.HeldOff(left)
	}
	at, ok := m.failedRefresh.Get(s.ID)
	if !ok || !cache.Within(m.config.Now(), at, RefreshPause) {
		return nil
	}
	e := refusal.New(refusal.RefreshFailed, "the provider could not refresh the tokens a moment ago")
	e.RetryAfter = RefreshPause
	return e
}
