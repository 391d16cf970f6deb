package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/cognate-auth/cognate/cmd/cognate/internal/sqlstore"
	"github.com/cognate-auth/cognate/userpool/memstore"
	"github.com/cognate-auth/cognate/userpool/store"
)

const (
	inMemory     = "memory" // the store whose data end with the program
	defaultStore = "./.cognate/pool.db"
)

// openStore opens the store at a URL. The caller closes it.
func openStore(ctx context.Context, at string) (st store.Store, closeIt func(), err error) {
	if at == inMemory {
		return memstore.New(), func() {}, nil
	}
	if at == defaultStore {
		err = keepFromGit(filepath.Dir(at))
		if err != nil {
			return nil, nil, err
		}
	}
	s, err := openDatabase(ctx, at)
	if err != nil {
		return nil, nil, err
	}
	return s, func() { _ = s.Close() }, nil // every acknowledged change is already stored
}

// openDatabase opens a database. If ctx ends it waits no longer: a file that another
// program has locked takes some seconds to say so.
func openDatabase(ctx context.Context, at string) (*sqlstore.Store, error) {
	type result struct {
		store *sqlstore.Store
		err   error
	}
	opened := make(chan result, 1)
	go func() {
		s, err := sqlstore.Open(ctx, at)
		opened <- result{s, err}
	}()
	select {
	case r := <-opened:
		if r.err != nil && ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if r.err != nil {
			return nil, explainStore(at, r.err)
		}
		return r.store, nil
	case <-ctx.Done():
		go func() {
			r := <-opened
			if r.err == nil {
				_ = r.store.Close() // nothing was changed
			}
		}()
		return nil, ctx.Err()
	}
}

// explainStore names the flag, and what can be done about a server that does not answer.
func explainStore(at string, err error) error {
	err = reword(err, "sqlstore: ", "--store "+storeName(at)+": ")
	if _, ok := errors.AsType[*net.OpError](err); ok {
		return fmt.Errorf("%w\n  Start PostgreSQL there, or leave out --store to keep data in a file", err)
	}
	return err
}

// keepFromGit creates the folder of the default store, with a .gitignore so that its
// data are not committed.
func keepFromGit(folder string) error {
	err := os.Mkdir(folder, 0o700)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(folder, ".gitignore"), []byte("*\n"), 0o600)
}

// storeName returns a store's URL for people, without its password.
func storeName(at string) string {
	if !strings.Contains(at, "://") {
		return at
	}
	u, err := url.Parse(at)
	if err != nil {
		return "(a URL that can't be read)"
	}
	return u.Scheme + "://" + u.Host + u.Path
}
