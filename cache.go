package cognate

import (
	"hash/maphash"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// A cache holds about the last size values that were used, by string. It is two maps:
// when the young one is full it becomes the old one, and what the old one still held
// is gone. Values that are used move to the young one, so the popular ones stay; no
// list has to be kept in order. It is safe for concurrent use and split into shards,
// so that requests seldom wait for each other.
type cache[V any] struct {
	seed   maphash.Seed
	shards [cacheShards]cacheShard[V]
}

const cacheShards = 16

type cacheShard[V any] struct {
	half int // how many entries one map takes

	mu         sync.RWMutex
	young, old map[string]V
}

func newCache[V any](size int) *cache[V] {
	c := &cache[V]{seed: maphash.MakeSeed()}
	for i := range c.shards {
		c.shards[i].half = max(size/cacheShards/2, 1)
		c.shards[i].young = make(map[string]V)
	}
	return c
}

// shard picks by the beginning of the key, which is random: a sealed value begins with
// its nonce.
func (c *cache[V]) shard(key string) *cacheShard[V] {
	return &c.shards[maphash.String(c.seed, key[:min(len(key), 16)])%cacheShards]
}

func (c *cache[V]) get(key string) (V, bool) {
	s := c.shard(key)
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

// put keeps v. The key must not share memory with something larger.
func (c *cache[V]) put(key string, v V) { c.shard(key).put(key, v) }

func (s *cacheShard[V]) put(key string, v V) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.young[key]; !ok && len(s.young) >= s.half {
		s.old, s.young = s.young, make(map[string]V, s.half)
	}
	s.young[key] = v
}

// expiring is a set whose members leave when their time is over, or, oldest first,
// when it is full. It is safe for concurrent use.
type expiring struct {
	limit int

	mu      sync.RWMutex
	members map[string]time.Time // member → when it leaves
	queue   []string             // members in the order they came
}

func newExpiring(limit int) *expiring {
	return &expiring{limit: limit, members: make(map[string]time.Time)}
}

// add puts member in and reports whether it was not there before.
func (e *expiring) add(member string, until, now time.Time) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if t, ok := e.members[member]; ok && now.Before(t) {
		return false
	}
	e.sweep(now)
	if _, ok := e.members[member]; !ok {
		e.queue = append(e.queue, member)
	}
	e.members[member] = until
	return true
}

// sweep drops what is over from the front of the queue, and the first member of a full
// set. Lifetimes are alike, so the order of coming is that of leaving, near enough.
func (e *expiring) sweep(now time.Time) {
	for len(e.queue) > 0 && (len(e.queue) >= e.limit || !now.Before(e.members[e.queue[0]])) {
		delete(e.members, e.queue[0])
		e.queue = e.queue[1:]
	}
}

func (e *expiring) has(member string, now time.Time) bool {
	e.mu.RLock()
	defer e.mu.RUnlock()
	if len(e.members) == 0 {
		return false
	}
	until, ok := e.members[member]
	return ok && now.Before(until)
}

// A throttle lets one through per interval. It is safe for concurrent use.
type throttle struct {
	every time.Duration
	last  atomic.Int64
}

func (t *throttle) pass(now time.Time) bool {
	last := t.last.Load()
	if last != 0 && within(now, time.Unix(0, last), t.every) {
		return false
	}
	return t.last.CompareAndSwap(last, now.UnixNano())
}
