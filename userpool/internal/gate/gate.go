// Package gate lets one caller at a time do something for an account. It knows the
// words (userpool) alone.
package gate

import (
	"context"
	"sync"
	"time"

	"github.com/cognate-auth/cognate/userpool"
)

// Gate lets one caller per key through at a time. Sign-ins of one account pass
// it one by one, so that a burst of guesses cannot all be under way before the
// first failure is counted.
type Gate struct {
	wait time.Duration

	mu    sync.Mutex
	doors map[string]*door // :: key → its door, while anyone is at it
}

type door struct {
	turn chan struct{} // holds one value while someone is inside
	refs int           // callers inside or waiting; guarded by gate.mu
}

// New returns a gate at which a caller waits for its turn so long.
func New(wait time.Duration) *Gate {
	return &Gate{wait: wait, doors: make(map[string]*door)}
}

// Enter waits for its turn, at most g.wait, and returns how to leave.
func (g *Gate) Enter(ctx context.Context, key string) (leave func(), err error) {
	d := g.door(key)
	ctx, cancel := context.WithTimeoutCause(ctx, g.wait, userpool.ErrBusy)
	defer cancel()
	select {
	case d.turn <- struct{}{}:
		return func() { <-d.turn; g.release(key, d) }, nil
	case <-ctx.Done():
		g.release(key, d)
		return nil, context.Cause(ctx)
	}
}

func (g *Gate) door(key string) *door {
	g.mu.Lock()
	defer g.mu.Unlock()
	d := g.doors[key]
	if d == nil {
		d = &door{turn: make(chan struct{}, 1)}
		g.doors[key] = d
	}
	d.refs++
	return d
}

func (g *Gate) release(key string, d *door) {
	g.mu.Lock()
	defer g.mu.Unlock()
	d.refs--
	if d.refs == 0 {
		delete(g.doors, key)
	}
}

// Busy returns how many keys have callers inside or waiting.
func (g *Gate) Busy() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.doors)
}
