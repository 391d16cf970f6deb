package oauth_test

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"

	"github.com/cognate-auth/cognate/userpool/store"
)

// failingStore is a store whose sessions and tokens cannot be read while it is
// failing, and whose users are gone while they are gone.
type failingStore struct {
	store.Store

	failing, gone atomic.Bool
}

var errDisk = errors.New("the disk is on fire")

func (s *failingStore) fault(kind string) error {
	if s.failing.Load() && slices.Contains([]string{"session", "refresh"}, kind) {
		return errDisk
	}
	return nil
}

func (s *failingStore) Get(ctx context.Context, pool, kind, id string) (store.Record, bool, error) {
	err := s.fault(kind)
	if err != nil || kind == "user" && s.gone.Load() {
		return store.Record{}, false, err
	}
	return s.Store.Get(ctx, pool, kind, id)
}

func (s *failingStore) List(ctx context.Context, pool, kind string, q store.Query) ([]store.Record, error) {
	err := s.fault(kind)
	if err != nil {
		return nil, err
	}
	return s.Store.List(ctx, pool, kind, q)
}
