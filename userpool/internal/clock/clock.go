// Package clock compares dates in the store with the time that it is now. The clock may
// have been set back since they were stored, or they may be of another process, whose clock
// differs. It imports the standard library alone.
package clock

import "time"

// Slack is how far the clocks of two processes on one store may be apart,
// and how far a clock may be set back, before what was stored counts as of
// another time.
const Slack = time.Minute

// InTime reports whether something that ends at until, and lasts at most life
// from its beginning, is under way. Every date in the store is judged by it: if
// the clock was set back since, what would begin in the future is over, instead
// of lasting until the clock has caught up, which may be a year.
func InTime(now, until time.Time, life time.Duration) bool {
	left := until.Sub(now)
	return left > 0 && left <= life+Slack
}

// Recent reports whether less than life has passed since then. A moment of the
// future is not recent: the clock was set back.
func Recent(now, then time.Time, life time.Duration) bool {
	age := now.Sub(then)
	return age >= 0 && age < life
}

// Earlier returns the earlier of two times.
func Earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}
