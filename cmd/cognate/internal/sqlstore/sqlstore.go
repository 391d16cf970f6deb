package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/cognate-auth/cognate/userpool/store"
)

// Store is a store.Store in a database. It is safe for concurrent use, also by several
// processes on one database.
type Store struct{ engine engine }

var _ store.Store = (*Store)(nil)

// querier runs statements: it is a connection or a transaction.
type querier interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// engine is what SQLite and PostgreSQL do differently.
type engine interface {
	// read runs work. Its statements may see different states.
	read(ctx context.Context, work func(context.Context, querier) error) error
	// write runs work in a transaction, and again if another transaction interfered. If
	// work fails, nothing of it remains. If it changes several records, touched has a
	// hash of each.
	write(ctx context.Context, touched []int64, work func(context.Context, querier) error) error
	// migrate runs work as write does, while no other process migrates.
	migrate(ctx context.Context, work func(context.Context, querier) error) error
	// dialect converts the SQL text to the engine's dialect.
	dialect(text string) string
	close() error
}

// Open opens the database at a URL and brings its tables up to date. A URL that begins
// with postgres:// or postgresql:// is PostgreSQL's, with the parameters of its own
// clients; anything else is the path of a SQLite file, optionally after "sqlite:". If
// the file or its directory does not exist, Open creates it for this user only, and an
// existing file gets that mode. Open refuses a database of another program or of a
// later version of this one, and does not change it. No error contains the password of
// the URL.
func Open(ctx context.Context, url string) (*Store, error) {
	e, err := openEngine(ctx, url)
	if err != nil {
		return nil, fmt.Errorf("sqlstore: %w", err)
	}
	err = migrate(ctx, e)
	if err != nil {
		_ = e.close() // the first error says more
		return nil, fmt.Errorf("sqlstore: preparing the database: %w", lockedBy(err))
	}
	return &Store{e}, nil
}

func openEngine(ctx context.Context, url string) (engine, error) {
	scheme, rest, hasScheme := strings.Cut(url, ":")
	switch {
	case scheme == "postgres", scheme == "postgresql":
		return openPostgres(ctx, url)
	case hasScheme && scheme == "sqlite":
		return openSQLite(ctx, strings.TrimPrefix(rest, "//"))
	case strings.Contains(url, "://"):
		return nil, fmt.Errorf("databases of type %q are not supported; use the path of a SQLite file or a "+
			"postgres:// URL",
			scheme)
	case keywords.MatchString(url):
		return nil, errors.New("keywords and values are not supported; use the path of a SQLite file or a " +
			"postgres:// URL")
	default:
		return openSQLite(ctx, url)
	}
}

// keywords matches the other form of PostgreSQL's connection strings. Its password must
// not become the name of a file.
var keywords = regexp.MustCompile(`(?i)(^|\s)(host|hostaddr|port|user|dbname|password|passfile|service|sslmode)\s*=`)

// Close closes all connections, after what is under way has ended.
func (s *Store) Close() error { return s.engine.close() }

// describe adds what failed to an error. Callers can still find the errors that they
// look for.
func describe(what string, err error) error {
	if err == nil || errors.Is(err, store.ErrExists) || errors.Is(err, store.ErrConflict) {
		return err
	}
	return fmt.Errorf("sqlstore: %s: %w", what, err)
}

// columns are the columns of a record for scanRecord, in a query that calls the table
// r.
const (
	columns = `r.id, ` + content
	content = `owner, names, terms, expires, version, body`
)

const (
	getRecord = `SELECT ` + columns + ` FROM pool_records r WHERE r.pool = $1 AND r.kind = $2 AND r.id = $3`

	findRecord = `SELECT ` + columns + ` FROM pool_names n
		JOIN pool_records r ON r.pool = n.pool AND r.kind = n.kind AND r.id = n.id
		WHERE n.pool = $1 AND n.kind = $2 AND n.name = $3`

	takeRecord = `DELETE FROM pool_records WHERE pool = $1 AND kind = $2 AND id = $3 RETURNING id, ` + content
)

type scanner interface{ Scan(dest ...any) error }

func scanRecord(row scanner, kind string) (store.Record, error) {
	r := store.Record{Kind: kind}
	var id, owner, names, terms []byte
	var expires sql.NullInt64
	err := row.Scan(&id, &owner, &names, &terms, &expires, &r.Version, &r.Body)
	if err != nil {
		return r, err
	}
	r.ID, r.Owner = string(id), string(owner)
	if expires.Valid {
		r.Expires = time.UnixMicro(expires.Int64).UTC()
	}
	r.Names, err = decodeList(names)
	if err != nil {
		return r, err
	}
	r.Terms, err = decodeList(terms)
	return r, err
}

