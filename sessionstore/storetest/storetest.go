// Package storetest implements the conformance tests of sessionstore.Store. A store that
// passes [Run] with the race detector on is fit to keep an app's sessions:
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

// An Option configures [Run] for a kind of store.
type Option func(*suite)

// Clock is for a store whose clock can be moved: of returns that clock and a function that
// advances it. Without this option time is real, and the tests of expiry wait about a
// second.
func Clock(of func(s sessionstore.Store) (now func() time.Time, advance func(time.Duration))) Option {
	return func(u *suite) { u.clock = of }
}

// Second is for a store whose data several processes share: open returns another handle on
// the data of s that shares no memory with s.
func Second(open func(t *testing.T, s sessionstore.Store) sessionstore.Store) Option {
	return func(u *suite) { u.second = open }
}

// Staleness sets how long Load may take to see a change made through another handle.
// The default is 2 seconds.
func Staleness(d time.Duration) Option {
	return func(u *suite) { u.staleness = d }
}

// Unreadable is for a store that others may write to. Each of the ways, keyed by a name for
// its subtest, replaces what the store holds under a key by something that is not a record:
// text, a record in another format, another kind of value. The suite then checks that it
// counts as missing.
func Unreadable(ways map[string]func(t *testing.T, s sessionstore.Store, key string)) Option {
	return func(u *suite) { u.unreadable = ways }
}

// Run runs the suite. Each subtest calls open for an empty store of its own; open closes the
// store with t.Cleanup. The subtests run in parallel.
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

// A bench is the store of one test, and its clock.
type bench struct {
	*testing.T
	*suite
	store   sessionstore.Store
	now     func() time.Time
	advance func(time.Duration)
}

// key returns a key, or the name of an index, in the form that Record.Key states.
func key(name string) string {
	sum := sha256.Sum256([]byte(name))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// record returns a record that expires in an hour.
func (b *bench) record(name string, indexes ...string) sessionstore.Record {
	r := sessionstore.Record{Key: key(name), Version: 1, Value: []byte("value of " + name)}
	for _, x := range indexes {
		r.Indexes = append(r.Indexes, key(x))
	}
	// Whole milliseconds: a store need not keep more.
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
	// The order of indexes is not significant.
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

// deleted calls DeleteIndexed and checks how many live records had the index.
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

// race makes n calls at once, numbered from 0, and waits for them.
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
