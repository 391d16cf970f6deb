package cookie

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

const (
	// ChunkSize bounds the value that one cookie is given, in bytes, and maxValue the one
	// that is looked at. Browsers keep cookies of at most 4,096 bytes, name and attributes
	// included (RFC 6265, 6.1).
	ChunkSize = 3800
	maxValue  = 4096
	// MaxChunks bounds how many cookies a value may take. Many servers refuse a header of
	// more than 16 or 32 KiB.
	MaxChunks = 5
)

// A value that is too long for one cookie is spread over several: the first begins with
// their number and a dot, which no sealed value holds, and the others have the name of the
// first with a dot and their place, which no configured name holds. The seal is over the
// whole, so that a chunk that is changed, missing, foreign or in another's place makes the
// whole unreadable.

// ReadChunks returns the value that begins in the cookie called name and takes limit cookies
// at most, or "" if there is none that is whole; count is how many cookies have the name.
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

// CountChunks returns how often that cookie of a value is there which is there most often,
// and whether the value is whole.
func CountChunks(h http.Header, name string, limit int) (most int, whole bool) {
	value, most := ReadChunks(h, name, limit)
	for i := 1; i < limit; i++ {
		_, count := Find(h, chunkName(name, i))
		most = max(most, count)
	}
	return most, value != ""
}

// isChunk reports whether a cookie is a further chunk of the one called name.
func isChunk(chunk, name string) bool {
	place, ok := strings.CutPrefix(chunk, name+".")
	return ok && len(place) == 1 && place[0] >= '1' && place[0] <= '9'
}

func chunkName(name string, i int) string { return name + "." + strconv.Itoa(i) }

// SetChunks spreads value over as many cookies as it needs, and removes those that an
// earlier, longer value left in the browser of r. It reports whether limit was enough; if
// it was not, nothing is set.
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

// RemoveChunks removes the chunks of a value from the given place on that r brought along;
// from the first one, 0, it removes the whole value.
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
