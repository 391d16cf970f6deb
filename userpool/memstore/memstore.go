// Package memstore keeps a user pool's data in memory: for tests, for a demo,
// and wherever everything may be forgotten at the end of the process.
//
// It does not grow without limit: of each kind of record a million is kept. One
// more drops the one that would expire soonest; where nothing expires, it is
// refused. What a method costs does not depend on how many records there are.
//
// It knows package store alone.
package memstore

import (
	"container/heap"
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/cognate-auth/cognate/userpool/store"
)

// maxRecords bounds each kind of record, over all pools.
const maxRecords = 1 << 20

// Store is a store.Store in memory. It is safe for concurrent use.
type Store struct {
	limit int // of records of one kind

	mu     sync.Mutex // guards all below
	kinds  map[string]*kind
	orders int64 // counts records, for the order their owners got them in
}

var _ store.Store = (*Store)(nil)

// New returns an empty store.
func New() *Store { return &Store{limit: maxRecords, kinds: make(map[string]*kind)} }

// kind holds all records of one kind.
type kind struct {
	tables  map[string]*table // by pool
	records int
	soonest expiryHeap // those that expire
}

func (k *kind) enter(r *record) {
	k.records++
	r.at = -1
	if !r.Expires.IsZero() {
		heap.Push(&k.soonest, r)
	}
}

func (k *kind) leave(r *record) {
	k.records--
	if r.at >= 0 {
		heap.Remove(&k.soonest, r.at)
	}
}

func (s *Store) table(pool, name string) *table {
	k := s.kinds[name]
	if k == nil {
		k = &kind{tables: make(map[string]*table)}
		s.kinds[name] = k
	}
	t := k.tables[pool]
	if t == nil {
		t = newTable(k)
		k.tables[pool] = t
	}
	return t
}

// copyOf shares no memory with r.
func copyOf(r store.Record) store.Record {
	r.Names, r.Terms, r.Body = slices.Clone(r.Names), slices.Clone(r.Terms), slices.Clone(r.Body)
	return r
}

// Get implements store.Store.
func (s *Store) Get(_ context.Context, pool, kind, id string) (store.Record, bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return answer(s.table(pool, kind).ids[id])
}

// Find implements store.Store.
func (s *Store) Find(_ context.Context, pool, kind, name string) (store.Record, bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return answer(s.table(pool, kind).names[name])
}

// Take implements store.Store.
func (s *Store) Take(_ context.Context, pool, kind, id string) (store.Record, bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.table(pool, kind)
	r := t.ids[id]
	if r != nil {
		t.remove(r)
	}
	return answer(r)
}

func answer(r *record) (store.Record, bool, error) {
	if r == nil {
		return store.Record{}, false, nil
	}
	return copyOf(r.Record), true, nil
}

// List implements store.Store.
func (s *Store) List(_ context.Context, pool, kind string, q store.Query) ([]store.Record, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.table(pool, kind).list(q), nil
}

// Apply implements store.Store.
func (s *Store) Apply(_ context.Context, pool string, changes ...store.Change) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var undo []func()
	for _, c := range changes {
		back, err := s.apply(s.table(pool, c.Kind), c)
		if err != nil {
			for _, f := range slices.Backward(undo) {
				f()
			}
			return err
		}
		undo = append(undo, back)
	}
	return nil
}

// apply makes one change, or none, and returns how to take it back.
func (s *Store) apply(t *table, c store.Change) (undo func(), err error) {
	switch c.Op {
	case store.Create:
		return s.create(t, c)
	case store.Update:
		return s.update(t, c.Record)
	case store.Delete:
		r := t.ids[c.ID]
		if c.Version != 0 && (r == nil || r.Version != c.Version) {
			return nil, store.ErrConflict
		}
		if r == nil {
			return func() {}, nil
		}
		return removeAll(r), nil
	case store.DeleteOwned:
		return removeAll(t.ofOwner(c.Owner, t.owned[c.Owner])...), nil
	case store.DeleteTerm:
		if len(c.Terms) != 1 {
			return nil, fmt.Errorf("memstore: DeleteTerm with %d terms, expected one", len(c.Terms))
		}
		return removeAll(t.ofTerm(c.Terms[0])...), nil
	default:
		return nil, fmt.Errorf("memstore: unknown change %d", c.Op)
	}
}

