// Package sessionstore is the contract between package cognate and what keeps its sessions
// outside of the browser, and a store in memory. It knows nothing of users, tokens or
// cookies, and imports no other package of this module: whoever writes a store reads this
// package and nothing else.
//
// # Writing a store
//
// A store is six methods on records; see [Store]. Whatever holds values by a key and can
// compare before it writes is fit for one: a table of a database, a key-value server. There
// are no locks, and each change is one write with a condition:
//
//   - Create is a write on condition that there is no live record of the key;
//   - Update is a write on condition that the record is live and has the version that the
//     caller read, which it raises by one;
//   - Load and LoadLatest are reads, the second one a consistent read, if the database makes
//     a difference; both check Expires themselves, where the database removes what has
//     expired in its own time, as Amazon DynamoDB does;
//   - DeleteIndexed finds by an index. One that lags behind its table, as a global secondary
//     index of DynamoDB does, breaks the promise that a record is found as soon as its Create
//     has returned: write an item for each index in the same transaction as the record.
//
// Package storetest, below this one, checks all that a store promises. Pass its suite with
// the race detector on.
package sessionstore

import (
	"context"
	"errors"
	"time"
)

// A Store keeps sessions outside of the browser, whose cookie then holds a random
// id and nothing else. What it adds over cookies: sessions that can be ended from the
// server, tokens that don't travel, and one refresh at a time across processes.
//
// A store sees neither ids nor identities: Key and Indexes are hashes, Value is
// encrypted and authenticated for its Key. It decides nothing about them; its promises
// are about records, and package storetest checks them.
//
// All methods are safe for concurrent use, obey the context's deadline, and copy what
// they keep: callers may change the slices they passed. They must not change those they
// got, which others may be reading too; neither does the store. An error that is neither
// [ErrNoRecord] nor [ErrRecordChanged] means that the store could not be asked; the
// library then answers 503, keeps the cookie and tries again with the next request.
//
// What can't be read is no record, or it would lock its visitor out: if others wrote
// something else under a Key, Load and LoadLatest return an error that wraps ErrNoRecord and
// says what is wrong, which the library logs once; Update returns ErrNoRecord; Create takes
// its place, and Delete removes it.
type Store interface {
	// Create saves a new record, with Version 1 whatever r says. If there is a live
	// record of that key it changes nothing and returns ErrRecordChanged.
	Create(ctx context.Context, r Record) error
	// Load returns the live record of a key, or ErrNoRecord. It may answer from a
	// memory near the process: what another process changed may take a moment to be
	// seen.
	Load(ctx context.Context, key string) (Record, error)
	// LoadLatest is Load from the store itself.
	LoadLatest(ctx context.Context, key string) (Record, error)
	// Update replaces Value and Expires of the live record with r's key if its version
	// is still r.Version, and gives it the next version. It returns ErrNoRecord if
	// there is none and ErrRecordChanged if it has another version: a session that
	// was ended never comes back, and no change is lost. Indexes stay.
	Update(ctx context.Context, r Record) error
	// Delete removes the record of a key. That there is none is no error.
	Delete(ctx context.Context, key string) error
	// DeleteIndexed removes every record that has the index, and returns how many
	// live ones there were. A record whose Create returned before is among them.
	DeleteIndexed(ctx context.Context, index string) (int, error)
}

// A Record is what a [Store] keeps: one session, or a mark that something was
// used.
type Record struct {
	// Key names the record: 43 characters of base64url, the hash of something secret.
	Key string
	// Version counts the changes, from 1.
	Version uint64
	// Value is opaque, at most 64 KiB.
	Value []byte
	// Indexes are at most 4 further names, in the form of Key, that several records may
	// share: those of a user, and those of a session at the provider.
	Indexes []string
	// Expires is when the record ends: from then on it is not returned, and the store
	// removes it in its own time. It counts in milliseconds at least.
	Expires time.Time
}

const (
	// MaxRecordValue bounds Record.Value, in bytes.
	MaxRecordValue = 64 << 10
	// MaxRecordIndexes bounds Record.Indexes.
	MaxRecordIndexes = 4
)

var (
	// ErrNoRecord is a [Store]'s answer when there is no live record of a key.
	ErrNoRecord = errors.New("sessionstore: no such record")
	// ErrRecordChanged is a [Store]'s answer when the record was changed in the
	// meantime, or exists although it should be new.
	ErrRecordChanged = errors.New("sessionstore: the record was changed in the meantime")
)
