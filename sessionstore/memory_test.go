package sessionstore_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cognate-auth/cognate/sessionstore"
	"github.com/cognate-auth/cognate/sessionstore/storetest"
)

func TestMemoryStore(t *testing.T) {
	storetest.Run(t, func(*testing.T) sessionstore.Store { return sessionstore.NewMemory(0) },
		storetest.Clock(func(s sessionstore.Store) (func() time.Time, func(time.Duration)) {
			clock := &movedClock{now: time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)}
			s.(*sessionstore.Memory).Now = clock.Now
			return clock.Now, clock.Advance
		}))
}

type movedClock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *movedClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *movedClock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

func memoryRecord(i int, expires time.Time) sessionstore.Record {
	return sessionstore.Record{
		Key: fmt.Sprintf("%043d", i), Value: make([]byte, 400), Expires: expires,
		Indexes: []string{fmt.Sprintf("s%042d", i%1000), fmt.Sprintf("i%042d", i)},
	}
}

func TestMemoryStoreFull(t *testing.T) {
	const limit = 100
	clock := &movedClock{now: time.Unix(1_800_000_000, 0)}
	s := sessionstore.NewMemory(limit)
	s.Now = clock.Now
	create := func(i int, life time.Duration) error {
		return s.Create(t.Context(), memoryRecord(i, clock.Now().Add(life)))
	}
	for i := range limit {
		err := create(i, time.Duration(1+i%2)*time.Hour)
		if err != nil {
			t.Fatalf("record %d of %d: %v", i, limit, err)
		}
	}
	err := create(limit, time.Hour)
	if err == nil || !strings.Contains(err.Error(), "100 records, its limit") {
		t.Errorf("one more: got error %v, want one that names the limit", err)
	}
	for i := range limit {
		_, err := s.Load(t.Context(), fmt.Sprintf("%043d", i))
		if err != nil {
			t.Errorf("record %d after that: %v", i, err)
		}
	}
	err = create(0, time.Hour)
	if err == nil {
		t.Error("an existing record was created again")
	}

	clock.Advance(time.Hour) // half of them expire
	for i := range limit / 2 {
		err := create(limit+i, time.Hour)
		if err != nil {
			t.Fatalf("record %d in place of an expired one: %v", i, err)
		}
	}
	err = create(3*limit, time.Hour)
	if err == nil {
		t.Error("no error in a full store")
	}
	err = s.Delete(t.Context(), fmt.Sprintf("%043d", limit))
	if err != nil {
		t.Fatal(err)
	}
	err = create(3*limit, time.Hour)
	if err != nil {
		t.Errorf("in place of a deleted one: %v", err)
	}
}

// TestMemoryStoreFullOfEnded fills the store and then makes half of the records expire
// earlier: a new record must find their room.
func TestMemoryStoreFullOfEnded(t *testing.T) {
	const limit = 1000
	clock := &movedClock{now: time.Unix(1_800_000_000, 0)}
	s := sessionstore.NewMemory(limit)
	s.Now = clock.Now
	for i := range limit {
		err := s.Create(t.Context(), memoryRecord(i, clock.Now().Add(time.Hour)))
		if err != nil {
			t.Fatal(err)
		}
	}
	for i := limit / 2; i < limit; i++ {
		r := memoryRecord(i, clock.Now().Add(time.Minute))
		r.Version = 1
		err := s.Update(t.Context(), r)
		if err != nil {
			t.Fatal(err)
		}
	}
	clock.Advance(time.Minute)
	for i := range limit / 2 {
		err := s.Create(t.Context(), memoryRecord(limit+i, clock.Now().Add(time.Hour)))
		if err != nil {
			t.Fatalf("record %d in place of an expired one: %v", i, err)
		}
	}
}

// TestMemoryStoreForgets checks that later calls free the memory of expired records.
func TestMemoryStoreForgets(t *testing.T) {
	clock := &movedClock{now: time.Unix(1_800_000_000, 0)}
	s := sessionstore.NewMemory(0)
	s.Now = clock.Now
	for i := range 10_000 {
		clock.Advance(time.Second)
		err := s.Create(t.Context(), memoryRecord(i, clock.Now().Add(1000*time.Second)))
		if err != nil {
			t.Fatal(err)
		}
	}
	records, members := s.Size()
	if records > 1500 || members != 2*records {
		t.Errorf("with 1000 live records it keeps %d, and %d members of indexes; want at most 1500 and twice that",
			records, members)
	}
}

