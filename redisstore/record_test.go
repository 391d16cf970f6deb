package redisstore_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/cognate-auth/cognate/redisstore"
	"github.com/cognate-auth/cognate/redisstore/redistest"
	"github.com/cognate-auth/cognate/sessionstore"
)

func name(s string) string {
	sum := sha256.Sum256([]byte(s))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

func record(n string, indexes ...string) sessionstore.Record {
	r := sessionstore.Record{Key: name(n), Version: 1, Value: []byte(n), Expires: time.Now().Add(time.Hour)}
	for _, x := range indexes {
		r.Indexes = append(r.Indexes, name(x))
	}
	return r
}

func must(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatalf("unexpected error: %v", err)
	}
}

func stored(version byte, indexes, value string, count byte) []byte {
	return fmt.Appendf(nil, "\x01\x00\x00\x00\x00\x00\x00\x00%c12345678%016d\x00\x00\x01\x9c\x00\x00\x00\x00%c%s%s",
		version, 1_900_000_000_000, count, indexes, value)
}

func FuzzParse(f *testing.F) {
	one := name("one")
	for _, seed := range [][]byte{
		nil, {1}, stored(1, "", "", 0), stored(2, one, "value", 1), stored(2, one+one+one+one, "v", 4),
		stored(1, one, "", 5), stored(1, one, "", 255), stored(0, "", "", 0), []byte(strings.Repeat("\x01", 300)),
		bytes.Replace(stored(1, "", "", 0), []byte("0001"), []byte("+001"), 1),
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		again, ok := redisstore.Reencode(in)
		if ok && !bytes.Equal(again, in) {
			t.Errorf("%q was read, and written as %q", in, again)
		}
	})
}

func TestParse(t *testing.T) {
	one := name("one")
	large := strings.Repeat("v", sessionstore.MaxRecordValue)
	for name, row := range map[string]struct {
		in   []byte
		want bool
	}{
		"plain":            {stored(1, "", "", 0), true},
		"largest":          {stored(1, one+one+one+one, large, 4), true},
		"value too large":  {stored(1, "", large+"v", 0), false},
		"empty":            {nil, false},
		"cut off":          {stored(1, "", "", 0)[:41], false},
		"indexes cut off":  {stored(1, one[1:], "", 1), false},
		"too many indexes": {stored(1, strings.Repeat(one, 5), "", 5), false},
		"version 0":        {stored(0, "", "", 0), false},
		"another format":   {append([]byte{2}, stored(1, "", "", 0)[1:]...), false},
		"no number":        {bytes.Replace(stored(1, "", "", 0), []byte("0001"), []byte("+001"), 1), false},
		"expires past reason": {bytes.Replace(stored(1, "", "", 0), []byte("\x00\x00\x01\x9c"),
			[]byte("\x00\xff\x01\x9c"), 1), false},
		"expires before the year": {bytes.Replace(stored(1, "", "", 0), []byte("\x00\x00\x01\x9c"),
			[]byte("\xff\x00\x01\x9c"), 1), false},
	} {
		t.Run(name, func(t *testing.T) {
			if _, ok := redisstore.Reencode(row.in); ok != row.want {
				t.Errorf("read: got %t, want %t", ok, row.want)
			}
		})
	}
}

// TestForeignIndex has a server where another program overwrote an index: the next
// sign-in creates the index again, and DeleteIndexed reports once that it may have
// missed records.
func TestForeignIndex(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	s := open(t, redisstore.Config{Addresses: []string{server.Addr}, Timeout: patient})
	index := "cognate:x:" + name("x")
	for what, command := range map[string][]string{
		"text": {"SET", index, "text"}, "a list": {"RPUSH", index, "a"},
		"members of others": {"ZADD", index, "9e12", "a", "9e12", ""},
	} {
		ctx := t.Context()
		must(t, s.Create(ctx, record("before "+what, "x")))
		do := func(command ...string) {
			_, err := server.Do(command...)
			must(t, err)
		}
		do("DEL", index)
		do(command...)
		r := record("after "+what, "x")
		must(t, s.Create(ctx, r))
		n, err := s.DeleteIndexed(ctx, name("x"))
		if n != 1 || err != nil {
			t.Errorf("%s: after a sign-in: deleted %d records, error %v, want 1", what, n, err)
		}
		do("DEL", index)
		do(command...)
		n, err = s.DeleteIndexed(ctx, name("x"))
		if n != 0 || (err == nil) != (what == "members of others") || errors.Is(err, sessionstore.ErrNoRecord) {
			t.Errorf("%s: deleted %d records, error %v", what, n, err)
		}
		n, err = s.DeleteIndexed(ctx, name("x"))
		if n != 0 || err != nil {
			t.Errorf("%s: again: deleted %d records, error %v, want none", what, n, err)
		}
	}
}

