package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/cognate-auth/cognate/cmd/cognate/internal/poolconfig"
	"github.com/cognate-auth/cognate/cmd/cognate/internal/textfile"
	"github.com/cognate-auth/cognate/internal/terminal"
	"github.com/cognate-auth/cognate/userpool/pool"
	"github.com/cognate-auth/cognate/userpool/store"
)

type poolImportCommand struct {
	File  string `arg:"" help:"CSV file with the header of Cognito's import."`
	Store string `default:"${store}" placeholder:"URL" env:"COGNATE_STORE" help:"Where data are kept: a path (SQLite) or postgres://... (default ${default})."`
	Pool  string `placeholder:"ID" help:"The pool, if the file describes several (default the first)."`
	configFlags
}

// Run checks all lines first: a mistake in the file means that no user is added.
func (c *poolImportCommand) Run(ctx context.Context, term terminal.Streams) error {
	file, _, err := c.configuration(term)
	if err != nil {
		return err
	}
	p, err := poolOf(file, c.Pool)
	if err != nil {
		return err
	}
	text, err := poolconfig.ReadCSVFile(c.File)
	if err != nil {
		return fmt.Errorf("reading users: %w", textfile.Explain(err, "name the CSV file with the users"))
	}
	if c.Store == inMemory {
		return errors.New("--store memory forgets the users when this command ends; name a database")
	}
	i := &userImport{pool: p, text: text, name: c.File, report: newProgress(term.Err, time.Now)}
	err = i.check(ctx)
	if err != nil {
		return err
	}
	s, closeStore, err := openStore(ctx, c.Store)
	if err != nil {
		return i.interrupted(ctx, err)
	}
	defer closeStore()
	return i.run(ctx, term.Out, s)
}

// userImport is one run of cognate pool import.
type userImport struct {
	pool   poolconfig.Pool
	text   []byte
	name   string // of the file
	total  int    // users in it
	report *progress
}

// check reads the whole file, and counts its users.
func (i *userImport) check(ctx context.Context) error {
	err := poolconfig.ReadCSV(i.text, i.name, i.pool, func(poolconfig.User) error {
		i.total++
		i.report.show(i.total, 0, "users checked")
		return ctx.Err()
	})
	i.report.end()
	if err != nil && ctx.Err() == nil {
		return fmt.Errorf("no user was added:\n%s", indent(err.Error()))
	}
	return i.interrupted(ctx, err)
}

// run adds the users.
func (i *userImport) run(ctx context.Context, out io.Writer, s store.Store) error {
	up, err := importInto(ctx, s, i.pool)
	if err != nil {
		return i.interrupted(ctx, err)
	}
	done, err := poolconfig.Import(ctx, up, i.pool, i.text, i.name, func(done poolconfig.Imported) {
		i.report.show(done.Done(), i.total, "users")
	})
	i.report.end()
	terminal.Printf(out, "%s added to %s, %d existed already.\n", terminal.Count(done.Added, "user", "users"),
		i.pool.ID, done.There)
	if done.Differing > 0 {
		terminal.Printf(out, "The file says something else of %s of those, such as %s. An import changes nobody.\n",
			terminal.Count(done.Differing, "user", "users"), done.FirstDiffering)
	}
	if _, mistakes := errors.AsType[*poolconfig.Error](err); mistakes {
		return fmt.Errorf("not all users could be stored:\n%s", indent(err.Error()))
	}
	return i.unfinished(ctx, done.Done(), err)
}

// interrupted words an error before the first user was added.
func (i *userImport) interrupted(ctx context.Context, err error) error {
	if err != nil && ctx.Err() != nil {
		return errors.New("interrupted; no user was added")
	}
	return err
}

// unfinished words why an import ended early, and how it goes on. Ctrl-C is a failure
// here, unlike in the commands that run until Ctrl-C: users are missing.
func (i *userImport) unfinished(ctx context.Context, done int, err error) error {
	if err == nil {
		return nil
	}
	why := fmt.Sprintf("the store failed: %v", err)
	if ctx.Err() != nil {
		why = "interrupted"
	}
	return fmt.Errorf("%s; %s of %s are left: the same command goes on with them",
		why, terminal.Count(max(i.total-done, 0), "user", "users"), i.name)
}

// importInto returns the pool that p describes, to add users to. It signs nobody up or
// in, so it calls no triggers.
func importInto(ctx context.Context, s store.Store, p poolconfig.Pool) (*pool.Pool, error) {
	settings := p.Settings
	settings.Triggers = nil
	return pool.New(ctx, pool.Config{ID: p.ID, Issuer: "http://localhost/" + p.ID, Store: s, Settings: settings})
}

// poolOf returns the pool with this ID, or the first pool if the ID is empty.
func poolOf(f *poolconfig.File, id string) (poolconfig.Pool, error) {
	for _, p := range f.Pools {
		if id == "" || p.ID == id {
			return p, nil
		}
	}
	return poolconfig.Pool{}, noSuchPool(f, f.Path, id)
}
