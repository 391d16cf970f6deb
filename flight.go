package cognate

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"golang.org/x/sync/singleflight"
)

// panicked is a panic on its way to those who wait: hooks, rules and stores are the app's,
// and one in a goroutine of its own would end the process.
type panicked struct {
	value any
	stack []byte
}

// Error returns the panic's value and where it happened.
func (p *panicked) Error() string { return fmt.Sprintf("%v\n\n%s", p.value, p.stack) }

// shared calls f once for all callers with the same key that come while it runs, for at most
// the given time. f does not end with the first caller's request, or one visitor who leaves
// would fail all others; who leaves gets the error of the own context. If f panics all who
// wait do.
func shared[T any](
	ctx context.Context, g *singleflight.Group, key string, limit time.Duration, f func(context.Context) (T, error),
) (T, error) {
	done := g.DoChan(key, func() (_ any, err error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), limit)
		defer cancel()
		defer func() {
			if v := recover(); v != nil {
				err = &panicked{v, debug.Stack()}
			}
		}()
		return f(ctx)
	})
	select {
	case res := <-done:
		if p, ok := errors.AsType[*panicked](res.Err); ok {
			panic(p)
		}
		value, _ := res.Val.(T)
		return value, res.Err
	case <-ctx.Done():
		var none T
		return none, ctx.Err()
	}
}
