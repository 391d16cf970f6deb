package redisstore

import (
	"context"
	"sync"
	"time"
)

// lazyTimeout is a context with a timeout whose timer starts when something first waits
// for it. A record in memory needs no wait, and a timer would cost as much as finding
// the record.
type lazyTimeout struct {
	context.Context // the caller's
	timeout         time.Duration

	once   sync.Once
	timed  context.Context // set by once
	cancel context.CancelFunc
}

// withTimeout returns a context for one call. The caller must call stop at the end.
func (s *Store) withTimeout(ctx context.Context) *lazyTimeout {
	return &lazyTimeout{Context: ctx, timeout: s.config.Timeout}
}

func (p *lazyTimeout) start() context.Context {
	p.once.Do(func() { p.timed, p.cancel = context.WithTimeout(p.Context, p.timeout) })
	return p.timed
}

func (p *lazyTimeout) stop() {
	p.once.Do(func() { p.timed, p.cancel = p.Context, func() {} })
	p.cancel()
}

// Deadline implements context.Context.
func (p *lazyTimeout) Deadline() (time.Time, bool) { return p.start().Deadline() }

// Done implements context.Context.
func (p *lazyTimeout) Done() <-chan struct{} { return p.start().Done() }

// Err implements context.Context.
func (p *lazyTimeout) Err() error { return p.start().Err() }
