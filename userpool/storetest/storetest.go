// Package storetest is the conformance suite of userpool.Store. A store that
// passes Run, with the race detector on, is fit to keep a pool's data.
package storetest

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/cognate-auth/cognate/userpool"
)

// Two pools.
const (
	poolA = "local_a"
	poolB = "local_b"
)

// Run runs the suite. open returns a store that is empty and is used by one
// subtest only; the subtests run in parallel.
func Run(t *testing.T, open func(t *testing.T) userpool.Store) {
	t.Helper()
	for name, test := range map[string]func(*testing.T, userpool.Store){
		"records": testRecords,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, open(t))
		})
	}
}

func testRecords(t *testing.T, s userpool.Store) {
	ctx := t.Context()
	r := userpool.Record{Kind: "user", ID: "1", Names: []string{"ann"}, Terms: []string{"group:a"}, Body: []byte("{}")}
	err := s.Apply(ctx, poolA, userpool.Change{Op: userpool.Create, Record: r})
	if err != nil {
		t.Fatal(err)
	}
	r.Version = 1
	got, ok, err := s.Find(ctx, poolA, "user", "ann")
	if diff := cmp.Diff(r, got); err != nil || !ok || diff != "" {
		t.Errorf("got %v, %v, (-want +got)\n%s", ok, err, diff)
	}
	_, ok, err = s.Find(ctx, poolB, "user", "ann")
	if err != nil || ok {
		t.Errorf("in another pool: got %v, %v", ok, err)
	}
	err = s.Apply(ctx, poolA, userpool.Change{Op: userpool.Create, Record: r})
	if !errors.Is(err, userpool.ErrExists) {
		t.Errorf("twice: got %v, want ErrExists", err)
	}
}
