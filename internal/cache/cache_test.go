package cache

import (
	"crypto/rand"
	"strconv"
	"strings"
	"testing"
	"time"
	"unsafe"
)

// TestCacheCopiesKeys looks up a key that is part of a large header, which must not stay in
// memory because of the key.
func TestCacheCopiesKeys(t *testing.T) {
	text := strings.Repeat("v", 1<<20)
	c := New[bool](2 * shards)
	key := text[:16]
	shard := c.shardOf(key)
	shard.put(strings.Clone(key), true)
	shard.put("another", true) // and the first is old
	c.Get(key)
	for kept := range shard.young {
		if unsafe.StringData(kept) == unsafe.StringData(key) {
			t.Error("the cache holds on to the header")
		}
	}
}

// TestManySessions fills less than half of the cache, which never drops values, with keys as
// long as cookies.
func TestManySessions(t *testing.T) {
	const n = 3500
	for length := 200; length < 204; length++ {
		c := New[bool](10_000)
		keys := make([]string, n)
		for i := range keys {
			keys[i] = strings.Repeat(rand.Text(), length/26+1)[:length]
			c.Put(keys[i], true)
		}
		found := 0
		for _, k := range keys {
			if _, ok := c.Get(k); ok {
				found++
			}
		}
		if found != n {
			t.Errorf("keys of %d bytes: %d of %d values are kept in a cache of 10000", length, found, n)
		}
	}
}

// TestMemoryIsBounded adds far more to a cache and a set than they hold.
func TestMemoryIsBounded(t *testing.T) {
	now := time.Unix(0, 0)
	s, c := NewSet(100), New[int](100)
	for i := range 1000 {
		s.Add(strconv.Itoa(i), now.Add(time.Hour), now)
		c.Put(strconv.Itoa(i), i)
	}
	if n := max(len(s.members), len(s.queue)); n != 100 {
		t.Errorf("%d members in a set of 100", n)
	}
	n := 0
	for i := range c.shards {
		n += len(c.shards[i].young) + len(c.shards[i].old)
	}
	if n > 100 {
		t.Errorf("%d values in a cache of 100", n)
	}
}

func TestSet(t *testing.T) {
	now := time.Unix(0, 0)
	s := NewSet(10)
	if s.Has("a", now) || !s.Add("a", now.Add(time.Minute), now) || s.Add("a", now.Add(time.Hour), now) {
		t.Error("a member is not added just once")
	}
	if !s.Has("a", now.Add(59*time.Second)) || s.Has("a", now.Add(time.Minute)) {
		t.Error("a member does not expire")
	}
	if !s.Add("a", now.Add(time.Hour), now.Add(time.Minute)) || !s.Has("a", now.Add(time.Minute)) {
		t.Error("an expired member can't be added again")
	}
}

func TestThrottle(t *testing.T) {
	now := time.Unix(1_000_000, 0)
	th := &Throttle{Every: time.Second}
	for _, step := range []struct {
		after time.Duration
		want  bool
	}{
		{0, true}, {0, false}, {999 * time.Millisecond, false}, {time.Second, true}, {-time.Hour, true},
		{-time.Hour, false},
	} {
		if got := th.Pass(now.Add(step.after)); got != step.want {
			t.Errorf("%s after the first: %v", step.after, got)
		}
	}
}

// TestWithin sets the clock back: a span that has not begun yet counts as over.
func TestWithin(t *testing.T) {
	start := time.Unix(1_000_000, 0)
	for after, want := range map[time.Duration]bool{
		-1: false, 0: true, time.Minute - 1: true, time.Minute: false, time.Hour: false, -time.Hour: false,
	} {
		if Within(start.Add(after), start, time.Minute) != want {
			t.Errorf("%s after the start: %v", after, !want)
		}
	}
}
