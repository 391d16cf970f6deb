package grants

import (
	"fmt"
	"net/url"
	"strings"

	"github.com/cognate-auth/cognate/userpool/internal/redirect"
	"github.com/cognate-auth/cognate/userpool/internal/text"
)

// mismatch describes, for the log, a URI that is not registered: what is, and
// what the likely slip was. Of a query it says only that there is one: apps put
// into it what no log may have.
func mismatch(param, uri, client string, registered []string) string {
	const most = 5
	more := ""
	if len(registered) > most {
		registered, more = registered[:most], " and more"
	}
	shown, query, _ := strings.Cut(uri, "?")
	if query != "" {
		query = "?…"
	}
	said := fmt.Sprintf("%s %q is not registered for client %q; registered: %q%s",
		param, text.Clip(shown)+query, text.Clip(client), registered, more)
	for _, r := range registered {
		hint := slip(uri, r)
		if hint != "" {
			return said + "; " + hint
		}
	}
	return said
}

// slip names the difference between two URIs when it is a common one.
func slip(got, want string) string {
	gotStart, gotQuery, _ := strings.Cut(got, "?")
	wantStart, wantQuery, _ := strings.Cut(want, "?")
	switch {
	case strings.TrimSuffix(got, "/") == strings.TrimSuffix(want, "/"):
		return "note the trailing slash"
	case gotStart == wantStart && gotQuery != wantQuery:
		return "note the query"
	}
	g, err := url.Parse(got)
	if err != nil {
		return ""
	}
	w, err := url.Parse(want)
	if err != nil || g.Path != w.Path || g.RawQuery != w.RawQuery {
		return ""
	}
	switch {
	case g.Host == w.Host:
		return "note the scheme, http or https"
	case g.Hostname() == w.Hostname():
		return "note the port"
	case redirect.IsLoopback(g.Hostname()) && redirect.IsLoopback(w.Hostname()):
		return "note that localhost and 127.0.0.1 differ"
	}
	return ""
}
