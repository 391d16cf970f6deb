// Package cache holds what is worth remembering in bounded memory: values by a string, members
// that leave when their time is over, and when something last happened. It knows nothing else
// of this module.
package cache

import (
	"hash/maphash"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// A Cache holds about the last size values that were used, by string. It is two maps:
// when the young one is full it becomes the old one, and what the old one still held
// is gone. Values that are used move to the young one, so the popular ones stay; no
// list has to be kept in order. It is safe for concurrent use and split into shards,
// so that requests seldom wait for each other.
type Cache[V any] struct {
	seed   maphash.Seed
	shards [shards]shard[V]
}

const shards = 16

type shard[V any] struct {
	half int // how many entries one map takes

	mu         sync.RWMutex
	young, old map[string]V
}

// New makes a cache of about size values.
func New[V any](size int) *Cache[V] {
	c := &Cache[V]{seed: maphash.MakeSeed()}
	for i := range c.shards {
		c.shards[i].half = max(size/shards/2, 1)
		c.shards[i].young = make(map[string]V)
	}
	return c
}

// shardOf picks by the beginning of the key, which is random: a sealed value begins with
// its nonce.
func (c *Cache[V]) shardOf(key string) *shard[V] {
	return &c.shards[maphash.String(c.seed, key[:min(len(key), 16)])%shards]
}

// Get returns the value of key, if it is there.
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
		s.put(strings.Clone(key), v) // the caller's may be a part of a large header
	}
	return v, ok
}

// Put keeps v. The key must not share memory with something larger.
func (c *Cache[V]) Put(key string, v V) { c.shardOf(key).put(key, v) }

func (s *shard[V]) put(key string, v V) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.young[key]; !ok && len(s.young) >= s.half {
		s.old, s.young = s.young, make(map[string]V, s.half)
	}
	s.young[key] = v
}

// A Set is one whose members leave when their time is over, or, oldest first,
// when it is full. It is safe for concurrent use.
type Set struct {
	limit int

	mu      sync.RWMutex
	members map[string]time.Time // member → when it leaves
	queue   []string             // members in the order they came
}

// NewSet makes a set of at most limit members.
func NewSet(limit int) *Set {
	return &Set{limit: limit, members: make(map[string]time.Time)}
}

// Add puts member in and reports whether it was not there before.
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

// sweep drops what is over from the front of the queue, and the first member of a full
// set. Lifetimes are alike, so the order of coming is that of leaving, near enough.
func (s *Set) sweep(now time.Time) {
	for len(s.queue) > 0 && (len(s.queue) >= s.limit || !now.Before(s.members[s.queue[0]])) {
		delete(s.members, s.queue[0])
		s.queue = s.queue[1:]
	}
}

// Has reports whether member is there at the time now.
func (s *Set) Has(member string, now time.Time) bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if len(s.members) == 0 {
		return false
	}
	until, ok := s.members[member]
	return ok && now.Before(until)
}

// A Throttle lets one through per interval. It is safe for concurrent use.
type Throttle struct {
	// Every is the interval.
	Every time.Duration

	last atomic.Int64
}

// Pass reports whether this one is let through.
func (t *Throttle) Pass(now time.Time) bool {
	last := t.last.Load()
	if last != 0 && Within(now, time.Unix(0, last), t.Every) {
		return false
	}
	return t.last.CompareAndSwap(last, now.UnixNano())
}

// Within reports whether now lies in the span that begins at start. A clock that jumped
// back before start ends the span: waiting for it to catch up could take for ever.
func Within(now, start time.Time, span time.Duration) bool {
	age := now.Sub(start)
	return age >= 0 && age < span
}
