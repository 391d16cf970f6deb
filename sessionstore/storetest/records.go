package storetest

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/cognate-auth/cognate/sessionstore"
)

var recordTests = group{
	"a new record is version 1":       testCreate,
	"an unknown key":                  testUnknown,
	"keys differ in one character":    testSimilarKeys,
	"update replaces value and end":   testUpdate,
	"update of an old version":        testUpdateConflict,
	"delete":                          testDelete,
	"a deleted key may be used again": testAgain,
	"values of every kind and size":   testValues,
	"values are copies":               testCopies,
}

func testCreate(b *bench) {
	want := b.record("ann", "x", "y")
	r := want
	r.Version = 7
	b.must(b.store.Create(b.Context(), r))
	b.loaded(want)

	r.Value, r.Expires, r.Indexes = []byte("other"), r.Expires.Add(time.Hour), nil
	b.wantErr("second creation", b.store.Create(b.Context(), r), sessionstore.ErrRecordChanged)
	b.loaded(want)
	b.deleted("x", 1) // the second creation left the indexes alone, too
	b.gone("deleted by index", want.Key)
}

func testUnknown(b *bench) {
	b.create("ann")
	bob := b.record("bob")
	b.gone("never created", bob.Key)
	b.wantErr("update", b.store.Update(b.Context(), bob), sessionstore.ErrNoRecord)
	b.gone("after the update", bob.Key)
	b.must(b.store.Delete(b.Context(), bob.Key))
	b.must(b.store.Create(b.Context(), bob)) // the earlier miss was not remembered
	b.loaded(bob)
}

// testSimilarKeys finds stores that fold case or truncate keys.
func testSimilarKeys(b *bench) {
	stem := key("ann")[:42]
	for _, last := range []string{"a", "A", "-", "_", "0"} {
		r := b.record("ann")
		r.Key, r.Value = stem+last, []byte(last)
		b.must(b.store.Create(b.Context(), r))
	}
	b.must(b.store.Delete(b.Context(), stem+"A"))
	b.gone("deleted", stem+"A")
	for _, last := range []string{"a", "-", "_", "0"} {
		got, err := b.store.LoadLatest(b.Context(), stem+last)
		b.must(err)
		if string(got.Value) != last || got.Key != stem+last {
			b.Errorf("key ending in %q: got value %q of key %q", last, got.Value, got.Key)
		}
	}
}

func testUpdate(b *bench) {
	r := b.create("ann", "x", "y")
	for i, change := range []time.Duration{time.Hour, -90 * time.Minute, 30 * 24 * time.Hour, 0} {
		want := r
		want.Value, want.Expires = []byte{byte(i)}, r.Expires.Add(change)
		changed := want
		changed.Indexes = []string{key("z")} // Update must not change Indexes
		b.must(b.store.Update(b.Context(), changed))
		want.Version++
		b.loaded(want)
		r = want
	}
	b.deleted("z", 0)
	b.loaded(r)
	b.deleted("y", 1)
	b.gone("deleted by index", r.Key)
}

func testUpdateConflict(b *bench) {
	r := b.create("ann")
	want := r
	want.Version, want.Value = 2, []byte("second")
	r.Value = want.Value
	b.must(b.store.Update(b.Context(), r))
	for _, version := range []uint64{0, 1, 3, 1 << 63, 1<<64 - 1} {
		late := b.record("ann")
		late.Version, late.Value = version, []byte("late")
		b.wantErr("update", b.store.Update(b.Context(), late), sessionstore.ErrRecordChanged)
		b.loaded(want)
	}
}

func testDelete(b *bench) {
	r := b.create("ann")
	other := b.create("bob")
	b.loaded(r)
	for range 2 {
		b.must(b.store.Delete(b.Context(), r.Key))
		b.gone("deleted", r.Key)
	}
	b.wantErr("update", b.store.Update(b.Context(), r), sessionstore.ErrNoRecord)
	b.gone("after the update", r.Key)
	b.loaded(other)
}

// testAgain also checks that a deleted record leaves no index behind.
func testAgain(b *bench) {
	r := b.create("ann", "x")
	r.Value = []byte("changed")
	b.must(b.store.Update(b.Context(), r))
	b.must(b.store.Delete(b.Context(), r.Key))
	again := b.create("ann", "y")
	b.loaded(again)
	b.deleted("x", 0)
	b.loaded(again)
	b.deleted("y", 1)
	b.gone("deleted by index", r.Key)
	again = b.create("ann")
	b.deleted("y", 0)
	b.loaded(again)
}

func testValues(b *bench) {
	all := make([]byte, 256)
	for i := range all {
		all[i] = byte(i)
	}
	large := make([]byte, sessionstore.MaxRecordValue)
	_, _ = rand.NewChaCha8([32]byte{1}).Read(large) // the same bytes in every run
	for name, value := range map[string][]byte{
		"nil": nil, "empty": {}, "zero": {0}, "lines": []byte("\r\n\r\n$-1\r\n"), "all bytes": all, "largest": large,
	} {
		r := b.record(name, "x")
		r.Value = value
		b.must(b.store.Create(b.Context(), r))
		b.loaded(r)
		r.Value = slices.Concat(value[len(value)/2:], value[:len(value)/2])
		b.must(b.store.Update(b.Context(), r))
		r.Version = 2
		b.loaded(r)
	}
	b.deleted("x", 6)
}

// testCopies modifies slices that were passed to the store, which must not change the
// records; and the store must not modify slices that it has returned.
func testCopies(b *bench) {
	r := b.create("ann", "x", "y")
	want := b.record("ann", "x", "y")
	want.Expires = r.Expires
	spoil := func(r sessionstore.Record) {
		copy(r.Value, bytes.Repeat([]byte("!"), len(r.Value)))
		for i := range r.Indexes {
			r.Indexes[i] = key("evil")
		}
	}
	spoil(r)
	b.loaded(want)

	for name, load := range loads(b.store) {
		got, err := load(b.Context(), r.Key)
		b.must(err)
		before := got
		before.Value, before.Indexes = bytes.Clone(got.Value), slices.Clone(got.Indexes)
		change := before
		change.Value = bytes.Repeat([]byte("c"), len(got.Value))
		b.must(b.store.Update(b.Context(), change))
		spoil(sessionstore.Record{Value: change.Value})
		b.same(name+" before an update", got, before)
		want.Version, want.Value = got.Version+1, bytes.Repeat([]byte("c"), len(got.Value))
		b.loaded(want)
	}
	b.deleted("evil", 0)
	b.deleted("x", 1)
}
