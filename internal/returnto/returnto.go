// Package returnto decides which pages a sign-in or a sign-out may return to. It imports
// nothing else of this module.
package returnto

import (
	"net/url"
	"strings"
)

// maxTarget bounds a return target, in bytes: it travels in a URL.
const maxTarget = 2048

// Local reports whether target is a page of this site, to which a sign-in or a sign-out may
// return. It returns the target in its canonical form for a Location header: a path on this
// site, with its query and fragment.
//
// It refuses everything that some browser, proxy or framework could read as another
// site: an absolute URL; two slashes or a backslash at the beginning, plain or encoded;
// control characters, because browsers drop tabs and line breaks inside a URL, so that
// "/\t/evil" becomes "//evil"; and dot segments, which programs resolve differently. Two
// slashes later in the path are allowed, because some apps have such pages. Local never
// repairs a target that it refuses.
func Local(target string) (string, bool) {
	if len(target) > maxTarget || !strings.HasPrefix(target, "/") || hasUnsafeByte(target) {
		return "", false
	}
	u, err := url.Parse(target)
	if err != nil || u.Scheme != "" || u.Opaque != "" || u.Host != "" || u.User != nil {
		return "", false
	}
	if !localPath(u.Path) {
		return "", false
	}
	// In some cases u.String would write a path that begins with two slashes as "//…". So
	// the parts are joined here, such that the first byte is "/" and the second is neither
	// "/" nor "\".
	s := u.EscapedPath()
	if u.RawQuery != "" || u.ForceQuery {
		s += "?" + escapeNonASCII(u.RawQuery)
	}
	if u.Fragment != "" {
		s += "#" + u.EscapedFragment()
	}
	if len(s) > maxTarget {
		return "", false
	}
	return s, true
}

// localPath checks a decoded path, and also the result of decoding it once more, as a program
// behind this one might.
func localPath(p string) bool {
	if !strings.HasPrefix(p, "/") || !plainPath(p) {
		return false
	}
	decoded, err := url.PathUnescape(p)
	return err != nil || plainPath(decoded)
}

// plainPath reports whether a path means the same to all programs. Some ignore what follows
// a semicolon in a segment (RFC 3986, 3.3): for them "/;//evil" begins with two slashes, and
// "..;" is a dot segment.
func plainPath(p string) bool {
	if hasUnsafeByte(p) || strings.HasPrefix(p, "//") {
		return false
	}
	first, double := true, strings.Contains(p, "//")
	for segment := range strings.SplitSeq(strings.TrimPrefix(p, "/"), "/") {
		name, _, _ := strings.Cut(segment, ";")
		if name == "." || name == ".." || first && double && name == "" {
			return false
		}
		first = false
	}
	return true
}

// hasUnsafeByte reports whether s contains a backslash, which browsers read as a slash, or a
// control character.
func hasUnsafeByte(s string) bool {
	return strings.ContainsFunc(s, func(r rune) bool {
		return r == '\\' || r < 0x20 || r == 0x7f
	})
}

// escapeNonASCII percent-encodes what a header must not contain.
func escapeNonASCII(s string) string {
	for i := range len(s) {
		if s[i] <= 0x20 || s[i] >= 0x7f {
			return escapeBytes(s)
		}
	}
	return s
}

func escapeBytes(s string) string {
	const hex = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(s) {
		if c := s[i]; c <= 0x20 || c >= 0x7f {
			b.WriteByte('%')
			b.WriteByte(hex[c>>4])
			b.WriteByte(hex[c&15])
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}
