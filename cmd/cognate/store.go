package main

import (
	"context"
	"errors"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/cognate-auth/cognate/cmd/cognate/internal/sqlstore"
	"github.com/cognate-auth/cognate/userpool/memstore"
	"github.com/cognate-auth/cognate/userpool/store"
)

const (
	inMemory     = "memory" // the store that forgets
	defaultStore = "./.cognate/pool.db"
)

// openStore opens the store at a URL; the caller closes it.
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
	s, err := sqlstore.Open(ctx, at)
	if err != nil {
		return nil, nil, err
	}
	return s, func() { _ = s.Close() }, nil // what was acknowledged is stored
}

// keepFromGit makes the folder of the default store, with what keeps its data out of
// a commit.
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

// storeName is what a person reads of a store: never its password.
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
