package storetest

import (
	"errors"
	"testing"
	"time"

	"github.com/cognate-auth/cognate/sessionstore"
)

// unreadableTests has a test for each way in which a record can become unreadable.
func (u *suite) unreadableTests() group {
	g := group{}
	for name, spoil := range u.unreadable {
		g["an unreadable record counts as missing: "+name] = func(b *bench) { testUnreadable(b, spoil) }
	}
	return g
}

// testUnreadable spoils records and goes on using the store. Calls with a spoiled key must
// not return an error that would mean an outage, and no other record is affected.
func testUnreadable(b *bench, spoil func(*testing.T, sessionstore.Store, string)) {
	other := b.create("other", "x")
	spoiled := func(name string) sessionstore.Record {
		b.Helper()
		r := b.create(name, "x", "y "+name)
		b.loaded(r) // into a cache near the process, if there is one
		spoil(b.T, b.store, r.Key)
		return r
	}

	r := spoiled("found")
	b.soonGone(r.Key)
	b.wantErr("update", b.store.Update(b.Context(), r), sessionstore.ErrNoRecord)
	b.soonGone(r.Key)

	r = spoiled("replaced")
	again := b.record("replaced", "z")
	b.must(b.store.Create(b.Context(), again))
	b.loaded(again)
	again.Value = []byte("changed")
	b.must(b.store.Update(b.Context(), again))
	again.Version++
	b.loaded(again)

	r = spoiled("deleted")
	b.must(b.store.Delete(b.Context(), r.Key))
	b.gone("deleted", r.Key)
	b.create("deleted")

	r = spoiled("of an index")
	b.deleted("y of an index", 0)
	b.soonGone(r.Key)

	b.loaded(other)
	b.deleted("x", 1) // spoiled records don't count
	b.gone("deleted by index", other.Key)
	b.loaded(again)
}

// soonGone checks that neither way of reading returns a record, Load after a while.
func (b *bench) soonGone(key string) {
	b.Helper()
	_, err := b.store.LoadLatest(b.Context(), key)
	b.wantErr("LoadLatest", err, sessionstore.ErrNoRecord)
	for start := time.Now(); ; time.Sleep(time.Millisecond) {
		_, err = b.store.Load(b.Context(), key)
		if errors.Is(err, sessionstore.ErrNoRecord) {
			return
		}
		if err != nil || time.Since(start) > b.staleness {
			b.Errorf("Load: got error %v, want no record within %v", err, b.staleness)
			return
		}
	}
}
