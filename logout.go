package cognate

import (
	"log/slog"
	"net/http"
	"strings"
)

// logout answers the logout path. A link or an image on another site must not sign
// anybody out.
func (a *Auth) logout(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodGet {
		if !a.logoutOnGET || a.foreign(r) {
			a.askLogout(w)
			return
		}
	} else if err := a.crossOrigin.Check(r); err != nil {
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
// next sign-in would ask for no password; a provider that has no end-session endpoint,
// or whose endpoint is not known because it can't be reached, leaves it at that, and a
// line in the log. A script gets the address to navigate to instead of a redirect.
//
// The provider gets the client ID and no id_token_hint, because the session holds no
// token. Some providers then ask the person once more.
//
// It does not ask whether the person wants to sign out, nor where the request came
// from: call it from a handler of your own that checked.
func (a *Auth) Logout(w http.ResponseWriter, r *http.Request) {
	ended, _, err := a.sessions.read(r)
	if err == nil {
		_, err = a.sessions.close(r.Context(), ended)
	}
	if err != nil {
		a.fail(w, r, asError(err, ReasonStoreDown), a.homePath) // the cookie stays, so that another try can end the session
		return
	}
	a.sessions.forget(w, r)
	a.transactions.forget(w, r)
	w.Header().Set("Cache-Control", "no-store")
	if ended != nil {
		a.ended(r.Context(), ended.user.Subject, LogoutUser)
		a.log.LogAttrs(r.Context(), slog.LevelInfo, "cognate: signed out", slog.String("sub", ended.user.Subject))
	}
	target := a.provider.endSession(r.Context(), a.client.id, a.logoutReturn)
	if target == "" {
		target = a.logoutReturn
		a.log.LogAttrs(r.Context(), slog.LevelWarn, "cognate: the provider's own session stays: its end-session endpoint is not known")
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
