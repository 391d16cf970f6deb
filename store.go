package cognate

import (
	"context"
	"errors"
	"time"
)

// A SessionStore keeps sessions outside of the browser, whose cookie then holds a random
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
type SessionStore interface {
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

// A Record is what a [SessionStore] keeps: one session, or a mark that something was
// used.
type Record struct {
	// Key names the record: 43 characters of base64url, the hash of something secret.
	Key string
	// Version counts the changes, from 1.
	Version uint64
	// Value is opaque, at most 64 KiB.
	Value []byte
	// Indexes are at most 4 further names, in the form of Key, that several records may
	// share.
	Indexes []string
	// Expires is when the record ends: from then on it is not returned, and the store
	// removes it in its own time. It counts in milliseconds at least.
	Expires time.Time
}

// MaxRecordValue bounds Record.Value, in bytes.
const MaxRecordValue = 64 << 10

var (
	// ErrNoRecord is a [SessionStore]'s answer when there is no live record of a key.
	ErrNoRecord = errors.New("cognate: no such record")
	// ErrRecordChanged is a [SessionStore]'s answer when the record was changed in the
	// meantime, or exists although it should be new.
	ErrRecordChanged = errors.New("cognate: the record was changed in the meantime")
)