func TestMemoryStoreBounds(t *testing.T) {
	s := sessionstore.NewMemory(0)
	for name, change := range map[string]func(*sessionstore.Record){
		"value":   func(r *sessionstore.Record) { r.Value = make([]byte, sessionstore.MaxRecordValue+1) },
		"indexes": func(r *sessionstore.Record) { r.Indexes = make([]string, 5) },
	} {
		r := memoryRecord(1, time.Now().Add(time.Hour))
		change(&r)
		err := s.Create(t.Context(), r)
		if err == nil || !strings.Contains(err.Error(), "expected at most") {
			t.Errorf("create, too large %s: got error %v", name, err)
		}
		err = s.Update(t.Context(), r)
		if err == nil || !strings.Contains(err.Error(), "expected at most") {
			t.Errorf("update, too large %s: got error %v", name, err)
		}
	}
}

var memorySizes = []int{10, 1_000, 1_000_000}

func benchmarkMemoryStore(b *testing.B, call func(ctx context.Context, s *sessionstore.Memory, i, size int) error) {
	for _, size := range memorySizes {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			s := sessionstore.NewMemory(size + 1)
			expires := time.Now().Add(time.Hour)
			for i := range size {
				err := s.Create(b.Context(), memoryRecord(i, expires.Add(time.Duration(i))))
				if err != nil {
					b.Fatal(err)
				}
			}
			b.ReportAllocs()
			ctx, i := b.Context(), 0
			for b.Loop() {
				err := call(ctx, s, i, size)
				if err != nil {
					b.Fatal(err)
				}
				i++
			}
		})
	}
}

func BenchmarkMemoryStoreLoad(b *testing.B) {
	keys := make([]string, 1<<16)
	for i := range keys {
		keys[i] = fmt.Sprintf("%043d", i)
	}
	benchmarkMemoryStore(b, func(ctx context.Context, s *sessionstore.Memory, i, size int) error {
		_, err := s.Load(ctx, keys[i%min(size, len(keys))])
		return err
	})
}

func BenchmarkMemoryStoreCreateDelete(b *testing.B) {
	extra := memoryRecord(1<<40, time.Now().Add(2*time.Hour))
	benchmarkMemoryStore(b, func(ctx context.Context, s *sessionstore.Memory, _, _ int) error {
		err := s.Create(ctx, extra)
		if err != nil {
			return err
		}
		return s.Delete(ctx, extra.Key)
	})
}

// TestMemoryIndexes removes records from the beginning, the middle and the end of an index.
// Each record names one of its indexes twice.
func TestMemoryIndexes(t *testing.T) {
	key := func(c string) string { return strings.Repeat(c, 43) }
	for _, out := range []string{"a", "b", "c", "ab", "ac", "bc", "cba", "abc"} {
		s := sessionstore.NewMemory(0)
		for _, c := range []string{"a", "b", "c"} {
			r := sessionstore.Record{
				Key: key(c), Indexes: []string{key("x"), key("y"), key("x")}, Expires: time.Now().Add(time.Hour),
			}
			err := s.Create(t.Context(), r)
			if err != nil {
				t.Fatal(err)
			}
		}
		for _, c := range out {
			err := s.Delete(t.Context(), key(string(c)))
			if err != nil {
				t.Fatal(err)
			}
		}
		left := 3 - len(out)
		if records, members := s.Size(); records != left || members != 2*left {
			t.Errorf("without %s: %d records and %d members, want %d and %d", out, records, members, left, 2*left)
		}
		n, err := s.DeleteIndexed(t.Context(), key("x"))
		if n != left || err != nil {
			t.Errorf("without %s: %d had the index, %v; want %d", out, n, err, left)
		}
		if records, members := s.Size(); records != 0 || members != 0 {
			t.Errorf("without %s: %d records and %d members in the end", out, records, members)
		}
	}
}
