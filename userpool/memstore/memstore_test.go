package memstore_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/cognate-auth/cognate/userpool/memstore"
	"github.com/cognate-auth/cognate/userpool/store"
	"github.com/cognate-auth/cognate/userpool/storetest"
)

func TestStore(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(*testing.T) store.Store { return memstore.New() })
}

// TestLimit fills a store: what would expire soonest makes room, of the same
// kind and in any pool; where nothing expires there is none.
func TestLimit(t *testing.T) {
	t.Parallel()
	s, ctx, begin := memstore.NewLimited(3), t.Context(), time.Unix(1000, 0)
	create := func(pool, kind string, n int) error {
		r := store.Record{Kind: kind, ID: fmt.Sprint(n), Names: []string{fmt.Sprint(n)}}
		if kind == "code" {
			r.Expires = begin.Add(time.Duration(n) * time.Second)
		}
		return s.Apply(ctx, pool, store.Change{Op: store.Create, Record: r})
	}
	for _, n := range []int{3, 1, 2, 4} {
		for _, kind := range []string{"code", "user"} {
			err := create("local_a", kind, n)
			if full := n == 4 && kind == "user"; errors.Is(err, store.ErrFull) != full || !full && err != nil {
				t.Errorf("creating %s %d: got %v", kind, n, err)
			}
		}
	}
	err := create("local_b", "code", 5)
	if err != nil {
		t.Error(err)
	}
	list, err := s.List(ctx, "local_a", "code", store.Query{Limit: 9})
	if err != nil || len(list) != 2 || list[0].ID != "3" || list[1].ID != "4" {
		t.Errorf("got %v, error %v, want 3 and 4", list, err)
	}

	// If the change fails, what made room is back.
	full := store.Change{Op: store.Create, Record: store.Record{Kind: "code", ID: "6", Expires: begin}}
	fault := store.Change{Op: store.Update, Record: store.Record{Kind: "code", ID: "nobody"}}
	err = s.Apply(ctx, "local_b", full, fault)
	if !errors.Is(err, store.ErrConflict) {
		t.Errorf("got %v, want ErrConflict", err)
	}
	r, ok, err := s.Find(ctx, "local_a", "code", "3")
	if err != nil || !ok || r.ID != "3" {
		t.Errorf("got %v, error %v, want the record that made room", r, err)
	}
}

// TestDensePrefix asks for a prefix that more records have than are sorted.
func TestDensePrefix(t *testing.T) {
	t.Parallel()
	s, ctx := memstore.New(), t.Context()
	for i := range 10_000 {
		r := store.Record{Kind: "user", ID: fmt.Sprintf("%05d", i), Terms: []string{fmt.Sprint("name:", i), "name:x"}}
		err := s.Apply(ctx, "p", store.Change{Op: store.Create, Record: r})
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct {
		q    store.Query
		want []string
	}{
		{store.Query{TermPrefix: "name:", After: "05000", Limit: 2}, []string{"05001", "05002"}},
		{store.Query{TermPrefix: "name:", After: "05000", Limit: 2, Descending: true}, []string{"04999", "04998"}},
		{store.Query{TermPrefix: "name:9", After: "9", Limit: 2, Descending: true}, []string{"09999", "09998"}},
		{store.Query{TermPrefix: "name:9", Limit: 2}, []string{"00009", "00090"}},
	} {
		list, err := s.List(ctx, "p", "user", tt.q)
		got := []string{}
		for _, r := range list {
			got = append(got, r.ID)
		}
		if err != nil || !slices.Equal(got, tt.want) {
			t.Errorf("%+v: got %v, error %v, want %v", tt.q, got, err, tt.want)
		}
	}
}

// TestSorted compares the list with a slice that is sorted anew each time.
func TestSorted(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	d, s, want := rand.New(rand.NewPCG(seed, 0)), memstore.NewSorted(), []int(nil)
	const n = 3000
	for step := range 4 * n {
		x := d.IntN(n)
		i, ok := slices.BinarySearch(want, x)
		grow := step < n || step > 3*n // then it shrinks, and grows again
		switch {
		case !ok && (grow || step%4 == 0):
			s.Insert(x)
			want = slices.Insert(want, i, x)
		case ok && !grow:
			s.Remove(x)
			want = slices.Delete(want, i, i+1)
		case !ok:
			s.Remove(x)
		}
		if step%50 > 0 {
			continue
		}
		from := d.IntN(n+2) - 1
		i, _ = slices.BinarySearch(want, from)
		below := slices.Clone(want[:i])
		slices.Reverse(below)
		if got := s.Up(from); !slices.Equal(got, want[i:]) {
			t.Fatalf("seed %d: from %d: got %v, want %v", seed, from, got, want[i:])
		}
		if got := s.Down(from); !slices.Equal(got, below) {
			t.Fatalf("seed %d: below %d: got %v, want %v", seed, from, got, below)
		}
	}
}

// BenchmarkSize shows that the cost of everything is the same for ten users and
// for a million. The metric B/user is the memory that one takes.
func BenchmarkSize(b *testing.B) {
	s, n := memstore.New(), 0
	before := heap()
	for _, size := range []int{10, 1000, 100_000, 1_000_000} {
		for ; n < size; n++ {
			err := s.Apply(b.Context(), "p", store.Change{Op: store.Create, Record: storetest.User(n)})
			if err != nil {
				b.Fatal(err)
			}
		}
		perUser := float64(heap()-before) / float64(n)
		for name, op := range storetest.Operations {
			b.Run(fmt.Sprintf("%s/%d", name, size), func(b *testing.B) {
				for i := 0; b.Loop(); i++ {
					err := op(b.Context(), s, "p", i, size)
					if err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(perUser, "B/user")
			})
		}
	}
}

func heap() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

func TestOnce(t *testing.T) {
	t.Parallel()
	storetest.RunOnce(t, func(*testing.T) (one, other store.Store) {
		s := memstore.New()
		return s, s
	})
}
