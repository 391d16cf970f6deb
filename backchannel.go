package cognate

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"mime"
	"net/http"
	"net/url"

	"github.com/cognate-auth/cognate/internal/oidc"
	"github.com/cognate-auth/cognate/internal/record"
	"github.com/cognate-auth/cognate/internal/refusal"
	"github.com/cognate-auth/cognate/internal/session"
)

// maxLogoutBody bounds the provider's request, in bytes: the largest token, and room
// for parameters that are not needed.
const maxLogoutBody = oidc.MaxToken + 4<<10

// backchannelLogout answers the provider's request that says who signed out there
// (OpenID Connect Back-Channel Logout 1.0, 2.5 to 2.8). It comes without a browser, so
// neither its cookies nor its origin mean anything.
func (a *Auth) backchannelLogout(w http.ResponseWriter, r *http.Request) {
	n, t, err := a.endByToken(w, r)
	if err == nil {
		a.log.LogAttrs(r.Context(), slog.LevelInfo, "cognate: signed out by the provider",
			slog.String("sub", t.Subject), slog.Int("sessions", n))
		w.WriteHeader(http.StatusOK)
		return
	}
	e := asError(err, ReasonStoreDown)
	a.metrics.Denied(e.Reason)
	a.log.LogAttrs(r.Context(), slog.LevelWarn, "cognate: a back-channel logout failed",
		slog.String("reason", string(e.Reason)), slog.String("err", e.Error()))
	if e.Reason == ReasonLogoutToken {
		writeJSON(w, http.StatusBadRequest, map[string]string{
			"error": "invalid_request", "error_description": "The request has no valid logout token.",
		})
		return
	}
	setRetryAfter(w, e.RetryAfter)
	writeJSON(w, http.StatusServiceUnavailable, map[string]string{
		"error": "temporarily_unavailable", "error_description": "The logout could not be done. Please try again.",
	})
}

// endByToken ends the sessions that a request's logout token names. A token can be used
// once. It is marked as used after the sessions have ended, not before: if the request
// fails in between, the provider can send it again, and ending a session twice does no
// harm.
func (a *Auth) endByToken(w http.ResponseWriter, r *http.Request) (int, oidc.LogoutToken, error) {
	raw, err := readLogoutToken(w, r)
	if err != nil {
		return 0, oidc.LogoutToken{}, err
	}
	t, err := a.client.Verifier.VerifyLogout(r.Context(), raw)
	if err != nil {
		return 0, oidc.LogoutToken{}, err
	}
	err = a.logoutTokens.checkUnused(r.Context(), t)
	if err != nil {
		return 0, oidc.LogoutToken{}, err
	}
	// sid names one browser's session; without it, all of the user's sessions end (2.7).
	by, value := session.BySID, t.SessionID
	if t.SessionID == "" {
		by, value = session.BySubject, t.Subject
	}
	n, err := a.sessions.EndAll(r.Context(), by, value)
	if err != nil {
		return 0, oidc.LogoutToken{}, err
	}
	if n > 0 {
		a.notifyEnded(r.Context(), t.Subject, LogoutBackchannel)
	}
	return n, t, a.logoutTokens.markUsed(r.Context(), t)
}

// readLogoutToken reads the token from the request's body, the only place it may be in.
func readLogoutToken(w http.ResponseWriter, r *http.Request) (string, error) {
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || kind != "application/x-www-form-urlencoded" {
		return "", refusal.New(refusal.LogoutToken, "the body is not application/x-www-form-urlencoded")
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxLogoutBody))
	if err != nil {
		return "", refusal.New(refusal.LogoutToken, "the body can't be read, or is larger than %d bytes", maxLogoutBody)
	}
	form, err := url.ParseQuery(string(body))
	if err != nil || len(form["logout_token"]) != 1 {
		return "", refusal.New(refusal.LogoutToken, "the body has %d logout_token, expected one",
			len(form["logout_token"]))
	}
	return form.Get("logout_token"), nil
}

// usedTokens remembers in the store which logout tokens were used, so that a token
// works once across all processes with the same store.
type usedTokens struct{ store *record.Store }

var errTokenUsed = refusal.New(refusal.LogoutToken, "the logout token was used before")

// logoutMark is the kind of the marks in the store.
const logoutMark = "logout token"

// checkUnused refuses a token that was used before.
func (u usedTokens) checkUnused(ctx context.Context, t oidc.LogoutToken) error {
	_, marked, err := u.store.Marked(ctx, logoutMark, t.ID)
	if err == nil && marked {
		return errTokenUsed
	}
	return err
}

// markUsed makes the token unusable from now on.
func (u usedTokens) markUsed(ctx context.Context, t oidc.LogoutToken) error {
	err := u.store.Mark(ctx, record.Mark{Kind: logoutMark, Value: t.ID, Says: 1, Until: t.Over})
	if errors.Is(err, record.ErrMarked) { // by another request at the same time
		return errTokenUsed
	}
	return err
}