// TestServerErrors checks that a server's error, as for missing permissions, is not
// reported as a missing record.
func TestServerErrors(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t,
		"user blind on nopass ~cognate:* resetchannels +@all -get -getrange",
		"user loner on nopass ~cognate:* resetchannels +@all -zadd")
	blind := open(t,
		redisstore.Config{Addresses: []string{server.Addr}, Username: "blind", Password: "x", Timeout: patient})
	loner := open(t,
		redisstore.Config{Addresses: []string{server.Addr}, Username: "loner", Password: "x", Timeout: patient})
	ctx, r := t.Context(), record("ann", "x")
	err := loner.Create(ctx, r)
	if err == nil || errors.Is(err, sessionstore.ErrRecordChanged) {
		t.Errorf("Create without its index: got error %v", err)
	}
	_, err = loner.LoadLatest(ctx, r.Key)
	if !errors.Is(err, sessionstore.ErrNoRecord) {
		t.Errorf("a failed Create leaves its record: got error %v", err)
	}
	must(t, open(t, redisstore.Config{Addresses: []string{server.Addr}, Timeout: patient}).Create(ctx, r))
	_, latest := blind.LoadLatest(ctx, r.Key)
	_, load := blind.Load(ctx, r.Key)
	for call, err := range map[string]error{
		"LoadLatest": latest, "Load": load, "Update": blind.Update(ctx, r), "Delete": blind.Delete(ctx, r.Key),
	} {
		if err == nil || errors.Is(err, sessionstore.ErrNoRecord) || errors.Is(err, sessionstore.ErrRecordChanged) {
			t.Errorf("%s: got error %v, want the server's", call, err)
		}
	}
	err = blind.Create(ctx, r)
	if !errors.Is(err, sessionstore.ErrRecordChanged) {
		t.Errorf("Create: got error %v", err)
	}
}

func TestRefusedRecords(t *testing.T) {
	t.Parallel()
	s := open(t, redisstore.Config{Addresses: []string{redistest.Start(t).Addr}, Timeout: patient})
	for name, change := range map[string]func(*sessionstore.Record){
		"large value":      func(r *sessionstore.Record) { r.Value = make([]byte, sessionstore.MaxRecordValue+1) },
		"many indexes":     func(r *sessionstore.Record) { r.Indexes = []string{r.Key, r.Key, r.Key, r.Key, r.Key} },
		"no index":         func(r *sessionstore.Record) { r.Indexes = []string{""} },
		"no key":           func(r *sessionstore.Record) { r.Key = "" },
		"short key":        func(r *sessionstore.Record) { r.Key = r.Key[1:] },
		"long key":         func(r *sessionstore.Record) { r.Key += "a" },
		"key with a brace": func(r *sessionstore.Record) { r.Key = "{" + r.Key[1:] },
		"key with a line":  func(r *sessionstore.Record) { r.Key = r.Key[1:] + "\n" },
	} {
		r := record("ann")
		change(&r)
		ctx := context.Background()
		calls := map[string]error{"Create": s.Create(ctx, r), "Update": s.Update(ctx, r)}
		if strings.Contains(name, "key") {
			_, calls["Load"] = s.Load(ctx, r.Key)
			_, calls["LoadLatest"] = s.LoadLatest(ctx, r.Key)
			_, calls["DeleteIndexed"] = s.DeleteIndexed(ctx, r.Key)
			calls["Delete"] = s.Delete(ctx, r.Key)
		}
		for call, err := range calls {
			if err == nil || errors.Is(err, sessionstore.ErrNoRecord) ||
				!strings.HasPrefix(err.Error(), "redisstore: a ") {
				t.Errorf("%s: %s: got error %v", name, call, err)
			}
		}
	}
}

func TestWritten(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	w := redisstore.NewWritten(10 * time.Second)
	want := func(what, key string, version uint64) {
		t.Helper()
		if got := w.Oldest(key, now); got != version {
			t.Errorf("%s: got version %d, want %d", what, got, version)
		}
	}
	want("nothing noted", "ann", 0)
	w.Note("ann", 3, now)
	w.Note("ann", 2, now) // notes may arrive late
	want("noted", "ann", 3)
	want("another key", "bob", 0)
	now = now.Add(10 * time.Second)
	w.Note("alf", 1, now) // in the same shard
	want("at the end of the time", "ann", 3)
	now = now.Add(time.Second)
	w.Note("ada", 1, now)
	want("after one turn", "ann", 3)
	now = now.Add(11 * time.Second)
	w.Note("ada", 1, now)
	want("after two turns", "ann", 0)

	for i := range 30_000 {
		w.Note(fmt.Sprint("a", i), 1, now)
	}
	if got := w.Size(); got > 10_000 {
		t.Errorf("remembers %d keys, want at most 10000", got)
	}
	want("forgotten because of too many", "ann", ^uint64(0))
	now = now.Add(10 * time.Second)
	want("after that", "ann", 0)
}
