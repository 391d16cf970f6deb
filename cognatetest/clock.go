package cognatetest

import (
	"sync"
	"testing"
	"time"
)

// Clock is a clock that only the test moves. Give its Now to the pool ([Options]) and
// to the app (cognate.Config.Now), and both have the same time. It is safe for
// concurrent use.
type Clock struct {
	mu  sync.Mutex
	now time.Time
}

// NewClock returns a clock set to the present time, in whole seconds, as in tokens.
func NewClock(tb testing.TB) *Clock {
	tb.Helper()
	return &Clock{now: time.Now().Truncate(time.Second)}
}

// Now returns the time on the clock.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// Advance moves the clock forward, or back if d is negative.
func (c *Clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// Set sets the clock.
func (c *Clock) Set(t time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = t
}
