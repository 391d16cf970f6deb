// Package gate limits the load on a provider's token endpoint: it bounds how many refreshes
// run at the same time, and pauses them when the provider asks for that. It imports package
// flight, whose slots it uses, and package refusal.
package gate

import (
	"context"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/cognate-auth/cognate/internal/flight"
	"github.com/cognate-auth/cognate/internal/refusal"
)

const (
	// maxRefreshes bounds how many refreshes are under way at the same time. In the morning
	// all sessions need one within a minute; Cognito allows about 120 requests a second for
	// all apps of an account.
	maxRefreshes = 32
	// maxPause and minPause bound how long refreshes pause, whatever the provider asks for.
	maxPause = 15 * time.Minute
	minPause = time.Second
	// defaultPause is the pause after 429 Too Many Requests without Retry-After.
	defaultPause = 3 * time.Second
)

// A Gate limits refreshes at the token endpoint of a provider. It lets a few through at a
// time, and none during a pause that the provider has asked for. Requests for which a person
// waits, such as sign-ins, do not pass it. It is safe for concurrent use.
type Gate struct {
	slots       flight.Slots
	now         func() time.Time
	pausedUntil atomic.Int64 // in nanoseconds since 1970; 0: no pause
}

// New returns an open gate.
func New(now func() time.Time) *Gate {
	return &Gate{slots: flight.NewSlots(maxRefreshes), now: now}
}

// Enter waits until a refresh may begin. If it returns nil, Leave must be called when the
// refresh has ended.
func (g *Gate) Enter(ctx context.Context) error {
	if !g.slots.Take(ctx) {
		return refusal.New(refusal.RefreshFailed, "too many tokens are being refreshed: %w", ctx.Err())
	}
	if left := g.Left(); left > 0 {
		g.Leave()
		return HeldOff(left)
	}
	return nil
}

// Leave ends a refresh that Enter admitted.
func (g *Gate) Leave() { g.slots.Free() }

// Left returns how long the pause still lasts, or 0. A pause longer than maxPause means that
// the clock was set back: it is over.
func (g *Gate) Left() time.Duration {
	until := g.pausedUntil.Load()
	if until == 0 {
		return 0
	}
	left := time.Unix(0, until).Sub(g.now())
	if left > maxPause {
		return 0
	}
	return max(left, 0)
}

// HeldOff returns the refusal of a refresh during a pause.
func HeldOff(left time.Duration) *refusal.Error {
	e := refusal.New(refusal.RefreshFailed, "the provider has asked for fewer requests: refreshes are paused")
	e.RetryAfter = left
	return e
}

// Heed starts a pause if a response asks for one: 429 Too Many Requests (RFC 6585, 4), or 503
// Service Unavailable with Retry-After (RFC 9110, 15.6.4).
func (g *Gate) Heed(resp *http.Response) {
	pause, present := retryAfter(resp.Header.Get("Retry-After"), g.now())
	switch {
	case resp.StatusCode == http.StatusTooManyRequests && !present:
		pause = defaultPause
	case resp.StatusCode != http.StatusTooManyRequests &&
		(resp.StatusCode != http.StatusServiceUnavailable || !present):
		return
	}
	pause = min(max(pause, minPause), maxPause)
	if pause > g.Left() {
		g.pausedUntil.Store(g.now().Add(pause).UnixNano())
	}
}

// retryAfter parses a Retry-After header: seconds, or a date (RFC 9110, 10.2.3).
func retryAfter(value string, now time.Time) (d time.Duration, ok bool) {
	seconds, err := strconv.ParseUint(value, 10, 64)
	if err == nil {
		return time.Duration(min(seconds, uint64(maxPause/time.Second))) * time.Second, true
	}
	at, err := http.ParseTime(value)
	if err != nil {
		return 0, false
	}
	return at.Sub(now), true
}
