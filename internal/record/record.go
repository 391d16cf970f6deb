// Package record derives the names of the records in a session store, so that the store
// learns nothing from them, and keeps marks there: records by which all processes see that
// something was used. It imports packages sessionstore, seal and refusal, and does not know
// what other records contain.
package record

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"time"

	"github.com/cognate-auth/cognate/internal/refusal"
	"github.com/cognate-auth/cognate/internal/seal"
	"github.com/cognate-auth/cognate/sessionstore"
)

// A Store is a session store, with the names for one app client. It is safe for concurrent
// use.
type Store struct {
	sessionstore.Store

	bound string
}

// NewStore returns a Store whose names depend on bound, which has to differ between the app
// clients that share a store. It returns nil if store is nil.
func NewStore(store sessionstore.Store, bound string) *Store {
	if store == nil {
		return nil
	}
	return &Store{store, bound}
}

// Name returns the name in the store of a value of some kind: a hash.
func (s *Store) Name(kind, value string) string {
	h := sha256.New()
	for _, part := range []string{"cognate", kind, s.bound, value} {
		_, _ = h.Write(binary.AppendUvarint(nil, uint64(len(part))))
		_, _ = h.Write([]byte(part))
	}
	return seal.Encoding.EncodeToString(h.Sum(nil))
}

// Down returns the refusal for a store that can't be reached.
func Down(err error) *refusal.Error {
	e := refusal.New(refusal.StoreDown, "the session store can't be asked: %w", err)
	e.RetryAfter = time.Second
	return e
}

// ErrMarked is the error of [Store.Mark] if the mark exists already.
var ErrMarked = errors.New("it is marked already")

// A Mark is a record that something was used.
type Mark struct {
	// Kind and Value identify what was used.
	Kind, Value string
	// Says is the content of the mark, which the caller defines.
	Says byte
	// Until is when the mark expires.
	Until time.Time
}

func (s *Store) record(m Mark) sessionstore.Record {
	return sessionstore.Record{Key: s.Name(m.Kind, m.Value), Version: 1, Value: []byte{m.Says}, Expires: m.Until}
}

// Mark creates a mark. The error is [ErrMarked] if the mark exists already, or that of [Down].
func (s *Store) Mark(ctx context.Context, m Mark) error {
	err := s.Create(ctx, s.record(m))
	switch {
	case err == nil:
		return nil
	case errors.Is(err, sessionstore.ErrRecordChanged):
		return ErrMarked
	}
	return Down(err)
}

// Marked returns the content of a mark; ok is false if there is none. The error is that of
// [Down].
func (s *Store) Marked(ctx context.Context, kind, value string) (says byte, ok bool, err error) {
	r, err := s.LoadLatest(ctx, s.Name(kind, value))
	switch {
	case err == nil && len(r.Value) == 1:
		return r.Value[0], true, nil
	case err == nil || errors.Is(err, sessionstore.ErrNoRecord):
		return 0, err == nil, nil
	}
	return 0, false, Down(err)
}

// UpdateMark changes the content and the expiry of a new mark, once. If the store fails, the
// mark stays as it is.
func (s *Store) UpdateMark(ctx context.Context, m Mark) { _ = s.Update(ctx, s.record(m)) }

// Unmark removes a mark. If the store fails, the mark stays until it expires.
func (s *Store) Unmark(ctx context.Context, kind, value string) {
	_ = s.Delete(ctx, s.Name(kind, value))
}
