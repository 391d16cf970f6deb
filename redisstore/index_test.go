package redisstore_test

import (
	"fmt"
	"math"
	"strconv"
	"testing"
	"time"

	"github.com/cognate-auth/cognate/redisstore"
	"github.com/cognate-auth/cognate/redisstore/redistest"
)

// number asks the server for a number.
func number(t *testing.T, server *redistest.Server, command ...string) int64 {
	t.Helper()
	answer, err := server.Do(command...)
	must(t, err)
	n, err := strconv.ParseFloat(answer, 64)
	must(t, err)
	return int64(n)
}

// TestIndexOutlives checks that an index keeps a record at least as long as the record
// lives, however often the record is prolonged. A test can't wait that long, so it
// compares the times.
func TestIndexOutlives(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	s := open(t, redisstore.Config{Addresses: []string{server.Addr}, Timeout: patient})
	r := record("ann", "x", "y")
	must(t, s.Create(t.Context(), r))
	must(t, s.Create(t.Context(), record("bob", "x")))
	for i, life := range []time.Duration{time.Hour, 90 * time.Minute, 3 * time.Hour, time.Minute, 8000 * time.Hour} {
		if i > 0 {
			r.Expires = time.Now().Add(life)
			must(t, s.Update(t.Context(), r))
			r.Version++
		}
		ends := number(t, server, "PEXPIRETIME", "cognate:r:"+r.Key)
		if want := r.Expires.UnixMilli(); ends != want {
			t.Errorf("life of %v: the record expires at %d, want %d", life, ends, want)
		}
		for _, x := range r.Indexes {
			index := "cognate:x:" + x
			// The members of the record that expires first come first.
			answer, err := server.Do("ZRANGE", index, "0", "-1")
			must(t, err)
			kept := int64(math.MaxInt64)
			for at := 0; at+51 <= len(answer); at += 52 {
				if answer[at:at+43] == r.Key {
					kept = number(t, server, "ZSCORE", index, answer[at:at+51])
				}
			}
			if kept == math.MaxInt64 || kept < ends {
				t.Errorf("life of %v: the index forgets the record at %d, before it expires at %d", life, kept, ends)
			}
			if gone := number(t, server, "PEXPIRETIME", index); gone < kept {
				t.Errorf("life of %v: the index expires at %d, before its member leaves at %d", life, gone, kept)
			}
		}
	}
}

// TestIndexStaysSmall has a person who signs in often.
func TestIndexStaysSmall(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	s := open(t, redisstore.Config{Addresses: []string{server.Addr}, Timeout: patient})
	index := "cognate:x:" + name("x")
	for i := range 50 {
		r := record(fmt.Sprint("ann", i), "x")
		must(t, s.Create(t.Context(), r))
		must(t, s.Delete(t.Context(), r.Key))
	}
	if got := number(t, server, "ZCARD", index); got != 0 {
		t.Errorf("50 sign-outs leave %d members, want none", got)
	}

	_, err := server.Do("ZADD", index, strconv.FormatInt(time.Now().Add(-time.Second).UnixMilli(), 10), "over",
		strconv.FormatInt(time.Now().Add(time.Hour).UnixMilli(), 10), "not over")
	must(t, err)
	must(t, s.Create(t.Context(), record("bob", "x")))
	if got := number(t, server, "ZCARD", index); got != 2 {
		t.Errorf("after a sign-in there are %d members, want the new one and the one that is not over", got)
	}
	n, err := s.DeleteIndexed(t.Context(), name("x"))
	if n != 1 || err != nil {
		t.Errorf("deleted %d records, error %v, want 1", n, err)
	}
	if got := number(t, server, "DBSIZE"); got != 0 {
		t.Errorf("the server still has %d keys, want none", got)
	}
}

// TestLivesAreApart checks that what remains of the first record under a key can't
// affect a second record under that key.
func TestLivesAreApart(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	s := open(t, redisstore.Config{Addresses: []string{server.Addr}, Timeout: patient})
	r := record("ann", "x")
	must(t, s.Create(t.Context(), r))
	_, err := server.Do("DEL", "cognate:r:"+r.Key)
	must(t, err)
	must(t, s.Create(t.Context(), r))
	if got := number(t, server, "ZCARD", "cognate:x:"+name("x")); got != 2 {
		t.Errorf("two lives are %d members, want 2", got)
	}

	_, err = server.Do("DEL", "cognate:r:"+r.Key)
	must(t, err)
	r.Indexes, r.Value = nil, []byte(name("x")) // a value that looks like the index
	must(t, s.Create(t.Context(), r))
	n, err := s.DeleteIndexed(t.Context(), name("x"))
	if n != 0 || err != nil {
		t.Errorf("deleted %d records, error %v, want none: the second record does not have the index", n, err)
	}
	_, err = s.LoadLatest(t.Context(), r.Key)
	must(t, err)
}
