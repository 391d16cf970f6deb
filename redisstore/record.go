package redisstore

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/cognate-auth/cognate/sessionstore"
	"github.com/redis/rueidis"
)

// A record is one string:
//
//	offset  size
//	     0     1  the format, 1
//	     1     8  Version, big-endian
//	     9     8  the life: random text that Create chose
//	    17    16  until when the indexes hold the record, in decimal milliseconds
//	    33     8  Expires in milliseconds, big-endian
//	    41     1  how many indexes follow
//	    42   43n  the indexes
//	        rest  Value
//
// The scripts know these offsets. What they calculate with is decimal, because Lua has
// no integers of 64 bits.
const (
	format      = 1
	nameSize    = 43
	lifeSize    = 8
	headSize    = 42
	maxHeadSize = headSize + sessionstore.MaxRecordIndexes*nameSize
	maxSize     = maxHeadSize + sessionstore.MaxRecordValue
	// lastMilli is the end of the year 9999, which is later than any session's.
	lastMilli = 253402300799999
)

// A head is the part of a record before its value.
type head struct {
	version uint64
	life    [lifeSize]byte
	indexed int64 // milliseconds
	expires int64 // milliseconds
	indexes []string
}

// errForeign says that the value under a record's key is not a record. It is treated as
// a missing record.
var errForeign = fmt.Errorf("%w: the value under its key was not written by this version of the store",
	sessionstore.ErrNoRecord)

// errForeignIndex says that the value under an index's key was not an index.
var errForeignIndex = errors.New("a value under an index's key was not an index, and was removed; " +
	"records that were only in that index remain until they expire")

// isWrongType reports whether the server refused a command because the key has another
// type of value.
func isWrongType(err error) bool {
	e, ok := rueidis.IsRedisErr(err)
	return ok && strings.HasPrefix(e.Error(), "WRONGTYPE")
}

// parse reads a record's stored form. It checks everything, because another program may
// have written it.
func parse(stored []byte) (h head, value []byte, err error) {
	if len(stored) < headSize || len(stored) > maxSize || stored[0] != format {
		return head{}, nil, errForeign
	}
	h.version = binary.BigEndian.Uint64(stored[1:])
	copy(h.life[:], stored[9:])
	expires, n := binary.BigEndian.Uint64(stored[33:]), int(stored[41])
	end := headSize + n*nameSize
	var ok bool
	if h.indexed, ok = parseDecimal(stored[17:33]); !ok || h.version == 0 || expires > lastMilli ||
		n > sessionstore.MaxRecordIndexes || len(stored) < end || len(stored)-end > sessionstore.MaxRecordValue {
		return head{}, nil, errForeign
	}
	h.expires = int64(expires)
	if n > 0 {
		names := string(stored[headSize:end])
		h.indexes = make([]string, n)
		for i := range h.indexes {
			h.indexes[i] = names[i*nameSize : (i+1)*nameSize]
		}
	}
	return h, stored[end:len(stored):len(stored)], nil
}

// append adds the head's stored form.
func (h *head) append(b []byte) []byte {
	b = append(b, format)
	b = binary.BigEndian.AppendUint64(b, h.version)
	b = append(b, h.life[:]...)
	b = append(b, decimal(h.indexed)...)
	b = binary.BigEndian.AppendUint64(b, uint64(h.expires)) //nolint:gosec // it is never negative
	b = append(b, byte(len(h.indexes)))                     //nolint:gosec // at most sessionstore.MaxRecordIndexes
	for _, x := range h.indexes {
		b = append(b, x...)
	}
	return b
}

// decimal writes a time for a head in the form that scripts read.
func decimal(milli int64) string { return fmt.Sprintf("%016d", milli) }

// parseDecimal reads the form that decimal writes, and no other.
func parseDecimal(b []byte) (n int64, ok bool) {
	for _, c := range b {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = 10*n + int64(c-'0')
	}
	return n, true
}

// newHead returns the head of a new record.
func newHead(r sessionstore.Record, now time.Time) head {
	h := head{version: 1, expires: milli(r.Expires), indexes: r.Indexes}
	copy(h.life[:], rand.Text())
	h.indexed = indexedUntil(h.expires, now)
	return h
}

// indexedUntil returns how long an index keeps a member: twice as long as the record
// lives, so that a session that every request prolongs rarely needs a change of its
// indexes. A minute is added for clocks that differ.
func indexedUntil(expires int64, now time.Time) int64 {
	return expires + max(expires-now.UnixMilli(), time.Minute.Milliseconds())
}

// milli returns an expiry in the form that the server accepts. It refuses 0 and less.
func milli(t time.Time) int64 { return min(max(t.UnixMilli(), 1), lastMilli) }

// member returns the member of an index for one life of a record. A later record with
// the same key is another member.
func (h *head) member(key string) string { return key + string(h.life[:]) }

// keyOf returns the key in a member of an index.
func keyOf(member string) (string, bool) {
	if len(member) != nameSize+lifeSize || !isName(member[:nameSize]) {
		return "", false
	}
	return member[:nameSize], true
}

// check refuses records that are not in the form that sessionstore.Record requires.
func check(r sessionstore.Record) error {
	if len(r.Value) > sessionstore.MaxRecordValue {
		return fmt.Errorf("redisstore: a record's value has %d bytes, expected at most %d",
			len(r.Value), sessionstore.MaxRecordValue)
	}
	if len(r.Indexes) > sessionstore.MaxRecordIndexes {
		return fmt.Errorf("redisstore: a record has %d indexes, expected at most %d",
			len(r.Indexes), sessionstore.MaxRecordIndexes)
	}
	for _, x := range r.Indexes {
		if !isName(x) {
			return errName
		}
	}
	return checkKey(r.Key)
}

var errName = errors.New("redisstore: a key or index is not in the form that sessionstore.Record requires: " +
	"43 characters of base64url")

func checkKey(key string) error {
	if !isName(key) {
		return errName
	}
	return nil
}

func isName(s string) bool {
	for i := range len(s) {
		c := s[i]
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '-' && c != '_' {
			return false
		}
	}
	return len(s) == nameSize
}
