package sqlstore

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"modernc.org/sqlite"
	sqlitelib "modernc.org/sqlite/lib"
)

// applicationID in the header of a SQLite file says that the file contains a pool: the
// letters "cogn" (SQLite, "PRAGMA application_id").
const applicationID = 0x636f676e

// ownTables are in every database of a pool. All of them are created in one
// transaction.
var ownTables = []string{"pool_migrations", "pool_names", "pool_records", "pool_terms"}

// checkTables checks by the names of its tables whether a database belongs to a pool.
// fresh reports that it has none of a pool's tables.
func checkTables(have []string) (fresh bool, err error) {
	own := slices.DeleteFunc(slices.Clone(ownTables), func(name string) bool { return !slices.Contains(have, name) })
	switch len(own) {
	case 0:
		return true, nil
	case len(ownTables):
		return false, nil
	}
	return false, fmt.Errorf("it has %s, but not the other tables of a user pool: it belongs to another program",
		strings.Join(own, " and "))
}

// checkVersion refuses a database that a later version of the program has changed.
func checkVersion(version, known int) error {
	if version <= known {
		return nil
	}
	return &newerError{version, known}
}

// newerError says that a later version of the program has changed a database.
type newerError struct{ version, known int }

// Error implements error.
func (e *newerError) Error() string {
	return fmt.Sprintf("it is of version %d, and this program knows versions up to %d; "+
		"use the program that it was last used with, or a newer one", e.version, e.known)
}

// claim makes a SQLite file the store's, if the file is empty or was the store's
// before. Until that is certain, claim only reads: it changes neither the file and its
// mode nor the files beside it. Afterwards nobody else can read the store's files.
func claim(ctx context.Context, path string) error {
	path, err := filepath.EvalSymlinks(path) // the log is beside the file that a link leads to
	if err != nil {
		return err
	}
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return errors.New("it is not a regular file; name a file, which is created if it does not exist")
	}
	if info.Size() > 0 && info.Size() < minDatabaseSize {
		return errNoDatabase
	}
	marked, err := inspect(ctx, path)
	if err != nil {
		return err
	}
	for _, file := range []string{path, path + "-wal", path + "-shm", path + "-journal"} {
		err = makePrivate(file)
		if err != nil {
			return err
		}
	}
	if marked {
		return nil
	}
	return mark(ctx, path)
}

// minDatabaseSize is the size of a database with one page. SQLite takes a smaller file
// for an empty one, and overwrites it.
const minDatabaseSize = 512

var (
	errNoDatabase = errors.New("it is not a database; name a file for the pool only, " +
		"which is created if it does not exist")
	errDamaged = errors.New("it is a damaged database; name a file for the pool only, " +
		"which is created if it does not exist")
	errForeign = errors.New("it is the database of another program; name a file for the pool only, " +
		"which is created if it does not exist")
)

// inspect reports whether the file has a pool's mark. It returns an error if a pool
// must not use the file. SQLite opens it as an immutable file, without a lock and
// without the log, which would create files beside it. After a process was killed
// during a checkpoint, a file may seem damaged without its log; a file without the mark
// is then read again with the log.
func inspect(ctx context.Context, path string) (marked bool, err error) {
	// Without writable_schema, SQLite does not read the header of a short file.
	marked, err = inspectWith(ctx, path, "mode=ro&immutable=1&_pragma=writable_schema(1)")
	if hasCode(err, sqlitelib.SQLITE_CORRUPT) {
		marked, err = inspectWith(ctx, path, withLog)
	}
	if !marked || err != nil || !hasLog(path) {
		return marked, err
	}
	// The last migration of a later version may still be only in the log. A file that
	// can't be read now, as after a kill, is accepted: migrate checks it.
	_, err = inspectWith(ctx, path, withLog)
	if _, newer := errors.AsType[*newerError](err); newer {
		return true, err
	}
	return true, nil
}

// withLog reads a file together with its log, and changes neither.
const withLog = "mode=ro&_busy_timeout=5000"

// hasLog reports whether the log of a file has content.
func hasLog(path string) bool {
	info, err := os.Stat(path + "-wal")
	return err == nil && info.Size() > 0
}

