// Package text bounds what requests bring into logs and error texts, and writes the
// queries of redirects, whose parameters have an order. It knows nothing of pools, and
// imports the standard library alone.
package text

import (
	"net/url"
	"strings"
)

// AppendQuery adds parameters to a registered URI and changes nothing else in
// it, since the app may have registered a query of its own.
func AppendQuery(uri, params string) string {
	switch {
	case !strings.Contains(uri, "?"):
		return uri + "?" + params
	case strings.HasSuffix(uri, "?"), strings.HasSuffix(uri, "&"):
		return uri + params
	default:
		return uri + "&" + params
	}
}

// Query form-encodes name, value pairs in the given order and leaves out the
// empty ones.
func Query(pairs ...string) string {
	var b strings.Builder
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] == "" {
			continue
		}
		if b.Len() > 0 {
			b.WriteByte('&')
		}
		b.WriteString(pairs[i] + "=" + url.QueryEscape(pairs[i+1]))
	}
	return b.String()
}

// maxLogged is how many bytes of a value a log line has.
const maxLogged = 200

// Clip bounds what a request can put into a log line or an error text. The log
// handler or %q does the quoting.
func Clip(s string) string { return ClipAt(s, maxLogged) }

// ClipAt bounds a text to so many bytes, and marks that it did.
func ClipAt(s string, most int) string {
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "..."
}

// Fields returns the values of a list that has spaces in between, such as prompt. No other
// blank separates values (RFC 6749 section 3.3; OpenID Connect Core section 3.1.2.1).
func Fields(list string) []string {
	return strings.FieldsFunc(list, func(r rune) bool { return r == ' ' })
}
