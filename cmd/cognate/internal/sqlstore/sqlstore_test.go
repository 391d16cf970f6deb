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

// server is the PostgreSQL server of all tests, started by the first that needs
// it.
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

// sqlite returns the path of a SQLite file that is not there yet.
func sqlite(t testing.TB) string {
	t.Helper()
	return filepath.Join(t.TempDir(), ".cognate", "pool.db")
}

// engines are the databases of each kind, empty.
var engines = map[string]func(testing.TB) (url string){"SQLite": sqlite, "PostgreSQL": postgres}

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
	for name, database := range engines {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			storetest.Run(t, func(t *testing.T) store.Store { return open(t, database(t)) })
		})
	}
}

// TestStoreOfTwo runs the suite on two stores of one database, which take turns,
// as two processes would.
func TestStoreOfTwo(t *testing.T) {
	t.Parallel()
	for name, database := range engines {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			storetest.Run(t, func(t *testing.T) store.Store {
				url := database(t)
				return &alternating{stores: [2]store.Store{open(t, url), open(t, url)}}
			})
		})
	}
}

// TestOnce has two processes on one database.
func TestOnce(t *testing.T) {
	t.Parallel()
	for name, database := range engines {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			storetest.RunOnce(t, func(t *testing.T) (one, other store.Store) {
				url := database(t)
				return open(t, url), open(t, url)
			})
		})
	}
}
