package sqlstore

import (
	"context"
	"embed"
	"fmt"
	"io/fs"
	"strings"
)

// migrations are the steps from an empty database to the present tables, in the order of
// their names. A released migration never changes. The previous version of the program
// must work with the tables after a migration, because both versions run during an
// upgrade.
//
//go:embed migrations/*.sql
var migrations embed.FS

const (
	createVersions = `CREATE TABLE IF NOT EXISTS pool_migrations (version BIGINT NOT NULL PRIMARY KEY)`
	readVersion    = `SELECT COALESCE(MAX(version), 0) FROM pool_migrations`
	writeVersion   = `INSERT INTO pool_migrations (version) VALUES ($1)`
)

// migrationNames returns the names of the migrations.
func migrationNames() ([]string, error) { return fs.Glob(migrations, "migrations/*.sql") }

// migrate runs the migrations that are missing. If two processes do so, the second one
// waits for the first and finds nothing to do.
func migrate(ctx context.Context, e engine) error {
	steps, err := migrationNames()
	if err != nil {
		return err
	}
	return e.migrate(ctx, func(ctx context.Context, q querier) error {
		_, err := q.ExecContext(ctx, createVersions)
		if err != nil {
			return err
		}
		var version int
		err = q.QueryRowContext(ctx, readVersion).Scan(&version)
		if err != nil {
			return err
		}
		err = checkVersion(version, len(steps))
		if err != nil {
			return err
		}
		for i, name := range steps[version:] {
			err = runMigration(ctx, e, q, name, version+i+1)
			if err != nil {
				return fmt.Errorf("step %s: %w", name, err)
			}
		}
		return nil
	})
}

func runMigration(ctx context.Context, e engine, q querier, name string, version int) error {
	text, err := migrations.ReadFile(name)
	if err != nil {
		return err
	}
	for statement := range strings.SplitSeq(e.dialect(string(text)), ";\n") {
		if strings.TrimSpace(statement) == "" {
			continue
		}
		_, err = q.ExecContext(ctx, statement)
		if err != nil {
			return err
		}
	}
	_, err = q.ExecContext(ctx, writeVersion, version)
	return err
}
