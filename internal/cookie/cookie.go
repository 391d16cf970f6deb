// Package cookie reads and sets cookies: their attributes, and values that take several of
// them. It does not know what the values mean, nor anything else of this module.
package cookie

import (
	"net/http"
	"slices"
	"strings"
	"time"
)

// A Spec is what all cookies of one app have in common. Setting and removing go through the
// same attributes, or a browser would keep what was to be removed.
type Spec struct {
	// Name is that of the session cookie; other names begin with it.
	Name   string
	secure bool
}

// NewSpec names the cookies. With the prefix __Host- a browser takes the cookie only from
// this very host, over TLS and for the whole site (RFC 6265bis, 4.1.3.2): no subdomain and
// no plain http answer can plant one.
func NewSpec(name string, secure bool) Spec {
	if secure {
		name = "__Host-" + name
	}
	return Spec{Name: name, secure: secure}
}

// Secure reports whether the cookies travel over https alone.
func (c Spec) Secure() bool { return c.secure }

// Set has the browser keep a cookie.
func (c Spec) Set(w http.ResponseWriter, name, value string, maxAge time.Duration) {
	http.SetCookie(w, c.cookie(name, value, int(maxAge/time.Second)))
}

// Remove has the browser drop a cookie.
func (c Spec) Remove(w http.ResponseWriter, name string) {
	http.SetCookie(w, c.cookie(name, "", -1))
}

func (c Spec) cookie(name, value string, maxAge int) *http.Cookie {
	return &http.Cookie{ //nolint:gosec // Secure but on loopback http, see Config.InsecureHTTP
		Name: name, Value: value, Path: "/", MaxAge: maxAge,
		Secure: c.secure, HttpOnly: true, SameSite: http.SameSiteLaxMode,
	}
}

// TakeBack takes out of an answer's header what sets the cookies of these names, and their
// chunks; removals stay.
func TakeBack(h http.Header, names ...string) {
	lines := h["Set-Cookie"]
	kept := make([]string, 0, len(lines))
	for _, line := range lines {
		name, rest, _ := strings.Cut(line, "=")
		ours := slices.ContainsFunc(names, func(n string) bool { return name == n || isChunk(name, n) })
		if !ours || strings.HasPrefix(rest, ";") {
			kept = append(kept, line)
		}
	}
	if h["Set-Cookie"] = kept; len(kept) == 0 {
		delete(h, "Set-Cookie")
	}
}

// Each calls visit with the name and value of each cookie of a request, until it returns
// false. Request.Cookie parses and allocates all cookies to return one, at every call; this
// reads the header in place. Blanks and tabs alone are cut off (RFC 6265bis, 5.6): browsers
// take other white space for a part of the name, so that such a name would pass by the rules
// of the prefix __Host-.
func Each(h http.Header, visit func(name, value string) bool) {
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

// Find returns the value of the last cookie of that name, and how many there are.
func Find(h http.Header, name string) (value string, count int) {
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
