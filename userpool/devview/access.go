package devview

import (
	"net"
	"net/http"
	"net/netip"
	"strings"
)

// forwarding are headers that a proxy adds. Behind one every visitor comes from
// a loopback address.
var forwarding = []string{
	"Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Real-Ip", "Via",
}

// refusal says why the request may not see the view, or nothing.
func (h *Handler) refusal(r *http.Request) string {
	if fromOtherSite(r) {
		return "A page of another site asked for this."
	}
	if h.InsecureAnywhere {
		return ""
	}
	for _, name := range forwarding {
		if len(r.Header.Values(name)) > 0 {
			return "The request came through a proxy: it has the header " + name + "."
		}
	}
	switch {
	case !loopbackAddress(r.RemoteAddr):
		return "The request came from another machine."
	case !loopbackHost(r.Host):
		return "The address in your browser is not a name of this machine alone, such as localhost."
	}
	return ""
}

// fromOtherSite applies Fetch Metadata. A link from elsewhere may lead to a
// page of the view; nothing else may be asked for by a page that is not its
// own, and the JSON not even so. Programs send no such headers.
func fromOtherSite(r *http.Request) bool {
	switch r.Header.Get("Sec-Fetch-Site") {
	case "", "none", "same-origin":
		return false
	}
	page := r.Header.Get("Sec-Fetch-Mode") == "navigate" && r.Header.Get("Sec-Fetch-Dest") == "document"
	return !page || strings.HasSuffix(r.URL.Path, ".json") || r.URL.Path == livePath
}

func loopbackAddress(remote string) bool {
	addr, err := netip.ParseAddrPort(remote)
	return err == nil && addr.Addr().Unmap().IsLoopback()
}

// loopbackHost takes what can mean this machine alone: loopback addresses, and
// localhost with everything below it (RFC 6761 section 6.3).
func loopbackHost(host string) bool {
	name := host
	if bare, _, err := net.SplitHostPort(host); err == nil {
		name = bare
	}
	name = strings.TrimSuffix(strings.TrimPrefix(name, "["), "]")
	if addr, err := netip.ParseAddr(name); err == nil {
		return addr.Unmap().IsLoopback()
	}
	name = strings.ToLower(strings.TrimSuffix(name, "."))
	return name == "localhost" || strings.HasSuffix(name, ".localhost")
}

// guard lets in who may look, for reading.
func (h *Handler) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		setHeaders(w.Header())
		reason := h.refusal(r)
		switch {
		case reason != "":
			h.forbid(w, r, reason)
		case r.Method != http.MethodGet && r.Method != http.MethodHead:
			w.Header().Set("Allow", "GET, HEAD")
			http.Error(w, "The developer's view only reads: use GET.", http.StatusMethodNotAllowed)
		default:
			next.ServeHTTP(w, r)
		}
	})
}

// setHeaders keeps the answers out of caches, frames and other sites' pages.
func setHeaders(header http.Header) {
	header.Set("Cache-Control", "no-store")
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("X-Frame-Options", "DENY")
	header.Set("Referrer-Policy", "no-referrer")
	header.Set("Cross-Origin-Resource-Policy", "same-origin")
	header.Set("Cross-Origin-Opener-Policy", "same-origin")
	header.Set("Content-Security-Policy", policy)
}
