package oauth

import (
	"net/http"
	"net/url"
	"slices"

	"github.com/cognate-auth/cognate/userpool"
	"github.com/cognate-auth/cognate/userpool/internal/browser"
)

// authorize is GET /oauth2/authorize: it answers from the browser's session if
// it may, and otherwise sends the person to the sign-in page, which gets the
// whole request again and checks it again.
func (h *Handler) authorize(w http.ResponseWriter, r *http.Request) {
	q, err := browser.Query(r)
	if err != nil {
		h.refuser().Refuse(w, r, nil, browser.Malformed(err))
		return
	}
	a, err := h.Pool.Grants.ParseAuthorization(r.Context(), q)
	if err != nil {
		h.refuser().Refuse(w, r, nil, err)
		return
	}
	session := browser.ReadCookie(r, browser.SessionCookie)
	location, ok, err := h.Pool.Grants.AuthorizeSilently(r.Context(), a, session)
	switch {
	case err != nil:
		h.refuser().Refuse(w, r, a, err)
	case ok:
		browser.Redirect(w, location)
	case h.Federation != nil && a.Provider != "" && a.Provider != userpool.ProviderCognito:
		h.Federation.Start(w, r, a, q)
	default:
		browser.Redirect(w, h.loginURL(q))
	}
}

// loginURL is the sign-in page for an authorization request.
func (h *Handler) loginURL(q url.Values) string { return h.BaseURL + "/login?" + q.Encode() }

// logout is GET /logout, in Cognito's two ways: with logout_uri the browser
// leaves, with redirect_uri it signs in again. It is not OpenID Connect's
// RP-initiated logout, although discovery calls it end_session_endpoint.
func (h *Handler) logout(w http.ResponseWriter, r *http.Request) {
	q, err := browser.Query(r)
	if err != nil {
		h.refuser().Refuse(w, r, nil, browser.Malformed(err))
		return
	}
	once(q)
	var location string
	if q.Get("logout_uri") != "" || len(q["logout_uri"]) > 1 {
		location, err = h.Pool.Grants.CheckLogout(r.Context(), q)
	} else {
		q, err = h.Pool.Grants.CheckSwitch(r.Context(), q)
		location = h.loginURL(q)
	}
	var session userpool.Session
	if err == nil {
		session, err = h.endSession(r)
	}
	if err != nil {
		h.refuser().Refuse(w, r, nil, err)
		return
	}
	http.SetCookie(w, browser.Expire(browser.SessionCookie, h.secure()))
	if h.Federation != nil && session.Provider != "" {
		if there, ok := h.Federation.SignOut(w, r, session, location); ok {
			location = there
		}
	}
	browser.Redirect(w, location)
}

// once leaves one of a parameter's values if all are the same: several libraries
// add client_id to the address of the sign-out in which the app has written it.
// RFC 6749 section 3.1 forbids that at its own endpoints, and this is another one.
// What differs stays, and is refused: no reader may have to choose.
func once(q url.Values) {
	for name, values := range q {
		if len(slices.Compact(slices.Clone(values))) == 1 {
			q[name] = values[:1]
		}
	}
}

// endSession ends the browser's session and returns what it was; zero: none.
func (h *Handler) endSession(r *http.Request) (userpool.Session, error) {
	id := browser.ReadCookie(r, browser.SessionCookie)
	s, _, err := h.Pool.Sessions.Get(r.Context(), id)
	if err != nil {
		return s, err
	}
	return s, h.Pool.Sessions.End(r.Context(), id)
}
