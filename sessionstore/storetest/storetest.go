// Package storetest is the conformance suite of sessionstore.Store. A store that
// passes [Run], with the race detector on, is fit to keep an app's sessions:
//
//	func TestStore(t *testing.T) {
//		storetest.Run(t, func(t *testing.T) sessionstore.Store { return open(t) })
//	}
package storetest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/cognate-auth/cognate/sessionstore"
)

// An Option tells [Run] more about the store.
type Option func(*suite)

// Clock is for a store with a clock of its own: of returns that clock and what moves it
// on. Without this option time is real, and the tests of expiry wait about a second.
func Clock(of func(s sessionstore.Store) (now func() time.Time, advance func(time.Duration))) Option {
	return func(u *suite) { u.clock = of }
}

// Second is for a store whose data other processes share: open returns another handle on
// the data of s, which has no memory in common with it.
func Second(open func(t *testing.T, s sessionstore.Store) sessionstore.Store) Option {
	return func(u *suite) { u.second = open }
}

// Staleness is how long Load may take to see what was done through another handle.
// The default is 2 seconds.
func Staleness(d time.Duration) Option {
	return func(u *suite) { u.staleness = d }
}

// Unreadable is for a store that others may write to. Each of the ways, by a name for it,
// makes what the store holds under a key something that is no record: text, a record of
// another format, another kind of value. The suite then checks that it counts as no record.
func Unreadable(ways map[string]func(t *testing.T, s sessionstore.Store, key string)) Option {
	return func(u *suite) { u.unreadable = ways }
}

// Run runs the suite. open returns a store that is empty and is used by one subtest
// only, which ends it with t.Cleanup; the subtests run in parallel.
func Run(t *testing.T, open func(t *testing.T) sessionstore.Store, options ...Option) {
	t.Helper()
	u := &suite{clock: realClock, staleness: 2 * time.Second}
	for _, o := range options {
		o(u)
	}
	tests := []group{recordTests, indexTests, expiryTests, contextTests, raceTests}
	if u.second != nil {
		tests = append(tests, handleTests)
	}
	tests = append(tests, u.unreadableTests())
	for _, g := range tests {
		for name, test := range g {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				b := &bench{T: t, suite: u, store: open(t)}
				b.now, b.advance = u.clock(b.store)
				test(b)
			})
		}
	}
}

type group map[string]func(*bench)

type suite struct {
	clock     func(sessionstore.Store) (func() time.Time, func(time.Duration))
	second    func(*testing.T, sessionstore.Store) sessionstore.Store
	staleness time.Duration

	unreadable map[string]func(*testing.T, sessionstore.Store, string)
}

func realClock(sessionstore.Store) (func() time.Time, func(time.Duration)) {
	return time.Now, time.Sleep
}

// A bench is one test's store and its time.
type bench struct {
	*testing.T
	*suite
	store   sessionstore.Store
	now     func() time.Time
	advance func(time.Duration)
}

// key makes a name in the form the contract states.
func key(name string) string {
	sum := sha256.Sum256([]byte(name))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// record is one that expires in an hour.
func (b *bench) record(name string, indexes ...string) sessionstore.Record {
	r := sessionstore.Record{Key: key(name), Version: 1, Value: []byte("value of " + name)}
	for _, x := range indexes {
		r.Indexes = append(r.Indexes, key(x))
	}
	// Whole milliseconds, which is what a store has to keep.
	r.Expires = b.now().Add(time.Hour).Truncate(time.Millisecond)
	return r
}

// create saves a record, and returns it as the store should keep it.
func (b *bench) create(name string, indexes ...string) sessionstore.Record {
	b.Helper()
	r := b.record(name, indexes...)
	b.must(b.store.Create(b.Context(), r))
	return r
}

func (b *bench) must(err error) {
	b.Helper()
	if err != nil {
		b.Fatalf("unexpected error: %v", err)
	}
}

func (b *bench) wantErr(what string, got, want error) {
	b.Helper()
	if !errors.Is(got, want) {
		b.Errorf("%s: got error %v, want %v", what, got, want)
	}
}

// loaded checks that both ways of reading return the record.
func (b *bench) loaded(want sessionstore.Record) {
	b.Helper()
	for name, load := range loads(b.store) {
		got, err := load(b.Context(), want.Key)
		if err != nil {
			b.Errorf("%s: unexpected error: %v", name, err)
			continue
		}
		b.same(name, got, want)
	}
}

// gone checks that neither way of reading returns a record.
func (b *bench) gone(what, key string) {
	b.Helper()
	for name, load := range loads(b.store) {
		_, err := load(b.Context(), key)
		b.wantErr(what+": "+name, err, sessionstore.ErrNoRecord)
	}
}

func (b *bench) same(what string, got, want sessionstore.Record) {
	b.Helper()
	// The order of indexes means nothing.
	got.Indexes = slices.Sorted(slices.Values(got.Indexes))
	indexes := slices.Sorted(slices.Values(want.Indexes))
	if got.Key != want.Key || got.Version != want.Version || !bytes.Equal(got.Value, want.Value) ||
		!slices.Equal(got.Indexes, indexes) || !got.Expires.Equal(want.Expires) {
		b.Errorf("%s: got key %.8q, version %d, value %.40q (%d bytes), indexes %.8q, expires %v\n"+
			"want key %.8q, version %d, value %.40q (%d bytes), indexes %.8q, expires %v", what,
			got.Key, got.Version, got.Value, len(got.Value), got.Indexes, got.Expires,
			want.Key, want.Version, want.Value, len(want.Value), indexes, want.Expires)
	}
}

// deleted checks how many live records had the index.
func (b *bench) deleted(index string, want int) {
	b.Helper()
	got, err := b.store.DeleteIndexed(b.Context(), key(index))
	b.must(err)
	if got != want {
		b.Errorf("deleted %d records of index %s, want %d", got, index, want)
	}
}

func loads(s sessionstore.Store) map[string]func(context.Context, string) (sessionstore.Record, error) {
	return map[string]func(context.Context, string) (sessionstore.Record, error){
		"Load": s.Load, "LoadLatest": s.LoadLatest,
	}
}

// race runs n calls at once, with their numbers, and waits for them.
func race(n int, call func(i int)) {
	var start, done sync.WaitGroup
	start.Add(1)
	for i := range n {
		done.Go(func() {
			start.Wait()
			call(i)
		})
	}
	start.Done()
	done.Wait()
}
