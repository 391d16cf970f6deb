package terminal

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

// A Limiter lets so many lines pass in each period, and counts the others: a thousand lines
// at once, as in a load test, must not push everything else off the terminal. It is safe for
// concurrent use.
type Limiter struct {
	most   int
	period time.Duration
	left   func(n int) // prints that there were n more lines

	mu      sync.Mutex
	passed  int // in the period, which begins with the first line
	dropped int // likewise
}

// NewLimiter returns a Limiter that lets most lines pass in a period. At the end of a period
// in which there were more, it calls left with their number.
func NewLimiter(most int, period time.Duration, left func(n int)) *Limiter {
	return &Limiter{most: most, period: period, left: left}
}

// Do calls print, or counts. Only one print or left runs at a time.
func (l *Limiter) Do(print func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.passed == l.most {
		l.dropped++
		return
	}
	if l.passed == 0 {
		time.AfterFunc(l.period, l.end)
	}
	l.passed++
	print()
}

// end ends the period.
func (l *Limiter) end() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.dropped > 0 {
		l.left(l.dropped)
	}
	l.passed, l.dropped = 0, 0
}

// limited is a handler whose records a Limiter lets pass.
type limited struct {
	slog.Handler

	limiter *Limiter
}

// Handle passes the record on, or counts it.
func (h limited) Handle(ctx context.Context, r slog.Record) (err error) {
	h.limiter.Do(func() { err = h.Handler.Handle(ctx, r) })
	return err
}

// WithAttrs returns a handler that counts together with h.
func (h limited) WithAttrs(attrs []slog.Attr) slog.Handler {
	return limited{h.Handler.WithAttrs(attrs), h.limiter}
}

// WithGroup returns a handler that counts together with h.
func (h limited) WithGroup(name string) slog.Handler {
	return limited{h.Handler.WithGroup(name), h.limiter}
}
