package sessionstore

import (
	"bytes"
	"container/heap"
	"context"
	"fmt"
	"hash/maphash"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// defaultMemoryRecords bounds a [Memory] that was given no limit.
const defaultMemoryRecords = 100_000

// Memory is a [Store] in the memory of this process, for development, for tests, and for
// apps that run as one process and may lose their sessions when it ends. The cost of a call
// does not grow with the number of records.
//
// It is split into shards, each with its own lock, so that requests seldom wait for
// each other. Later Creates and Updates remove expired records, a few at a time.
type Memory struct {
	// Now is the clock, for tests. Nil means time.Now. Set it before the first use.
	Now func() time.Time

	limit   int64
	count   atomic.Int64 // records in all shards, expired ones included
	seed    maphash.Seed
	shards  [memoryShards]memoryShard
	indexes [memoryShards]memoryIndex
}

var _ Store = (*Memory)(nil)

const memoryShards = 64

// NewMemory returns a store for at most limit records that have not expired; 0 means
// 100,000. A record with a value of 400 bytes and two indexes takes about 1 KB.
//
// When the store is full, Create fails, and with it the sign-in; live records are never
// dropped. If they were, anyone who can sign in often could end the sessions of others, and
// a callback whose mark was dropped could be used again. The store holds records of
// sign-ins that succeeded and, for some minutes, of at most 100 that failed. It holds none
// of mere requests, so a stranger can't fill it.
func NewMemory(limit int) *Memory {
	if limit <= 0 {
		limit = defaultMemoryRecords
	}
	s := &Memory{limit: int64(limit), seed: maphash.MakeSeed()}
	for i := range memoryShards {
		s.shards[i].records = make(map[string]*memoryRecord)
		s.indexes[i].first = make(map[string]*memoryRecord)
	}
	return s
}

// A memoryRecord is guarded by its shard's lock, except for Key and Indexes, which never
// change. Value is replaced, but its bytes are never modified, because readers hold them.
type memoryRecord struct {
	Record
	place int // index in the shard's queue
	links [MaxRecordIndexes]memoryLink
}

type memoryShard struct {
	mu      sync.RWMutex
	records map[string]*memoryRecord
	queue   memoryQueue
}

// A memoryIndex has the records of some of the indexes. Locks are taken in this order: a
// shard's, then an index's.
type memoryIndex struct {
	mu    sync.Mutex
	first map[string]*memoryRecord // index → first record of its list
}

func (s *Memory) now() time.Time {
	now := s.Now
	if now == nil {
		now = time.Now
	}
	return now()
}

func (s *Memory) shard(key string) *memoryShard {
	return &s.shards[maphash.String(s.seed, key)%memoryShards]
}

func (s *Memory) index(name string) *memoryIndex {
	return &s.indexes[maphash.String(s.seed, name)%memoryShards]
}

// Create implements [Store].
func (s *Memory) Create(ctx context.Context, r Record) error {
	err := ctx.Err()
	if err != nil {
		return err
	}
	err = checkRecord(r)
	if err != nil {
		return err
	}
	now := s.now()
	if s.count.Add(1) > s.limit && !s.makeRoom(now) {
		s.count.Add(-1)
		return fmt.Errorf("sessionstore: the memory store holds %d records, its limit: raise it, "+
			"or use a store outside of the process", s.limit)
	}
	r.Version, r.Value, r.Indexes = 1, bytes.Clone(r.Value), distinct(r.Indexes)
	sh := s.shard(r.Key)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	s.sweep(sh, now, 2)
	if old := sh.records[r.Key]; old != nil {
		if old.alive(now) {
			s.count.Add(-1)
			return ErrRecordChanged
		}
		s.remove(sh, old)
	}
	s.add(sh, &memoryRecord{Record: r})
	return nil
}

// distinct returns a copy of names without duplicates.
func distinct(names []string) []string {
	var out []string
	for _, name := range names {
		if !slices.Contains(out, name) {
			out = append(out, name)
		}
	}
	return out
}

// checkRecord returns an error for a record beyond the bounds that Record states.
func checkRecord(r Record) error {
	if len(r.Value) > MaxRecordValue {
		return fmt.Errorf("sessionstore: a record's value has %d bytes, expected at most %d",
			len(r.Value), MaxRecordValue)
	}
	if len(r.Indexes) > MaxRecordIndexes {
		return fmt.Errorf("sessionstore: a record has %d indexes, expected at most %d",
			len(r.Indexes), MaxRecordIndexes)
	}
	return nil
}

// Load implements [Store].
func (s *Memory) Load(ctx context.Context, key string) (Record, error) {
	err := ctx.Err()
	if err != nil {
		return Record{}, err
	}
	sh := s.shard(key)
	now := s.now()
	sh.mu.RLock()
	defer sh.mu.RUnlock()
	found := sh.records[key]
	if found == nil || !found.alive(now) {
		return Record{}, ErrNoRecord
	}
	return found.Record, nil
}

// LoadLatest implements [Store]; it is the same as Load.
func (s *Memory) LoadLatest(ctx context.Context, key string) (Record, error) {
	return s.Load(ctx, key)
}

// Update implements [Store].
func (s *Memory) Update(ctx context.Context, r Record) error {
	err := ctx.Err()
	if err != nil {
		return err
	}
	err = checkRecord(r)
	if err != nil {
		return err
	}
	value := bytes.Clone(r.Value)
	sh := s.shard(r.Key)
	now := s.now()
	sh.mu.Lock()
	defer sh.mu.Unlock()
	s.sweep(sh, now, 2)
	found := sh.records[r.Key]
	if found == nil || !found.alive(now) {
		return ErrNoRecord
	}
	if found.Version != r.Version {
		return ErrRecordChanged
	}
	found.Version++
	found.Value, found.Expires = value, r.Expires
	heap.Fix(&sh.queue, found.place)
	return nil
}

// Delete implements [Store].
func (s *Memory) Delete(ctx context.Context, key string) error {
	err := ctx.Err()
	if err != nil {
		return err
	}
	sh := s.shard(key)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if found := sh.records[key]; found != nil {
		s.remove(sh, found)
	}
	return nil
}

// DeleteIndexed implements [Store].
func (s *Memory) DeleteIndexed(ctx context.Context, index string) (int, error) {
	err := ctx.Err()
	if err != nil {
		return 0, err
	}
	now, live := s.now(), 0
	for _, member := range s.index(index).list(index) {
		sh := s.shard(member.Key)
		sh.mu.Lock()
		// Compared as pointers: a later record with that key may not have the index.
		if sh.records[member.Key] == member {
			if member.alive(now) {
				live++
			}
			s.remove(sh, member)
		}
		sh.mu.Unlock()
	}
	return live, nil
}

// makeRoom removes all expired records and reports whether the store, with the new record
// already counted, is within its limit again.
func (s *Memory) makeRoom(now time.Time) bool {
	for i := range s.shards {
		sh := &s.shards[i]
		sh.mu.Lock()
		s.sweep(sh, now, len(sh.queue))
		sh.mu.Unlock()
	}
	return s.count.Load() <= s.limit
}

// sweep removes at most n expired records. Every call that may add a record removes two,
// so that expired records can't pile up. The caller holds the shard's lock.
func (s *Memory) sweep(sh *memoryShard, now time.Time, n int) {
	for range n {
		if len(sh.queue) == 0 || sh.queue[0].alive(now) {
			return
		}
		s.remove(sh, sh.queue[0])
	}
}

// add adds a record that is already counted. The caller holds the shard's lock.
func (s *Memory) add(sh *memoryShard, r *memoryRecord) {
	sh.records[r.Key] = r
	heap.Push(&sh.queue, r)
	for _, name := range r.Indexes {
		s.index(name).add(name, r)
	}
}

// remove removes a record. The caller holds the shard's lock.
func (s *Memory) remove(sh *memoryShard, r *memoryRecord) {
	delete(sh.records, r.Key)
	heap.Remove(&sh.queue, r.place)
	for _, name := range r.Indexes {
		s.index(name).remove(name, r)
	}
	s.count.Add(-1)
}

func (r *memoryRecord) alive(now time.Time) bool { return now.Before(r.Expires) }

// A memoryLink links a record with the others that have one of its indexes. A linked list
// needs no memory of its own; a million small maps would keep the garbage collector busy.
type memoryLink struct{ before, after *memoryRecord }

// link returns the record's link in the list of an index.
func (r *memoryRecord) link(name string) *memoryLink {
	return &r.links[slices.Index(r.Indexes, name)]
}

func (x *memoryIndex) add(name string, r *memoryRecord) {
	x.mu.Lock()
	defer x.mu.Unlock()
	first := x.first[name]
	r.link(name).after = first
	if first != nil {
		first.link(name).before = r
	}
	x.first[name] = r
}

func (x *memoryIndex) remove(name string, r *memoryRecord) {
	x.mu.Lock()
	defer x.mu.Unlock()
	removed := *r.link(name)
	*r.link(name) = memoryLink{}
	if removed.after != nil {
		removed.after.link(name).before = removed.before
	}
	switch {
	case removed.before != nil:
		removed.before.link(name).after = removed.after
	case removed.after != nil:
		x.first[name] = removed.after
	default:
		delete(x.first, name)
	}
}

func (x *memoryIndex) list(name string) (members []*memoryRecord) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for r := x.first[name]; r != nil; r = r.link(name).after {
		members = append(members, r)
	}
	return members
}

// A memoryQueue is a heap of records, the one that expires first on top.
type memoryQueue []*memoryRecord

func (q memoryQueue) Len() int           { return len(q) }
func (q memoryQueue) Less(i, j int) bool { return q[i].Expires.Before(q[j].Expires) }
func (q memoryQueue) Swap(i, j int) {
	q[i], q[j] = q[j], q[i]
	q[i].place, q[j].place = i, j
}

// Push implements heap.Interface.
func (q *memoryQueue) Push(r any) {
	m := r.(*memoryRecord)
	m.place = len(*q)
	*q = append(*q, m)
}

// Pop implements heap.Interface.
func (q *memoryQueue) Pop() any {
	last := len(*q) - 1
	r := (*q)[last]
	(*q)[last] = nil
	*q = (*q)[:last]
	return r
}
