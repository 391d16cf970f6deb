package sqlstore_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cognate-auth/cognate/cmd/cognate/internal/sqlstore"
	"github.com/cognate-auth/cognate/cmd/cognate/internal/sqlstore/pgtest"
	"github.com/cognate-auth/cognate/userpool/store"
)

var user = store.Change{
	Op: store.Create, Record: store.Record{Kind: "user", ID: "1", Names: []string{"ann"}},
}

// TestReopen checks that data remain after reopening, for paths with various
// characters.
func TestReopen(t *testing.T) {
	t.Parallel()
	for name, file := range map[string]string{
		"plain": "pool.db", "spaces and marks": "a b?c#d%20e&f=g;h.db",
		"other letters": "b\u00fccher/\u30d7\u30fc\u30eb.db",
	} {
		for _, prefix := range []string{"", "sqlite:", "sqlite://"} {
			t.Run(name+" "+prefix, func(t *testing.T) {
				t.Parallel()
				path := filepath.Join(t.TempDir(), "deep", file)
				for range 2 {
					s, err := sqlstore.Open(t.Context(), prefix+path)
					if err != nil {
						t.Fatal(err)
					}
					err = s.Apply(t.Context(), "p", user)
					if err != nil && !errors.Is(err, store.ErrExists) {
						t.Error(err)
					}
					err = s.Close()
					if err != nil {
						t.Error(err)
					}
				}
				_, err := os.Stat(path)
				if err != nil {
					t.Error(err)
				}
				r, ok, err := open(t, path).Find(t.Context(), "p", "user", "ann")
				if err != nil || !ok || r.ID != "1" {
					t.Errorf("got %v, error %v, want the user", r, err)
				}
			})
		}
	}
}

// TestFilesArePrivate checks the modes of all files that a store creates.
func TestFilesArePrivate(t *testing.T) {
	t.Parallel()
	path := sqlite(t)
	s := open(t, path)
	err := s.Apply(t.Context(), "p", user)
	if err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(entries) < 3 {
		t.Fatalf("got %v, error %v, want the file, its log and its index", entries, err)
	}
	for _, e := range entries {
		info, err := e.Info()
		if err != nil || info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has mode %v, error %v, want nothing for others", e.Name(), info.Mode(), err)
		}
	}
	info, err := os.Stat(filepath.Dir(path))
	if err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the directory has mode %v, error %v, want 0700", info.Mode(), err)
	}
}

// TestOpenIsRefused opens URLs that can't be opened. The error says why, and never
// contains the password.
func TestOpenIsRefused(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	noDatabase := filepath.Join(dir, "text.db")
	err := os.WriteFile(noDatabase, []byte(strings.Repeat("this is no database\n", 500)), 0o600)
	if err != nil {
		t.Fatal(err)
	}
	right := postgres(t)
	for name, tt := range map[string]struct{ url, want string }{
		"nothing":          {"", "not the path"},
		"memory":           {":memory:", "not the path"},
		"keywords":         {"host=localhost user=ann password=hunter2", "postgres:// URL"},
		"another engine":   {"mysql://ann:hunter2@localhost/db", `type "mysql"`},
		"no URL":           {"postgres://ann:hunter2@local host:x/db", "expected postgres://"},
		"no port":          {"postgres://ann:hunter2@localhost:port/db", "expected postgres://"},
		"bad escape":       {"postgres://ann:hunter2%zz@localhost/db", "expected postgres://"},
		"bad parameter":    {"postgres://ann:hunter2@localhost/db?sslmode=hunter2", "expected postgres://"},
		"nobody there":     {"postgres://ann:hunter2@127.0.0.1:1/db?sslmode=disable", "connecting to PostgreSQL"},
		"wrong password":   {strings.Replace(right, pgtest.Password, "hunter2", 1), "password authentication failed"},
		"no such database": {strings.Replace(right, "/postgres?", "/nowhere?", 1), `"nowhere" does not exist`},
		"a directory":      {dir, "opening"},
		"no database":      {noDatabase, "not a database"},
		"below a file":     {filepath.Join(noDatabase, "pool.db"), "making the SQLite file"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, err := sqlstore.Open(t.Context(), tt.url)
			if err == nil {
				s.Close()
				t.Fatal("it was opened")
			}
			text := fmt.Sprintf("%v %+v %#v", err, err, err)
			if !strings.Contains(text, tt.want) || strings.Contains(text, "hunter2") ||
				strings.Contains(text, pgtest.Password) {
				t.Errorf("got %s, want %q and no password", text, tt.want)
			}
		})
	}
}

// TestNewerDatabase opens a database that a later version of the program has changed.
func TestNewerDatabase(t *testing.T) {
	t.Parallel()
	eachEngine(t, func(t *testing.T, database func(testing.TB) string) {
		url := database(t)
		open(t, url)
		direct(t, url, "INSERT INTO pool_migrations (version) VALUES (99)")
		_, err := sqlstore.Open(t.Context(), url)
		if err == nil || !strings.Contains(err.Error(), "version 99") || !strings.Contains(err.Error(), "newer") {
			t.Errorf("got error %v, want that the database is newer", err)
		}
	})
}

