// Package memstore keeps a user pool's data in memory: for tests, for a demo,
// and wherever everything may be forgotten at the end of the process.
//
// It does not grow without limit: of each kind of record a million is kept. One
// more drops the one that would expire soonest; where nothing expires, it is
// refused.
package memstore

import (
	"cmp"
	"container/heap"
	"context"
	"iter"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/cognate-auth/cognate/userpool"
)

// maxRecords bounds each kind of record, over all pools.
const maxRecords = 1 << 20

// Store is a userpool.Store in memory. It is safe for concurrent use.
type Store struct {
	mu      sync.Mutex // guards all below
	kinds   map[string]*kind
	created int64 // counts records, for the order they were created in
}

var _ userpool.Store = (*Store)(nil)

// New returns an empty store.
func New() *Store { return &Store{kinds: make(map[string]*kind)} }

// key is where a record, an owner, a name or a term is: pools never share one.
type key struct{ pool, id string }

// kind holds all records of one kind.
type kind struct {
	records map[key]*record
	names   map[key]*record
	owners  map[key]map[*record]struct{}
	terms   map[key]map[*record]struct{}
	soonest expiryHeap // those that expire
}

type record struct {
	userpool.Record

	pool  string
	order int64 // in which it was created
	at    int   // in the heap; -1: it does not expire
}

func (s *Store) kind(name string) *kind {
	k := s.kinds[name]
	if k == nil {
		k = &kind{
			records: make(map[key]*record), names: make(map[key]*record),
			owners: make(map[key]map[*record]struct{}), terms: make(map[key]map[*record]struct{}),
		}
		s.kinds[name] = k
	}
	return k
}

// copyOf shares no memory with r.
func copyOf(r userpool.Record) userpool.Record {
	r.Names, r.Terms, r.Body = slices.Clone(r.Names), slices.Clone(r.Terms), slices.Clone(r.Body)
	return r
}

// Get implements userpool.Store.
func (s *Store) Get(_ context.Context, pool, kind, id string) (userpool.Record, bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return answer(s.kind(kind).records[key{pool, id}])
}

// Find implements userpool.Store.
func (s *Store) Find(_ context.Context, pool, kind, name string) (userpool.Record, bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return answer(s.kind(kind).names[key{pool, name}])
}

// Take implements userpool.Store.
func (s *Store) Take(_ context.Context, pool, kind, id string) (userpool.Record, bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	k := s.kind(kind)
	r := k.records[key{pool, id}]
	if r != nil {
		k.remove(r)
	}
	return answer(r)
}

func answer(r *record) (userpool.Record, bool, error) {
	if r == nil {
		return userpool.Record{}, false, nil
	}
	return copyOf(r.Record), true, nil
}

// List implements userpool.Store.
func (s *Store) List(_ context.Context, pool, kind string, q userpool.Query) ([]userpool.Record, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []userpool.Record
	for r := range s.kind(kind).candidates(pool, q) {
		if r.pool == pool && matches(r, q) {
			out = append(out, r.Record)
		}
	}
	slices.SortFunc(out, func(a, b userpool.Record) int { return cmp.Compare(a.ID, b.ID) })
	if q.Descending {
		slices.Reverse(out)
	}
	out = out[:min(len(out), q.Limit)]
	for i := range out {
		out[i] = copyOf(out[i])
	}
	return out, nil
}

// candidates yields the records among which those of q are.
func (k *kind) candidates(pool string, q userpool.Query) iter.Seq[*record] {
	switch {
	case q.Term != "":
		return maps.Keys(k.terms[key{pool, q.Term}])
	case q.Owner != "":
		return maps.Keys(k.owners[key{pool, q.Owner}])
	default:
		return maps.Values(k.records)
	}
}

func matches(r *record, q userpool.Query) bool {
	switch {
	case q.Owner != "" && r.Owner != q.Owner,
		q.Term != "" && !slices.Contains(r.Terms, q.Term),
		q.After != "" && !q.Descending && r.ID <= q.After,
		q.After != "" && q.Descending && r.ID >= q.After:
		return false
	}
	return q.TermPrefix == "" || slices.ContainsFunc(r.Terms, func(t string) bool {
		return strings.HasPrefix(t, q.TermPrefix)
	})
}

