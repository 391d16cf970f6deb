// Package flight does once what many wait for, and bounds how much is under way at a time.
// It knows nothing else of this module.
package flight

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"golang.org/x/sync/singleflight"
)

// A Group is a set of flights, one for each key at a time. The zero value is ready to use. It
// is safe for concurrent use.
type Group = singleflight.Group

// A Panic is a panic on its way to those who wait: hooks, rules, stores and HTTP clients are
// the app's, and a panic in a goroutine of its own would end the process.
type Panic struct {
	value any
	stack []byte
}

// Error returns the panic's value and where it happened.
func (p *Panic) Error() string { return fmt.Sprintf("%v\n\n%s", p.value, p.stack) }

// Guard calls f. If that panics the error is a [*Panic].
func Guard[T any](f func() (T, error)) (value T, err error) {
	defer func() {
		if v := recover(); v != nil {
			err = &Panic{v, debug.Stack()}
		}
	}()
	return f()
}

// Do calls f once for all callers with the same key that come while it runs, for at most
// the given time. f does not end with the first caller's request, or one visitor who leaves
// would fail all others; who leaves gets the error of the own context. If f panics all who
// wait do.
func Do[T any](
	ctx context.Context, g *Group, key string, limit time.Duration, f func(context.Context) (T, error),
) (T, error) {
	done := g.DoChan(key, func() (any, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), limit)
		defer cancel()
		return Guard(func() (T, error) { return f(ctx) })
	})
	select {
	case res := <-done:
		if p, ok := errors.AsType[*Panic](res.Err); ok {
			panic(p)
		}
		value, _ := res.Val.(T)
		return value, res.Err
	case <-ctx.Done():
		var none T
		return none, ctx.Err()
	}
}

// Slots bound how many things of a kind are under way.
type Slots chan struct{}

// NewSlots makes n of them.
func NewSlots(n int) Slots { return make(Slots, n) }

// Take waits for a slot, and reports whether the context let it. Free gives it back.
func (s Slots) Take(ctx context.Context) bool {
	select {
	case s <- struct{}{}:
		return true
	case <-ctx.Done():
		return false
	}
}

// Free gives a slot back that was taken.
func (s Slots) Free() { <-s }