// TestMigrationFails checks that a failed migration leaves nothing behind, and succeeds
// when the obstacle is gone.
func TestMigrationFails(t *testing.T) {
	t.Parallel()
	for name, database := range engines {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url := database(t)
			if name == "SQLite" {
				err := os.MkdirAll(filepath.Dir(url), 0o700)
				if err != nil {
					t.Fatal(err)
				}
				direct(t, url, "PRAGMA application_id = 0x636f676e") // marked as a pool's, so that the name conflicts
			}
			direct(t, url, "CREATE TABLE pool_records_owner (other INTEGER)")
			_, err := sqlstore.Open(t.Context(), url)
			if err == nil || !strings.Contains(err.Error(), "0001_records.sql") {
				t.Errorf("got error %v, want the step", err)
			}
			direct(t, url, "DROP TABLE pool_records_owner")
			err = open(t, url).Apply(t.Context(), "p", user)
			if err != nil {
				t.Error(err)
			}
		})
	}
}

// direct runs a statement without the store.
func direct(t *testing.T, url, statement string) {
	t.Helper()
	driver := "sqlite"
	if strings.HasPrefix(url, "postgres") {
		driver = "pgx"
	}
	db, err := sql.Open(driver, url)
	if err == nil {
		_, err = db.ExecContext(t.Context(), statement)
	}
	if err != nil {
		t.Fatal(err)
	}
	err = db.Close()
	if err != nil {
		t.Fatal(err)
	}
}

// TestContext calls the store with a context that has ended, and with one that ends
// while the call waits: the calls fail and change nothing, and the store can still be
// used.
func TestContext(t *testing.T) {
	t.Parallel()
	eachEngine(t, func(t *testing.T, database func(testing.TB) string) {
		s := open(t, database(t))
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		_, _, getErr := s.Get(ended, "p", "user", "1")
		_, listErr := s.List(ended, "p", "user", store.Query{Limit: 1})
		_, _, takeErr := s.Take(ended, "p", "user", "1")
		_, expireErr := s.DeleteExpired(ended, time.Now(), 1)
		for _, err := range []error{getErr, listErr, takeErr, expireErr, s.Apply(ended, "p", user)} {
			if !errors.Is(err, context.Canceled) {
				t.Errorf("got %v, want that the context has ended", err)
			}
		}
		var wg sync.WaitGroup
		for range 20 {
			wg.Go(func() {
				ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
				defer cancel()
				// The result does not matter.
				_ = s.Apply(ctx, "p", store.Change{Op: store.Update, Record: user.Record})
			})
		}
		wg.Wait()
		err := s.Apply(t.Context(), "p", user)
		if err != nil {
			t.Errorf("afterwards: %v", err)
		}
	})
}

// TestDensePrefix lists a prefix that more records have than are sorted.
func TestDensePrefix(t *testing.T) {
	t.Parallel()
	path := sqlite(t)
	s := open(t, path)
	direct(t, path,
		`CREATE TEMP TABLE n AS WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 4499)
		SELECT CAST('p' AS BLOB) AS pool, CAST('user' AS BLOB) AS kind, CAST('name:' || i AS BLOB) AS term,
			CAST(printf('%05d', i) AS BLOB) AS id FROM n;
		INSERT INTO pool_terms (pool, kind, term, id) SELECT pool, kind, term, id FROM n;
		INSERT INTO pool_records (pool, kind, id, seq, terms, version, body)
			SELECT pool, kind, id, 1, CAST(char(length(term)) || term AS BLOB), 1, CAST('' AS BLOB) FROM n`)
	for _, tt := range []struct {
		q    store.Query
		want string
	}{
		{store.Query{TermPrefix: "name:", After: "01000", Limit: 2}, "01001 01002"},
		{store.Query{TermPrefix: "name:", After: "01000", Limit: 2, Descending: true}, "00999 00998"},
		{store.Query{TermPrefix: "name:", After: "04498", Limit: 2}, "04499"},
		{store.Query{TermPrefix: "name:44", After: "04498", Limit: 2}, "04499"},
	} {
		list, err := s.List(t.Context(), "p", "user", tt.q)
		var got []string
		for _, r := range list {
			got = append(got, r.ID)
		}
		if err != nil || strings.Join(got, " ") != tt.want {
			t.Errorf("%+v: got %q, error %v, want %q", tt.q, got, err, tt.want)
		}
	}
	all, err := s.List(t.Context(), "p", "user", store.Query{TermPrefix: "name:", Limit: 9000})
	if err != nil || len(all) != 4500 {
		t.Errorf("got %d records, error %v, want 4500", len(all), err)
	}
}

// TestDamagedRecord reads a record that no store wrote.
func TestDamagedRecord(t *testing.T) {
	t.Parallel()
	eachEngine(t, func(t *testing.T, database func(testing.TB) string) {
		url := database(t)
		s := open(t, url)
		err := s.Apply(t.Context(), "p", user)
		if err != nil {
			t.Fatal(err)
		}
		// This is text in SQLite and bytes in PostgreSQL. Its first byte is not a
		// valid length.
		direct(t, url, "UPDATE pool_records SET names = '~ann'")
		for _, read := range []func() error{
			func() error { _, _, err := s.Get(t.Context(), "p", "user", "1"); return err },
			func() error { _, _, err := s.Take(t.Context(), "p", "user", "1"); return err },
			func() error {
				return s.Apply(t.Context(), "p", store.Change{Op: store.Delete, Record: user.Record})
			},
			func() error {
				return s.Apply(t.Context(), "p", store.Change{Op: store.Update, Record: user.Record})
			},
		} {
			err := read()
			if err == nil || !strings.Contains(err.Error(), "damaged") {
				t.Errorf("got error %v, want that it is damaged", err)
			}
		}
	})
}
