package storetest

import (
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cognate-auth/cognate/sessionstore"
)

var raceTests = group{
	"one of many creations wins":             testCreateRace,
	"one of many updates of a version wins":  testUpdateRace,
	"no update is lost":                      testCount,
	"an update does not undo a delete":       testDeleteRace,
	"an update does not undo a sign-out":     testDeleteIndexedRace,
	"deleting by index beside many creators": testCreators,
}

var handleTests = group{
	"another handle sees changes":        testHandles,
	"updates of two handles":             testHandlesCount,
	"what another handle ends is ended":  testHandlesEnd,
	"what another handle makes is found": testHandlesMiss,
}

func testCreateRace(b *bench) {
	for round := range 10 {
		var wins atomic.Int64
		var winner atomic.Value
		name := fmt.Sprint("ann", round)
		race(20, func(i int) {
			r := b.record(name)
			r.Value = fmt.Append(nil, i)
			err := b.store.Create(b.Context(), r)
			if err == nil {
				wins.Add(1)
				winner.Store(string(r.Value))
			} else if !errors.Is(err, sessionstore.ErrRecordChanged) {
				b.Errorf("creating: %v", err)
			}
		})
		got, err := b.store.Load(b.Context(), key(name))
		b.must(err)
		if wins.Load() != 1 || string(got.Value) != winner.Load() || got.Version != 1 {
			b.Errorf("%d creations won, want 1; got value %q, version %d, want %q, 1",
				wins.Load(), got.Value, got.Version, winner.Load())
		}
	}
}

func testUpdateRace(b *bench) {
	r := b.create("ann")
	for range 10 {
		var wins atomic.Int64
		race(20, func(int) {
			err := b.store.Update(b.Context(), r)
			if err == nil {
				wins.Add(1)
			} else if !errors.Is(err, sessionstore.ErrRecordChanged) {
				b.Errorf("updating: %v", err)
			}
		})
		if wins.Load() != 1 {
			b.Errorf("%d updates of one version won, want 1", wins.Load())
		}
		r.Version++
		b.loaded(r)
	}
}

// add adds one to a counter by compare-and-swap.
func (b *bench) add(s sessionstore.Store, key string) {
	for {
		r, err := s.LoadLatest(b.Context(), key)
		if err != nil {
			b.Errorf("reading: %v", err)
			return
		}
		r.Value = binary.BigEndian.AppendUint64(nil, binary.BigEndian.Uint64(r.Value)+1)
		err = s.Update(b.Context(), r)
		if err == nil {
			return
		}
		if !errors.Is(err, sessionstore.ErrRecordChanged) {
			b.Errorf("updating: %v", err)
			return
		}
	}
}

func (b *bench) counted(r sessionstore.Record, n int) {
	b.Helper()
	r.Version, r.Value = uint64(n)+1, binary.BigEndian.AppendUint64(nil, uint64(n)) //nolint:gosec // a small constant
	b.loaded(r)
}

func (b *bench) counter() sessionstore.Record {
	b.Helper()
	r := b.record("counter", "x")
	r.Value = make([]byte, 8)
	b.must(b.store.Create(b.Context(), r))
	return r
}

func testCount(b *bench) {
	r := b.counter()
	race(100, func(int) { b.add(b.store, r.Key) })
	b.counted(r, 100)
}

// keepUpdating updates a record until it is gone, and reports any other error.
func (b *bench) keepUpdating(r sessionstore.Record, started *sync.WaitGroup) {
	first := sync.OnceFunc(started.Done)
	for {
		err := b.store.Update(b.Context(), r)
		first()
		switch {
		case err == nil:
			r.Version++
			r.Expires = r.Expires.Add(time.Minute)
		case errors.Is(err, sessionstore.ErrRecordChanged):
			got, err := b.store.LoadLatest(b.Context(), r.Key)
			if err == nil {
				r.Version = got.Version
			}
		case errors.Is(err, sessionstore.ErrNoRecord):
			return
		default:
			b.Errorf("updating: %v", err)
			return
		}
	}
}

// endWhileUpdating deletes records while others update them; none may come back.
func (b *bench) endWhileUpdating(end func(r sessionstore.Record) error) {
	for round := range 10 {
		r := b.create(fmt.Sprint("ann", round), "x")
		var started sync.WaitGroup
		started.Add(4)
		race(5, func(i int) {
			if i > 0 {
				b.keepUpdating(r, &started)
				return
			}
			started.Wait()
			err := end(r)
			if err != nil {
				b.Errorf("ending: %v", err)
			}
			b.gone("ended", r.Key)
		})
		b.gone("in the end", r.Key)
	}
}

