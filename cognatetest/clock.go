package cognatetest

import (
	"sync"
	"testing"
	"time"
)

// Clock is a clock that stands still until it is turned. Give its Now to the pool
// ([Options]) and to the app (cognate.Config.Now), and both see the same time. It is
// safe for concurrent use.
type Clock struct {
	mu  sync.Mutex
	now time.Time
}

// NewClock returns a clock that shows the present, in whole seconds as tokens do.
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

// Advance turns the clock, back if d is negative.
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
