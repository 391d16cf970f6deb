package redisstore

import (
	"context"
	"sync"
	"time"
)

// A patience is a context with a timeout whose timer starts when somebody first waits.
// Nobody does for what is in memory, and a timer would cost as much as finding that.
type patience struct {
	context.Context // the caller's
	timeout         time.Duration

	once   sync.Once
	timed  context.Context // set by once
	cancel context.CancelFunc
}

// patient returns a context for one call; stop must be called in the end.
func (s *Store) patient(ctx context.Context) *patience {
	return &patience{Context: ctx, timeout: s.config.Timeout}
}

func (p *patience) start() context.Context {
	p.once.Do(func() { p.timed, p.cancel = context.WithTimeout(p.Context, p.timeout) })
	return p.timed
}

func (p *patience) stop() {
	p.once.Do(func() { p.timed, p.cancel = p.Context, func() {} })
	p.cancel()
}

// Deadline implements context.Context.
func (p *patience) Deadline() (time.Time, bool) { return p.start().Deadline() }

// Done implements context.Context.
func (p *patience) Done() <-chan struct{} { return p.start().Done() }

// Err implements context.Context.
func (p *patience) Err() error { return p.start().Err() }
