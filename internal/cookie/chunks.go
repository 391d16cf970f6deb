package cookie

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

const (
	// ChunkSize bounds the value that is written to one cookie, in bytes, and maxValue the
	// value that is read from one. Browsers keep cookies of at least 4,096 bytes, name and
	// attributes included (RFC 6265, 6.1), and most keep no larger ones.
	ChunkSize = 3800
	maxValue  = 4096
	// MaxChunks bounds how many cookies a value may take. Many servers refuse a header of
	// more than 16 or 32 KiB.
	MaxChunks = 5
)

// A value that is too long for one cookie is split over several. The first begins with the
// number of cookies and a dot, which no sealed value contains. The names of the others are
// the first one's name, a dot and their number; no configured name contains a dot. The whole
// value is sealed, so if a chunk is changed, missing, replaced or moved, it does not open.

// ReadChunks returns the value that begins in the cookie with the name and takes at most limit
// cookies, or "" if it is missing or incomplete; count is the number of cookies with the name.
func ReadChunks(h http.Header, name string, limit int) (value string, count int) {
	first, count := Find(h, name)
	if count != 1 || len(first) < 2 || first[1] != '.' {
		return first, count
	}
	n := int(first[0] - '0')
	if n < 2 || n > limit {
		return "", count
	}
	parts := make([]string, n)
	parts[0] = first[2:]
	for i := 1; i < n; i++ {
		part, found := Find(h, chunkName(name, i))
		if found != 1 || len(part) > maxValue {
			return "", count
		}
		parts[i] = part
	}
	return strings.Join(parts, ""), count
}

// CountChunks returns the highest number of cookies that share the name of one of a value's
// chunks (more than one means duplicates), and whether the value is complete.
func CountChunks(h http.Header, name string, limit int) (most int, complete bool) {
	value, most := ReadChunks(h, name, limit)
	for i := 1; i < limit; i++ {
		_, count := Find(h, chunkName(name, i))
		most = max(most, count)
	}
	return most, value != ""
}

// isChunk reports whether a cookie name is that of a later chunk of the value called name.
func isChunk(chunk, name string) bool {
	place, ok := strings.CutPrefix(chunk, name+".")
	return ok && len(place) == 1 && place[0] >= '1' && place[0] <= '9'
}

func chunkName(name string, i int) string { return name + "." + strconv.Itoa(i) }

// SetChunks sets value in as many cookies as it needs, and removes those that an earlier,
// longer value left in the browser. If it would need more than limit cookies, SetChunks sets
// none and returns false.
func (c Spec) SetChunks(
	w http.ResponseWriter, r *http.Request, name, value string, limit int, maxAge time.Duration,
) bool {
	n := (len(value) + ChunkSize - 1) / ChunkSize
	if n > limit {
		return false
	}
	c.RemoveChunks(w, r, name, n)
	if n <= 1 {
		c.Set(w, name, value, maxAge)
		return true
	}
	c.Set(w, name, strconv.Itoa(n)+"."+value[:ChunkSize], maxAge)
	for i := 1; i < n; i++ {
		c.Set(w, chunkName(name, i), value[i*ChunkSize:min((i+1)*ChunkSize, len(value))], maxAge)
	}
	return true
}

// RemoveChunks removes those chunks of a value that r sent, beginning with number from. If
// from is 0 it removes the whole value.
func (c Spec) RemoveChunks(w http.ResponseWriter, r *http.Request, name string, from int) {
	for i := from; i < MaxChunks; i++ {
		full := name
		if i > 0 {
			full = chunkName(name, i)
		}
		if _, count := Find(r.Header, full); count > 0 {
			c.Remove(w, full)
		}
	}
}
