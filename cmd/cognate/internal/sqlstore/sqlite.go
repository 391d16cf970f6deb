package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"

	"modernc.org/sqlite"
)

// Connections of one process to a SQLite file: one writes, because SQLite allows one
// writer at a time, and some read meanwhile.
const sqliteReaders = 4

// sqlitePragmas are set on every connection. With a write-ahead log and NORMAL, a
// commit survives every end of the process; only a power cut can lose the last commits,
// and never a part of one. checkpoints copy the log into the database; SQLite itself
// would do so only at 256 MiB.
const sqlitePragmas = "_busy_timeout=5000&_pragma=journal_mode(WAL)&_pragma=synchronous(NORMAL)" +
	"&_pragma=wal_autocheckpoint(65536)&_pragma=journal_size_limit(33554432)&_pragma=temp_store(MEMORY)"

// writerCache lets the connection that writes keep 16 MiB of the file's pages instead
// of 2: whoever adds very many records comes back to the same pages, all over the file.
const writerCache = "PRAGMA cache_size(-16384)"

// sqliteEngine is a SQLite file.
type sqliteEngine struct {
	db          *sql.DB
	writer      sessions
	readers     sessions
	checkpoints *checkpoints
}

// sessions are idle connections. nil stands for one that is not open yet.
type sessions chan *session

// session is a connection with its prepared statements.
type session struct {
	conn       *sql.Conn
	prepared   map[string]*sql.Stmt
	statements int // how many were run
}

func openSQLite(ctx context.Context, path string) (*sqliteEngine, error) {
	if path == "" || strings.HasPrefix(path, ":") {
		return nil, fmt.Errorf("%q is not the path of a SQLite file", path)
	}
	err := createFile(path)
	if err != nil {
		return nil, fmt.Errorf("making the SQLite file: %w", err)
	}
	err = claim(ctx, path)
	if err != nil {
		return nil, fmt.Errorf("opening %s: %w", path, err)
	}
	db, err := sqliteDB(path, sqlitePragmas)
	if err != nil {
		return nil, fmt.Errorf("opening %s: %w", path, err)
	}
	e := &sqliteEngine{db: db, writer: make(sessions, 1), readers: make(sessions, sqliteReaders)}
	e.writer <- nil
	for range sqliteReaders {
		e.readers <- nil
	}
	err = e.use(ctx, e.writer, func(context.Context, *session) error { return nil })
	if err != nil {
		_ = e.db.Close() // the first error says more
		return nil, fmt.Errorf("opening %s: %w", path, lockedBy(err))
	}
	e.checkpoints = startCheckpoints(e)
	return e, nil
}

// sqliteDB opens no connection yet.
func sqliteDB(path, parameters string) (*sql.DB, error) {
	connector, err := sqlite.NewConnector("file:" + (&url.URL{Path: path}).EscapedPath() + "?" + parameters)
	if err != nil {
		return nil, err
	}
	return sql.OpenDB(connector), nil
}

// creating is held while a file is created. Closing a file releases SQLite's locks on
// it in the same process, so no other [Open] may run meanwhile.
var creating sync.Mutex

// createFile creates the file and its directory, if they don't exist, so that others
// can't read them. SQLite gives its other files the same mode.
func createFile(path string) error {
	creating.Lock()
	defer creating.Unlock()
	err := os.MkdirAll(filepath.Dir(path), 0o700)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return f.Close()
}

// use runs work with one of the connections. A statement that has begun is not
// cancelled: none takes long, and SQLite would close the connection.
func (e *sqliteEngine) use(ctx context.Context, idle sessions, work func(context.Context, *session) error) error {
	var s *session
	select {
	case s = <-idle:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { idle <- s }()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	ctx = context.WithoutCancel(ctx)
	if s == nil {
		conn, err := e.db.Conn(ctx)
		if err != nil {
			return err
		}
		s = &session{conn: conn, prepared: make(map[string]*sql.Stmt)}
		if idle == e.writer {
			_, err = conn.ExecContext(ctx, writerCache)
			if err != nil {
				return err
			}
		}
	}
	return work(ctx, s)
}

func (e *sqliteEngine) read(ctx context.Context, work func(context.Context, querier) error) error {
	return e.use(ctx, e.readers, func(ctx context.Context, s *session) error { return work(ctx, s) })
}

// write gets the right to write before it reads, because SQLite does not give it to a
// transaction that has read what another one changed meanwhile.
func (e *sqliteEngine) write(ctx context.Context, _ []int64, work func(context.Context, querier) error) error {
	return e.use(ctx, e.writer, func(ctx context.Context, s *session) error {
		_, err := s.ExecContext(ctx, "BEGIN IMMEDIATE")
		if err != nil {
			return err
		}
		done := false
		defer func() {
			if !done {
				_, _ = s.ExecContext(ctx, "ROLLBACK") // if COMMIT failed there may be nothing to roll back
			}
		}()
		err = work(ctx, s)
		if err != nil {
			return err
		}
		_, err = s.ExecContext(ctx, "COMMIT")
		done = err == nil
		e.checkpoints.note(s.statements)
		return err
	})
}

func (e *sqliteEngine) migrate(ctx context.Context, work func(context.Context, querier) error) error {
	return e.write(ctx, nil, work)
}

var parameter = regexp.MustCompile(`\$([0-9]+)`)

func (e *sqliteEngine) dialect(text string) string {
	return strings.NewReplacer("/*", "", "*/", "").Replace(parameter.ReplaceAllString(text, "?$1"))
}

// close waits for the connections that are in use.
func (e *sqliteEngine) close() error {
	e.checkpoints.stop()
	for range sqliteReaders {
		(<-e.readers).close()
	}
	(<-e.writer).close()
	return e.db.Close()
}

func (s *session) close() {
	if s == nil {
		return
	}
	for _, stmt := range s.prepared {
		_ = stmt.Close() // otherwise SQLite keeps the connection and the log
	}
	_ = s.conn.Close() // nothing is under way
}

// prepare returns the prepared statement of a query. The store has a few dozen.
func (s *session) prepare(ctx context.Context, query string) (*sql.Stmt, error) {
	s.statements++
	if stmt := s.prepared[query]; stmt != nil {
		return stmt, nil
	}
	stmt, err := s.conn.PrepareContext(ctx, (*sqliteEngine)(nil).dialect(query))
	if err == nil {
		s.prepared[query] = stmt
	}
	return stmt, err
}

// ExecContext implements querier.
func (s *session) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	stmt, err := s.prepare(ctx, query) //nolint:sqlclosecheck // it is kept for the next call
	if err != nil {
		return nil, err
	}
	return stmt.ExecContext(ctx, args...)
}

// QueryContext implements querier.
func (s *session) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	stmt, err := s.prepare(ctx, query) //nolint:sqlclosecheck // it is kept for the next call
	if err != nil {
		return nil, err
	}
	return stmt.QueryContext(ctx, args...)
}

// QueryRowContext implements querier.
func (s *session) QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row {
	stmt, err := s.prepare(ctx, query) //nolint:sqlclosecheck // it is kept for the next call
	if err != nil {
		return s.conn.QueryRowContext(ctx, query, args...) // returns the error
	}
	return stmt.QueryRowContext(ctx, args...)
}