func (s *Store) create(t *table, c store.Change) (undo func(), err error) {
	if t.ids[c.ID] != nil || t.taken(c.Names, nil) {
		return nil, store.ErrExists
	}
	restore := func() {}
	if t.kind.records >= s.limit {
		if len(t.kind.soonest) == 0 {
			return nil, store.ErrFull
		}
		restore = removeAll(t.kind.soonest[0])
	}
	r := s.newRecord(t, c.Record, 1)
	t.add(r)
	trimmed := func() {}
	if c.Keep > 0 {
		trimmed = removeAll(t.ofOwner(c.Owner, t.owned[c.Owner]-c.Keep)...)
	}
	return func() {
		trimmed()
		t.remove(r)
		restore()
	}, nil
}

// newRecord returns a record as it is kept: the newest of its owner.
func (s *Store) newRecord(t *table, r store.Record, version int64) *record {
	s.orders++
	kept := &record{Record: copyOf(r), table: t, order: s.orders}
	kept.Version = version
	if !r.Expires.IsZero() {
		kept.Expires = time.UnixMicro(r.Expires.UnixMicro()).UTC()
	}
	return kept
}

func (s *Store) update(t *table, next store.Record) (undo func(), err error) {
	before := t.ids[next.ID]
	switch {
	case before == nil, next.Version != 0 && before.Version != next.Version:
		return nil, store.ErrConflict
	case t.taken(next.Names, before):
		return nil, store.ErrExists
	}
	after := s.newRecord(t, next, before.Version+1)
	if after.Owner == before.Owner {
		after.order = before.order
	}
	if before.foundLike(after) {
		return before.become(after.Record), nil
	}
	t.remove(before)
	t.add(after)
	return func() {
		t.remove(after)
		t.add(before)
	}, nil
}

// foundLike reports whether r is found by the same as other.
func (r *record) foundLike(other *record) bool {
	return r.Owner == other.Owner && slices.Equal(r.Names, other.Names) && slices.Equal(r.Terms, other.Terms)
}

// become gives r another content, with the same that it is found by.
func (r *record) become(next store.Record) (undo func()) {
	before := r.Record
	r.table.kind.leave(r)
	r.Record = next
	r.table.kind.enter(r)
	return func() { r.become(before) }
}

func removeAll(all ...*record) (undo func()) {
	for _, r := range all {
		r.table.remove(r)
	}
	return func() {
		for _, r := range all {
			r.table.add(r)
		}
	}
}

// DeleteExpired implements store.Store.
func (s *Store) DeleteExpired(_ context.Context, now time.Time, limit int) (n int, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, k := range s.kinds {
		for n < limit && len(k.soonest) > 0 && !k.soonest[0].Expires.After(now) {
			removeAll(k.soonest[0])
			n++
		}
	}
	return n, nil
}

// expiryHeap has the record that expires soonest first; see container/heap.
type expiryHeap []*record

func (h expiryHeap) Len() int           { return len(h) }
func (h expiryHeap) Less(i, j int) bool { return h[i].Expires.Before(h[j].Expires) }

func (h expiryHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].at, h[j].at = i, j
}

// Push appends x, a *record.
func (h *expiryHeap) Push(x any) {
	r := x.(*record)
	r.at = len(*h)
	*h = append(*h, r)
}

// Pop removes the last record.
func (h *expiryHeap) Pop() any {
	last := len(*h) - 1
	r := (*h)[last]
	(*h)[last] = nil
	*h = (*h)[:last]
	r.at = -1
	return r
}
