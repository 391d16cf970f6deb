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

// applicationID says in the header of a SQLite file that a pool is in it: the
// letters "cogn" (SQLite, "PRAGMA application_id").
const applicationID = 0x636f676e

// ownTables are in every database that has a pool, and all of them are made in
// one transaction.
var ownTables = []string{"pool_migrations", "pool_names", "pool_records", "pool_terms"}

// checkTables tells by the names of its tables whether a database is a pool's.
// fresh: there is none of a pool's.
func checkTables(have []string) (fresh bool, err error) {
	own := slices.DeleteFunc(slices.Clone(ownTables), func(name string) bool { return !slices.Contains(have, name) })
	switch len(own) {
	case 0:
		return true, nil
	case len(ownTables):
		return false, nil
	}
	return false, fmt.Errorf("it has %s, but not the other tables of a user pool: it is another program's",
		strings.Join(own, " and "))
}

// checkVersion refuses a database that a later program has changed.
func checkVersion(version, known int) error {
	if version <= known {
		return nil
	}
	return &newerError{version, known}
}

// newerError says that a later program has changed a database.
type newerError struct{ version, known int }

// Error implements error.
func (e *newerError) Error() string {
	return fmt.Sprintf("it is of version %d, and this program knows versions up to %d; "+
		"use the program that it was last used with, or a newer one", e.version, e.known)
}

// claim makes a SQLite file the store's: one that is empty, or that was before.
// Until it is known to be that, it is read and nothing of it is changed, neither
// its mode nor what is in it nor beside it. Others cannot read the store's.
func claim(ctx context.Context, path string) error {
	path, err := filepath.EvalSymlinks(path) // beside what it leads to is the log
	if err != nil {
		return err
	}
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return errors.New("it is no regular file; name a file, which is made if it is not there")
	}
	if info.Size() > 0 && info.Size() < leastDatabase {
		return errNoDatabase
	}
	marked, err := look(ctx, path)
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

// leastDatabase is the least size of a database, that of one page; what is smaller
// SQLite takes for empty, and writes over.
const leastDatabase = 512

var (
	errNoDatabase = errors.New("it is not a database; name a file of the pool's own, which is made if it is not there")
	errDamaged    = errors.New("it is a damaged database; name a file of the pool's own, " +
		"which is made if it is not there")
	errForeign = errors.New("it is the database of another program; name a file of the pool's own, " +
		"which is made if it is not there")
)

// look reports whether the file has a pool's mark, and returns an error if it is
// not for a pool to use. As an immutable file SQLite reads it without a lock and
// without the log, both of which would leave something beside it. What a process
// left that was killed as it worked off the log may seem damaged then, so that is
// read again with the log, unless it has the mark.
func look(ctx context.Context, path string) (marked bool, err error) {
	marked, err = lookWith(ctx, path, "mode=ro&immutable=1&_pragma=writable_schema(1)") // or a short file has no header
	if hasCode(err, sqlitelib.SQLITE_CORRUPT) {
		marked, err = lookWith(ctx, path, withLog)
	}
	if !marked || err != nil || !hasLog(path) {
		return marked, err
	}
	// A later version's last step may be in the log yet. What can't be read at
	// present, as after a kill, is opened: then migrate looks.
	_, err = lookWith(ctx, path, withLog)
	if _, newer := errors.AsType[*newerError](err); newer {
		return true, err
	}
	return true, nil
}

// withLog reads a file as it is with its log, and leaves both.
const withLog = "mode=ro&_busy_timeout=5000"

// hasLog reports whether there is something in the log of a file.
func hasLog(path string) bool {
	info, err := os.Stat(path + "-wal")
	return err == nil && info.Size() > 0
}

func lookWith(ctx context.Context, path, parameters string) (marked bool, err error) {
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
		fresh, err := lookAtTables(ctx, db)
		switch {
		case err != nil:
			return false, noDatabase(err)
		case fresh && userVersion != 0:
			return false, errForeign
		case fresh:
			return false, checkFresh(ctx, db, path+"-wal")
		}
	}
	steps, err := steps()
	if err != nil {
		return false, err
	}
	var version int
	err = db.QueryRowContext(ctx, readVersion).Scan(&version)
	if err != nil {
		return id != 0, nil //nolint:nilerr // it is in the log; then migrate looks at the version
	}
	return id != 0, checkVersion(version, len(steps))
}

// lookAtTables tells by its tables whether a database is for a pool; fresh: there
// is none.
func lookAtTables(ctx context.Context, db *sql.DB) (fresh bool, err error) {
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

// checkFresh looks closer at a file in which no table was seen. They may all be in
// the log, if a process was killed early that made them before files were marked;
// they are the first that a pool writes. Without a log the file must be whole: a
// damaged one of another program may only seem to have none.
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
		return errDamaged // the text names no more than a page
	}
	return nil
}

// beginOf is the beginning of a log, or nothing. SQLite has no locks on it.
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

// mark writes the application id, before there is a log: so that it is in the file
// itself, where look finds it.
func mark(ctx context.Context, path string) error {
	db, err := sqliteDB(path, "_busy_timeout=5000")
	if err != nil {
		return err
	}
	_, err = db.ExecContext(ctx, fmt.Sprintf("PRAGMA application_id = %d", applicationID))
	return errors.Join(lockedBy(err), db.Close())
}

// makePrivate takes the file from all but its owner.
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

// hasCode reports whether an error is one of SQLite's with this primary code.
func hasCode(err error, code int) bool {
	e, ok := errors.AsType[*sqlite.Error](err)
	return ok && e.Code()&0xff == code
}

// noDatabase says in a sentence what SQLite says in a few words.
func noDatabase(err error) error {
	if hasCode(err, sqlitelib.SQLITE_NOTADB) {
		return errNoDatabase
	}
	return lockedBy(err)
}

// lockedBy says that a file is in use.
func lockedBy(err error) error {
	if hasCode(err, sqlitelib.SQLITE_BUSY) {
		return fmt.Errorf("another program keeps the database locked; end it, or name another file (%w)", err)
	}
	return err
}
