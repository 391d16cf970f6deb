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

// logout answers the logout path. A link or an image on another site must not sign
// anybody out.
func (a *Auth) logout(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodGet {
		if !a.logoutOnGET || a.paths.foreign(r) {
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

// logoutRequest is what a sign-out is done with.
type logoutRequest struct {
	local  bool
	target string
}

// Local ends the session of this app only. The provider's own stays open, so that the next
// sign-in may ask for no password. The visitor lands on HomePath, or where [LogoutTo] says.
func Local() LogoutOption { return LogoutOption{func(l *logoutRequest) { l.local = true }} }

// LogoutTo says where the visitor lands: on LogoutRedirectURL or one of LogoutRedirectURLs,
// to the letter, or, after a [Local] sign-out, also on a path of this site. Anything else
// means the place without this option.
func LogoutTo(target string) LogoutOption {
	return LogoutOption{func(l *logoutRequest) { l.target = target }}
}

// Logout ends the session in this browser and sends it to the provider to end the one
// there, from where it returns to LogoutRedirectURL. Without the provider's part the
// next sign-in would ask for no password; a provider that has no end-session endpoint,
// or whose endpoint is not known because it can't be reached, leaves it at that, and a
// line in the log. A script gets the address to navigate to instead of a redirect.
//
// If the session holds the ID token the provider gets it as id_token_hint, where the dialect
// says so; without it, some providers ask the person once more. With Config.RevokeOnLogout
// the refresh token is revoked, which takes two seconds at most and holds up nothing if it
// fails.
//
// It does not ask whether the person wants to sign out, nor where the request came
// from: call it from a handler of your own that checked.
func (a *Auth) Logout(w http.ResponseWriter, r *http.Request, opts ...LogoutOption) {
	var l logoutRequest
	for _, o := range opts {
		if o.apply != nil {
			o.apply(&l)
		}
	}
	idToken, err := a.endHere(w, r)
	if err != nil {
		// the cookie stays, so that another try can end the session
		a.fail(w, r, asError(err, ReasonStoreDown), a.paths.home)
		return
	}
	a.leave(w, r, a.afterLogout(r.Context(), l, idToken))
}

// endHere ends the session in this browser and what was begun there, and returns its ID
// token if it holds one.
func (a *Auth) endHere(w http.ResponseWriter, r *http.Request) (idToken string, err error) {
	s, _, err := a.sessions.Read(r, a.now())
	held := &session.Tokens{}
	if s != nil {
		if t := a.sessions.Tokens(r, s); t != nil {
			held = t
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
	a.revokeTokens(r.Context(), a.sessions.Latest(held).Refresh)
	return held.ID, nil
}

// afterLogout is where a sign-out leads to.
func (a *Auth) afterLogout(ctx context.Context, l logoutRequest, idToken string) string {
	back := a.logoutReturns[0]
	if slices.Contains(a.logoutReturns, l.target) {
		back = l.target
	}
	if !l.local {
		if target := endSessionURL(ctx, a.client, a.dialect, back, idToken); target != "" {
			return target
		}
		a.log.LogAttrs(ctx, slog.LevelWarn,
			"cognate: the provider's own session stays: its end-session endpoint is not known")
		return back
	}
	if back == l.target {
		return back
	}
	return a.paths.target(l.target)
}

// maxLogoutURL bounds the end-session URL with an ID token in it, in bytes: servers refuse
// request lines beyond 8 KiB.
const maxLogoutURL = 8000

// endSessionURL returns where to send the browser to end the provider's own session, or
// "" if the provider has no such place. A discovery document that was never read is waited for
// only a short while: the person is signed out here in any case.
//
// An ID token says whose session it is (OpenID Connect RP-Initiated Logout 1.0, 2); one that
// would make the URL too long is left out. state comes back to a page that needs none: it
// is there for providers that want one.
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
