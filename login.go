package cognate

import (
	"errors"
	"fmt"
	"net/http"
	"slices"

	"github.com/cognate-auth/cognate/internal/cookie"
	"github.com/cognate-auth/cognate/internal/transaction"
)

// Login sends the browser to the provider to sign in, even if somebody is already
// signed in. Without [ReturnTo] the browser comes back to HomePath, not to the page of
// this request, which would begin another sign-in. If no person would see the
// provider's page, as for a request of a script or of an image on another site's page,
// no sign-in begins, and the answer is 401 with the login URL.
//
// After three successful sign-ins in a row the next one is refused, with a page that
// says why: the session gets lost ([ReasonCookieBlocked], [ReasonCookieTwice],
// [ReasonCookieUnknown], [ReasonSessionTooLarge]), or a page demands something that a
// sign-in can't give ([ReasonLoginLoop]).
func (a *Auth) Login(w http.ResponseWriter, r *http.Request, opts ...LoginOption) {
	l := newLogin(a.loginOptions, opts)
	l.returnTo = a.paths.target(l.returnTo)
	if l.silent() && r.Method == http.MethodGet && l.returnTo == a.paths.target(requestTarget(r)) {
		l.mistake("a Silent sign-in would return to the page that begins it, and so loop; " +
			"give it a ReturnTo page that begins no sign-in")
	}
	a.startLogin(w, r, l)
}

// startDefaultLogin begins a sign-in with the configured options, which returns to
// target.
func (a *Auth) startDefaultLogin(w http.ResponseWriter, r *http.Request, target string) {
	l := newLogin(a.loginOptions)
	l.returnTo = target
	a.startLogin(w, r, l)
}

// login answers the login path.
func (a *Auth) login(w http.ResponseWriter, r *http.Request) {
	target := a.paths.target(r.URL.Query().Get("return_to"))
	s, _, err := a.sessions.Read(r, a.now())
	switch {
	case err != nil:
		a.fail(w, r, asError(err, ReasonStoreDown), target)
		return
	case s != nil:
		redirect(w, target, http.StatusFound)
		return
	}
	a.startDefaultLogin(w, r, target)
}

// challenge answers a request that has no session but needs one. unusableCookie says
// that its session cookie belongs to no live session.
func (a *Auth) challenge(w http.ResponseWriter, r *http.Request, unusableCookie bool) {
	if unusableCookie {
		a.dropUnusableCookies(w, r)
	}
	if r.URL.Path == a.paths.callback {
		// A sign-in would loop: its callback would begin the next one.
		a.fail(w, r, refuse(ReasonMisplaced,
			"RequireLogin is in front of the callback; put Handler around RequireLogin"), a.paths.home)
		return
	}
	a.startDefaultLogin(w, r, a.paths.returnPage(r))
}

// dropUnusableCookies removes session cookies that belong to no live session, if the
// answer goes to a person. The answer to a script may arrive late, after a sign-in in
// another tab.
func (a *Auth) dropUnusableCookies(w http.ResponseWriter, r *http.Request) {
	if isNavigation(r) {
		a.sessions.Forget(w, r)
	}
}

// startLogin starts a sign-in, but only for a person: nobody else sees the provider's
// page, and images on another site's page could begin one sign-in after another.
func (a *Auth) startLogin(w http.ResponseWriter, r *http.Request, l *loginRequest) {
	if !isNavigation(r) {
		a.unauthorized(w, r)
		return
	}
	l.check(a.dialect)
	a.logLeftOut(r, l)
	t := a.transactions.Start(r, l.transaction(), a.paths.crossSite(r))
	loop := a.checkLoop(w, r, t)
	if loop != nil {
		loop.attempt = a.reports.lastSuccess() // the provider never hears of this one
		a.failLogin(w, r, loop, l.returnTo)
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
	case l.silent() &&
		slices.Contains([]Reason{ReasonProviderDown, ReasonProviderIssuer, ReasonPushedRequest}, e.Reason):
		redirect(w, l.returnTo, status)
	default:
		a.failLogin(w, r, e, l.returnTo)
	}
}

// authorize checks that a sign-in may begin, and returns the URL to send the browser
// to.
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

// checkLoop returns nil, or the reason why no further sign-in may begin: too many in a
// row succeeded without effect.
func (a *Auth) checkLoop(w http.ResponseWriter, r *http.Request, t *transaction.Transaction) *Error {
	now := a.now()
	s, present, err := a.sessions.Read(r, now)
	if s != nil {
		a.transactions.FollowsSession(t, s.Created, now)
	}
	if t.InRow < transaction.MaxInRow || err != nil {
		return nil
	}
	last := a.transactions.Row(r)
	// A visitor who has fixed the cause may try again.
	a.transactions.ForgetRow(w, r)
	count, whole := a.sessions.CountCookies(r.Header)
	inRow := fmt.Sprintf("%d sign-ins in a row succeeded", t.InRow)
	switch {
	case s != nil:
		return refuse(ReasonLoginLoop,
			"%s and somebody is signed in, but another one begins: a page or a rule demands something that "+
				"a sign-in can't give", inRow)
	case count > 1:
		return refuse(ReasonCookieTwice,
			"%s, but the browser sends two cookies with the same name; the session's is %q",
			inRow, a.sessions.CookieName())
	case !whole && last.Size > cookie.ChunkSize:
		return refuse(ReasonSessionTooLarge,
			"%s, but the browser does not send back the session's cookies, which take %d bytes: "+
				"they may be too large for the browser or for a proxy; keep fewer claims, or use a Session.Store",
			inRow, last.Size)
	case !present || !whole:
		return refuse(ReasonCookieBlocked,
			"%s, but the browser does not send back the session's cookie %q: the browser blocks it, or "+
				"a proxy removes it", inRow, a.sessions.CookieName())
	}
	return refuse(ReasonCookieUnknown,
		"%s, but the session's cookie that the browser sends is not recognised: check that all processes "+
			"have the same Config.Keys, share one Session.Store and have the right time, and that no other "+
			"app on this host uses the same Config.CookieName", inRow)
}
