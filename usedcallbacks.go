package cognate

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/cognate-auth/cognate/internal/cache"
	"github.com/cognate-auth/cognate/internal/oidc"
	"github.com/cognate-auth/cognate/internal/record"
	"github.com/cognate-auth/cognate/internal/refusal"
)

const (
	// callbackWait bounds how long the second of two equal callbacks waits for what comes
	// of the first.
	callbackWait = 2 * oidc.RequestTimeout
	// callbackPoll is the pause between two looks at the first one.
	callbackPoll = 50 * time.Millisecond
	// maxAbandoned bounds how many sign-ins are remembered that must not end any more.
	maxAbandoned = 100_000
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
	shared *record.Store
	skew   time.Duration

	mu     sync.Mutex
	since  time.Time // when the count of failed began
	failed int
}

// take marks a callback as used, or refuses one that was before.
func (u *usedCallbacks) take(ctx context.Context, t *transaction, now time.Time) error {
	until := t.started.Add(transactionLifetime + maxSkew)
	if u.here.Has(t.nonce, now) {
		return errCallbackUsed
	}
	if u.shared != nil {
		// Clocks of processes, and the store's, may differ by the skew each.
		err := u.shared.Mark(ctx, record.Mark{Kind: callbackMark, Value: t.nonce, Says: markLeadsOn, Until: until.Add(maxSkew)})
		if errors.Is(err, record.ErrMarked) {
			return errCallbackUsed
		}
		if err != nil {
			return err
		}
	}
	if !u.here.Add(t.nonce, until, now) {
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

// outcome is what came of a callback.
type outcome struct {
	signedIn bool
	ledOn    bool // the browser was, as after a silent sign-in in vain, too
	spent    bool // the provider may have seen the code
}

// settle says what came of a callback that take let through. The mark of one that signed
// nobody in stays in the store for a moment, if its code may be spent: the second click of
// two, at another process, would ask the provider once more with it.
func (u *usedCallbacks) settle(ctx context.Context, nonce string, o outcome, now time.Time) {
	u.outcomes.Put(nonce, o.ledOn)
	if u.shared == nil || o.signedIn {
		return
	}
	if !o.spent || !u.mayStay(now) {
		u.shared.Unmark(ctx, callbackMark, nonce)
		return
	}
	mark := byte(markFailed)
	if o.ledOn {
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
	ctx, cancel := context.WithTimeout(ctx, callbackWait)
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
