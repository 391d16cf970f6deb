package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
)

const (
	// Connections of one process; PostgreSQL allows a hundred in all by default.
	postgresConnections = 16
	// No call waits longer for the server than this, even if its caller would.
	postgresPatience = 15 * time.Second
	// How often a transaction is tried again after others interfered.
	postgresTries = 20
	// Advisory locks are numbers from here on: the letters "cognate". The first 256 are
	// for records, one is for migrations, and one is for transactions that are tried
	// again, so that those run one at a time.
	postgresLocks     int64 = 0x636f676e617465 << 8
	postgresMigrating int64 = 256
	postgresTrying    int64 = 257
)

// postgresEngine is a PostgreSQL database.
type postgresEngine struct{ db *sql.DB }

func openPostgres(ctx context.Context, url string) (*postgresEngine, error) {
	config, err := pgx.ParseConfig(url)
	if err != nil {
		// The text of the error contains parts of the URL.
		return nil, errors.New("the PostgreSQL URL can't be parsed; " +
			"expected postgres://user:password@host:5432/database, and parameters that PostgreSQL knows")
	}
	if config.ConnectTimeout == 0 {
		config.ConnectTimeout = postgresPatience
	}
	db := stdlib.OpenDB(*config)
	db.SetMaxOpenConns(postgresConnections)
	db.SetMaxIdleConns(postgresConnections)
	db.SetConnMaxIdleTime(5 * time.Minute)
	err = db.PingContext(ctx)
	if err != nil {
		_ = db.Close() // the first error says more
		return nil, fmt.Errorf("connecting to PostgreSQL: %w", err)
	}
	err = checkSchema(ctx, db)
	if err != nil {
		_ = db.Close() // as above
		return nil, fmt.Errorf("looking at the PostgreSQL schema: %w", err)
	}
	return &postgresEngine{db}, nil
}

// schemaTables lists the relations with names of a pool's tables in the schema where
// new tables are created.
const schemaTables = `SELECT c.relname::TEXT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
	WHERE n.nspname = current_schema() AND c.relname = ANY($1::TEXT[])`

// checkSchema refuses a schema in which another program has tables of the same names,
// before anything is created there. Other tables don't matter: an app may keep its own
// beside the pool's.
func checkSchema(ctx context.Context, db *sql.DB) error {
	ctx, cancel := context.WithTimeout(ctx, postgresPatience)
	defer cancel()
	var schema sql.NullString
	err := db.QueryRowContext(ctx, "SELECT current_schema()").Scan(&schema)
	if err != nil {
		return err
	}
	if !schema.Valid {
		return errors.New("the schema that search_path names does not exist; create it, or leave search_path out")
	}
	scan := func(s scanner) (name string, err error) { return name, s.Scan(&name) }
	tables, err := collect(ctx, db, scan, schemaTables, ownTables)
	if err != nil {
		return err
	}
	_, err = checkTables(tables)
	if err != nil {
		return fmt.Errorf("%s: %w; use a schema for the pool only, such as with ?search_path=pool", schema.String, err)
	}
	return nil
}

func (e *postgresEngine) read(ctx context.Context, work func(context.Context, querier) error) error {
	ctx, cancel := context.WithTimeout(ctx, postgresPatience)
	defer cancel()
	return work(ctx, e.db)
}

// write takes the locks of several records before it changes any, and always in the
// same order: otherwise two transactions that change the same records in opposite
// orders would wait for each other, and PostgreSQL takes a second to detect that.
func (e *postgresEngine) write(
	ctx context.Context, touched []int64, work func(context.Context, querier) error,
) error {
	ctx, cancel := context.WithTimeout(ctx, postgresPatience)
	defer cancel()
	err := e.locked(ctx, touched, work)
	for try := 1; try < postgresTries && isConflict(err) && ctx.Err() == nil; try++ {
		err = e.locked(ctx, append([]int64{postgresTrying}, touched...), work)
	}
	return err
}

// locked runs work while no other process holds one of these locks.
func (e *postgresEngine) locked(
	ctx context.Context, locks []int64, work func(context.Context, querier) error,
) error {
	return e.inTransaction(ctx, func(ctx context.Context, q querier) error {
		if len(locks) > 0 {
			_, err := q.ExecContext(ctx, "SELECT pg_advisory_xact_lock($1 + lock) FROM unnest($2::BIGINT[]) AS lock",
				postgresLocks, locks)
			if err != nil {
				return err
			}
		}
		return work(ctx, q)
	})
}

// inTransaction runs work in one transaction. Each statement sees what was committed
// before it. Unique indexes and the comparison of versions guarantee the store's rules;
// the isolation level does not.
func (e *postgresEngine) inTransaction(ctx context.Context, work func(context.Context, querier) error) error {
	tx, err := e.db.BeginTx(ctx, &sql.TxOptions{Isolation: sql.LevelReadCommitted})
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }() // after Commit it does nothing
	err = work(ctx, tx)
	if err != nil {
		return err
	}
	return tx.Commit()
}

// isConflict reports whether the transaction failed because of others and changed
// nothing: a serialization failure, a deadlock, or a number of a new record that
// another record of the same owner got.
func isConflict(err error) bool {
	if errors.Is(err, errRetry) {
		return true
	}
	e, ok := errors.AsType[*pgconn.PgError](err)
	return ok && (e.Code == "40001" || e.Code == "40P01" || e.Code == "23505")
}

func (e *postgresEngine) migrate(ctx context.Context, work func(context.Context, querier) error) error {
	return e.locked(ctx, []int64{postgresMigrating}, work)
}

func (e *postgresEngine) dialect(text string) string { return text }

func (e *postgresEngine) close() error { return e.db.Close() }
