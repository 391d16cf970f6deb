// Package record names what lies in a session store, so that the store learns nothing from
// the names, and keeps marks there: that something was used, for all processes to see. It
// knows packages sessionstore, seal and refusal; what is in a record that is no mark is not
// its business.
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

// A Store is a session store with the names of one app client. It is safe for concurrent use.
type Store struct {
	sessionstore.Store

	bound string
}

// NewStore returns a store whose names are bound to what differs between those who share it.
// It is nil if there is no store.
func NewStore(store sessionstore.Store, bound string) *Store {
	if store == nil {
		return nil
	}
	return &Store{store, bound}
}

// Name names something in the store: the hash of its value. kind keeps ids, subjects and
// session IDs apart.
func (s *Store) Name(kind, value string) string {
	h := sha256.New()
	for _, part := range []string{"cognate", kind, s.bound, value} {
		_, _ = h.Write(binary.AppendUvarint(nil, uint64(len(part))))
		_, _ = h.Write([]byte(part))
	}
	return seal.Encoding.EncodeToString(h.Sum(nil))
}

// Down is the refusal that a store which can't be asked leads to.
func Down(err error) *refusal.Error {
	e := refusal.New(refusal.StoreDown, "the session store can't be asked: %w", err)
	e.RetryAfter = time.Second
	return e
}

// ErrMarked is the error of a second mark.
var ErrMarked = errors.New("it is marked already")

// A Mark says in the store that something was used.
type Mark struct {
	// Kind and Value are what it is.
	Kind, Value string
	// Says is what there is to say about it.
	Says byte
	// Until is when the mark ends.
	Until time.Time
}

func (s *Store) record(m Mark) sessionstore.Record {
	return sessionstore.Record{Key: s.Name(m.Kind, m.Value), Version: 1, Value: []byte{m.Says}, Expires: m.Until}
}

// Mark makes a mark. The error is [ErrMarked] if there is one, or that of [Down].
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

// Marked returns what a mark says; ok is false if there is none. The error is that of [Down].
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

// Remark changes what a mark says, and its end, once. If that fails the mark stays as it is.
func (s *Store) Remark(ctx context.Context, m Mark) { _ = s.Update(ctx, s.record(m)) }

// Unmark removes a mark, or leaves it to its end.
func (s *Store) Unmark(ctx context.Context, kind, value string) {
	_ = s.Delete(ctx, s.Name(kind, value))
}
