// Package flight shares one call of a function among many callers, and bounds how many calls
// run at a time. It imports nothing else of this module.
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

// A Panic carries a panic to those who wait for a call. Hooks, rules, stores and HTTP clients
// belong to the app; if one panicked in a goroutine of its own, the process would end.
type Panic struct {
	value any
	stack []byte
}

// Error returns the panic's value and where it happened.
func (p *Panic) Error() string { return fmt.Sprintf("%v\n\n%s", p.value, p.stack) }

// Guard calls f. If f panics, the error is a [*Panic].
func Guard[T any](f func() (T, error)) (value T, err error) {
	defer func() {
		if v := recover(); v != nil {
			err = &Panic{v, debug.Stack()}
		}
	}()
	return f()
}

// Do calls f once for all callers with the same key that arrive while it runs, for at most
// limit. f is not cancelled when the first caller's context ends; otherwise one visitor who
// leaves would make it fail for all others. A caller whose context ends gets that context's
// error. If f panics, Do panics in all callers that wait.
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

// Slots bound how many calls of a kind run at a time.
type Slots chan struct{}

// NewSlots returns n slots.
func NewSlots(n int) Slots { return make(Slots, n) }

// Take waits for a slot, and reports whether it got one before the context ended. Free gives
// it back.
func (s Slots) Take(ctx context.Context) bool {
	select {
	case s <- struct{}{}:
		return true
	case <-ctx.Done():
		return false
	}
}

// Free gives back a slot.
func (s Slots) Free() { <-s }
