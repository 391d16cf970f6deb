package clock_test

import (
	"testing"
	"time"

	"github.com/cognate-auth/cognate/userpool/internal/clock"
)

// TestInTime judges what ends in so long, of a life of an hour.
func TestInTime(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 5, 6, 7, 8, 9, 0, time.UTC)
	for left, want := range map[time.Duration]bool{
		-time.Second: false, 0: false, time.Second: true, time.Hour: true,
		time.Hour + clock.Slack: true, time.Hour + clock.Slack + 1: false, 365 * 24 * time.Hour: false,
	} {
		if got := clock.InTime(now, now.Add(left), time.Hour); got != want {
			t.Errorf("%v before the end: got %t, want %t", left, got, want)
		}
	}
}

// TestRecent judges what was so long ago, by a minute.
func TestRecent(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 5, 6, 7, 8, 9, 0, time.UTC)
	for age, want := range map[time.Duration]bool{
		-time.Second: false, 0: true, time.Minute - 1: true, time.Minute: false,
	} {
		if got := clock.Recent(now, now.Add(-age), time.Minute); got != want {
			t.Errorf("%v ago: got %t, want %t", age, got, want)
		}
	}
	if clock.Earlier(now, now.Add(1)) != now || clock.Earlier(now.Add(1), now) != now {
		t.Error("the later one is earlier")
	}
}
