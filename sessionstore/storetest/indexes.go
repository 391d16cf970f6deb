package storetest

import (
	"fmt"

	"github.com/cognate-auth/cognate/sessionstore"
)

var indexTests = group{
	"deleting by index":              testDeleteIndexed,
	"a record with several indexes":  testSeveralIndexes,
	"an index is used again":         testIndexAgain,
	"an index of many":               testManyMembers,
	"indexes and keys are apart":     testIndexIsNoKey,
	"deleted members do not count":   testDeletedMembers,
	"an index goes on after updates": testIndexAfterUpdates,
}

func testDeleteIndexed(b *bench) {
	b.deleted("x", 0)
	one, two := b.create("one", "x"), b.create("two", "x")
	other, none := b.create("other", "y"), b.create("none")
	b.loaded(one)
	b.deleted("x", 2)
	b.gone("deleted by index", one.Key)
	b.gone("deleted by index", two.Key)
	b.loaded(other)
	b.loaded(none)
	b.deleted("x", 0)
	b.deleted("y", 1)
	b.loaded(none)
}

func testSeveralIndexes(b *bench) {
	r := b.create("ann", "a", "b", "c", "d")
	b.loaded(r)
	b.create("bob", "c")
	b.deleted("c", 2)
	b.gone("deleted by index", r.Key)
	for _, x := range []string{"a", "b", "c", "d"} {
		b.deleted(x, 0)
	}
	b.create("ann", "x", "x") // named twice, counted once
	b.deleted("x", 1)
}

func testIndexAgain(b *bench) {
	for i := range 3 {
		r := b.create(fmt.Sprint("ann", i), "x")
		b.loaded(r)
		b.deleted("x", 1)
		b.gone("deleted by index", r.Key)
	}
}

// testManyMembers has more members than a store may handle in one batch.
func testManyMembers(b *bench) {
	const n = 1200
	race(20, func(i int) {
		for j := range n / 20 {
			err := b.store.Create(b.Context(), b.record(fmt.Sprint(i, "-", j), "x"))
			if err != nil {
				b.Errorf("creating: %v", err)
			}
		}
	})
	b.deleted("x", n)
	b.gone("first", key("0-0"))
	b.gone("last", key("19-59"))
}

func testIndexIsNoKey(b *bench) {
	r := b.create("ann", "ann")
	b.gone("name of an index", key("x"))
	b.create("bob", "x")
	b.gone("name of an index", key("x"))
	b.must(b.store.Delete(b.Context(), key("x")))
	b.deleted("x", 1)
	b.loaded(r)
	b.deleted("ann", 1)
}

func testDeletedMembers(b *bench) {
	one, two := b.create("one", "x"), b.create("two", "x")
	b.must(b.store.Delete(b.Context(), one.Key))
	b.loaded(two)
	b.deleted("x", 1)
	b.gone("deleted by index", two.Key)
}

func testIndexAfterUpdates(b *bench) {
	r := b.create("ann", "x")
	for range 5 {
		b.must(b.store.Update(b.Context(), r))
		r.Version++
	}
	b.deleted("x", 1)
	b.gone("deleted by index", r.Key)
	b.wantErr("update", b.store.Update(b.Context(), r), sessionstore.ErrNoRecord)
}
