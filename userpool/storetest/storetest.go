// Package storetest is the conformance suite of userpool.Store. A store that
// passes Run, with the race detector on, is fit to keep a pool's data.
package storetest

import (
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/cognate-auth/cognate/userpool"
)

// Two pools, and a moment in whole microseconds, which every engine can keep.
const (
	poolA = "local_a"
	poolB = "local_b"
)

var moment = time.Date(2026, 3, 4, 5, 6, 7, 89000, time.UTC)

// Run runs the suite. open returns a store that is empty and is used by one
// subtest only; the subtests run in parallel.
func Run(t *testing.T, open func(t *testing.T) userpool.Store) {
	t.Helper()
	for name, test := range map[string]func(*testing.T, userpool.Store){
		"clients":                   testClients,
		"users":                     testUsers,
		"user names are taken once": testLogins,
		"user update conflicts":     testUserConflict,
		"concurrent user updates":   testUserRace,
		"sessions":                  testSessions,
		"sessions per user":         testSessionLimit,
		"codes":                     testCodes,
		"codes per user":            testCodeLimit,
		"a code is taken once":      testCodeRace,
		"refresh tokens":            testTokens,
		"refresh tokens per user":   testTokenLimit,
		"families":                  testFamilies,
		"rotation":                  testRotation,
		"rotation conflicts":        testRotationConflict,
		"a token is rotated once":   testRotationRace,
		"attempts":                  testAttempts,
		"concurrent attempts":       testAttemptRace,
		"expiry":                    testExpiry,
		"expiry in portions":        testExpiryLimit,
		"pools are apart":           testIsolation,
		"values are copies":         testCopies,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, open(t))
		})
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("unexpected error: %v", err)
	}
}

func wantErr(t *testing.T, what string, got, want error) {
	t.Helper()
	if !errors.Is(got, want) {
		t.Errorf("%s: got error %v, want %v", what, got, want)
	}
}

// same compares records; an empty list and none are the same, as are two times
// of the same instant.
func same(t *testing.T, got, want any) {
	t.Helper()
	diff := cmp.Diff(want, got, cmpopts.EquateEmpty(), cmp.Comparer(func(a, b userpool.Secret) bool {
		return string(a) == string(b)
	}))
	if diff != "" {
		t.Errorf("record differs (-want +got):\n%s", diff)
	}
}

func present[V any](t *testing.T) func(v V, ok bool, err error) V {
	return func(v V, ok bool, err error) V {
		t.Helper()
		must(t, err)
		if !ok {
			t.Fatal("record is missing")
		}
		return v
	}
}

func absent[V any](t *testing.T) func(v V, ok bool, err error) {
	return func(v V, ok bool, err error) {
		t.Helper()
		must(t, err)
		if ok {
			t.Errorf("got %v, want no record", v)
		}
	}
}

// race runs n calls at once and returns how many of them returned true.
func race(n int, call func() bool) int {
	var wins atomic.Int64
	var wg sync.WaitGroup
	for range n {
		wg.Go(func() {
			if call() {
				wins.Add(1)
			}
		})
	}
	wg.Wait()
	return int(wins.Load())
}
