package sqlstore

import (
	"context"
	"embed"
	"fmt"
	"io/fs"
	"strings"
)

// migrations are the steps from an empty database to the present tables, in the
// order of their names. One that was released never changes; and a program of
// the version before must still work on the tables that a step leaves, since
// both run while a new version takes over.
//
//go:embed migrations/*.sql
var migrations embed.FS

const (
	createVersions = `CREATE TABLE IF NOT EXISTS pool_migrations (version BIGINT NOT NULL PRIMARY KEY)`
	readVersion    = `SELECT COALESCE(MAX(version), 0) FROM pool_migrations`
	writeVersion   = `INSERT INTO pool_migrations (version) VALUES ($1)`
)

// steps are the names of the migrations.
func steps() ([]string, error) { return fs.Glob(migrations, "migrations/*.sql") }

// migrate takes the steps that are missing. A second process waits for the
// first and finds none.
func migrate(ctx context.Context, e engine) error {
	steps, err := steps()
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
			err = takeStep(ctx, e, q, name, version+i+1)
			if err != nil {
				return fmt.Errorf("step %s: %w", name, err)
			}
		}
		return nil
	})
}

func takeStep(ctx context.Context, e engine, q querier, name string, version int) error {
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
