package cognate

import (
	"context"
	"errors"
	"time"
)

const (
	// callbackWait bounds how long the second of two equal callbacks waits for what comes
	// of the first.
	callbackWait = 2 * fetchTimeout
	// maxOutcomes bounds how many outcomes of callbacks a process remembers.
	maxOutcomes = 10_000
)

// usedCallbacks remembers which callbacks were used, as long as their state would do, and what
// came of them. The cookie is removed with the answer, but a copy could be sent again; and a
// code that is redeemed twice may cost the first one its tokens (RFC 6749, 4.1.2). It is safe
// for concurrent use.
type usedCallbacks struct {
	here     *expiring    // nonces of what was used in this process: a state can be spelled in two ways
	outcomes *cache[bool] // of these: whether the browser was led on to its page
	// shared, if not nil, keeps a mark for each in the store, for all processes.
	shared *storeSessions
}

// take marks a callback as used, or refuses one that was before.
func (u *usedCallbacks) take(ctx context.Context, t *transaction, now time.Time) error {
	until := t.started.Add(transactionLifetime + maxSkew)
	if u.here.has(t.nonce, now) {
		return errCallbackUsed
	}
	if u.shared != nil {
		// Clocks of processes, and the store's, may differ by the skew each.
		err := u.shared.store.Create(ctx, Record{
			Key: u.key(t.nonce), Value: []byte{1}, Expires: until.Add(maxSkew),
		})
		if errors.Is(err, ErrRecordChanged) {
			return errCallbackUsed
		}
		if err != nil {
			return storeDown(err)
		}
	}
	if !u.here.add(t.nonce, until, now) {
		return errCallbackUsed
	}
	return nil
}

var errCallbackUsed = refuse(ReasonReplay, "the callback was used before")

func (u *usedCallbacks) key(nonce string) string { return u.shared.hash("callback", nonce) }

// settle says what came of a callback that take let through: whether somebody is signed in,
// and whether the browser was led on, as after a silent sign-in in vain, too. The mark of one
// that signed nobody in is removed from the store: strangers could fill it with them.
func (u *usedCallbacks) settle(ctx context.Context, nonce string, signedIn, ledOn bool) {
	u.outcomes.put(nonce, ledOn)
	if u.shared != nil && !signedIn {
		_ = u.shared.store.Delete(ctx, u.key(nonce)) // or it ends by itself
	}
}

// ledOn tells whether a callback that take refused has led on to its page; it waits for one
// that is under way here. One that another process took and has not given up counts: if
// it comes to nothing, the page begins a sign-in of its own.
func (u *usedCallbacks) ledOn(ctx context.Context, nonce string, now time.Time) bool {
	ctx, cancel := context.WithTimeout(ctx, callbackWait)
	defer cancel()
	for u.here.has(nonce, now) {
		if ledOn, known := u.outcomes.get(nonce); known {
			return ledOn
		}
		if !pause(ctx, leasePoll) {
			return false
		}
	}
	if u.shared == nil {
		return false
	}
	_, err := u.shared.store.LoadLatest(ctx, u.key(nonce))
	return err == nil
}