// Apply implements userpool.Store.
func (s *Store) Apply(_ context.Context, pool string, changes ...userpool.Change) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var undo []func()
	for _, c := range changes {
		back, err := s.apply(pool, c)
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
func (s *Store) apply(pool string, c userpool.Change) (undo func(), err error) {
	k := s.kind(c.Kind)
	switch c.Op {
	case userpool.Create:
		return s.create(k, pool, c)
	case userpool.Update:
		return k.update(pool, c.Record)
	case userpool.Delete:
		r := k.records[key{pool, c.ID}]
		if c.Version != 0 && (r == nil || r.Version != c.Version) {
			return nil, userpool.ErrConflict
		}
		if r == nil {
			return func() {}, nil
		}
		return k.removeAll([]*record{r}), nil
	case userpool.DeleteOwned:
		return k.removeAll(keys(k.owners[key{pool, c.Owner}])), nil
	default: // DeleteTerm
		return k.removeAll(keys(k.terms[key{pool, c.Terms[0]}])), nil
	}
}

func keys(set map[*record]struct{}) []*record {
	out := make([]*record, 0, len(set))
	for r := range set {
		out = append(out, r)
	}
	return out
}

func (s *Store) create(k *kind, pool string, c userpool.Change) (undo func(), err error) {
	if k.records[key{pool, c.ID}] != nil || k.taken(pool, c.Names, nil) {
		return nil, userpool.ErrExists
	}
	var gone []*record
	if len(k.records) >= maxRecords {
		if len(k.soonest) == 0 {
			return nil, userpool.ErrFull
		}
		gone = append(gone, k.soonest[0])
		k.remove(k.soonest[0])
	}
	s.created++
	r := &record{Record: copyOf(c.Record), pool: pool, order: s.created}
	r.Version = 1
	k.add(r)
	if c.Keep > 0 {
		gone = append(gone, k.dropOldest(key{pool, c.Owner}, c.Keep)...)
	}
	return func() {
		k.remove(r)
		k.addAll(gone)
	}, nil
}

// dropOldest removes the oldest records of the owner until keep are left.
func (k *kind) dropOldest(owner key, keep int) []*record {
	if len(k.owners[owner]) <= keep {
		return nil
	}
	all := keys(k.owners[owner])
	slices.SortFunc(all, func(a, b *record) int { return cmp.Compare(a.order, b.order) })
	gone := all[:len(all)-keep]
	k.removeAll(gone)
	return gone
}

func (k *kind) update(pool string, next userpool.Record) (undo func(), err error) {
	r := k.records[key{pool, next.ID}]
	switch {
	case r == nil, next.Version != 0 && r.Version != next.Version:
		return nil, userpool.ErrConflict
	case k.taken(pool, next.Names, r):
		return nil, userpool.ErrExists
	}
	before := *r
	after := &record{Record: copyOf(next), pool: pool, order: r.order}
	after.Version = before.Version + 1
	k.remove(r)
	k.add(after)
	return func() {
		k.remove(after)
		k.add(&before)
	}, nil
}

// taken reports whether another record than r has one of the names.
func (k *kind) taken(pool string, names []string, r *record) bool {
	return slices.ContainsFunc(names, func(n string) bool {
		other := k.names[key{pool, n}]
		return other != nil && other != r
	})
}

func (k *kind) add(r *record) {
	k.records[key{r.pool, r.ID}] = r
	for _, n := range r.Names {
		k.names[key{r.pool, n}] = r
	}
	for _, t := range r.Terms {
		include(k.terms, key{r.pool, t}, r)
	}
	if r.Owner != "" {
		include(k.owners, key{r.pool, r.Owner}, r)
	}
	r.at = -1
	if !r.Expires.IsZero() {
		heap.Push(&k.soonest, r)
	}
}

func (k *kind) remove(r *record) {
	delete(k.records, key{r.pool, r.ID})
	for _, n := range r.Names {
		delete(k.names, key{r.pool, n})
	}
	for _, t := range r.Terms {
		exclude(k.terms, key{r.pool, t}, r)
	}
	if r.Owner != "" {
		exclude(k.owners, key{r.pool, r.Owner}, r)
	}
	if r.at >= 0 {
		heap.Remove(&k.soonest, r.at)
	}
}

func (k *kind) addAll(all []*record) {
	for _, r := range all {
		k.add(r)
	}
}

func (k *kind) removeAll(all []*record) (undo func()) {
	for _, r := range all {
		k.remove(r)
	}
	return func() { k.addAll(all) }
}

func include(sets map[key]map[*record]struct{}, k key, r *record) {
	if sets[k] == nil {
		sets[k] = make(map[*record]struct{})
	}
	sets[k][r] = struct{}{}
}

func exclude(sets map[key]map[*record]struct{}, k key, r *record) {
	delete(sets[k], r)
	if len(sets[k]) == 0 {
		delete(sets, k)
	}
}

// DeleteExpired implements userpool.Store.
func (s *Store) DeleteExpired(_ context.Context, now time.Time, limit int) (n int, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, k := range s.kinds {
		for n < limit && len(k.soonest) > 0 && !k.soonest[0].Expires.After(now) {
			k.remove(k.soonest[0])
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
