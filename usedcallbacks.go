package cognate

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/cognate-auth/cognate/internal/cache"
	"github.com/cognate-auth/cognate/internal/oidc"
	"github.com/cognate-auth/cognate/internal/refusal"
	"github.com/cognate-auth/cognate/sessionstore"
)

const (
	// callbackWait bounds how long the second of two equal callbacks waits for what comes
	// of the first.
	callbackWait = 2 * oidc.RequestTimeout
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
	shared *storeSessions

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
		err := u.shared.store.Create(ctx, sessionstore.Record{
			Key: u.key(t.nonce), Value: []byte{markLeadsOn}, Expires: until.Add(maxSkew),
		})
		if errors.Is(err, sessionstore.ErrRecordChanged) {
			return errCallbackUsed
		}
		if err != nil {
			return storeDown(err)
		}
	}
	if !u.here.Add(t.nonce, until, now) {
		return errCallbackUsed
	}
	return nil
}

var errCallbackUsed = refusal.New(refusal.Replay, "the callback was used before")

func (u *usedCallbacks) key(nonce string) string { return u.shared.hash("callback", nonce) }

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
	key := u.key(nonce)
	if !o.spent || !u.mayStay(now) {
		_ = u.shared.store.Delete(ctx, key) // or it ends by itself
		return
	}
	mark := byte(markFailed)
	if o.ledOn {
		mark = markLeadsOn
	}
	// The skew is for the store's clock.
	_ = u.shared.store.Update(ctx, sessionstore.Record{Key: key, Version: 1, Value: []byte{mark}, Expires: now.Add(failedMark + u.shared.skew)})
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
		if !pause(ctx, leasePoll) {
			return false
		}
	}
	if u.shared == nil {
		return false
	}
	mark, err := u.shared.store.LoadLatest(ctx, u.key(nonce))
	return err == nil && len(mark.Value) == 1 && mark.Value[0] == markLeadsOn
}
