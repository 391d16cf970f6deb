// Package store is the contract between a user pool and what keeps its data. A
// [Store] keeps [Record]s: a body under a key, with names that are unique, terms to
// search by, an owner and an end. What a user or a code looks like in there it does
// not know, so whatever passes package storetest keeps everything that there will be.
//
// It imports the standard library alone.
package store

import (
	"context"
	"errors"
	"time"
)

// Errors of a [Store].
var (
	// ErrExists says that a record with the same key is stored already.
	ErrExists = errors.New("userpool: already exists")
	// ErrConflict says that the record changed since it was read.
	ErrConflict = errors.New("userpool: changed meanwhile")
	// ErrFull says that the store holds as many records as it may.
	ErrFull = errors.New("userpool: store is full")
)

// A Record is one thing that a pool remembers: a user, a session, a code. What
// its body says is the pool's business; a store sees only what it is found by.
type Record struct {
	Kind string // what it is: at most 32 bytes
	ID   string // its key, which no other record of the pool and kind has: at most 300 bytes

	Owner   string    // whose it is, often a sub, at most 300 bytes; empty: nobody's
	Names   []string  // further keys, which no other record of the pool and kind has as a name
	Terms   []string  // what [Store.List] finds it by; others may have the same
	Expires time.Time // when it may be removed, kept in whole microseconds and in UTC; zero: never
	Version int64     // 1 when created, counted up by every change
	Body    []byte
}

// Op is what a [Change] does.
type Op int

// The kinds of change.
const (
	// Create adds the record, with Version 1, whatever its own says. ErrExists:
	// its ID or one of its Names is taken.
	Create Op = iota
	// Update replaces the record whose Version is still that of the change, and
	// counts it up; a Version of zero is any. ErrConflict: it is gone or changed
	// meanwhile. ErrExists: one of its Names is another record's. The order that
	// its Owner has it in stays; with another Owner it is that one's newest.
	Update
	// Delete removes the record with this ID. With a Version other than zero
	// only that version: ErrConflict if it is gone or changed. Without one, it
	// is no error if it is not there.
	Delete
	// DeleteOwned removes all records of the Kind and Owner, which may be none;
	// without an Owner it removes nothing. What a concurrent change puts in the place of
	// one of them goes too, or that change fails.
	DeleteOwned
	// DeleteTerm removes all records of the Kind that have Terms[0], the only
	// term of the change, in the same way.
	DeleteTerm
)

// A Change is one step of [Store.Apply].
type Change struct {
	Op Op
	Record
	// Keep, if positive, goes with Create: of the records of this Kind and
	// Owner the newest Keep stay, in the order they were created in. A store may
	// be late in removing the others, until there are an eighth of Keep more.
	// Without an Owner it has no effect.
	Keep int
}

// Query says which records [Store.List] returns; all that is set must hold.
type Query struct {
	Owner      string // whose
	Term       string // has exactly this term
	TermPrefix string // has a term that begins like this, with at most 900 bytes
	After      string // only IDs greater than this; with Descending, less than this
	Descending bool   // by ID, the greatest first; otherwise the least first
	Limit      int    // how many at most; zero: none is returned
}

// Store keeps everything a pool must remember. It decides nothing: what is
// valid, expired or allowed is the pool's business, and no method reads a clock.
//
// Rules for all methods: they are safe for concurrent use. Values go in and
// values come out; the store shares no memory with its caller. pool is the
// pool's id, and pools never see one another's records. What is not there is
// ok == false with a nil error; an error is a failure of the store itself or
// one of ErrExists, ErrConflict, ErrFull. What a method has acknowledged
// outlives the process, unless the store is meant to forget. IDs compare by
// bytes. Implementations pass storetest.Run.
type Store interface {
	// Get returns the record with this ID.
	Get(ctx context.Context, pool, kind, id string) (r Record, ok bool, err error)
	// Find returns the record one of whose Names is this.
	Find(ctx context.Context, pool, kind, name string) (r Record, ok bool, err error)
	// List returns the records that q asks for, ordered by ID.
	List(ctx context.Context, pool, kind string, q Query) ([]Record, error)
	// Take removes and returns the record with this ID, atomically: of any
	// number of concurrent calls at most one gets it.
	Take(ctx context.Context, pool, kind, id string) (r Record, ok bool, err error)
	// Apply makes all of the changes, in their order, or none.
	Apply(ctx context.Context, pool string, changes ...Change) error
	// DeleteExpired removes at most limit records of any pool whose Expires is
	// set and not after now, and reports how many it removed. The pool calls it
	// now and then; until it does, the other methods still return such records.
	DeleteExpired(ctx context.Context, now time.Time, limit int) (int, error)
}
