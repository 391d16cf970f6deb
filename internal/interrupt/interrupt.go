// Package interrupt presses Ctrl-C in tests of programs that run until somebody does, at moments
// that are counted and not timed. It imports nothing else of this module.
package interrupt

import (
	"context"
	"strings"
	"sync/atomic"
)

// After returns a context that ends when a program has looked some number of times whether it
// should stop, as it does at each step of its start. press ends it at once. It is safe for
// concurrent use.
func After(parent context.Context, moments int) (ctx context.Context, press context.CancelFunc) {
	ctx, press = context.WithCancel(parent)
	left := new(atomic.Int64)
	left.Store(int64(moments))
	return counted{ctx, left, press}, press
}

type counted struct {
	context.Context

	left  *atomic.Int64
	press context.CancelFunc
}

func (c counted) count() {
	if c.left.Add(-1) < 0 {
		c.press()
	}
}

// Err counts a moment.
func (c counted) Err() error { c.count(); return c.Context.Err() }

// Done counts a moment.
func (c counted) Done() <-chan struct{} { c.count(); return c.Context.Done() }

// Output keeps what a program writes, and presses Ctrl-C when the program has started: then it
// says how to stop it. One goroutine at a time may write.
type Output struct {
	strings.Builder

	Press func() // required
}

// Write keeps p.
func (o *Output) Write(p []byte) (int, error) {
	if strings.Contains(string(p), "Ctrl-C") {
		o.Press()
	}
	return o.Builder.Write(p)
}
