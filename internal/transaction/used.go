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
	// callbackPoll is how often the second of two equal callbacks checks for the outcome of
	// the first.
	callbackPoll = 50 * time.Millisecond
	// maxOutcomes bounds how many outcomes of callbacks a process remembers.
	maxOutcomes = 10_000
	// failedMark is how long the store keeps the mark of a callback that signed nobody in:
	// as long as a second click may be under way to another process. maxFailedMarks bounds
	// how many such marks one process leaves in that time. Strangers can make callbacks
	// fail, and must not fill the store, which is for sessions.
	failedMark     = time.Minute
	maxFailedMarks = 100
)

// usedCallbacks remembers which callbacks were used, for as long as their state is valid, and
// their outcomes. The answer removes the cookie, but a copy of it could be sent again; and if
// a code is redeemed twice, the provider may revoke the tokens issued for it (RFC 6749,
// 4.1.2). It is safe for concurrent use.
type usedCallbacks struct {
	local    *cache.Set         // nonces of callbacks used in this process; a state has more than one encoding
	outcomes *cache.Cache[bool] // by nonce: whether the browser was led on to its page
	// shared, if not nil, keeps a mark for each callback in the store, for all processes.
	shared        *record.Store
	skew, maxSkew time.Duration
	// wait bounds how long the second of two equal callbacks waits for the outcome of the first.
	wait time.Duration

	mu     sync.Mutex
	since  time.Time // when the count of failed callbacks began
	failed int       // since then
}

func newUsedCallbacks(c Config) *usedCallbacks {
	return &usedCallbacks{
		local: cache.NewSet(maxAbandoned), outcomes: cache.New[bool](maxOutcomes), shared: c.Store,
		skew: c.Skew, maxSkew: c.MaxSkew, wait: 2 * c.RequestTime,
	}
}

// claim marks a callback as used. It returns an error if the callback was used before.
func (u *usedCallbacks) claim(ctx context.Context, t *Transaction, now time.Time) error {
	until := t.Started.Add(lifetime + u.maxSkew)
	if u.local.Has(t.Nonce, now) {
		return errCallbackUsed
	}
	if u.shared != nil {
		// The clocks of the processes may differ by the skew, and so may the store's.
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
	if !u.local.Add(t.Nonce, until, now) {
		return errCallbackUsed
	}
	return nil
}

var errCallbackUsed = refusal.New(refusal.Replay, "the callback was used before")

// callbackMark is the kind of the marks in the store.
const callbackMark = "callback"

// The values of marks in the store.
const (
	markFailed  = 0
	markLeadsOn = 1 // or is under way
)

// An Outcome is the outcome of a callback.
type Outcome struct {
	// SignedIn reports whether the callback signed the user in.
	SignedIn bool
	// LedOn reports whether the browser was redirected to its page. That is also the case
	// after a silent sign-in that found no user.
	LedOn bool
	// Spent reports whether the provider may have seen the code.
	Spent bool
}

// settle records the outcome of a callback that claim has marked. If the callback signed
// nobody in, and its code may be spent, its mark stays in the store for a moment: a second
// click that reaches another process must not redeem the code again.
func (u *usedCallbacks) settle(ctx context.Context, nonce string, o Outcome, now time.Time) {
	u.outcomes.Put(nonce, o.LedOn)
	if u.shared == nil || o.SignedIn {
		return
	}
	if !o.Spent || !u.allowFailedMark(now) {
		u.shared.Unmark(ctx, callbackMark, nonce)
		return
	}
	mark := byte(markFailed)
	if o.LedOn {
		mark = markLeadsOn
	}
	// The store's clock may differ by the skew.
	until := now.Add(failedMark + u.skew)
	u.shared.UpdateMark(ctx, record.Mark{Kind: callbackMark, Value: nonce, Says: mark, Until: until})
}

// allowFailedMark reports whether the mark of one more failed callback may stay in the
// store, and counts it.
func (u *usedCallbacks) allowFailedMark(now time.Time) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	if !cache.Within(now, u.since, failedMark) {
		u.since, u.failed = now, 0
	}
	u.failed++
	return u.failed <= maxFailedMarks
}

// ledOn reports whether the first use of a callback that claim has refused redirected the
// browser to its page. It waits for one that is under way in this process. One under way in
// another process counts as if it had: if it fails, the page begins a new sign-in.
func (u *usedCallbacks) ledOn(ctx context.Context, nonce string, now time.Time) bool {
	ctx, cancel := context.WithTimeout(ctx, u.wait)
	defer cancel()
	for u.local.Has(nonce, now) {
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

// Settle records the outcome of a callback for which Finish returned no error.
func (m *Transactions) Settle(ctx context.Context, t *Transaction, o Outcome) {
	m.used.settle(ctx, t.Nonce, o, m.now())
}

// LedOn reports, for a callback that Finish refused because it was used before, whether its
// first use redirected the browser to its page. It waits for one that is under way in this
// process.
func (m *Transactions) LedOn(ctx context.Context, t *Transaction) bool {
	return m.used.ledOn(ctx, t.Nonce, m.now())
}
