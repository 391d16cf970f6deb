package grants

import (
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/cognate-auth/cognate/userpool"
	"github.com/cognate-auth/cognate/userpool/internal/redirect"
	"github.com/cognate-auth/cognate/userpool/internal/text"
)

// mismatch refuses a URI that is not registered. For the log it says which ones are, and
// what the likely slip was. Of a query it says only that there is one: apps put into it
// what no log may have.
func mismatch(param, uri, client string, registered []string) *userpool.PageError {
	fault := &userpool.PageError{Code: userpool.PageRedirectMismatch, ClientID: client}
	fault.Slip = nearestSlip(uri, registered)
	const most = 5
	more := ""
	if len(registered) > most {
		registered, more = registered[:most], " and more"
	}
	shown, query, _ := strings.Cut(uri, "?")
	if query != "" {
		query = "?…"
	}
	fault.Hint = fmt.Sprintf("%s %q is not registered for client %q; registered: %q%s",
		param, text.Clip(shown)+query, text.Clip(client), registered, more)
	if fault.Slip != "" {
		fault.Hint += "; note " + fault.Slip
	}
	return fault
}

// The common slips, the smallest difference first.
var slips = []string{
	"the trailing slash", "the query", "upper and lower case", "the port", "the scheme, http or https",
	"that localhost and 127.0.0.1 differ", "the path",
}

// nearestSlip names the difference to the registered URI that is most like the one that came,
// or "" if none is common.
func nearestSlip(got string, registered []string) string {
	nearest := len(slips)
	for _, want := range registered {
		found := slices.Index(slips, slip(got, want))
		if found >= 0 && found < nearest {
			nearest = found
		}
	}
	if nearest == len(slips) {
		return ""
	}
	return slips[nearest]
}

// slip names the difference between two URIs when it is a common one.
func slip(got, want string) string {
	gotStart, gotQuery, _ := strings.Cut(got, "?")
	wantStart, wantQuery, _ := strings.Cut(want, "?")
	switch {
	case strings.TrimSuffix(got, "/") == strings.TrimSuffix(want, "/"):
		return "the trailing slash"
	case gotStart == wantStart && gotQuery != wantQuery:
		return "the query"
	}
	g, err := url.Parse(got)
	if err != nil {
		return ""
	}
	w, err := url.Parse(want)
	if err != nil || g.RawQuery != w.RawQuery {
		return ""
	}
	switch {
	case strings.EqualFold(got, want):
		return "upper and lower case"
	case g.Scheme == w.Scheme && g.Host == w.Host:
		return "the path"
	case g.Path != w.Path:
		return ""
	case g.Host == w.Host:
		return "the scheme, http or https"
	case g.Hostname() == w.Hostname():
		return "the port"
	case redirect.IsLoopback(g.Hostname()) && redirect.IsLoopback(w.Hostname()):
		return "that localhost and 127.0.0.1 differ"
	}
	return ""
}
