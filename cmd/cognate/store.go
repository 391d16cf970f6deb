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
	s, err := sqlstore.Open(ctx, at)
	if err != nil {
		return nil, nil, err
	}
	return s, func() { _ = s.Close() }, nil // every acknowledged change is already stored
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
