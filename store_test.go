package cognate_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/cognate-auth/cognate/sessionstore"
)

// flakyStore is a store that can be taken down, and that sees what it is given.
type flakyStore struct {
	sessionstore.Store
	down atomic.Bool
	// failUpdates makes that many updates fail after they were made, as a connection
	// that breaks at the wrong moment does.
	failUpdates atomic.Int32
	updates     atomic.Int32

	mu   sync.Mutex
	seen []sessionstore.Record
}

var errDown = errors.New("connection refused")

func (s *flakyStore) see(r sessionstore.Record) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seen = append(s.seen, r)
}

// live is how many of the records are there that were written.
func (s *flakyStore) live(t *testing.T) (n int) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	keys := map[string]bool{}
	for _, r := range s.seen {
		keys[r.Key] = true
	}
	for key := range keys {
		_, err := s.Store.Load(t.Context(), key)
		if err == nil {
			n++
		}
	}
	return n
}

func (s *flakyStore) Create(ctx context.Context, r sessionstore.Record) error {
	if s.down.Load() {
		return errDown
	}
	s.see(r)
	return s.Store.Create(ctx, r)
}

func (s *flakyStore) Load(ctx context.Context, key string) (sessionstore.Record, error) {
	if s.down.Load() {
		return sessionstore.Record{}, errDown
	}
	return s.Store.Load(ctx, key)
}

func (s *flakyStore) LoadLatest(ctx context.Context, key string) (sessionstore.Record, error) {
	if s.down.Load() {
		return sessionstore.Record{}, errDown
	}
	return s.Store.LoadLatest(ctx, key)
}

func (s *flakyStore) Update(ctx context.Context, r sessionstore.Record) error {
	if s.down.Load() {
		return errDown
	}
	s.see(r)
	s.updates.Add(1)
	err := s.Store.Update(ctx, r)
	if err == nil && s.failUpdates.Add(-1) >= 0 {
		return errDown
	}
	return err
}

func (s *flakyStore) Delete(ctx context.Context, key string) error {
	if s.down.Load() {
		return errDown
	}
	return s.Store.Delete(ctx, key)
}

func (s *flakyStore) DeleteIndexed(ctx context.Context, index string) (int, error) {
	if s.down.Load() {
		return 0, errDown
	}
	return s.Store.DeleteIndexed(ctx, index)
}