// scanOne scans a row that may not exist.
func scanOne(row *sql.Row, kind string) (store.Record, bool, error) {
	r, err := scanRecord(row, kind)
	if errors.Is(err, sql.ErrNoRows) {
		return store.Record{}, false, nil
	}
	return r, err == nil, err
}

// Get implements store.Store.
func (s *Store) Get(ctx context.Context, pool, kind, id string) (r store.Record, ok bool, err error) {
	err = s.engine.read(ctx, func(ctx context.Context, q querier) error {
		r, ok, err = scanOne(q.QueryRowContext(ctx, getRecord, []byte(pool), []byte(kind), []byte(id)), kind)
		return err
	})
	return r, ok, describe("reading a "+kind, err)
}

// Find implements store.Store.
func (s *Store) Find(ctx context.Context, pool, kind, name string) (r store.Record, ok bool, err error) {
	err = s.engine.read(ctx, func(ctx context.Context, q querier) error {
		r, ok, err = scanOne(q.QueryRowContext(ctx, findRecord, []byte(pool), []byte(kind), indexed(name)), kind)
		return err
	})
	return r, ok, describe("finding a "+kind, err)
}

// Take implements store.Store.
func (s *Store) Take(ctx context.Context, pool, kind, id string) (r store.Record, ok bool, err error) {
	err = s.engine.write(ctx, nil, func(ctx context.Context, q querier) error {
		t := table{q, []byte(pool), []byte(kind)}
		r, ok, err = scanOne(q.QueryRowContext(ctx, takeRecord, t.pool, t.kind, []byte(id)), kind)
		if err != nil || !ok {
			return err
		}
		return t.removeKeys(ctx, id, r.Names, r.Terms)
	})
	if err != nil {
		return store.Record{}, false, describe("taking a "+kind, err)
	}
	return r, ok, nil
}

// Apply implements store.Store.
func (s *Store) Apply(ctx context.Context, pool string, changes ...store.Change) error {
	if len(changes) == 0 {
		return nil
	}
	err := s.engine.write(ctx, touched(pool, changes), func(ctx context.Context, q querier) error {
		for rest := changes; len(rest) > 0; {
			t, n := table{q, []byte(pool), []byte(rest[0].Kind)}, plain(rest)
			var err error
			if n > 1 {
				err = t.createAll(ctx, rest[:n])
			} else {
				n, err = 1, t.apply(ctx, rest[0])
			}
			if err != nil {
				return err
			}
			rest = rest[n:]
		}
		return nil
	})
	return describe("changing records", err)
}

// touched returns a small hash of each record that is changed, sorted and each once. A
// single change needs none: it can't wait for itself.
func touched(pool string, changes []store.Change) (out []int64) {
	if len(changes) < 2 {
		return nil
	}
	for _, c := range changes {
		h := fnv.New32a()
		_, _ = io.WriteString(h, pool+"\x00"+c.Kind+"\x00"+c.ID) // it never fails
		out = append(out, int64(h.Sum32()%256))
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// batchSize is how many records one transaction removes, so that other transactions can
// run in between.
const batchSize = 250

const expiredRecords = `SELECT pool, kind, id, version FROM pool_records WHERE expires <= $1 ORDER BY expires LIMIT $2`

// DeleteExpired implements store.Store.
func (s *Store) DeleteExpired(ctx context.Context, now time.Time, limit int) (n int, err error) {
	for n < limit {
		size, removed := min(limit-n, batchSize), 0
		err = s.engine.write(ctx, nil, func(ctx context.Context, q querier) error {
			removed, err = deleteExpired(ctx, q, now, size)
			return err
		})
		n += removed
		if err != nil || removed < size {
			break
		}
	}
	return n, describe("removing expired records", err)
}

// deleteExpired removes at most limit records. A record that another process changes
// meanwhile is left for the next call.
func deleteExpired(ctx context.Context, q querier, now time.Time, limit int) (n int, err error) {
	type row struct {
		pool, kind, id []byte
		version        int64
	}
	list, err := collect(ctx, q, func(s scanner) (r row, err error) {
		return r, s.Scan(&r.pool, &r.kind, &r.id, &r.version)
	}, expiredRecords, now.UnixMicro(), limit)
	if err != nil {
		return 0, err
	}
	for _, r := range list {
		t := table{q, r.pool, r.kind}
		gone, err := t.remove(ctx, string(r.id), r.version)
		if err != nil {
			return n, err
		}
		if gone {
			n++
		}
	}
	return n, nil
}

// collect runs a query and scans all of its rows.
func collect[T any](
	ctx context.Context, q querier, scan func(scanner) (T, error), query string, args ...any,
) (out []T, err error) {
	rows, err := q.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		v, err := scan(rows)
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	return out, rows.Err()
}
