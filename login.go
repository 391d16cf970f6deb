package cognate

import (
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/cognate-auth/cognate/internal/refusal"
	"github.com/cognate-auth/cognate/internal/returnto"
	"github.com/cognate-auth/cognate/internal/transaction"
)

// Login sends the browser to the provider to sign in, even if somebody is signed in
// already. Without [ReturnTo] it comes back to HomePath, and not to the page of this
// request: that one would begin a sign-in again. Where no person would see the provider's
// page, as in answer to a script or to an image on another site's page, no sign-in begins,
// and the answer is 401 with the login URL.
//
// Three sign-ins may come right after one another. The next one is refused, with a page that
// says why: something loses the session ([ReasonCookieBlocked] and its like), or asks for what
// no sign-in brings ([ReasonLoginLoop]).
func (a *Auth) Login(w http.ResponseWriter, r *http.Request, opts ...LoginOption) {
	l := newLogin(a.loginOptions, opts)
	l.returnTo = a.returnTarget(l.returnTo)
	if l.silent() && r.Method == http.MethodGet && l.returnTo == a.returnTarget(requestTarget(r)) {
		l.mistake("a Silent sign-in returns to the page that begins it, and would go round and round; " +
			"give it a ReturnTo that begins no other")
	}
	a.begin(w, r, l)
}

// signInAt begins an ordinary sign-in that ends at target.
func (a *Auth) signInAt(w http.ResponseWriter, r *http.Request, target string) {
	l := newLogin(a.loginOptions)
	l.returnTo = target
	a.begin(w, r, l)
}

// login answers the login path.
func (a *Auth) login(w http.ResponseWriter, r *http.Request) {
	target := a.returnTarget(r.URL.Query().Get("return_to"))
	s, _, err := a.sessions.Read(r, a.now())
	switch {
	case err != nil:
		a.fail(w, r, asError(err, ReasonStoreDown), target)
		return
	case s != nil:
		redirect(w, target, http.StatusFound)
		return
	}
	a.signInAt(w, r, target)
}

// challenge answers a request that needs a sign-in and has none.
func (a *Auth) challenge(w http.ResponseWriter, r *http.Request, uselessCookie bool) {
	if uselessCookie {
		a.dropUseless(w, r)
	}
	if r.URL.Path == a.callbackPath {
		// Sent round and round without end otherwise.
		a.fail(w, r, refuse(ReasonMisplaced, "RequireLogin stands in front of the callback; put Handler around it"), a.homePath)
		return
	}
	a.signInAt(w, r, a.wantedPage(r))
}

// dropUseless removes the cookies of what is no session, with the answer to a person. An
// answer to a script may come late, after a sign-in in another tab.
func (a *Auth) dropUseless(w http.ResponseWriter, r *http.Request) {
	if isNavigation(r) {
		a.sessions.Forget(w, r)
	}
}

// wantedPage is the page to come back to after a sign-in that a request needs, or that its
// answer offers: the one it asks for, or for a script and for a form the one that sends
// them. Their own address may answer no GET, or a GET with something else than a page; what
// was filled in is neither kept nor sent again. If that page is not known it is the home page.
func (a *Auth) wantedPage(r *http.Request) string {
	if isNavigation(r) && (r.Method == http.MethodGet || r.Method == http.MethodHead) {
		return a.returnTarget(requestTarget(r))
	}
	return a.callingPage(r)
}

// begin starts a sign-in, for a person. Nothing else sees the provider's page; another site's
// page could have its images begin one sign-in after the other.
func (a *Auth) begin(w http.ResponseWriter, r *http.Request, l *loginRequest) {
	if !isNavigation(r) {
		a.unauthorized(w, r)
		return
	}
	l.check(a.dialect)
	a.reportLeftOut(r, l)
	t := a.transactions.Start(r, l.asked(), a.foreign(r))
	if e := a.loop(w, r, t); e != nil {
		a.failLogin(w, r, e, l.returnTo)
		return
	}
	address, err := a.authorize(r, l, t)
	w.Header().Set("Cache-Control", "no-store")
	status := redirectStatus(r)
	e := asError(err, ReasonProviderDown)
	switch {
	case err == nil:
		a.warnOfOtherHost(r)
		a.transactions.Begin(w, t)
		redirect(w, address, status)
	case l.silent() && (refusal.ProviderFault(err) || e.Reason == ReasonPushedRequest):
		redirect(w, l.returnTo, status)
	default:
		a.failLogin(w, r, e, l.returnTo)
	}
}

