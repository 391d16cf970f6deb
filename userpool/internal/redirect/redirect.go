// Package redirect has the form of the addresses that a browser may be sent back to
// (Cognito API reference, CreateUserPoolClient; RFC 8252 section 7). It imports the
// standard library alone.
package redirect

import (
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// MaxLength is how long an address is at most, in bytes.
const MaxLength = 1024

var (
	// uriChars are the characters of RFC 3986. Anything else must come
	// percent-encoded: a space, a backslash, a control or a letter beyond ASCII
	// reads differently to a person, to a browser and to us.
	uriChars  = regexp.MustCompile(`^[A-Za-z0-9\-._~:/?#\[\]@!$&'()*+,;=%]+$`)
	badEscape = regexp.MustCompile(`%($|[^0-9A-Fa-f]|[0-9A-Fa-f]($|[^0-9A-Fa-f]))`)
	hostName  = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?$`)
	ipLiteral = regexp.MustCompile(`^\[[0-9A-Fa-f:.]+\]$`)
)

// notForApps are schemes that a browser runs, shows or opens itself: no app can
// own them, and some turn a redirect into a script.
var notForApps = []string{
	"about", "blob", "cid", "data", "file", "filesystem", "ftp", "ftps", "intent", "jar", "javascript",
	"mailto", "mhtml", "tel", "urn", "vbscript", "view-source", "ws", "wss",
}

// Problem says what is wrong with an address, to be read after its name; empty:
// nothing.
func Problem(uri string) string {
	switch {
	case uri == "" || len(uri) > MaxLength:
		return "must have 1 to 1024 characters"
	case !uriChars.MatchString(uri) || badEscape.MatchString(uri):
		return "holds characters that are not allowed in a URI"
	case strings.Contains(uri, "#"):
		return "has a fragment"
	}
	u, err := url.Parse(uri)
	switch {
	case err != nil || u.Scheme == "":
		return "is not an absolute URI"
	case u.User != nil || strings.Contains(u.Host, "@"):
		return "has a user name in it"
	case u.Scheme == "https" || u.Scheme == "http":
		return webProblem(u)
	default:
		return appSchemeProblem(u)
	}
}

func webProblem(u *url.URL) string {
	host := strings.TrimSuffix(u.Host, ":"+u.Port())
	switch {
	case u.Opaque != "" || !hostName.MatchString(host) && !ipLiteral.MatchString(host):
		return "has no valid host"
	case u.Scheme == "http" && !IsLoopback(u.Hostname()):
		return "uses http, which is for localhost, 127.0.0.1 and [::1] only"
	case u.Port() == "" && !strings.HasSuffix(u.Host, ":"):
		return ""
	}
	port, err := strconv.ParseUint(u.Port(), 10, 16)
	if err != nil || port == 0 {
		return "has no valid port"
	}
	return ""
}

func appSchemeProblem(u *url.URL) string {
	switch {
	case slices.Contains(notForApps, u.Scheme):
		return "uses a scheme that no app can own"
	case u.Opaque != "":
		return "needs a / after its scheme"
	}
	return ""
}

// IsLoopback reports whether a host is this machine by a name that the pool takes.
func IsLoopback(host string) bool {
	return strings.EqualFold(host, "localhost") || host == "127.0.0.1" || host == "::1"
}
