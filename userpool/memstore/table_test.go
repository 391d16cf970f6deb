package memstore

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"
)

// TestTableIsBounded checks, with random calls, that a table never exceeds its
// bound, that it drops what expires soonest, and that nothing is left behind
// in its indexes.
func TestTableIsBounded(t *testing.T) {
	t.Parallel()
	const most = 50
	start := time.Unix(0, 0)
	table := newTable[int](most)
	rng := rand.New(rand.NewPCG(1, 2))
	for i := range 20_000 {
		k := key{"p", fmt.Sprint(rng.IntN(200))}
		switch rng.IntN(4) {
		case 0:
			table.put(k, i, start.Add(time.Duration(rng.IntN(1000))))
		case 1:
			owner := key{"p", fmt.Sprint(rng.IntN(5))}
			table.putOwned(k, owner, i, start.Add(time.Duration(rng.IntN(1000))), 8)
		case 2:
			table.take(k)
		case 3:
			table.expire(start.Add(time.Duration(rng.IntN(100))), 3)
		}
		checkTable(t, table, most)
	}
	table.expire(start.Add(time.Hour), most)
	if len(table.records)+len(table.soonest)+len(table.owners) != 0 {
		t.Errorf("after everything expired %d records, %d in the heap, %d owners are left",
			len(table.records), len(table.soonest), len(table.owners))
	}
}

func checkTable(t *testing.T, table *table[int], most int) {
	t.Helper()
	if len(table.records) > most || len(table.records) != len(table.soonest) {
		t.Fatalf("%d records, %d in the heap, at most %d", len(table.records), len(table.soonest), most)
	}
	for i, r := range table.soonest {
		if r.at != i || i > 0 && table.soonest.Less(i, (i-1)/2) {
			t.Fatalf("heap out of order at %d", i)
		}
	}
	for owner, turns := range table.owners {
		if turns.Len() == 0 || turns.Len() > 8 {
			t.Fatalf("owner %v has %d records", owner, turns.Len())
		}
	}
}

// TestFullTableDropsTheSoonest pins which record makes room.
func TestFullTableDropsTheSoonest(t *testing.T) {
	t.Parallel()
	table := newTable[int](2)
	for i, seconds := range []int64{30, 10, 20} {
		table.put(key{"p", fmt.Sprint(i)}, i, time.Unix(seconds, 0))
	}
	for id, want := range map[string]bool{"0": true, "1": false, "2": true} {
		_, got := table.get(key{"p", id})
		if got != want {
			t.Errorf("record %s kept: got %t, want %t", id, got, want)
		}
	}
}
