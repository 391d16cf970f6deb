// Package cookie reads, sets and removes cookies, including values that are split over several
// cookies. It does not know what the values mean, and imports nothing else of this module.
package cookie

import (
	"net/http"
	"slices"
	"strings"
	"time"
)

// A Spec has the attributes that all cookies of an app share. They are the same for setting
// and removing; otherwise a browser would not remove the cookie.
type Spec struct {
	// Name is the name of the session cookie; other names begin with it.
	Name   string
	secure bool
}

// NewSpec returns a Spec. If secure, the names get the prefix __Host-: browsers accept such a
// cookie only from this host itself, over TLS and for the whole site (RFC 6265bis, 4.1.3.2),
// so that no subdomain and no plain http answer can set one.
func NewSpec(name string, secure bool) Spec {
	if secure {
		name = "__Host-" + name
	}
	return Spec{Name: name, secure: secure}
}

// Secure reports whether browsers send the cookies only over https.
func (c Spec) Secure() bool { return c.secure }

// Set sets a cookie.
func (c Spec) Set(w http.ResponseWriter, name, value string, maxAge time.Duration) {
	http.SetCookie(w, c.cookie(name, value, int(maxAge/time.Second)))
}

// Remove removes a cookie from the browser.
func (c Spec) Remove(w http.ResponseWriter, name string) {
	http.SetCookie(w, c.cookie(name, "", -1))
}

func (c Spec) cookie(name, value string, maxAge int) *http.Cookie {
	return &http.Cookie{ //nolint:gosec // Secure but on loopback http, see Config.InsecureHTTP
		Name: name, Value: value, Path: "/", MaxAge: maxAge,
		Secure: c.secure, HttpOnly: true, SameSite: http.SameSiteLaxMode,
	}
}

// TakeBack removes from an answer's header the lines that set cookies with these names, or
// their chunks. Lines that remove cookies stay.
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

// Each calls visit with the name and value of each cookie of a request, until visit returns
// false. Request.Cookie parses and allocates all cookies in each call; Each reads the header
// in place. It trims spaces and tabs only (RFC 6265bis, 5.6). Browsers treat other white space
// as part of the name, and so do not apply the rules of the prefix __Host- to such a name.
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

// Find returns the value of the last cookie with the name, and how many there are.
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
