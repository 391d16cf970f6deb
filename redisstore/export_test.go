package redisstore

import "time"

// Reencode parses a record's stored form and encodes the result.
func Reencode(stored []byte) (again []byte, ok bool) {
	h, value, err := parse(stored)
	if err != nil {
		return nil, false
	}
	return append(h.append(nil), value...), true
}

// A Written is a process's memory of its writes.
type Written struct{ w *recentWrites }

func NewWritten(ttl time.Duration) Written { return Written{newRecentWrites(ttl)} }

func (w Written) Note(key string, version uint64, now time.Time) { w.w.note(key, version, now) }
func (w Written) Oldest(key string, now time.Time) uint64        { return w.w.oldest(key, now) }

// Size is how many keys are remembered.
func (w Written) Size() (n int) {
	for i := range w.w.shards {
		n += len(w.w.shards[i].young) + len(w.w.shards[i].old)
	}
	return n
}
