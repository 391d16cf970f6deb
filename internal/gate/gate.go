// Package gate spares the token endpoint: it lets so many refreshes through at a time, and none
// while the provider wants to be left alone. It knows package flight, whose slots it uses, and
// package refusal.
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
	// maxRefreshes bounds how many refreshes are under way at the provider at the same
	// time. After a night all sessions want one in the same minute; Cognito takes some 120
	// a second of all apps of an account.
	maxRefreshes = 32
	// maxHold bounds for how long a provider that wants to be left alone is, whatever it
	// says.
	maxHold = 15 * time.Minute
	// minHold is for how long it is at the least.
	minHold = time.Second
	// unsaidHold is for how long a provider is left alone that says too many requests, and
	// no time.
	unsaidHold = 3 * time.Second
)

// A Gate stands before the token endpoint of a provider, for those requests that nobody
// waits for in person: it lets some through at a time, and none for as long as the provider
// says. It is safe for concurrent use.
type Gate struct {
	slots flight.Slots
	now   func() time.Time
	shut  atomic.Int64 // until when, in nanoseconds since 1970; 0: open
}

// New makes a gate that is open.
func New(now func() time.Time) *Gate {
	return &Gate{slots: flight.NewSlots(maxRefreshes), now: now}
}

// Enter waits until a refresh may begin; Leave has to be called in the end.
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

// Leave lets the next one in.
func (g *Gate) Leave() { g.slots.Free() }

// Left is for how long the provider still wants to be left alone. A clock that jumped back
// must not make that for ever.
func (g *Gate) Left() time.Duration {
	shut := g.shut.Load()
	if shut == 0 {
		return 0
	}
	left := time.Unix(0, shut).Sub(g.now())
	if left > maxHold {
		return 0
	}
	return max(left, 0)
}

// HeldOff is the refusal of a request while the provider wants to be left alone.
func HeldOff(left time.Duration) *refusal.Error {
	e := refusal.New(refusal.RefreshFailed, "the provider has been asked too often, and wants to be left alone")
	e.RetryAfter = left
	return e
}

// Heed shuts the gate if an answer says so: that there were too many requests (RFC 6585, 4),
// or that the service will be there later (RFC 9110, 15.6.4).
func (g *Gate) Heed(resp *http.Response) {
	hold, said := retryAfter(resp.Header.Get("Retry-After"), g.now())
	switch {
	case resp.StatusCode == http.StatusTooManyRequests && !said:
		hold = unsaidHold
	case resp.StatusCode != http.StatusTooManyRequests && (resp.StatusCode != http.StatusServiceUnavailable || !said):
		return
	}
	hold = min(max(hold, minHold), maxHold)
	if hold > g.Left() {
		g.shut.Store(g.now().Add(hold).UnixNano())
	}
}

// retryAfter reads the header: seconds, or a date (RFC 9110, 10.2.3).
func retryAfter(value string, now time.Time) (d time.Duration, ok bool) {
	seconds, err := strconv.ParseUint(value, 10, 64)
	if err == nil {
		return time.Duration(min(seconds, uint64(maxHold/time.Second))) * time.Second, true
	}
	at, err := http.ParseTime(value)
	if err != nil {
		return 0, false
	}
	return at.Sub(now), true
}
