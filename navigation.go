package cognate

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/cognate-auth/cognate/internal/returnto"
)

// paths holds the app's origin and the paths that sign-ins use.
type paths struct {
	origin string // of the app, as browsers see it
	// The paths that [Auth.Handler] answers; backchannel is empty if it is off.
	callback, login, logout, backchannel string
	// home is the page for people who asked for no other page.
	home string
}

// loginURL returns the login path with the page to come back to.
func (p *paths) loginURL(target string) string {
	if target == p.home || target == "" {
		return p.login
	}
	return p.login + "?return_to=" + url.QueryEscape(target)
}

// target returns s if it is a page of this site to return to, or else the home page.
// The package's own paths are not such pages: returning to the logout path would sign
// out at once.
func (p *paths) target(s string) string {
	target, ok := returnto.Local(s)
	if !ok {
		return p.home
	}
	path, _, _ := strings.Cut(target, "?")
	path, _, _ = strings.Cut(path, "#")
	decoded, err := url.PathUnescape(path)
	if err != nil || slices.Contains([]string{p.callback, p.login, p.logout, p.backchannel}, decoded) {
		return p.home
	}
	return target
}

// returnPage returns the page to come back to after a sign-in that a request needs, or
// that its answer offers. For a page that is opened, it is that page. For scripts and
// forms it is the page that sent them, or the home page if that is not known: their own
// address may not answer a GET with a page. The content of a form is neither kept nor
// sent again.
func (p *paths) returnPage(r *http.Request) string {
	if isNavigation(r) && (r.Method == http.MethodGet || r.Method == http.MethodHead) {
		return p.target(requestTarget(r))
	}
	return p.callingPage(r)
}

// callingPage returns the page whose script or form made a request, if it is on this
// site; otherwise the home page.
func (p *paths) callingPage(r *http.Request) string {
	for _, header := range []string{"HX-Current-URL", "Referer"} {
		if rest, ok := strings.CutPrefix(r.Header.Get(header), p.origin); ok {
			return p.target(rest)
		}
	}
	return p.home
}

// crossSite reports whether another site caused a GET. Sec-Fetch-Site is authoritative;
// its value "none" means that a person typed the address. Browsers without it send
// Referer; a client that sends neither is not a browser.
func (p *paths) crossSite(r *http.Request) bool {
	if site := r.Header.Get("Sec-Fetch-Site"); site != "" {
		return site != "same-origin" && site != "none"
	}
	referer := r.Header.Get("Referer")
	return referer != "" && referer != p.origin && !strings.HasPrefix(referer, p.origin+"/")
}

// originOf returns a URL's origin as browsers write it: in lower case, without the
// default port.
func originOf(u *url.URL) string {
	host := strings.ToLower(u.Host)
	port := map[string]string{"https": ":443", "http": ":80"}[u.Scheme]
	return u.Scheme + "://" + strings.TrimSuffix(host, port)
}

// requestTarget returns the path and query that the browser asked for. It reads
// RequestURI because http.StripPrefix changes URL.
func requestTarget(r *http.Request) string {
	if strings.HasPrefix(r.RequestURI, "/") {
		return r.RequestURI
	}
	return r.URL.RequestURI()
}

// isNavigation reports whether a person opens a page: not a script that fetches
// something, nor another site's page that embeds one of ours. Browsers say so
// themselves (Fetch Metadata, sections 2.1 to 2.4); for others, what they accept
// decides.
func isNavigation(r *http.Request) bool {
	h := r.Header
	if isPrefetch(r) {
		return false // no person is there to sign in
	}
	if h.Get("HX-Request") == "true" || strings.EqualFold(h.Get("X-Requested-With"), "XMLHttpRequest") {
		return false
	}
	if mode := h.Get("Sec-Fetch-Mode"); mode != "" {
		if dest := h.Get("Sec-Fetch-Dest"); dest != "" && dest != "document" {
			site := h.Get("Sec-Fetch-Site")
			return mode == "navigate" && (site == "same-origin" || site == "none")
		}
		return mode == "navigate"
	}
	if r.Method != http.MethodGet && r.Method != http.MethodHead && r.Method != http.MethodPost {
		return false
	}
	accept := h.Get("Accept")
	if strings.HasPrefix(accept, "*/*") {
		// This is a tool such as curl, which follows redirects, or a fetch, an image or a
		// script of an old browser. Browsers ask for HTML when somebody opens a page, and
		// all of them call themselves Mozilla.
		return h.Get("Referer") == "" && h.Get("Origin") == "" && !strings.HasPrefix(h.Get("User-Agent"), "Mozilla/")
	}
	return accept == "" || strings.Contains(accept, "text/html")
}

// isPrefetch reports whether a browser fetches a page before anybody opens it, by
// Sec-Purpose (Fetch, section 3.12) or the headers that browsers used before.
func isPrefetch(r *http.Request) bool {
	for _, name := range []string{"Sec-Purpose", "Purpose", "X-Purpose", "X-Moz"} {
		for _, value := range r.Header[name] {
			value = strings.ToLower(value)
			if strings.Contains(value, "prefetch") || strings.Contains(value, "prerender") ||
				strings.Contains(value, "preview") {
				return true
			}
		}
	}
	return false
}
