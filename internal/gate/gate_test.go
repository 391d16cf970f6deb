package gate_test

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/cognate-auth/cognate/internal/gate"
	"github.com/cognate-auth/cognate/internal/refusal"
)

// holdAfter returns how long refreshes pause after an answer with a status and a Retry-After
// header.
func holdAfter(status int, header string, now time.Time) time.Duration {
	g := gate.New(func() time.Time { return now })
	g.Heed(&http.Response{StatusCode: status, Header: http.Header{"Retry-After": {header}}})
	return g.Left()
}

// FuzzRetryAfter checks that no answer causes a pause beyond the bounds, and that answers
// which ask for none cause none.
func FuzzRetryAfter(f *testing.F) {
	for _, header := range []string{
		"", "0", "30", "-1", "1e9", "99999999999999999999",
		"Mon, 30 Nov 2026 14:46:40 GMT", "Mon, 01 Jan 0001 00:00:00 GMT",
		"Fri, 31 Dec 9999 23:59:59 GMT",
	} {
		f.Add(429, header)
		f.Add(503, header)
		f.Add(200, header)
	}
	now := time.Date(2026, time.November, 30, 14, 45, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, status int, header string) {
		got := holdAfter(status, header, now)
		switch {
		case got > 15*time.Minute || got < 0,
			status == http.StatusTooManyRequests && got < time.Second,
			status != http.StatusTooManyRequests && status != http.StatusServiceUnavailable && got != 0:
			t.Errorf("status %d with %q: %s", status, header, got)
		}
	})
}

// TestGate checks that the gate admits a limited number of refreshes, and none during a pause
// unless the clock was set back.
func TestGate(t *testing.T) {
	now := time.Date(2026, time.November, 30, 14, 45, 0, 0, time.UTC)
	g := gate.New(func() time.Time { return now })
	for range 32 {
		err := g.Enter(t.Context())
		if err != nil {
			t.Fatal(err)
		}
	}
	over, cancel := context.WithCancel(t.Context())
	cancel()
	err := g.Enter(over)
	if refusal.Of(err) != refusal.RefreshFailed {
		t.Errorf("one too many gets %v", err)
	}
	for range 32 {
		g.Leave()
	}
	g.Heed(&http.Response{StatusCode: http.StatusTooManyRequests, Header: http.Header{"Retry-After": {"60"}}})
	err = g.Enter(t.Context())
	if refusal.Of(err) != refusal.RefreshFailed || g.Left() != time.Minute {
		t.Errorf("entered after 429: %v, %s left", err, g.Left())
	}
	now = now.Add(-time.Hour)
	err = g.Enter(t.Context())
	if err != nil {
		t.Errorf("the clock was set back: %v", err)
	}
}
