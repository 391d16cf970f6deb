//go:build !race

package oidc_test

import (
	"testing"

	"github.com/cognate-auth/cognate/internal/oidc"
)

// TestIDTokenAllocations counts what the whole check of an ID token allocates. The race
// detector allocates on its own.
func TestIDTokenAllocations(t *testing.T) {
	raw, verifier := goodIDToken()
	allocs := testing.AllocsPerRun(100, func() {
		_, err := verifier.Verify(t.Context(), raw, "", oidc.Attempt{Nonce: "n"})
		if err != nil {
			t.Fatal(err)
		}
	})
	if allocs > 22 {
		t.Errorf("%v allocations, want 22 at most", allocs)
	}
}
