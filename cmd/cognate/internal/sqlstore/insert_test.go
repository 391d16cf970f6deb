package sqlstore_test

import (
	"testing"

	"github.com/cognate-auth/cognate/userpool/store"
	"github.com/cognate-auth/cognate/userpool/storetest"
)

// TestStatements counts the statements that create records: of many at once, less than
// one for two records, with all that they are found by.
func TestStatements(t *testing.T) {
	t.Parallel()
	s := open(t, sqlite(t))
	first := 0
	for _, tt := range []struct{ records, most int }{
		{1, 6},      // begin, the record, two names, the terms, commit
		{250, 125},  // 250 rows, 500 names and 1000 terms
		{1000, 450}, // four times as many
	} {
		var changes []store.Change
		for range tt.records {
			changes = append(changes, store.Change{Op: store.Create, Record: storetest.User(first)})
			first++
		}
		before := s.Statements()
		err := s.Apply(t.Context(), "p", changes...)
		if err != nil {
			t.Fatal(err)
		}
		if n := s.Statements() - before; n > tt.most {
			t.Errorf("%d records take %d statements, want at most %d", tt.records, n, tt.most)
		}
	}
}
