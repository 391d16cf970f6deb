package password_test

import (
	"testing"

	"github.com/cognate-auth/cognate/userpool/internal/password"
)

// FuzzPHC checks that a hash has one spelling: what is accepted is written
// again as it was read.
func FuzzPHC(f *testing.F) {
	f.Add("$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHQ$RdescudvJCsgt3ub+b27zQ")
	f.Add("$argon2id$v=19$m=019456,t=2,p=1$c29tZXNhbHQ$RdescudvJCsgt3ub+b27zQ")
	f.Add("$argon2i$v=16$m=1,t=1,p=1$$")
	f.Fuzz(func(t *testing.T, s string) {
		again, err := password.ParsePHC(s)
		if err == nil && again != s {
			t.Errorf("%q was read as %q", s, again)
		}
	})
}
