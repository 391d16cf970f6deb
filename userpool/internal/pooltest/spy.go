package pooltest

import (
	"context"
	"fmt"
	"sync"

	"github.com/cognate-auth/cognate/userpool/store"
)

// Spy is a store that writes down what is asked of it: what tells two names
// apart that must look alike.
type Spy struct {
	store.Store

	mu    sync.Mutex // guards calls
	calls []string
}

func (s *Spy) note(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls = append(s.calls, fmt.Sprintf(format, args...))
}

// Calls returns the calls since it was last asked.
func (s *Spy) Calls() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	calls := s.calls
	s.calls = nil
	return calls
}

// Get implements store.Store.
func (s *Spy) Get(ctx context.Context, pool, kind, id string) (store.Record, bool, error) {
	s.note("get %s", kind)
	return s.Store.Get(ctx, pool, kind, id)
}

// Find implements store.Store.
func (s *Spy) Find(ctx context.Context, pool, kind, name string) (store.Record, bool, error) {
	s.note("find %s", kind)
	return s.Store.Find(ctx, pool, kind, name)
}

// List implements store.Store.
func (s *Spy) List(ctx context.Context, pool, kind string, q store.Query) ([]store.Record, error) {
	s.note("list %s", kind)
	return s.Store.List(ctx, pool, kind, q)
}

// Take implements store.Store.
func (s *Spy) Take(ctx context.Context, pool, kind, id string) (store.Record, bool, error) {
	s.note("take %s", kind)
	return s.Store.Take(ctx, pool, kind, id)
}

// Apply implements store.Store.
func (s *Spy) Apply(ctx context.Context, pool string, changes ...store.Change) error {
	for _, c := range changes {
		s.note("change %d of %s", c.Op, c.Kind)
	}
	return s.Store.Apply(ctx, pool, changes...)
}
