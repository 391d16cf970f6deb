package cognate

import (
	"crypto/rand"
	"net/http"
	"strings"
	"time"
)

// A cookieSpec is what all cookies of one Auth have in common. Setting and removing go
// through the same attributes, or a browser would keep what was to be removed.
type cookieSpec struct {
	name   string // of the session cookie; other names begin with it
	secure bool
}

// newCookieSpec names the cookies. With the prefix __Host- a browser takes the cookie
// only from this very host, over TLS and for the whole site (RFC 6265bis, 4.1.3.2):
// no subdomain and no plain http answer can plant one.
func newCookieSpec(name string, secure bool) cookieSpec {
	if secure {
		name = "__Host-" + name
	}
	return cookieSpec{name: name, secure: secure}
}

// tokensName is the name of the cookie with a session's tokens. No configured name holds a
// dot, so it is no other session's.
func (c cookieSpec) tokensName() string { return c.name + ".t" }

func (c cookieSpec) set(w http.ResponseWriter, name, value string, maxAge time.Duration) {
	http.SetCookie(w, c.cookie(name, value, int(maxAge/time.Second)))
}

func (c cookieSpec) remove(w http.ResponseWriter, name string) {
	http.SetCookie(w, c.cookie(name, "", -1))
}

// takeBack takes out of a header what sets a session's cookies; removals stay.
func (c cookieSpec) takeBack(h http.Header) {
	lines := h["Set-Cookie"]
	kept := make([]string, 0, len(lines))
	for _, line := range lines {
		name, rest, _ := strings.Cut(line, "=")
		ours := name == c.name || name == c.tokensName() || isChunk(name, c.name) || isChunk(name, c.tokensName())
		if !ours || strings.HasPrefix(rest, ";") {
			kept = append(kept, line)
		}
	}
	if h["Set-Cookie"] = kept; len(kept) == 0 {
		delete(h, "Set-Cookie")
	}
}

func (c cookieSpec) cookie(name, value string, maxAge int) *http.Cookie {
	return &http.Cookie{ //nolint:gosec // Secure but on loopback http, see Config.InsecureHTTP
		Name: name, Value: value, Path: "/", MaxAge: maxAge,
		Secure: c.secure, HttpOnly: true, SameSite: http.SameSiteLaxMode,
	}
}

// eachCookie calls visit with the name and value of each cookie of a request, until it
// returns false. Request.Cookie parses and allocates all cookies to return one, at
// every call; this reads the header in place. Blanks and tabs alone are cut off (RFC 6265bis,
// 5.6): browsers take other white space for a part of the name, so that such a name would
// pass by the rules of the prefix __Host-.
func eachCookie(h http.Header, visit func(name, value string) bool) {
	for _, line := range h["Cookie"] {
		for line != "" {
			var pair string
			pair, line, _ = strings.Cut(line, ";")
			name, value, ok := strings.Cut(strings.Trim(pair, " \t"), "=")
			if ok && !visit(name, value) {
				return
			}
		}
	}
}

// findCookie returns the value of the cookie of that name, and how many there are.
func findCookie(h http.Header, name string) (value string, count int) {
	for _, line := range h["Cookie"] {
		for line != "" {
			var pair string
			pair, line, _ = strings.Cut(line, ";")
			pair = strings.TrimLeft(pair, " ")
			if len(pair) > len(name) && pair[len(name)] == '=' && pair[:len(name)] == name {
				value = strings.TrimRight(pair[len(name)+1:], " ")
				count++
			}
		}
	}
	return value, count
}

// randomBytes returns n bytes from the operating system's generator, which does not
// fail (crypto/rand.Read).
func randomBytes(n int) string {
	b := make([]byte, n)
	_, _ = rand.Read(b)
	return string(b)
}
