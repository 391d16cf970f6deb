// Package storetest is the conformance suite of store.Store. A store that
// passes Run, with the race detector on, is fit to keep a pool's data. RunOnce
// shows it at work: what a pool lets count once counts once.
//
// It knows store and, for RunOnce, pool and what is below it; no HTTP.
package storetest

import (
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cognate-auth/cognate/userpool/store"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// Two pools, and a moment in whole microseconds, which every engine can keep.
const (
	poolA = "local_a"
	poolB = "local_b"
)

var moment = time.Date(2026, 3, 4, 5, 6, 7, 89000, time.UTC)

// Run runs the suite. open returns a store that is empty and is used by one
// subtest only; the subtests run in parallel.
func Run(t *testing.T, open func(t *testing.T) store.Store) {
	t.Helper()
	for name, test := range map[string]func(*testing.T, store.Store){
		"create":                      testCreate,
		"create what exists":          testCreateExists,
		"create many":                 testCreateMany,
		"update":                      testUpdate,
		"update names and terms":      testUpdateKeys,
		"update conflicts":            testUpdateConflict,
		"update of any version":       testUpdateAnyVersion,
		"delete":                      testDelete,
		"delete a version":            testDeleteVersion,
		"delete owned":                testDeleteOwned,
		"delete by term":              testDeleteTerm,
		"unknown change":              testUnknownOp,
		"take":                        testTake,
		"keep":                        testKeep,
		"keep the newest":             testKeepOrder,
		"keep after a change of hand": testKeepMoved,
		"keep many":                   testKeepMany,
		"all or nothing":              testAtomic,
		"all or nothing, undone":      testAtomicUndo,
		"changes see one another":     testSequence,
		"list":                        testList,
		"list by owner":               testListOwner,
		"list by term":                testListTerm,
		"list by prefix":              testListPrefix,
		"list by several":             testListCombined,
		"list in pages":               testListPages,
		"byte order":                  testByteOrder,
		"odd keys":                    testOddKeys,
		"long keys":                   testLongKeys,
		"bodies":                      testBodies,
		"times":                       testTimes,
		"expiry":                      testExpiry,
		"expiry in portions":          testExpiryPortions,
		"expiry frees keys":           testExpiryKeys,
		"pools are apart":             testPools,
		"kinds are apart":             testKinds,
		"values are copies":           testCopies,
		"like a model":                testModel,
		"race to create":              testCreateRace,
		"race for a name":             testNameRace,
		"race to update":              testUpdateRace,
		"race to count":               testCountRace,
		"race to take":                testTakeRace,
		"race to keep":                testKeepRace,
		"race of rotation and end":    testRotationRace,
		"race for many names":         testSwapRace,
		"race of readers":             testReadRace,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, open(t))
		})
	}
}

// record returns a record of kind "thing" with every field set.
func record(id string) store.Record {
	return store.Record{
		Kind: "thing", ID: id, Owner: "ann", Names: []string{"name of " + id, id + "@example.com"},
		Terms: []string{"group:a", "color:" + id}, Expires: moment, Body: []byte("body of " + id),
	}
}

// bare returns a record that has nothing but its ID.
func bare(id string) store.Record { return store.Record{Kind: "thing", ID: id} }

func create(r store.Record) store.Change {
	return store.Change{Op: store.Create, Record: r}
}

func update(r store.Record, version int64) store.Change {
	r.Version = version
	return store.Change{Op: store.Update, Record: r}
}

func remove(id string) store.Change {
	return store.Change{Op: store.Delete, Record: bare(id)}
}

// stored is r as a store returns it.
func stored(r store.Record, version int64) store.Record {
	r.Version = version
	return r
}

// suite is a store in a test, with short ways to use it.
type suite struct {
	*testing.T
	store.Store
}

func (s suite) must(err error) {
	s.Helper()
	if err != nil {
		s.Fatalf("unexpected error: %v", err)
	}
}

func (s suite) apply(changes ...store.Change) {
	s.Helper()
	s.must(s.Apply(s.Context(), poolA, changes...))
}

// refused applies changes that must end with this error.
func (s suite) refused(what string, want error, changes ...store.Change) {
	s.Helper()
	err := s.Apply(s.Context(), poolA, changes...)
	if !errors.Is(err, want) {
		s.Errorf("%s: got error %v, want %v", what, err, want)
	}
}

func (s suite) get(id string) (store.Record, bool) {
	s.Helper()
	r, ok, err := s.Get(s.Context(), poolA, "thing", id)
	s.must(err)
	return r, ok
}

// find returns the ID of the record with this name, or nothing.
func (s suite) find(name string) string {
	s.Helper()
	r, ok, err := s.Find(s.Context(), poolA, "thing", name)
	s.must(err)
	if ok != (r.ID != "") {
		s.Errorf("found %v, with record %+v", ok, r)
	}
	return r.ID
}

// list returns the IDs of a list.
func (s suite) list(q store.Query) []string {
	s.Helper()
	if q.Limit == 0 {
		q.Limit = 1000
	}
	list, err := s.List(s.Context(), poolA, "thing", q)
	s.must(err)
	ids := []string{}
	for _, r := range list {
		ids = append(ids, r.ID)
	}
	return ids
}

func (s suite) has(want store.Record) {
	s.Helper()
	got, ok := s.get(want.ID)
	if !ok {
		s.Errorf("record %q is missing", want.ID)
		return
	}
	if !equal(got, want) {
		s.Errorf("got %+v\nwant %+v", got, want)
	}
}

func (s suite) gone(ids ...string) {
	s.Helper()
	for _, id := range ids {
		got, ok := s.get(id)
		if ok {
			s.Errorf("got %+v, want no record", got)
		}
	}
}

// same compares values; an empty list and none are the same.
func (s suite) same(got, want any) {
	s.Helper()
	diff := cmp.Diff(want, got, cmpopts.EquateEmpty())
	if diff != "" {
		s.Errorf("differs (-want +got):\n%s", diff)
	}
}

// race runs n calls at once, with numbers from 0, and returns how many of them
// returned true.
func race(n int, call func(i int) bool) int {
	var wins atomic.Int64
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			if call(i) {
				wins.Add(1)
			}
		})
	}
	wg.Wait()
	return int(wins.Load())
}
