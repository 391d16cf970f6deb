package main

import (
	"context"
	"fmt"
	"net/url"
	"strings"

	"github.com/cognate-auth/cognate/userpool"
	"github.com/cognate-auth/cognate/userpool/memstore"
)

// inMemory is the store that forgets.
const inMemory = "memory"

// openStore opens the store at a URL; the caller closes it.
func openStore(_ context.Context, at string) (store userpool.Store, closeIt func(), err error) {
	if at == inMemory {
		return memstore.New(), func() {}, nil
	}
	return nil, nil, fmt.Errorf("--store %s is of no type that is known; use memory", storeName(at))
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
