package cognate

import (
	"errors"
	"fmt"
	"net/http"
	"slices"

	"github.com/cognate-auth/cognate/internal/cookie"
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
	l.returnTo = a.paths.target(l.returnTo)
	if l.silent() && r.Method == http.MethodGet && l.returnTo == a.paths.target(requestTarget(r)) {
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
	a.signInAt(w, r, target)
}

// challenge answers a request that needs a sign-in and has none.
func (a *Auth) challenge(w http.ResponseWriter, r *http.Request, uselessCookie bool) {
	if uselessCookie {
		a.dropUseless(w, r)
	}
	if r.URL.Path == a.paths.callback {
		// Sent round and round without end otherwise.
		a.fail(w, r, refuse(ReasonMisplaced, "RequireLogin stands in front of the callback; put Handler around it"),
			a.paths.home)
		return
	}
	a.signInAt(w, r, a.paths.wanted(r))
}

// dropUseless removes the cookies of what is no session, with the answer to a person. An
// answer to a script may come late, after a sign-in in another tab.
func (a *Auth) dropUseless(w http.ResponseWriter, r *http.Request) {
	if isNavigation(r) {
		a.sessions.Forget(w, r)
	}
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
	t := a.transactions.Start(r, l.asked(), a.paths.foreign(r))
	loop := a.loop(w, r, t)
	if loop != nil {
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

// loop returns why no further sign-in may begin, or nil: too many in a row have gone well
// without an effect.
func (a *Auth) loop(w http.ResponseWriter, r *http.Request, t *transaction.Transaction) *Error {
	now := a.now()
	s, present, err := a.sessions.Read(r, now)
	if s != nil {
		a.transactions.FollowsSession(t, s.Created, now)
	}
	if t.InRow < transaction.MaxInRow || err != nil {
		return nil
	}
	last := a.transactions.Row(r)
	// Whoever mends it may try again.
	a.transactions.ForgetRow(w, r)
	count, whole := a.sessions.CountCookies(r.Header)
	said := fmt.Sprintf("%d sign-ins in a row went well", t.InRow)
	switch {
	case s != nil:
		return refuse(ReasonLoginLoop,
			"%s and somebody is signed in, but one more begins: a page or a rule asks for what no sign-in brings", said)
	case count > 1:
		return refuse(ReasonCookieTwice, "%s, but the browser sends two cookies of one name, %q among them", said,
			a.sessions.CookieName())
	case !whole && last.Size > cookie.ChunkSize:
		return refuse(ReasonSessionTooLarge,
			"%s, but the browser does not send the session's cookies back, which take %d bytes: "+
				"they may be too large for it, or for something on the way; keep fewer claims, or use a Session.Store",
			said, last.Size)
	case !present || !whole:
		return refuse(ReasonCookieBlocked,
			"%s, but the browser does not send the session's cookie %q back: it is blocked, or "+
				"something on the way removes it", said, a.sessions.CookieName())
	}
	return refuse(ReasonCookieUnknown,
		"%s, but the session's cookie that the browser sends is of no use here: do all processes "+
			"have the same Config.Keys, share one Session.Store and have the right time, and does no other app of "+
			"this host "+
			"use the same Config.CookieName?", said)
}
