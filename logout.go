package cognate

import (
	"context"
	"crypto/rand"
	"log/slog"
	"net/http"
	"net/url"
	"slices"

	"github.com/cognate-auth/cognate/internal/oidc"
	"github.com/cognate-auth/cognate/internal/session"
)

// logout answers the logout path. Links and images on another site must not sign
// anybody out.
func (a *Auth) logout(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodGet {
		if !a.logoutOnGET || a.paths.crossSite(r) {
			a.askLogout(w)
			return
		}
		a.Logout(w, r)
		return
	}
	err := a.crossOrigin.Check(r)
	if err != nil {
		a.fail(w, r, refuse(ReasonCrossOrigin, "%w", err), a.paths.home)
		return
	}
	a.Logout(w, r)
}

// A LogoutOption changes one sign-out; see [Auth.Logout].
type LogoutOption struct {
	apply func(*logoutRequest)
}

// logoutRequest holds the options of one sign-out.
type logoutRequest struct {
	local  bool
	target string
}

// Local ends only the session of this app. The provider's own session stays open, so
// the next sign-in may not ask for a password. The visitor lands on HomePath, or where
// [LogoutTo] says.
func Local() LogoutOption { return LogoutOption{func(l *logoutRequest) { l.local = true }} }

// LogoutTo says where the visitor lands: exactly LogoutRedirectURL or one of
// LogoutRedirectURLs, or, after a [Local] sign-out, also a path on this site. Any other
// target is ignored.
func LogoutTo(target string) LogoutOption {
	return LogoutOption{func(l *logoutRequest) { l.target = target }}
}

// Logout ends the session in this browser and sends the browser to the provider, which
// ends its own session and sends the browser to LogoutRedirectURL. If the provider has
// no end-session endpoint, or can't be reached to discover it, only the session here
// ends, with a line in the log: the next sign-in may then not ask for a password. A
// script gets the URL to navigate to instead of a redirect.
//
// If the session holds the ID token it is sent to the provider as id_token_hint, if the
// dialect has LogoutHint; without it, some providers ask the person to confirm. With
// Config.RevokeOnLogout the refresh token is revoked, for at most two seconds; if that
// fails the sign-out continues.
//
// Logout checks neither that the person wants to sign out nor where the request came
// from: call it from a handler that checks this.
func (a *Auth) Logout(w http.ResponseWriter, r *http.Request, opts ...LogoutOption) {
	var l logoutRequest
	for _, o := range opts {
		if o.apply != nil {
			o.apply(&l)
		}
	}
	idToken, err := a.endBrowserSession(w, r)
	if err != nil {
		// The cookie stays, so that the visitor can try again.
		a.fail(w, r, asError(err, ReasonStoreDown), a.paths.home)
		return
	}
	a.redirectAfterLogout(w, r, a.afterLogout(r.Context(), l, idToken))
}

// endBrowserSession ends the session in this browser and its sign-ins under way, and
// returns the session's ID token if it holds one.
func (a *Auth) endBrowserSession(w http.ResponseWriter, r *http.Request) (idToken string, err error) {
	s, _, err := a.sessions.Read(r, a.now())
	tokens := &session.Tokens{}
	if s != nil {
		if t := a.sessions.Tokens(r, s); t != nil {
			tokens = t
		}
	}
	first := false
	switch {
	case err != nil:
	case s == nil:
		err = a.sessions.Discard(r)
	default:
		first, err = a.sessions.Close(r.Context(), s)
	}
	if err != nil {
		return "", err
	}
	a.sessions.Forget(w, r)
	a.transactions.Forget(w, r)
	if first {
		a.notifyEnded(r.Context(), s.Identity.Subject(), LogoutUser)
		a.log.LogAttrs(r.Context(), slog.LevelInfo, "cognate: signed out", slog.String("sub", s.Identity.Subject()))
	}
	a.revokeTokens(r.Context(), a.sessions.Latest(tokens).Refresh)
	return tokens.ID, nil
}

// afterLogout returns the URL to go to after a sign-out.
func (a *Auth) afterLogout(ctx context.Context, l logoutRequest, idToken string) string {
	back := a.logoutURLs[0]
	if slices.Contains(a.logoutURLs, l.target) {
		back = l.target
	}
	if !l.local {
		if target := endSessionURL(ctx, a.client, a.dialect, back, idToken); target != "" {
			return target
		}
		a.log.LogAttrs(ctx, slog.LevelWarn,
			"cognate: the provider's own session stays open: its end-session endpoint is not known")
		return back
	}
	if back == l.target {
		return back
	}
	return a.paths.target(l.target)
}

// maxLogoutURL bounds an end-session URL that has an ID token, in bytes: servers refuse
// request lines beyond 8 KiB.
const maxLogoutURL = 8000

// endSessionURL returns where to send the browser to end the provider's own session, or
// "" if the provider has no such endpoint. A discovery document that was never read is
// waited for only a short time: the person is signed out here in any case.
//
// An ID token says whose session to end (OpenID Connect RP-Initiated Logout 1.0, 2);
// one that would make the URL too long is left out. state is for providers that require
// it; it is not used afterwards.
func endSessionURL(ctx context.Context, c *oidc.Client, d *Dialect, returnTo, idToken string) string {
	ctx, cancel := context.WithTimeout(ctx, revokeTimeout)
	defer cancel()
	endpoint := c.Provider.EndSession(ctx, d.LogoutPath)
	if endpoint == "" {
		return ""
	}
	params := url.Values{"client_id": {c.ID}, d.LogoutParam: {returnTo}}
	if !d.LogoutHint {
		return oidc.AddQuery(endpoint, params)
	}
	params.Set("state", rand.Text())
	address := oidc.AddQuery(endpoint, params)
	if idToken == "" || len(address)+len("&id_token_hint=")+len(idToken) > maxLogoutURL {
		return address
	}
	return oidc.AddQuery(address, url.Values{"id_token_hint": {idToken}})
}
