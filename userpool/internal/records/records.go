// Package records knows what users, clients, sessions, codes and tokens look like in a
// store: it turns them into records and back. It is the one place that does.
//
// It knows the words (userpool), store, keys, clock and naming, and decides nothing.
package records

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/cognate-auth/cognate/userpool/store"
)

// The kinds of records.
const (
	kindClient   = "client"
	kindUser     = "user"
	KindSession  = "session"
	KindCode     = "code"
	KindRefresh  = "refresh"
	kindAttempts = "attempts"
	kindFlow     = "flow"
)

// Records are what a store keeps of one pool, with the pool's types instead of
// bytes. It is the one place that knows how they are kept.
type Records struct {
	Store store.Store
	Pool  string
}

// Apply makes all of the changes, in their order, or none.
func (s Records) Apply(ctx context.Context, changes ...store.Change) error {
	return s.Store.Apply(ctx, s.Pool, changes...)
}

// DeleteExpired is that of the store.
func (s Records) DeleteExpired(ctx context.Context, now time.Time, limit int) (int, error) {
	return s.Store.DeleteExpired(ctx, now, limit)
}

// encode never fails: the bodies are structs of strings, numbers and times.
func encodeBody(v any) []byte {
	body, err := json.Marshal(v)
	if err != nil {
		panic("userpool: encoding a record: " + err.Error())
	}
	return body
}

// decode reads what encodeBody wrote. Times come back in UTC.
func decode[T any](r store.Record) (v T, err error) {
	err = json.Unmarshal(r.Body, &v)
	if err != nil {
		return v, fmt.Errorf("userpool: reading a stored %s: %w", r.Kind, err)
	}
	return v, nil
}

// found decodes what Get, Find or Take returned.
func found[T any](r store.Record, ok bool, err error) (v T, version int64, have bool, fault error) {
	if err != nil || !ok {
		return v, 0, false, err
	}
	v, err = decode[T](r)
	return v, r.Version, err == nil, err
}