func testDeleteRace(b *bench) {
	b.endWhileUpdating(func(r sessionstore.Record) error { return b.store.Delete(b.Context(), r.Key) })
}

func testDeleteIndexedRace(b *bench) {
	b.endWhileUpdating(func(r sessionstore.Record) error {
		n, err := b.store.DeleteIndexed(b.Context(), r.Indexes[0])
		if err == nil && n != 1 {
			b.Errorf("deleted %d records, want 1", n)
		}
		return err
	})
}

// testCreators deletes records by their index while 50 goroutines create more. Each call
// must delete every record whose Create returned before, and each record is counted once.
func testCreators(b *bench) {
	const creators, each = 50, 10
	var mu sync.Mutex
	var created []string
	deleted := 0
	sweep := func() {
		mu.Lock()
		before := created
		created = nil
		mu.Unlock()
		n, err := b.store.DeleteIndexed(b.Context(), key("x"))
		if err != nil {
			b.Errorf("deleting: %v", err)
		}
		deleted += n
		for _, k := range before {
			b.gone("created before", k)
		}
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		race(creators, func(i int) {
			for j := range each {
				r := b.record(fmt.Sprint(i, "-", j), "x", fmt.Sprint("sid", i, "-", j))
				err := b.store.Create(b.Context(), r)
				if err != nil {
					b.Errorf("creating: %v", err)
					continue
				}
				mu.Lock()
				created = append(created, r.Key)
				mu.Unlock()
			}
		})
	}()
	for running := true; running; {
		select {
		case <-done:
			running = false
		default:
		}
		sweep()
	}
	if deleted != creators*each {
		b.Errorf("deleted %d records, want %d", deleted, creators*each)
	}
}

func (b *bench) other() sessionstore.Store {
	b.Helper()
	return b.second(b.T, b.store)
}

// soon checks that a handle's LoadLatest sees a version at once, and its Load within the
// staleness. Version 0 means that there is no record.
func (b *bench) soon(s sessionstore.Store, key string, version uint64) {
	b.Helper()
	see := func(r sessionstore.Record, err error) bool {
		if err != nil && !errors.Is(err, sessionstore.ErrNoRecord) {
			b.Fatalf("unexpected error: %v", err)
		}
		return r.Version == version
	}
	if !see(s.LoadLatest(b.Context(), key)) {
		b.Errorf("LoadLatest of another handle did not see version %d at once", version)
	}
	for start := time.Now(); !see(s.Load(b.Context(), key)); time.Sleep(time.Millisecond) {
		if time.Since(start) > b.staleness {
			b.Errorf("Load of another handle did not see version %d within %v", version, b.staleness)
			return
		}
	}
}

func testHandles(b *bench) {
	other := b.other()
	r := b.create("ann", "x")
	b.soon(other, r.Key, 1)
	for range 5 {
		b.must(b.store.Update(b.Context(), r))
		r.Version++
		b.soon(other, r.Key, r.Version)
		b.must(other.Update(b.Context(), r))
		r.Version++
		b.soon(b.store, r.Key, r.Version)
	}
	b.wantErr("second creation", other.Create(b.Context(), r), sessionstore.ErrRecordChanged)
}

func testHandlesCount(b *bench) {
	r := b.counter()
	stores := []sessionstore.Store{b.store, b.other()}
	race(40, func(i int) { b.add(stores[i%2], r.Key) })
	b.counted(r, 40)
}

func testHandlesEnd(b *bench) {
	other := b.other()
	one, two := b.create("one", "x"), b.create("two", "x")
	b.soon(other, one.Key, 1)
	b.soon(other, two.Key, 1)
	b.must(b.store.Delete(b.Context(), one.Key))
	b.soon(other, one.Key, 0)
	b.wantErr("update", other.Update(b.Context(), one), sessionstore.ErrNoRecord)
	n, err := other.DeleteIndexed(b.Context(), key("x"))
	b.must(err)
	if n != 1 {
		b.Errorf("deleted %d records, want 1", n)
	}
	b.soon(b.store, two.Key, 0)
	b.wantErr("update", b.store.Update(b.Context(), two), sessionstore.ErrNoRecord)
}

// testHandlesMiss finds stores that remember for too long that a record was missing.
func testHandlesMiss(b *bench) {
	other := b.other()
	r := b.record("ann", "x")
	_, err := other.Load(b.Context(), r.Key)
	b.wantErr("before", err, sessionstore.ErrNoRecord)
	b.must(b.store.Create(b.Context(), r))
	b.soon(other, r.Key, 1)
}
