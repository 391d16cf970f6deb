package memstore

import (
	"cmp"
	"iter"
	"slices"
	"strings"

	"github.com/cognate-auth/cognate/userpool/store"
)

// record is a record and its places in what finds it.
type record struct {
	store.Record

	table *table
	order int64 // in which its owner got it
	at    int   // in the heap of its kind; -1: it does not expire
}

// termEntry is one term of a record.
type termEntry struct {
	term string
	*record
}

// table holds the records of one kind and pool.
type table struct {
	kind   *kind
	ids    map[string]*record
	names  map[string]*record
	owned  map[string]int // how many records an owner has
	all    sorted[*record]
	owners sorted[*record] // those that have an owner, by owner and order
	terms  sorted[termEntry]
}

func newTable(k *kind) *table {
	return &table{
		kind: k, ids: make(map[string]*record), names: make(map[string]*record), owned: make(map[string]int),
		all: sorted[*record]{compare: func(a, b *record) int { return cmp.Compare(a.ID, b.ID) }},
		owners: sorted[*record]{compare: func(a, b *record) int {
			return cmp.Or(cmp.Compare(a.Owner, b.Owner), cmp.Compare(a.order, b.order))
		}},
		terms: sorted[termEntry]{compare: func(a, b termEntry) int {
			return cmp.Or(cmp.Compare(a.term, b.term), cmp.Compare(a.ID, b.ID))
		}},
	}
}

// taken reports whether another record than r has one of the names.
func (t *table) taken(names []string, r *record) bool {
	return slices.ContainsFunc(names, func(n string) bool {
		other := t.names[n]
		return other != nil && other != r
	})
}

func (t *table) add(r *record) {
	t.ids[r.ID] = r
	t.all.insert(r)
	for _, n := range r.Names {
		t.names[n] = r
	}
	for i, term := range r.Terms {
		if !slices.Contains(r.Terms[:i], term) {
			t.terms.insert(termEntry{term, r})
		}
	}
	if r.Owner != "" {
		t.owned[r.Owner]++
		t.owners.insert(r)
	}
	t.kind.enter(r)
}

func (t *table) remove(r *record) {
	delete(t.ids, r.ID)
	t.all.remove(r)
	for _, n := range r.Names {
		delete(t.names, n)
	}
	for _, term := range r.Terms {
		t.terms.remove(termEntry{term, r})
	}
	if r.Owner != "" {
		t.owners.remove(r)
		t.owned[r.Owner]--
		if t.owned[r.Owner] == 0 {
			delete(t.owned, r.Owner)
		}
	}
	t.kind.leave(r)
}

// ofOwner returns the oldest n records of an owner, in the order in which they were added.
func (t *table) ofOwner(owner string, n int) []*record {
	if n <= 0 {
		return nil
	}
	out := make([]*record, 0, n)
	for r := range t.owners.up(func(r *record) bool { return r.Owner < owner }) {
		out = append(out, r)
		if len(out) == n {
			break
		}
	}
	return out
}

// ofTerm returns the records that have the term, by ID.
func (t *table) ofTerm(term string) []*record {
	var out []*record
	for e := range t.terms.up(func(e termEntry) bool { return e.term < term }) {
		if e.term != term {
			break
		}
		out = append(out, e.record)
	}
	return out
}

// list returns the records that q asks for.
func (t *table) list(q store.Query) []store.Record {
	var out []store.Record
	if q.Limit <= 0 {
		return nil
	}
	for r := range t.candidates(q) {
		if !matches(r, q) {
			continue
		}
		out = append(out, copyOf(r.Record))
		if len(out) == q.Limit {
			break
		}
	}
	return out
}

// candidates yields the records among which those of q are, in the order of q:
// the fewest that are known without counting.
func (t *table) candidates(q store.Query) iter.Seq[*record] {
	switch {
	case q.Owner != "":
		return ordered(t.ofOwner(q.Owner, t.owned[q.Owner]), q)
	case q.Term != "":
		return t.withTerm(q)
	case q.TermPrefix != "":
		few, ok := t.withPrefix(q.TermPrefix)
		if ok {
			return ordered(few, q)
		}
	}
	return t.inOrder(q)
}

// inOrder yields all records after q.After.
func (t *table) inOrder(q store.Query) iter.Seq[*record] {
	if q.Descending {
		return t.all.down(func(r *record) bool { return q.After == "" || r.ID < q.After })
	}
	return t.all.up(func(r *record) bool { return r.ID <= q.After && q.After != "" })
}

// withTerm yields those after q.After that have q.Term.
func (t *table) withTerm(q store.Query) iter.Seq[*record] {
	entries := t.terms.up(func(e termEntry) bool {
		return e.term < q.Term || e.term == q.Term && e.ID <= q.After && q.After != ""
	})
	if q.Descending {
		entries = t.terms.down(func(e termEntry) bool {
			return e.term < q.Term || e.term == q.Term && (q.After == "" || e.ID < q.After)
		})
	}
	return func(yield func(*record) bool) {
		for e := range entries {
			if e.term != q.Term || !yield(e.record) {
				return
			}
		}
	}
}

// maxFew is how many records with a prefix are put in order. If there are more,
// a walk through all records meets the next one soon.
const maxFew = 4096

func (t *table) withPrefix(prefix string) (few []*record, ok bool) {
	for e := range t.terms.up(func(e termEntry) bool { return e.term < prefix }) {
		if !strings.HasPrefix(e.term, prefix) {
			break
		}
		if len(few) == maxFew {
			return nil, false
		}
		few = append(few, e.record)
	}
	return few, true
}

// ordered yields each record once, in the order of q.
func ordered(list []*record, q store.Query) iter.Seq[*record] {
	slices.SortFunc(list, func(a, b *record) int { return cmp.Compare(a.ID, b.ID) })
	list = slices.Compact(list)
	if q.Descending {
		slices.Reverse(list)
	}
	return slices.Values(list)
}

func matches(r *record, q store.Query) bool {
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
