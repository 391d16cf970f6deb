package transaction

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/cognate-auth/cognate/internal/cache"
	"github.com/cognate-auth/cognate/internal/record"
	"github.com/cognate-auth/cognate/internal/refusal"
)

const (
	// callbackPoll is the pause between two looks of the second of two equal callbacks at what
	// comes of the first.
	callbackPoll = 50 * time.Millisecond
	// maxOutcomes bounds how many outcomes of callbacks a process remembers.
	maxOutcomes = 10_000
	// failedMark is how long the store keeps the mark of a callback that signed nobody in:
	// as long as a second click may be under way to another process. maxFailedMarks bounds
	// how many such marks one process leaves in that time, because strangers can have
	// callbacks fail: the store is for sessions.
	failedMark     = time.Minute
	maxFailedMarks = 100
)

// usedCallbacks remembers which callbacks were used, as long as their state would do, and what
// came of them. The cookie is removed with the answer, but a copy could be sent again; and a
// code that is redeemed twice may cost the first one its tokens (RFC 6749, 4.1.2). It is safe
// for concurrent use.
type usedCallbacks struct {
	here     *cache.Set         // nonces of what was used in this process: a state can be spelled in two ways
	outcomes *cache.Cache[bool] // of these: whether the browser was led on to its page
	// shared, if not nil, keeps a mark for each in the store, for all processes.
	shared        *record.Store
	skew, maxSkew time.Duration
	// wait bounds how long the second of two equal callbacks waits for what comes of the first.
	wait time.Duration

	mu     sync.Mutex
	since  time.Time // when the count of failed began
	failed int
}

func newUsedCallbacks(c Config) *usedCallbacks {
	return &usedCallbacks{
		here: cache.NewSet(maxAbandoned), outcomes: cache.New[bool](maxOutcomes), shared: c.Store,
		skew: c.Skew, maxSkew: c.MaxSkew, wait: 2 * c.RequestTime,
	}
}

// take marks a callback as used, or refuses one that was before.
func (u *usedCallbacks) take(ctx context.Context, t *Transaction, now time.Time) error {
	until := t.Started.Add(lifetime + u.maxSkew)
	if u.here.Has(t.Nonce, now) {
		return errCallbackUsed
	}
	if u.shared != nil {
		// Clocks of processes, and the store's, may differ by the skew each.
		err := u.shared.Mark(ctx, record.Mark{
			Kind: callbackMark, Value: t.Nonce, Says: markLeadsOn, Until: until.Add(u.maxSkew),
		})
		if errors.Is(err, record.ErrMarked) {
			return errCallbackUsed
		}
		if err != nil {
			return err
		}
	}
	if !u.here.Add(t.Nonce, until, now) {
		return errCallbackUsed
	}
	return nil
}

var errCallbackUsed = refusal.New(refusal.Replay, "the callback was used before")

// callbackMark is the kind of the marks in the store.
const callbackMark = "callback"

// What a mark in the store holds.
const (
	markFailed  = 0
	markLeadsOn = 1 // or is under way
)

// An Outcome is what came of a callback.
type Outcome struct {
	// SignedIn reports whether somebody is signed in.
	SignedIn bool
	// LedOn reports whether the browser was led on to its page, as after a silent sign-in
	// in vain, too.
	LedOn bool
	// Spent reports whether the provider may have seen the code.
	Spent bool
}

// settle says what came of a callback that take let through. The mark of one that signed
// nobody in stays in the store for a moment, if its code may be spent: the second click of
// two, at another process, would ask the provider once more with it.
func (u *usedCallbacks) settle(ctx context.Context, nonce string, o Outcome, now time.Time) {
	u.outcomes.Put(nonce, o.LedOn)
	if u.shared == nil || o.SignedIn {
		return
	}
	if !o.Spent || !u.mayStay(now) {
		u.shared.Unmark(ctx, callbackMark, nonce)
		return
	}
	mark := byte(markFailed)
	if o.LedOn {
		mark = markLeadsOn
	}
	// The skew is for the store's clock.
	u.shared.Remark(ctx, record.Mark{Kind: callbackMark, Value: nonce, Says: mark, Until: now.Add(failedMark + u.skew)})
}

// mayStay reports whether the mark of one more failed callback may stay in the store.
func (u *usedCallbacks) mayStay(now time.Time) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	if !cache.Within(now, u.since, failedMark) {
		u.since, u.failed = now, 0
	}
	u.failed++
	return u.failed <= maxFailedMarks
}

// ledOn reports whether a callback that take refused has led on to its page; it waits for one
// that is under way here. One that another process has under way counts: if it comes to
// nothing, the page begins a sign-in of its own.
func (u *usedCallbacks) ledOn(ctx context.Context, nonce string, now time.Time) bool {
	ctx, cancel := context.WithTimeout(ctx, u.wait)
	defer cancel()
	for u.here.Has(nonce, now) {
		if ledOn, known := u.outcomes.Get(nonce); known {
			return ledOn
		}
		select {
		case <-ctx.Done():
			return false
		case <-time.After(callbackPoll):
		}
	}
	if u.shared == nil {
		return false
	}
	says, marked, err := u.shared.Marked(ctx, callbackMark, nonce)
	return err == nil && marked && says == markLeadsOn
}

// Settle says what came of a callback that Finish let through.
func (m *Transactions) Settle(ctx context.Context, t *Transaction, o Outcome) {
	m.used.settle(ctx, t.Nonce, o, m.now())
}

// LedOn reports whether a callback that Finish refused, because it was used before, has led on
// to its page; it waits for one that is under way here.
func (m *Transactions) LedOn(ctx context.Context, t *Transaction) bool {
	return m.used.ledOn(ctx, t.Nonce, m.now())
}
