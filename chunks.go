package cognate

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

const (
	// maxIdentityChunks and maxTokenChunks bound how many cookies of maxSealed bytes the
	// identity and the tokens may take. Many servers refuse a header of more than 16
	// or 32 KiB.
	maxIdentityChunks = 3
	maxTokenChunks    = 5
)

// A value that is too long for one cookie is spread over several: the first begins with
// their number and a dot, which no sealed value holds, and the others have the name of the
// first with a dot and their place, which no configured name holds. The seal is over the
// whole, so that a chunk that is changed, missing, foreign or in another's place makes the
// whole unreadable.

// readChunks returns the value that begins in the cookie called name, or "" if there is
// none that is whole; count is how many cookies have the name.
func readChunks(h http.Header, name string, limit int) (value string, count int) {
	first, count := findCookie(h, name)
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
		part, found := findCookie(h, chunkName(name, i))
		if found != 1 || len(part) > maxCookieValue {
			return "", count
		}
		parts[i] = part
	}
	return strings.Join(parts, ""), count
}

// isChunk reports whether a cookie is a further chunk of the one called name.
func isChunk(chunk, name string) bool {
	place, ok := strings.CutPrefix(chunk, name+".")
	return ok && len(place) == 1 && place[0] >= '1' && place[0] <= '9'
}

func chunkName(name string, i int) string { return name + "." + strconv.Itoa(i) }

// setChunks spreads value over as many cookies as it needs, and removes those that an
// earlier, longer value left in the browser of r. It reports whether limit was enough; if
// it was not, nothing is set.
func (c cookieSpec) setChunks(w http.ResponseWriter, r *http.Request, name, value string, limit int, maxAge time.Duration) bool {
	n := (len(value) + maxSealed - 1) / maxSealed
	if n > limit {
		return false
	}
	c.removeChunks(w, r, name, n)
	if n <= 1 {
		c.set(w, name, value, maxAge)
		return true
	}
	c.set(w, name, strconv.Itoa(n)+"."+value[:maxSealed], maxAge)
	for i := 1; i < n; i++ {
		c.set(w, chunkName(name, i), value[i*maxSealed:min((i+1)*maxSealed, len(value))], maxAge)
	}
	return true
}

// removeChunks removes the chunks from the given place on that r brought along.
func (c cookieSpec) removeChunks(w http.ResponseWriter, r *http.Request, name string, from int) {
	for i := from; i < maxTokenChunks; i++ {
		full := name
		if i > 0 {
			full = chunkName(name, i)
		}
		if _, count := findCookie(r.Header, full); count > 0 {
			c.remove(w, full)
		}
	}
}

// chunks tells of the cookies of a session whether one is there more than once, and whether
// all are there.
func (c cookieSpec) chunks(h http.Header) (most int, whole bool) {
	value, most := readChunks(h, c.name, maxIdentityChunks)
	for i := 1; i < maxIdentityChunks; i++ {
		_, count := findCookie(h, chunkName(c.name, i))
		most = max(most, count)
	}
	return most, value != ""
}
