package sqlstore_test

import (
	"fmt"
	"os"
	"testing"

	"github.com/cognate-auth/cognate/userpool/store"
	"github.com/cognate-auth/cognate/userpool/storetest"
)

// seed stores users from number n on, until there are size of them.
func seed(b *testing.B, s store.Store, n, size int) {
	b.Helper()
	for n < size {
		var changes []store.Change
		for ; n < size && len(changes) < 500; n++ {
			changes = append(changes, store.Change{Op: store.Create, Record: storetest.User(n)})
		}
		err := s.Apply(b.Context(), "p", changes...)
		if err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkTokenRequest does what the store does for a token request with a code: take
// the code, read the user, store a refresh token.
func BenchmarkTokenRequest(b *testing.B) {
	for name, database := range engines {
		b.Run(name, func(b *testing.B) {
			const users = 1000
			s := open(b, database(b))
			seed(b, s, 0, users)
			codes := make([]store.Record, b.N)
			for i := range codes {
				codes[i] = storetest.Code(i % users)
				err := s.Apply(b.Context(), "p", store.Change{Op: store.Create, Record: codes[i]})
				if err != nil {
					b.Fatal(err)
				}
			}
			b.ResetTimer()
			for _, code := range codes {
				err := storetest.Redeem(b.Context(), s, "p", code)
				if err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkSize shows that the cost of each operation hardly depends on the number of
// users. The metric B/user is the space that a user takes on disk.
func BenchmarkSize(b *testing.B) {
	path := sqlite(b)
	s, n := open(b, path), 0
	for _, size := range []int{10, 1000, 100_000, 1_000_000} {
		seed(b, s, n, size)
		n = size
		disk := sizeOf(b, path) + sizeOf(b, path+"-wal")
		for name, op := range storetest.Operations {
			b.Run(fmt.Sprintf("%s/%d", name, size), func(b *testing.B) {
				for i := 0; b.Loop(); i++ {
					err := op(b.Context(), s, "p", i, size)
					if err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(disk/float64(size), "B/user")
			})
		}
	}
}

func sizeOf(b *testing.B, path string) float64 {
	b.Helper()
	info, err := os.Stat(path)
	if err != nil {
		b.Fatal(err)
	}
	return float64(info.Size())
}