func inspectWith(ctx context.Context, path, parameters string) (marked bool, err error) {
	db, err := sqliteDB(path, parameters)
	if err != nil {
		return false, err
	}
	defer func() { _ = db.Close() }() // nothing is under way
	var id, userVersion int64
	err = db.QueryRowContext(ctx, "PRAGMA application_id").Scan(&id)
	if err == nil {
		err = db.QueryRowContext(ctx, "PRAGMA user_version").Scan(&userVersion)
	}
	switch {
	case err != nil:
		return false, noDatabase(err)
	case id != 0 && id != applicationID:
		return false, errForeign
	case id == 0:
		fresh, err := inspectTables(ctx, db)
		switch {
		case err != nil:
			return false, noDatabase(err)
		case fresh && userVersion != 0:
			return false, errForeign
		case fresh:
			return false, checkFresh(ctx, db, path+"-wal")
		}
	}
	steps, err := migrationNames()
	if err != nil {
		return false, err
	}
	var version int
	err = db.QueryRowContext(ctx, readVersion).Scan(&version)
	if err != nil {
		return id != 0, nil //nolint:nilerr // the version is in the log; migrate checks it
	}
	return id != 0, checkVersion(version, len(steps))
}

// inspectTables checks by its tables whether a pool may use a database. fresh reports
// that it has no tables.
func inspectTables(ctx context.Context, db *sql.DB) (fresh bool, err error) {
	scan := func(s scanner) (name string, err error) { return name, s.Scan(&name) }
	tables, err := collect(ctx, db, scan, "SELECT name FROM sqlite_schema WHERE type IN ('table', 'view') LIMIT 100")
	if err != nil {
		return false, err
	}
	fresh, problem := checkTables(tables)
	if problem != nil || fresh && len(tables) > 0 {
		return false, errForeign
	}
	return fresh, nil
}

// checkFresh checks a file in which no table was found. All tables may be in the log,
// if a process was killed early that created them before files had a mark; these tables
// are the first thing that a pool writes. Without a log the file must be undamaged: a
// damaged file of another program may only seem to have no tables.
func checkFresh(ctx context.Context, db *sql.DB, log string) error {
	begin, err := beginOf(log)
	switch {
	case err != nil || bytes.Contains(begin, []byte("CREATE TABLE pool_migrations")):
		return err
	case len(begin) > 0:
		return errForeign
	}
	var whole string
	err = db.QueryRowContext(ctx, "PRAGMA quick_check(1)").Scan(&whole)
	if err != nil || whole != "ok" {
		return errDamaged // the result only names a page
	}
	return nil
}

// beginOf returns the beginning of a log, or nothing if there is no log. SQLite has no
// locks on it.
func beginOf(log string) ([]byte, error) {
	const enough = 1 << 20
	f, err := os.Open(log)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // it was only read
	return io.ReadAll(io.LimitReader(f, enough))
}

// mark writes the application ID before there is a log, so that it is in the file
// itself, where inspect finds it.
func mark(ctx context.Context, path string) error {
	db, err := sqliteDB(path, "_busy_timeout=5000")
	if err != nil {
		return err
	}
	_, err = db.ExecContext(ctx, fmt.Sprintf("PRAGMA application_id = %d", applicationID))
	return errors.Join(lockedBy(err), db.Close())
}

// makePrivate removes all permissions except the owner's.
func makePrivate(file string) error {
	info, err := os.Stat(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil && info.Mode().Perm()&0o077 != 0 {
		err = os.Chmod(file, info.Mode().Perm()&0o700)
	}
	if err != nil {
		return fmt.Errorf("others can read it, and the pool's keys are in it: %w", err)
	}
	return nil
}

// hasCode reports whether err is an error of SQLite with this primary code.
func hasCode(err error, code int) bool {
	e, ok := errors.AsType[*sqlite.Error](err)
	return ok && e.Code()&0xff == code
}

// noDatabase replaces an error of SQLite by a sentence.
func noDatabase(err error) error {
	if hasCode(err, sqlitelib.SQLITE_NOTADB) {
		return errNoDatabase
	}
	return lockedBy(err)
}

// lockedBy explains the error for a file that is in use.
func lockedBy(err error) error {
	if hasCode(err, sqlitelib.SQLITE_BUSY) {
		return fmt.Errorf("another program has locked the database; end that program, or name another file (%w)", err)
	}
	return err
}
