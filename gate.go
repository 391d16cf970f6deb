package cognate

import (
	"context"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"
)

const (
	// maxRefreshes bounds how many refreshes are under way at the provider at the same
	// time. After a night all sessions want one in the same minute; Cognito takes some 120
	// a second of all apps of an account.
	maxRefreshes = 32
	// gateTime bounds how long a refresh waits before it may begin: for others, or for
	// another process's lease. What is left of refreshTime is enough for it then.
	gateTime = refreshTime - askTime - time.Second
	// maxHold bounds for how long a provider that wants to be left alone is, whatever it
	// says.
	maxHold = 15 * time.Minute
)

// slots bound how many requests of a kind are under way.
type slots chan struct{}

// take waits for a slot, and reports whether the context let it.
func (s slots) take(ctx context.Context) bool {
	select {
	case s <- struct{}{}:
		return true
	case <-ctx.Done():
		return false
	}
}

func (s slots) free() { <-s }

// A gate stands before the token endpoint of a provider, for those requests that nobody
// waits for in person: it lets some through at a time, and none for as long as the provider
// says. It is safe for concurrent use.
type gate struct {
	slots slots
	now   func() time.Time
	shut  atomic.Int64 // until when, in nanoseconds since 1970; 0: open
}

func newGate(now func() time.Time) *gate { return &gate{slots: make(slots, maxRefreshes), now: now} }

// enter waits until a refresh may begin; leave has to be called in the end.
func (g *gate) enter(ctx context.Context) error {
	if !g.slots.take(ctx) {
		return refuse(ReasonRefreshFailed, "too many tokens are being refreshed: %w", ctx.Err())
	}
	if left := g.left(); left > 0 {
		g.leave()
		return heldOff(left)
	}
	return nil
}

func (g *gate) leave() { g.slots.free() }

// left is for how long the provider still wants to be left alone. A clock that jumped back
// must not make that for ever.
func (g *gate) left() time.Duration {
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

func heldOff(left time.Duration) *Error {
	e := refuse(ReasonRefreshFailed, "the provider has been asked too often, and wants to be left alone")
	e.RetryAfter = left
	return e
}

// heed shuts the gate if an answer says so: that there were too many requests (RFC 6585, 4),
// or that the service will be there later (RFC 9110, 15.6.4).
func (g *gate) heed(resp *http.Response) {
	hold, said := retryAfter(resp.Header.Get("Retry-After"), g.now())
	switch {
	case resp.StatusCode == http.StatusTooManyRequests && !said:
		hold = refreshPause
	case resp.StatusCode != http.StatusTooManyRequests && (resp.StatusCode != http.StatusServiceUnavailable || !said):
		return
	}
	hold = min(max(hold, firstPause), maxHold)
	if hold > g.left() {
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
