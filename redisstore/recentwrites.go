package redisstore

import (
	"sync"
	"time"
)

// written remembers what this process wrote lately. The server's word of it may arrive
// after its answer to the write, and until then the memory behind Load is old. An entry
// stays at least as long as anything that was in that memory when it was made.
type written struct {
	ttl    time.Duration
	shards [writtenShards]writtenShard
}

const (
	writtenShards = 16
	// maxWritten bounds the keys of one map. With more writes, everything is asked of
	// the server for a while.
	maxWritten = 8192
	// unknown is the version of a record that was deleted, or of which nobody knows
	// whether it was changed: no memory of it can be trusted.
	unknown = ^uint64(0)
)

type writtenShard struct {
	mu         sync.RWMutex
	young, old map[string]uint64 // key → the oldest version that can be right
	turned     time.Time         // when young became old
	blind      time.Time         // until then, nothing in memory can be trusted
}

func newWritten(ttl time.Duration) *written { return &written{ttl: ttl} }

// shard picks by a character of the key, which is a hash.
func (w *written) shard(key string) *writtenShard { return &w.shards[key[0]%writtenShards] }

// note remembers that a record now has a version.
func (w *written) note(key string, version uint64, now time.Time) {
	s := w.shard(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	if now.Sub(s.turned) > w.ttl {
		s.young, s.old, s.turned = make(map[string]uint64), s.young, now
	}
	if len(s.young) >= maxWritten {
		s.blind = now.Add(w.ttl)
		clear(s.young)
	}
	s.young[key] = max(version, s.young[key], s.old[key])
}

// oldest returns the oldest version that a memory of the record can have. Zero means that
// any will do.
func (w *written) oldest(key string, now time.Time) uint64 {
	s := w.shard(key)
	s.mu.RLock()
	defer s.mu.RUnlock()
	if now.Before(s.blind) {
		return unknown
	}
	return max(s.young[key], s.old[key])
}
