//go:build !race

package cognate_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/cognate-auth/cognate"
	"github.com/cognate-auth/cognate/internal/fakeprovider"
	"github.com/cognate-auth/cognate/sessionstore"
)

// TestRequestAllocations counts what RequireLogin adds to a signed-in request, with the session in
// its various places.
func TestRequestAllocations(t *testing.T) {
	for name, session := range map[string]cognate.SessionConfig{
		"cookie": {}, "tokens in cookies": {TokensInCookie: true}, "memory store": {Store: sessionstore.NewMemory(0)},
	} {
		auth, cookie := signedIn(t, session)
		h := auth.RequireLogin(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "https://app.test/private", nil)
		r.Header.Set("Cookie", cookie)
		w := &discard{header: http.Header{}}
		allocs := testing.AllocsPerRun(1000, func() {
			clear(w.header)
			h.ServeHTTP(w, r)
		})
		if allocs > 3 || w.status != 0 {
			t.Errorf("%s: %v allocations, want 3 at most; status %d", name, allocs, w.status)
		}
	}
}

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
