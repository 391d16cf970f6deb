package cognate

import (
	"log/slog"
	"net/http"
	"strings"
)

// crossOrigin refuses a POST that another site caused (Fetch Metadata, or the Origin
// header of older browsers).
var crossOrigin = http.NewCrossOriginProtection()

// logout answers the logout path. A link or an image on another site must not sign
// anybody out.
func (a *Auth) logout(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodGet {
		if !a.logoutOnGET || a.foreign(r) {
			a.askLogout(w)
			return
		}
	} else if err := crossOrigin.Check(r); err != nil {
		a.fail(w, r, refuse(ReasonCrossOrigin, "%w", err), a.homePath)
		return
	}
	a.Logout(w, r)
}

// foreign tells whether another site caused a GET. Sec-Fetch-Site is authoritative:
// "none" is a person who typed the address. Browsers that don't send it send Referer;
// what sends neither is no browser.
func (a *Auth) foreign(r *http.Request) bool {
	if site := r.Header.Get("Sec-Fetch-Site"); site != "" {
		return site != "same-origin" && site != "none"
	}
	referer := r.Header.Get("Referer")
	return referer != "" && referer != a.origin && !strings.HasPrefix(referer, a.origin+"/")
}

// Logout ends the session in this browser and sends it to the provider to end the one
// there, from where it returns to LogoutRedirectURL. Without the provider's part the
// next sign-in would ask for no password. A script gets the address to navigate to
// instead of a redirect.
//
// It does not ask whether the person wants to sign out, nor where the request came
// from: call it from a handler of your own that checked.
func (a *Auth) Logout(w http.ResponseWriter, r *http.Request) {
	user := a.User(r)
	a.sessions.end(w, r)
	a.transactions.forget(w, r)
	w.Header().Set("Cache-Control", "no-store")
	if user != nil {
		a.log.LogAttrs(r.Context(), slog.LevelInfo, "cognate: signed out", slog.String("sub", user.Subject))
	}
	target := a.provider.endSession(r.Context(), a.client.id, a.logoutReturn)
	if target == "" {
		target = a.homePath
	}
	if isNavigation(r) {
		redirect(w, target, http.StatusSeeOther)
		return
	}
	if r.Header.Get("HX-Request") == "true" {
		w.Header().Set("HX-Redirect", target)
	}
	writeJSON(w, http.StatusOK, map[string]string{"logout_url": target})
}
