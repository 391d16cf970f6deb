package sqlstore

import (
	"context"
	"sync"
)

const (
	// checkpointEvery is after how many statements the log is worked off; each
	// changes a few pages.
	checkpointEvery = 2000
	// maxLog is how many pages of 4 KiB the log may have before writing waits
	// until it is worked off, and begins anew.
	maxLog = 16_384
)

// checkpoints work the write-ahead log off, beside the work: to bring it to the
// disk for certain can take longer than a thousand transactions.
type checkpoints struct {
	last int           // statements at the last time; of the writer alone
	due  chan struct{} // holds one value when it is time
	quit chan struct{}
	done sync.WaitGroup
}

func startCheckpoints(e *sqliteEngine) *checkpoints {
	c := &checkpoints{due: make(chan struct{}, 1), quit: make(chan struct{})}
	c.done.Go(func() {
		for {
			select {
			case <-c.due:
				e.checkpoint(context.Background())
			case <-c.quit:
				return
			}
		}
	})
	return c
}

// note is called after every transaction, while no other is under way, with the
// number of statements so far.
func (c *checkpoints) note(statements int) {
	if statements-c.last < checkpointEvery {
		return
	}
	c.last = statements
	select {
	case c.due <- struct{}{}:
	default: // one is due already
	}
}

// stop waits for the one that is under way.
func (c *checkpoints) stop() {
	close(c.quit)
	c.done.Wait()
}

// checkpoint works the log off. What is written meanwhile is left, so where
// somebody always writes, the log would never begin anew: then writing waits.
// A failure costs disk space and nothing else; the next one may succeed.
func (e *sqliteEngine) checkpoint(ctx context.Context) {
	size := 0
	work := func(ctx context.Context, s *session) error {
		var busy, worked int
		return s.QueryRowContext(ctx, "PRAGMA wal_checkpoint(PASSIVE)").Scan(&busy, &size, &worked)
	}
	err := e.use(ctx, e.readers, work)
	if err == nil && size > maxLog {
		_ = e.use(ctx, e.writer, work) // as above
	}
}
