package records

import (
	"context"
	"errors"
	"time"

	"github.com/cognate-auth/cognate/userpool/store"
)

// Attempts counts the failed sign-ins of one user or one unknown name.
type Attempts struct {
	Key         string // opaque
	Failures    int
	LockedUntil time.Time
	Expires     time.Time // when the count is forgotten
	Version     int64
}

// Attempts returns the count of failures with this key.
func (s Records) Attempts(ctx context.Context, key string) (a Attempts, ok bool, err error) {
	a, version, ok, err := found[Attempts](s.Store.Get(ctx, s.Pool, kindAttempts, key))
	a.Version = version
	return a, ok, err
}

// PutAttempts stores a if the stored Version is still a.Version (0: there is no
// record yet); otherwise it returns ErrConflict.
func (s Records) PutAttempts(ctx context.Context, a Attempts) error {
	c := store.Change{Op: store.Update, Record: store.Record{
		Kind: kindAttempts, ID: a.Key, Expires: a.Expires, Version: a.Version, Body: encodeBody(a),
	}}
	if a.Version == 0 {
		c.Op = store.Create
	}
	err := s.Apply(ctx, c)
	if errors.Is(err, store.ErrExists) {
		return store.ErrConflict
	}
	return err
}

// DeleteAttempts removes the count with this key.
func (s Records) DeleteAttempts(ctx context.Context, key string) error {
	return s.Apply(ctx, store.Change{Op: store.Delete, Record: store.Record{Kind: kindAttempts, ID: key}})
}
