package memstore

import (
	"container/heap"
	"container/list"
	"time"
)

// key is a record's or an owner's place: pools never share one.
type key struct{ pool, id string }

// table holds records that expire, at most max of them. Every call takes
// constant time but for the heap, which takes a logarithm of the size. It is
// not safe for concurrent use; Store's mutex guards it.
type table[V any] struct {
	max     int
	records map[key]*record[V]
	soonest expiryHeap[V]
	owners  map[key]*list.List // of *record[V], oldest first
	removed func(*record[V])   // called for every record that goes; may be nil
}

type record[V any] struct {
	key     key
	owner   key
	value   V
	expires time.Time
	at      int           // in the heap
	turn    *list.Element // in the owner's list; nil: no owner
}

func newTable[V any](max int) *table[V] {
	return &table[V]{max: max, records: make(map[key]*record[V]), owners: make(map[key]*list.List)}
}

func (t *table[V]) get(k key) (v V, ok bool) {
	r, ok := t.records[k]
	if !ok {
		return v, false
	}
	return r.value, true
}

// put adds or replaces a record. A full table first drops the one that expires
// soonest.
func (t *table[V]) put(k key, v V, expires time.Time) *record[V] {
	t.take(k)
	if len(t.records) >= t.max {
		t.take(t.soonest[0].key)
	}
	r := &record[V]{key: k, value: v, expires: expires}
	t.records[k] = r
	heap.Push(&t.soonest, r)
	return r
}

// putOwned is put for a record of an owner, who keeps the newest keep.
func (t *table[V]) putOwned(k, owner key, v V, expires time.Time, keep int) {
	r := t.put(k, v, expires)
	turns := t.owners[owner]
	if turns == nil {
		turns = list.New()
		t.owners[owner] = turns
	}
	r.owner, r.turn = owner, turns.PushBack(r)
	for turns.Len() > max(keep, 1) {
		t.take(turns.Front().Value.(*record[V]).key)
	}
}

// replace changes a record that is there; it keeps its owner and its turn.
func (t *table[V]) replace(k key, v V, expires time.Time) {
	r := t.records[k]
	r.value, r.expires = v, expires
	heap.Fix(&t.soonest, r.at)
}

// take removes and returns a record.
func (t *table[V]) take(k key) (v V, ok bool) {
	r, ok := t.records[k]
	if !ok {
		return v, false
	}
	delete(t.records, k)
	heap.Remove(&t.soonest, r.at)
	if r.turn != nil {
		turns := t.owners[r.owner]
		turns.Remove(r.turn)
		if turns.Len() == 0 {
			delete(t.owners, r.owner)
		}
	}
	if t.removed != nil {
		t.removed(r)
	}
	return r.value, true
}

// expire removes at most limit records whose time has come.
func (t *table[V]) expire(now time.Time, limit int) (n int) {
	for n < limit && len(t.soonest) > 0 && !t.soonest[0].expires.After(now) {
		t.take(t.soonest[0].key)
		n++
	}
	return n
}

// expiryHeap has the record that expires soonest first; see container/heap.
type expiryHeap[V any] []*record[V]

func (h expiryHeap[V]) Len() int           { return len(h) }
func (h expiryHeap[V]) Less(i, j int) bool { return h[i].expires.Before(h[j].expires) }

func (h expiryHeap[V]) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].at, h[j].at = i, j
}

// Push appends x, a *record[V].
func (h *expiryHeap[V]) Push(x any) {
	r := x.(*record[V])
	r.at = len(*h)
	*h = append(*h, r)
}

// Pop removes the last record.
func (h *expiryHeap[V]) Pop() any {
	last := len(*h) - 1
	r := (*h)[last]
	(*h)[last] = nil
	*h = (*h)[:last]
	return r
}
