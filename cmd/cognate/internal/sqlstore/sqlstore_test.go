package sqlstore_test

import (
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/cognate-auth/cognate/cmd/cognate/internal/sqlstore"
	"github.com/cognate-auth/cognate/cmd/cognate/internal/sqlstore/pgtest"
	"github.com/cognate-auth/cognate/userpool/store"
	"github.com/cognate-auth/cognate/userpool/storetest"
)

// server is the PostgreSQL server of all tests. The first test that needs it starts it.
var server struct {
	once sync.Once
	*pgtest.Server
	err error
}

func TestMain(m *testing.M) {
	if os.Getenv(childEnv) != "" {
		child()
		return
	}
	code := m.Run()
	if server.Server != nil {
		server.Close()
	}
	os.Exit(code)
}

// postgres returns the URL of an empty PostgreSQL database.
func postgres(t testing.TB) string {
	t.Helper()
	server.once.Do(func() { server.Server, server.err = pgtest.Start() })
	if server.err != nil {
		t.Fatal(server.err)
	}
	return server.URL(t)
}

// sqlite returns the path of a SQLite file that does not exist yet.
func sqlite(t testing.TB) string {
	t.Helper()
	return filepath.Join(t.TempDir(), ".cognate", "pool.db")
}

// engines returns an empty database of each kind.
var engines = map[string]func(testing.TB) (url string){"SQLite": sqlite, "PostgreSQL": postgres}

// eachEngine runs a test for each kind of database. database returns an empty one.
func eachEngine(t *testing.T, test func(t *testing.T, database func(testing.TB) (url string))) {
	t.Helper()
	for name, database := range engines {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, database)
		})
	}
}

// open opens a store until the end of the test.
func open(t testing.TB, url string) *sqlstore.Store {
	t.Helper()
	s, err := sqlstore.Open(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		err := s.Close()
		if err != nil {
			t.Errorf("closing: %v", err)
		}
	})
	return s
}

func TestStore(t *testing.T) {
	t.Parallel()
	eachEngine(t, func(t *testing.T, database func(testing.TB) string) {
		storetest.Run(t, func(t *testing.T) store.Store { return open(t, database(t)) })
	})
}

// TestStoreOfTwo runs the suite on two stores with the same database, in turn, as two
// processes would use it.
func TestStoreOfTwo(t *testing.T) {
	t.Parallel()
	eachEngine(t, func(t *testing.T, database func(testing.TB) string) {
		storetest.Run(t, func(t *testing.T) store.Store {
			url := database(t)
			return &alternating{stores: [2]store.Store{open(t, url), open(t, url)}}
		})
	})
}

// TestOnce has two processes use one database.
func TestOnce(t *testing.T) {
	t.Parallel()
	eachEngine(t, func(t *testing.T, database func(testing.TB) string) {
		storetest.RunOnce(t, func(t *testing.T) (one, other store.Store) {
			url := database(t)
			return open(t, url), open(t, url)
		})
	})
}
