package userpool

import "time"

// clockSlack is how far the clocks of two processes on one store may be apart,
// and how far a clock may be set back, before what was stored counts as of
// another time.
const clockSlack = time.Minute

// inTime reports whether something that ends at until, and lasts at most life
// from its beginning, is under way. Every date in the store is judged by it: if
// the clock was set back since, what would begin in the future is over, instead
// of lasting until the clock has caught up, which may be a year.
func inTime(now, until time.Time, life time.Duration) bool {
	left := until.Sub(now)
	return left > 0 && left <= life+clockSlack
}

// recent reports whether less than life has passed since then. A moment of the
// future is not recent: the clock was set back.
func recent(now, then time.Time, life time.Duration) bool {
	age := now.Sub(then)
	return age >= 0 && age < life
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}
