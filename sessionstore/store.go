// Package sessionstore defines the interface of stores that keep the sessions of package
// cognate outside of the browser, and implements it in memory. It knows nothing of users,
// tokens or cookies, and imports no other package of this module: to write a store, this
// package is all you need to read.
//
// # Writing a store
//
// A store has six methods on records; see [Store]. Anything that holds values by key and
// supports conditional writes can be a store: a database table or a key-value server, for
// example. There are no locks, and each change is one conditional write:
//
//   - Create writes on condition that there is no live record with the key;
//   - Update writes on condition that the record is live and has the version that the
//     caller read, and raises the version by one;
//   - Load and LoadLatest are reads. If the database distinguishes them, LoadLatest is a
//     strongly consistent read. Where the database removes expired items with a delay, as
//     Amazon DynamoDB does, both check Expires themselves;
//   - DeleteIndexed finds records by an index. An index that lags behind its table, as a
//     global secondary index of DynamoDB does, breaks the promise that a record is found as
//     soon as its Create has returned: write an item for each index in the same transaction
//     as the record instead.
//
// The tests in package sessionstore/storetest check everything that a store promises. A
// store has to pass them with the race detector on.
package sessionstore

import (
	"context"
	"errors"
	"time"
)

// A Store keeps sessions outside of the browser; the browser's cookie then holds only a
// random ID. Compared with sessions in cookies, the server can end sessions, tokens do not
// travel, and only one process at a time refreshes the tokens of a session.
//
// A store sees neither session IDs nor identities: Key and Indexes are hashes, and Value is
// encrypted and authenticated for its Key. A store does not interpret them. Its promises
// are about records, and package storetest checks them.
//
// All methods are safe for concurrent use, obey the context's deadline, and copy what they
// keep: callers may modify slices after they have passed them. Neither callers nor the
// store may modify slices that a method has returned, because others may be reading them.
// An error other than [ErrNoRecord] and [ErrRecordChanged] means that the store could not be
// reached; the library then answers 503, keeps the cookie and tries again with the next
// request.
//
// A record that can't be read, because something else wrote under its Key, counts as
// missing; otherwise it would lock its visitor out. For such a record Load and LoadLatest
// return an error that wraps ErrNoRecord and says what is wrong, which the library logs
// once; Update returns ErrNoRecord, Create replaces the record, and Delete removes it.
type Store interface {
	// Create saves a new record, with Version 1 whatever r.Version is. If there is a live
	// record with that key, Create changes nothing and returns ErrRecordChanged.
	Create(ctx context.Context, r Record) error
	// Load returns the live record with the key, or ErrNoRecord. It may answer from a
	// cache near the process, so changes by another process may take a moment to be
	// seen.
	Load(ctx context.Context, key string) (Record, error)
	// LoadLatest is like Load, but always reads from the store itself.
	LoadLatest(ctx context.Context, key string) (Record, error)
	// Update replaces Value and Expires of the live record with r's key if its version
	// is still r.Version, and gives it the next version. Indexes do not change. Update
	// returns ErrNoRecord if there is no such record, and ErrRecordChanged if it has
	// another version. So a session that has ended never comes back, and no change is
	// lost.
	Update(ctx context.Context, r Record) error
	// Delete removes the record with the key. It is not an error if there is none.
	Delete(ctx context.Context, key string) error
	// DeleteIndexed removes every record that has the index, and returns how many of
	// them were live. It finds every record whose Create returned before the call.
	DeleteIndexed(ctx context.Context, index string) (int, error)
}

// A Record is what a [Store] keeps: one session, or a mark that something was
// used.
type Record struct {
	// Key names the record: 43 characters of base64url, the hash of something secret.
	Key string
	// Version is 1 for a new record and rises by one with each update.
	Version uint64
	// Value is opaque, at most 64 KiB.
	Value []byte
	// Indexes are at most 4 more names, in the same form as Key, that several records may
	// share: that of a user, and that of a session at the provider.
	Indexes []string
	// Expires is when the record expires. From then on it is not returned; the store may
	// remove it later. A store keeps it to the millisecond or better.
	Expires time.Time
}

const (
	// MaxRecordValue bounds Record.Value, in bytes.
	MaxRecordValue = 64 << 10
	// MaxRecordIndexes bounds Record.Indexes.
	MaxRecordIndexes = 4
)

var (
	// ErrNoRecord is the error of a [Store] when there is no live record with the key.
	ErrNoRecord = errors.New("sessionstore: no such record")
	// ErrRecordChanged is the error of a [Store] when the record has been changed in the
	// meantime, or already exists although it should be new.
	ErrRecordChanged = errors.New("sessionstore: the record was changed in the meantime")
)
