package sqlstore

import (
	"context"
	"sync"
)

const (
	// checkpointEvery is the number of statements between checkpoints. Each statement
	// changes a few pages, or some dozens if it inserts several rows.
	checkpointEvery = 2000
	// maxLog is how many pages of 4 KiB the log may have before writers wait until a
	// checkpoint has copied all of it, so that it starts again at its beginning.
	maxLog = 16_384
)

// checkpoints copy the write-ahead log into the database in the background: to make the
// copy durable can take longer than a thousand transactions.
type checkpoints struct {
	last int           // statements at the last checkpoint; used only by the writer
	due  chan struct{} // holds a value when a checkpoint is due
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

// note is called after every transaction, while no other is under way, with the number
// of statements so far.
func (c *checkpoints) note(statements int) {
	if statements-c.last < checkpointEvery {
		return
	}
	c.last = statements
	select {
	case c.due <- struct{}{}:
	default: // a checkpoint is due already
	}
}

// stop waits for a checkpoint that is under way.
func (c *checkpoints) stop() {
	close(c.quit)
	c.done.Wait()
}

// checkpoint copies the log into the database. It leaves what is written meanwhile, so
// under constant writing the log would never start again at its beginning. When the log
// is too long, the writers wait. A failure costs only disk space; the next checkpoint
// may succeed.
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
