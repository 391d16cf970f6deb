// Package cache implements bounded memory: a cache of values by string, a set whose members
// expire, and a throttle. It imports nothing else of this module.
package cache

import (
	"hash/maphash"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// A Cache holds roughly the most recently used values, by string. It consists of two maps:
// when the young one is full it replaces the old one, whose values are dropped. A value that
// is used moves to the young map, so values in frequent use stay, and no list has to be kept
// in order. It is safe for concurrent use, and split into shards so that requests seldom wait
// for each other.
type Cache[V any] struct {
	seed   maphash.Seed
	shards [shards]shard[V]
}

const shards = 16

type shard[V any] struct {
	half int // the number of entries in a full map

	mu         sync.RWMutex
	young, old map[string]V
}

// New returns a cache for about size values.
func New[V any](size int) *Cache[V] {
	c := &Cache[V]{seed: maphash.MakeSeed()}
	for i := range c.shards {
		c.shards[i].half = max(size/shards/2, 1)
		c.shards[i].young = make(map[string]V)
	}
	return c
}

// shardOf selects a shard by the beginning of the key, which is random: a sealed value begins
// with its nonce.
func (c *Cache[V]) shardOf(key string) *shard[V] {
	return &c.shards[maphash.String(c.seed, key[:min(len(key), 16)])%shards]
}

// Get returns the value of key, if it is in the cache.
func (c *Cache[V]) Get(key string) (V, bool) {
	s := c.shardOf(key)
	s.mu.RLock()
	v, ok := s.young[key]
	promote := false
	if !ok {
		v, ok = s.old[key]
		promote = ok
	}
	s.mu.RUnlock()
	if promote {
		s.put(strings.Clone(key), v) // the caller's key may be part of a large header
	}
	return v, ok
}

// Put adds v. The key must not share memory with something larger.
func (c *Cache[V]) Put(key string, v V) { c.shardOf(key).put(key, v) }

func (s *shard[V]) put(key string, v V) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.young[key]; !ok && len(s.young) >= s.half {
		s.old, s.young = s.young, make(map[string]V, s.half)
	}
	s.young[key] = v
}

// A Set is a set whose members expire. When it is full, the oldest member is removed. It is
// safe for concurrent use.
type Set struct {
	limit int

	mu      sync.RWMutex
	members map[string]time.Time // member → when it expires
	queue   []string             // members in the order in which they were added
}

// NewSet returns a set for at most limit members.
func NewSet(limit int) *Set {
	return &Set{limit: limit, members: make(map[string]time.Time)}
}

// Add adds a member that expires at until, and reports whether it was not in the set before.
func (s *Set) Add(member string, until, now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if t, ok := s.members[member]; ok && now.Before(t) {
		return false
	}
	s.sweep(now)
	if _, ok := s.members[member]; !ok {
		s.queue = append(s.queue, member)
	}
	s.members[member] = until
	return true
}

// sweep removes expired members from the front of the queue, and the first members of a full
// set. Lifetimes are similar, so members expire roughly in the order they were added.
func (s *Set) sweep(now time.Time) {
	for len(s.queue) > 0 && (len(s.queue) >= s.limit || !now.Before(s.members[s.queue[0]])) {
		delete(s.members, s.queue[0])
		s.queue = s.queue[1:]
	}
}

// Has reports whether member is in the set and has not expired.
func (s *Set) Has(member string, now time.Time) bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if len(s.members) == 0 {
		return false
	}
	until, ok := s.members[member]
	return ok && now.Before(until)
}

// A Throttle allows one event per interval. It is safe for concurrent use.
type Throttle struct {
	// Every is the interval.
	Every time.Duration

	last atomic.Int64
}

// Pass reports whether an event at the time now is allowed.
func (t *Throttle) Pass(now time.Time) bool {
	last := t.last.Load()
	if last != 0 && Within(now, time.Unix(0, last), t.Every) {
		return false
	}
	return t.last.CompareAndSwap(last, now.UnixNano())
}

// Within reports whether now is in the span that begins at start. If the clock was set back
// to before start, the span is over: it could take for ever until the clock catches up.
func Within(now, start time.Time, span time.Duration) bool {
	age := now.Sub(start)
	return age >= 0 && age < span
}
