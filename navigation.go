package cognate

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/cognate-auth/cognate/internal/returnto"
)

// paths are the addresses of an app that a sign-in has to do with.
type paths struct {
	origin string // of the app, as browsers see it
	// The paths that [Auth.Handler] answers; backchannel is empty if it is off.
	callback, login, logout, backchannel string
	// home is where people land who asked for no other page.
	home string
}

// loginURL is the login path with the page to come back to.
func (p *paths) loginURL(target string) string {
	if target == p.home || target == "" {
		return p.login
	}
	return p.login + "?return_to=" + url.QueryEscape(target)
}

// target makes any string a page of this site that can be returned to. The
// package's own paths are not among them: returning to the logout would sign out at once.
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

// wanted is the page to come back to after a sign-in that a request needs, or that its
// answer offers: the one it asks for, or for a script and for a form the one that sends
// them. Their own address may answer no GET, or a GET with something else than a page; what
// was filled in is neither kept nor sent again. If that page is not known it is the home page.
func (p *paths) wanted(r *http.Request) string {
	if isNavigation(r) && (r.Method == http.MethodGet || r.Method == http.MethodHead) {
		return p.target(requestTarget(r))
	}
	return p.calling(r)
}

// calling is the page whose script or form made a request, if it is one of this
// site; otherwise the home page.
func (p *paths) calling(r *http.Request) string {
	for _, header := range []string{"HX-Current-URL", "Referer"} {
		if rest, ok := strings.CutPrefix(r.Header.Get(header), p.origin); ok {
			return p.target(rest)
		}
	}
	return p.home
}

// foreign reports whether another site caused a GET. Sec-Fetch-Site is authoritative:
// "none" is a person who typed the address. Browsers that don't send it send Referer;
// what sends neither is no browser.
func (p *paths) foreign(r *http.Request) bool {
	if site := r.Header.Get("Sec-Fetch-Site"); site != "" {
		return site != "same-origin" && site != "none"
	}
	referer := r.Header.Get("Referer")
	return referer != "" && referer != p.origin && !strings.HasPrefix(referer, p.origin+"/")
}

// requestTarget is the path and query the browser asked for. RequestURI is read and
// not URL, because http.StripPrefix changes the latter.
func requestTarget(r *http.Request) string {
	if strings.HasPrefix(r.RequestURI, "/") {
		return r.RequestURI
	}
	return r.URL.RequestURI()
}

// isNavigation tells a person who opens a page from a script that fetches something, and
// from another site's page that shows one of ours inside of it. Browsers say so themselves
// (Fetch Metadata, sections 2.1 to 2.4); for others, a script is known by what it asks for.
func isNavigation(r *http.Request) bool {
	h := r.Header
	if isPrefetch(r) {
		return false // nobody is there to sign in
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
		// A tool such as curl, which follows redirects, or fetch, an image or a script of
		// an old browser; browsers ask for HTML when somebody opens a page, and all of
		// them call themselves Mozilla.
		return h.Get("Referer") == "" && h.Get("Origin") == "" && !strings.HasPrefix(h.Get("User-Agent"), "Mozilla/")
	}
	return accept == "" || strings.Contains(accept, "text/html")
}

// isPrefetch tells a browser that looks ahead from a person: by Sec-Purpose (Fetch, section
// 3.12), or by the headers that browsers had before.
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
