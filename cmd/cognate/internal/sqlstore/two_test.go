package sqlstore_test

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/cognate-auth/cognate/userpool/store"
)

// alternating passes each call to the other one of two stores.
type alternating struct {
	calls  atomic.Int64
	stores [2]store.Store
}

func (a *alternating) next() store.Store { return a.stores[a.calls.Add(1)%2] }

func (a *alternating) Get(ctx context.Context, pool, kind, id string) (store.Record, bool, error) {
	return a.next().Get(ctx, pool, kind, id)
}

func (a *alternating) Find(ctx context.Context, pool, kind, name string) (store.Record, bool, error) {
	return a.next().Find(ctx, pool, kind, name)
}

func (a *alternating) List(ctx context.Context, pool, kind string, q store.Query) ([]store.Record, error) {
	return a.next().List(ctx, pool, kind, q)
}

func (a *alternating) Take(ctx context.Context, pool, kind, id string) (store.Record, bool, error) {
	return a.next().Take(ctx, pool, kind, id)
}

func (a *alternating) Apply(ctx context.Context, pool string, changes ...store.Change) error {
	return a.next().Apply(ctx, pool, changes...)
}

func (a *alternating) DeleteExpired(ctx context.Context, now time.Time, limit int) (int, error) {
	return a.next().DeleteExpired(ctx, now, limit)
}
