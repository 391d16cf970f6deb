package storetest

import (
	"context"
	"errors"
	"time"

	"github.com/cognate-auth/cognate/sessionstore"
)

var expiryTests = group{
	"a record ends when it expires":          testExpiry,
	"an expired key may be used again":       testExpiredAgain,
	"update makes a record live longer":      testLonger,
	"update makes a record live shorter":     testShorter,
	"a longer life keeps the indexes":        testLongerIndexed,
	"a record that has expired when created": testExpiredNew,
}

// life is how long the records of these tests live: long enough for a slow machine to
// load them before they expire.
const life = time.Second

// createFor saves a record that expires after d.
func (b *bench) createFor(d time.Duration, name string, indexes ...string) sessionstore.Record {
	b.Helper()
	r := b.record(name, indexes...)
	r.Expires = b.now().Add(d).Truncate(time.Millisecond)
	b.must(b.store.Create(b.Context(), r))
	return r
}

// expire waits until a record has expired.
func (b *bench) expire(r sessionstore.Record) { b.pass(r.Expires) }

// pass waits until a point in time has passed.
func (b *bench) pass(at time.Time) {
	// A store may run on another machine with another clock, but not in a test.
	b.advance(at.Sub(b.now()) + 20*time.Millisecond)
}

// alive checks that the record is found, unless this machine was too slow to load it before
// it expired.
func (b *bench) alive(r sessionstore.Record) {
	b.Helper()
	for name, load := range loads(b.store) {
		_, err := load(b.Context(), r.Key)
		if err != nil && b.now().Before(r.Expires) {
			b.Errorf("%s before the end: %v", name, err)
		}
	}
}

// outlive creates a record that expires soon, and extends its life by an hour. It returns
// the record and its first Expires. It tries again with more time if this machine was too
// slow.
func (b *bench) outlive(name string, indexes ...string) (r sessionstore.Record, first time.Time) {
	b.Helper()
	for d := life; ; d *= 2 {
		r = b.createFor(d, name, indexes...)
		b.alive(r)
		first = r.Expires
		r.Expires = first.Add(time.Hour)
		err := b.store.Update(b.Context(), r)
		if errors.Is(err, sessionstore.ErrNoRecord) && !b.now().Before(first) && d < time.Minute {
			continue
		}
		b.must(err)
		r.Version++
		return r, first
	}
}

func testExpiry(b *bench) {
	r := b.createFor(life, "ann", "x")
	other := b.create("bob", "x")
	b.alive(r)
	b.expire(r)
	b.gone("expired", r.Key)
	b.wantErr("update", b.store.Update(b.Context(), r), sessionstore.ErrNoRecord)
	b.gone("after the update", r.Key)
	b.loaded(other)
	b.deleted("x", 1) // an expired member does not count
	b.must(b.store.Delete(b.Context(), r.Key))
}

func testExpiredAgain(b *bench) {
	r := b.createFor(life, "ann", "x")
	b.alive(r)
	b.expire(r)
	again := b.create("ann", "y")
	b.loaded(again)
	b.deleted("x", 0)
	b.deleted("y", 1)
}

func testLonger(b *bench) {
	r, first := b.outlive("ann")
	b.pass(first)
	b.loaded(r)
}

func testShorter(b *bench) {
	r := b.create("ann", "x")
	b.loaded(r)
	r.Expires = b.now().Add(life).Truncate(time.Millisecond)
	b.must(b.store.Update(b.Context(), r))
	r.Version = 2
	b.alive(r)
	b.expire(r)
	b.gone("expired", r.Key)
	b.deleted("x", 0)

	r = b.create("bob", "x")
	r.Expires = b.now().Add(-time.Second)
	b.must(b.store.Update(b.Context(), r))
	b.gone("ended by the update", r.Key)
	b.deleted("x", 0)
}

// testLongerIndexed finds stores whose index forgets a member at the member's first Expires,
// although an update has extended it. Adding a new member may trigger the clean-up.
func testLongerIndexed(b *bench) {
	r, first := b.outlive("ann", "x", "y")
	b.pass(first)
	b.create("bob", "x")
	b.deleted("x", 2)
	b.gone("deleted by index", r.Key)
}

func testExpiredNew(b *bench) {
	r := b.record("ann", "x")
	for _, expires := range []time.Time{b.now().Add(-time.Millisecond), time.Unix(1, 0), {}} {
		r.Expires = expires
		b.must(b.store.Create(b.Context(), r))
		b.gone("expired when created", r.Key)
		b.deleted("x", 0)
	}
	b.loaded(b.create("ann", "x"))
}

var contextTests = group{
	"a cancelled context":           testCancelled,
	"a context past its deadline":   testPastDeadline,
	"a context cancelled in flight": testCancelledInFlight,
}

// calls returns a call of every method, on an existing record.
func (b *bench) calls(ctx context.Context, r sessionstore.Record) map[string]func() error {
	return map[string]func() error{
		"Create":        func() error { return b.store.Create(ctx, b.record("new", "x")) },
		"Load":          func() error { _, err := b.store.Load(ctx, r.Key); return err },
		"LoadLatest":    func() error { _, err := b.store.LoadLatest(ctx, r.Key); return err },
		"Update":        func() error { return b.store.Update(ctx, r) },
		"Delete":        func() error { return b.store.Delete(ctx, r.Key) },
		"DeleteIndexed": func() error { _, err := b.store.DeleteIndexed(ctx, key("x")); return err },
	}
}

// atOnce is a thousand times what such a call takes, to allow for busy machines.
const atOnce = 10 * time.Second

// refuses checks that each call returns at once with an error that says nothing about the
// record: a caller that gets ErrNoRecord ends the session.
func (b *bench) refuses(ctx context.Context) {
	b.Helper()
	r := b.create("ann", "x")
	b.loaded(r)
	for name, call := range b.calls(ctx, r) {
		start := time.Now()
		err := call()
		if err == nil || errors.Is(err, sessionstore.ErrNoRecord) || errors.Is(err, sessionstore.ErrRecordChanged) {
			b.Errorf("%s: got error %v, want one of the context", name, err)
		}
		if took := time.Since(start); took > atOnce {
			b.Errorf("%s took %v", name, took)
		}
	}
}

func testCancelled(b *bench) {
	ctx, cancel := context.WithCancel(b.Context())
	cancel()
	b.refuses(ctx)
}

func testPastDeadline(b *bench) {
	ctx, cancel := context.WithDeadline(b.Context(), time.Now().Add(-time.Second))
	defer cancel()
	b.refuses(ctx)
}

// testCancelledInFlight checks that a caller with a short deadline does not affect others:
// those who wait for the same record must not get that caller's error.
func testCancelledInFlight(b *bench) {
	r := b.create("ann")
	race(40, func(i int) {
		ctx := b.Context()
		if i%2 == 0 {
			short, cancel := context.WithTimeout(ctx, time.Duration(i)*50*time.Microsecond)
			defer cancel()
			_, err := b.store.Load(short, r.Key)
			if errors.Is(err, sessionstore.ErrNoRecord) {
				b.Errorf("with a short deadline: got %v", err)
			}
			return
		}
		_, err := b.store.Load(ctx, r.Key)
		if err != nil {
			b.Errorf("beside short deadlines: %v", err)
		}
	})
}
