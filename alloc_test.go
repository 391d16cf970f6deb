//go:build !race

package cognate_test

import (
	"testing"

	"github.com/cognate-auth/cognate/internal/fakeprovider"
)

// TestBearerAllocations counts what the check of an access token allocates: of one that was
// never seen, and of one that was. The race detector allocates on its own.
func TestBearerAllocations(t *testing.T) {
	api, raws := cognitoAPI(t, fakeprovider.Keys()[0])
	for name, tt := range map[string]struct {
		raws []string
		most float64
	}{"cold": {raws, 43}, "warm": {raws[:1], 1}} {
		i := 0
		allocs := testing.AllocsPerRun(len(raws), func() {
			_, err := api.Verify(t.Context(), tt.raws[i%len(tt.raws)], "orders/read")
			if err != nil {
				t.Fatal(err)
			}
			i++
		})
		if allocs > tt.most {
			t.Errorf("%s: %v allocations, want %v at most", name, allocs, tt.most)
		}
	}
}