// authorize returns where to send the browser for a sign-in that may begin.
func (a *Auth) authorize(r *http.Request, l *loginRequest, t *transaction.Transaction) (string, error) {
	if len(l.mistakes) > 0 {
		return "", refuse(ReasonLoginOption, "%w", errors.Join(l.mistakes...))
	}
	if a.hooks.OnLoginStart != nil {
		err := a.hooks.OnLoginStart(r.Context(), LoginStart{ReturnTo: l.returnTo, Request: r})
		if err != nil {
			return "", vetoed(err)
		}
	}
	return a.client.Authorization(r.Context(), attemptOf(t), l.params(a.dialect), a.pushes)
}

// reportLeftOut writes down the hints that are not used. Their values are not written.
func (a *Auth) reportLeftOut(r *http.Request, l *loginRequest) {
	if len(l.leftOut) > 0 {
		a.log.LogAttrs(r.Context(), slog.LevelInfo, "cognate: a login option is left out",
			errAttr(errors.Join(l.leftOut...)))
	}
}

// warnOfOtherHost says once what otherwise takes long to find: a sign-in that begins on
// localhost and ends on 127.0.0.1 finds no cookie there. Behind a proxy that changes the
// Host header it means nothing.
func (a *Auth) warnOfOtherHost(r *http.Request) {
	_, host, _ := strings.Cut(a.origin, "://")
	if strings.EqualFold(r.Host, host) {
		return
	}
	a.hostWarning.Do(func() {
		a.log.LogAttrs(r.Context(), slog.LevelWarn, "cognate: a sign-in begins on another host than RedirectURL's, where it "+
			"ends; unless a proxy changes the Host header it will fail, so open the app under RedirectURL's host",
			slog.String("host", clip(r.Host)), slog.String("expected", host))
	})
}

// clip bounds what a request can put into a log line.
func clip(s string) string { return strings.ToValidUTF8(s[:min(len(s), 200)], "�") }

// redirectStatus is the status of a redirect that answers r: a body is not to be sent on.
func redirectStatus(r *http.Request) int {
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		return http.StatusFound
	}
	return http.StatusSeeOther
}

// redirect sends the browser on. http.Redirect would rewrite the address once more; what
// comes here is in its final spelling.
func redirect(w http.ResponseWriter, address string, status int) {
	w.Header().Set("Location", address)
	w.WriteHeader(status)
}

// unauthorized answers a script: a redirect to another site would fail in its hands,
// so it gets the address to send the person to.
func (a *Auth) unauthorized(w http.ResponseWriter, r *http.Request) {
	address := a.loginURL(a.callingPage(r))
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("WWW-Authenticate", authenticate(address))
	if r.Header.Get("HX-Request") == "true" {
		h.Set("HX-Redirect", address) // htmx then navigates there by itself
	}
	writeJSON(w, http.StatusUnauthorized, map[string]string{"error": "login_required", "login_url": address})
}

// authenticate is the challenge that a 401 has to have (RFC 9110, 15.5.2). The scheme is
// none that a browser would show a dialog for.
func authenticate(address string) string {
	return `OpenIDConnect login_url="` + address + `"`
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // the visitor has left if this fails
}

// loginURL is the login path with the page to come back to.
func (a *Auth) loginURL(target string) string {
	if target == a.homePath || target == "" {
		return a.loginPath
	}
	return a.loginPath + "?return_to=" + url.QueryEscape(target)
}

// returnTarget makes any string a page of this site that can be returned to. The
// package's own paths are not among them: returning to the logout would sign out at once.
func (a *Auth) returnTarget(s string) string {
	target, ok := returnto.Local(s)
	if !ok {
		return a.homePath
	}
	p, _, _ := strings.Cut(target, "?")
	p, _, _ = strings.Cut(p, "#")
	decoded, err := url.PathUnescape(p)
	if err != nil || slices.Contains([]string{a.callbackPath, a.loginPath, a.logoutPath, a.backchannelPath}, decoded) {
		return a.homePath
	}
	return target
}

// requestTarget is the path and query the browser asked for. RequestURI is read and
// not URL, because http.StripPrefix changes the latter.
func requestTarget(r *http.Request) string {
	if strings.HasPrefix(r.RequestURI, "/") {
		return r.RequestURI
	}
	return r.URL.RequestURI()
}

// callingPage is the page whose script or form made a request, if it is one of this
// site; otherwise the home page.
func (a *Auth) callingPage(r *http.Request) string {
	for _, header := range []string{"HX-Current-URL", "Referer"} {
		if rest, ok := strings.CutPrefix(r.Header.Get(header), a.origin); ok {
			return a.returnTarget(rest)
		}
	}
	return a.homePath
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
			if strings.Contains(value, "prefetch") || strings.Contains(value, "prerender") || strings.Contains(value, "preview") {
				return true
			}
		}
	}
	return false
}
