package redisstore

import (
	"sync"
	"time"
)

// recentWrites remembers what this process wrote recently. The server's notice of a change
// may arrive after its answer to the write, and until then the record in Load's memory
// is old. An entry remains at least as long as any record that was in that memory when
// the entry was made.
type recentWrites struct {
	ttl    time.Duration
	shards [writeShards]writeShard
}

const (
	writeShards = 16
	// maxRecent limits the keys of one map. After more writes, the server is asked for
	// everything for some time.
	maxRecent = 8192
	// unknown is the version of a record that was deleted, or that may have been
	// changed: no copy in memory can be trusted.
	unknown = ^uint64(0)
)

type writeShard struct {
	mu            sync.RWMutex
	young, old    map[string]uint64 // key → the oldest version that can be current
	rotated       time.Time         // when young became old
	distrustUntil time.Time         // until then, no copy in memory can be trusted
}

func newRecentWrites(ttl time.Duration) *recentWrites { return &recentWrites{ttl: ttl} }

// shard selects a shard by a character of the key, which is a hash.
func (w *recentWrites) shard(key string) *writeShard { return &w.shards[key[0]%writeShards] }

// note remembers that a record now has a version.
func (w *recentWrites) note(key string, version uint64, now time.Time) {
	s := w.shard(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	if now.Sub(s.rotated) > w.ttl {
		s.young, s.old, s.rotated = make(map[string]uint64), s.young, now
	}
	if len(s.young) >= maxRecent {
		s.distrustUntil = now.Add(w.ttl)
		clear(s.young)
	}
	s.young[key] = max(version, s.young[key], s.old[key])
}

// oldest returns the oldest version that a copy in memory may have. Zero means that any
// version is acceptable.
func (w *recentWrites) oldest(key string, now time.Time) uint64 {
	s := w.shard(key)
	s.mu.RLock()
	defer s.mu.RUnlock()
	if now.Before(s.distrustUntil) {
		return unknown
	}
	return max(s.young[key], s.old[key])
}
