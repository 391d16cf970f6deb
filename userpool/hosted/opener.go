package hosted

import (
	"net/http"
	"net/url"
	"strings"
)

// openerPolicy is the page's Cross-Origin-Opener-Policy (HTML Standard, section
// "Cross-origin opener policies"). A page that opened this one in a window keeps
// hold of it, and could put a copy of its own in its place while somebody types a
// password. So whoever opens it loses hold of it, except for those who need it: an
// app that signs people in in a popup and waits for its callback there. Every
// value but unsafe-none cuts a popup off for good, same-origin-allow-popups and
// noopener-allow-popups too; that is why the request decides and not one value
// for all.
//
// app is the redirect URI of a checked request; empty: there is none. Neither
// header can be forged by a page, only left out.
func openerPolicy(r *http.Request, app string) string {
	switch r.Header.Get("Sec-Fetch-Site") { // of the whole way here, redirects included
	case "same-origin", "same-site": // a page before this one, or a neighbour
		return "unsafe-none"
	}
	if from := originOf(r.Referer()); from != "" && from == originOf(app) {
		return "unsafe-none"
	}
	return "same-origin"
}

// originOf is the origin of an http or https URL, or nothing.
func originOf(address string) string {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return ""
	}
	return strings.ToLower(u.Scheme + "://" + u.Host)
}
