package sqlstore_test

import (
	"bytes"
	"database/sql"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/cognate-auth/cognate/cmd/cognate/internal/sqlstore"
)

// folder returns everything in a folder: names, modes and contents.
func folder(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		info, err := e.Info()
		if err != nil {
			t.Fatal(err)
		}
		body := []byte{}
		if info.Mode().IsRegular() {
			body, err = os.ReadFile(filepath.Join(dir, e.Name()))
			if err != nil {
				t.Fatal(err)
			}
		}
		all[e.Name()] = info.Mode().String() + info.ModTime().String() + string(body)
	}
	return all
}

// makeDatabase creates a SQLite file that others can read. With stayOpen it stays open
// and keeps its log.
func makeDatabase(t *testing.T, path string, stayOpen bool, statements ...string) {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	db.SetMaxOpenConns(1)
	for _, s := range statements {
		_, err := db.ExecContext(t.Context(), s)
		if err != nil {
			t.Fatal(err)
		}
	}
	err = os.Chmod(path, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	if stayOpen {
		t.Cleanup(func() { _ = db.Close() })
		return
	}
	err = db.Close()
	if err != nil {
		t.Fatal(err)
	}
}

// newer returns a function that creates a pool's database of a later version. With
// stayOpen that version has just changed it, and runs.
func newer(stayOpen bool) func(t *testing.T, path string) {
	return func(t *testing.T, path string) {
		t.Helper()
		s, err := sqlstore.Open(t.Context(), path)
		if err != nil {
			t.Fatal(err)
		}
		err = s.Close()
		if err != nil {
			t.Fatal(err)
		}
		makeDatabase(t, path, stayOpen, "INSERT INTO pool_migrations (version) VALUES (99)")
	}
}

// TestForeignFile opens files that a pool must not use: each is refused with a sentence
// and not changed, and nothing is created beside it.
func TestForeignFile(t *testing.T) {
	t.Parallel()
	database := func(stayOpen bool, statements ...string) func(*testing.T, string) {
		return func(t *testing.T, path string) {
			t.Helper()
			makeDatabase(t, path, stayOpen, statements...)
		}
	}
	write := func(body string) func(*testing.T, string) {
		return func(t *testing.T, path string) {
			t.Helper()
			err := os.WriteFile(path, []byte(body), 0o644)
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	const notes = "CREATE TABLE notes (text TEXT)"
	damaged := func(change func(body []byte) []byte) func(*testing.T, string) {
		return func(t *testing.T, path string) {
			t.Helper()
			makeDatabase(t, path, false, notes, "INSERT INTO notes VALUES (zeroblob(20000))")
			body, err := os.ReadFile(path)
			if err == nil {
				err = os.WriteFile(path, change(body), 0o644)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	// A page of SQLite begins with a header; that of the first page follows the header
	// of the file.
	noCells := func(b []byte) []byte { b[103], b[104] = 0, 0; return b }
	header := "SQLite format 3\x00"
	for name, tt := range map[string]struct {
		file func(t *testing.T, path string)
		want string
	}{
		"another program's":              {database(false, notes), "another program"},
		"another's in use":               {database(true, notes), "another program"},
		"another's with a log":           {database(false, "PRAGMA journal_mode = WAL", notes), "another program"},
		"another's with a log, in use":   {database(true, "PRAGMA journal_mode = WAL", notes), "another program"},
		"another's that is locked":       {database(true, notes, "BEGIN EXCLUSIVE"), "another program"},
		"another's by its id":            {database(false, "PRAGMA application_id = 7"), "another program"},
		"another's by its version":       {database(false, "PRAGMA user_version = 7"), "another program"},
		"another's with a view":          {database(false, "CREATE VIEW v AS SELECT 1"), "another program"},
		"another's with a pool's name":   {database(false, "CREATE TABLE pool_names (x)", notes), "another program"},
		"another's with its id as well":  {database(false, notes, "PRAGMA application_id = 7"), "another program"},
		"another's that was cut off":     {damaged(func(b []byte) []byte { return b[:600] }), "damaged"},
		"another's without its tables":   {damaged(noCells), "damaged"},
		"a text":                         {write(strings.Repeat("nothing of the kind\n", 99)), "not a database"},
		"one byte":                       {write("x"), "not a database"},
		"the beginning of a database":    {write(header), "not a database"},
		"a database's beginning, damage": {write(header + strings.Repeat("\xff", 4096)), "not a database"},
		"a newer pool's":                 {newer(false), "version 99"},
		"a newer pool's, in its log":     {newer(true), "version 99"},
		"a folder": {func(t *testing.T, path string) {
			t.Helper()
			err := os.Mkdir(path, 0o755)
			if err != nil {
				t.Fatal(err)
			}
		}, "not a regular file"},
	} {
		for _, link := range []bool{false, true} {
			if link {
				name += ", by a link"
			}
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				dir := t.TempDir()
				path := filepath.Join(dir, "some.db")
				tt.file(t, path)
				url := path
				if link {
					url = filepath.Join(t.TempDir(), "link.db")
					err := os.Symlink(path, url)
					if err != nil {
						t.Fatal(err)
					}
				}
				before := folder(t, dir)
				s, err := sqlstore.Open(t.Context(), url)
				if err == nil {
					_ = s.Close()
					t.Fatal("it was opened")
				}
				if !strings.Contains(err.Error(), tt.want) {
					t.Errorf("got %v, want %q", err, tt.want)
				}
				after := folder(t, dir)
				for name := range after {
					if before[name] == "" {
						t.Errorf("there is %s now", name)
					}
				}
				for name, was := range before {
					// A reader of the log writes into this file how far it has read.
					if after[name] != was && !strings.HasSuffix(name, "-shm") {
						t.Errorf("%s was changed", name)
					}
				}
			})
		}
	}
}

// TestOwnFile opens files that a pool may use: empty ones, and its own earlier ones,
// which others could read.
func TestOwnFile(t *testing.T) {
	t.Parallel()
	const unmarked = "PRAGMA application_id = 0"
	used := func(t *testing.T, path string) {
		t.Helper()
		s, err := sqlstore.Open(t.Context(), path)
		if err != nil {
			t.Fatal(err)
		}
		err = s.Apply(t.Context(), "p", user)
		if err != nil {
			t.Fatal(err)
		}
		err = s.Close()
		if err != nil {
			t.Fatal(err)
		}
	}
	for name, file := range map[string]func(t *testing.T, path string){
		"empty": func(t *testing.T, path string) {
			t.Helper()
			err := os.WriteFile(path, nil, 0o644)
			if err != nil {
				t.Fatal(err)
			}
		},
		"without tables": func(t *testing.T, path string) { t.Helper(); makeDatabase(t, path, false, "VACUUM") },
		"its own":        func(t *testing.T, path string) { t.Helper(); used(t, path); makeDatabase(t, path, false) },
		"its own, from before the mark": func(t *testing.T, path string) {
			t.Helper()
			used(t, path)
			makeDatabase(t, path, false, unmarked)
		},
		"its own, killed as its log was worked off": func(t *testing.T, path string) {
			t.Helper()
			other := filepath.Join(t.TempDir(), "other.db")
			err := open(t, other).Apply(t.Context(), "p", user)
			if err != nil {
				t.Fatal(err)
			}
			direct(t, other, "PRAGMA wal_checkpoint(PASSIVE)")
			for _, suffix := range []string{"", "-wal"} {
				body, err := os.ReadFile(other + suffix)
				if err == nil && suffix == "" {
					body = body[:4096] // the first page, which says that there are more pages
				}
				if err == nil {
					err = os.WriteFile(path+suffix, body, 0o644)
				}
				if err != nil {
					t.Fatal(err)
				}
			}
		},
		"its own, all of it in the log": func(t *testing.T, path string) {
			t.Helper()
			other := filepath.Join(t.TempDir(), "other.db")
			used(t, other)
			makeDatabase(t, other, false, unmarked)
			makeDatabase(t, path, true, "PRAGMA journal_mode = WAL", "ATTACH '"+other+"' AS other", "BEGIN",
				"CREATE TABLE pool_migrations AS SELECT * FROM other.pool_migrations", "CREATE TABLE pool_names (x)",
				"CREATE TABLE pool_terms (x)", "CREATE TABLE pool_records AS SELECT * FROM other.pool_records",
				"COMMIT")
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "pool.db")
			file(t, path)
			err := os.Chmod(path, 0o644)
			if err != nil && !os.IsNotExist(err) {
				t.Fatal(err)
			}
			s := open(t, path)
			entries, err := os.ReadDir(filepath.Dir(path))
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range entries {
				info, err := e.Info()
				if err != nil || info.Mode().Perm()&0o077 != 0 && runtime.GOOS != "windows" {
					t.Errorf("%s has mode %v, error %v, want nothing for others", e.Name(), info.Mode(), err)
				}
			}
			body, err := os.ReadFile(path)
			if err != nil || name != "its own, all of it in the log" && !bytes.Contains(body[:100], []byte("cogn")) {
				t.Errorf("the file has no mark, error %v", err)
			}
			if strings.Contains(name, "its own") {
				_, ok, err := s.Get(t.Context(), "p", "user", "1")
				if !ok || err != nil {
					t.Errorf("the user is gone, error %v", err)
				}
			}
		})
	}
}

// TestForeignSchema opens a schema in which another program has tables of the same
// names, and one in which it has other tables, beside which the pool's are allowed.
func TestForeignSchema(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		tables string
		want   string // part of the error; empty: it is opened
	}{
		"the same name":    {"CREATE TABLE pool_names (x INTEGER)", "belongs to another program"},
		"a view":           {"CREATE VIEW pool_migrations AS SELECT 1 AS version", "belongs to another program"},
		"of its own, more": {"CREATE TABLE notes (x INTEGER)", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url := postgres(t)
			direct(t, url, tt.tables)
			s, err := sqlstore.Open(t.Context(), url)
			if err == nil {
				_ = s.Close()
			}
			if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
	t.Run("no schema", func(t *testing.T) {
		t.Parallel()
		url, _, _ := strings.Cut(postgres(t), "search_path=")
		_, err := sqlstore.Open(t.Context(), url+"search_path=nowhere")
		if err == nil || !strings.Contains(err.Error(), "does not exist") {
			t.Errorf("got %v, want that there is no schema", err)
		}
	})
}
