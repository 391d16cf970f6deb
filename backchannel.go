package cognate

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/cognate-auth/cognate/internal/refusal"
	"github.com/cognate-auth/cognate/sessionstore"
)

const (
	// maxLogoutBody bounds the provider's request, in bytes: the largest token and some
	// parameters nobody asked for.
	maxLogoutBody = maxToken + 4<<10
	// maxLogoutAge is how old a logout token may be, and how long its ID is remembered.
	// The specification recommends that they live two minutes.
	maxLogoutAge = 10 * time.Minute
	// maxLogoutID bounds the jti, sub and sid of a logout token, in bytes.
	maxLogoutID = 255
	// logoutEvent is what makes a token a logout token.
	logoutEvent = "http://schemas.openid.net/event/backchannel-logout"
)

// A logoutToken says whose sessions end (OpenID Connect Back-Channel Logout 1.0, 2.4).
type logoutToken struct {
	id       string
	sub, sid string // one of them may be empty
	issued   time.Time
}

// backchannelLogout answers the provider's word that somebody signed out there (2.5 to
// 2.8). No browser is involved: neither cookies nor the origin mean anything.
func (a *Auth) backchannelLogout(w http.ResponseWriter, r *http.Request) {
	n, t, err := a.endByToken(w, r)
	if err == nil {
		a.log.LogAttrs(r.Context(), slog.LevelInfo, "cognate: signed out by the provider",
			slog.String("sub", t.sub), slog.Int("sessions", n))
		w.WriteHeader(http.StatusOK)
		return
	}
	e := asError(err, ReasonStoreDown)
	a.metrics.Denied(e.Reason)
	a.log.LogAttrs(r.Context(), slog.LevelWarn, "cognate: a back-channel logout was not followed",
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

// endByToken ends the sessions that a request's logout token names. A token is good once.
// It is marked as used after the sessions have ended and not before: what is cut short in
// between can be sent again, and ending a session twice does no harm.
func (a *Auth) endByToken(w http.ResponseWriter, r *http.Request) (int, logoutToken, error) {
	raw, err := readLogoutToken(w, r)
	if err != nil {
		return 0, logoutToken{}, err
	}
	t, err := a.verifier.verifyLogout(r.Context(), raw)
	if err != nil {
		return 0, logoutToken{}, err
	}
	k, ok := a.sessions.keeper.(*storeSessions)
	if !ok { // New asks for a store
		return 0, logoutToken{}, refusal.New(refusal.StoreDown, "there is no session store")
	}
	mark := sessionstore.Record{Key: k.hash("logout token", t.id), Value: []byte{1}, Expires: t.issued.Add(maxLogoutAge + 2*k.skew)}
	err = k.tokenUsed(r.Context(), mark)
	if err != nil {
		return 0, logoutToken{}, err
	}
	// A session at the provider is one browser; without it, all of the user's end (2.7).
	kind, value := "sid", t.sid
	if t.sid == "" {
		kind, value = "sub", t.sub
	}
	n, err := a.endSessions(r.Context(), kind, value)
	if err != nil {
		return 0, logoutToken{}, err
	}
	if n > 0 {
		a.ended(r.Context(), t.sub, LogoutBackchannel)
	}
	return n, t, k.useToken(r.Context(), mark)
}

// readLogoutToken takes the token out of a request. It is in the body, and nowhere else.
func readLogoutToken(w http.ResponseWriter, r *http.Request) (string, error) {
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || kind != "application/x-www-form-urlencoded" {
		return "", refusal.New(refusal.LogoutToken, "the body is no form")
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxLogoutBody))
	if err != nil {
		return "", refusal.New(refusal.LogoutToken, "the body can't be read, or is larger than %d bytes", maxLogoutBody)
	}
	form, err := url.ParseQuery(string(body))
	if err != nil || len(form["logout_token"]) != 1 {
		return "", refusal.New(refusal.LogoutToken, "the body has %d logout_token, expected one", len(form["logout_token"]))
	}
	return form.Get("logout_token"), nil
}

// verifyLogout checks a logout token (2.6). What names the check that failed is for the log:
// who sent the token learns no more than that it is not valid.
func (v *verifier) verifyLogout(ctx context.Context, raw string) (logoutToken, error) {
	token, c, err := v.verifySignature(ctx, raw)
	if refusal.ProviderFault(err) {
		return logoutToken{}, err
	}
	if err != nil {
		return logoutToken{}, refusal.New(refusal.LogoutToken, "%w", err)
	}
	// Other tokens of the provider are made for other ends. Its first version had no type
	// of its own.
	if !slices.Contains([]string{"logout+jwt", "jwt", ""}, token.typ) {
		return logoutToken{}, refusal.New(refusal.LogoutToken, "typ is %.40q, expected logout+jwt", token.typ)
	}
	err = v.checkLogoutParties(c)
	if err != nil {
		return logoutToken{}, err
	}
	err = checkLogoutEvent(c)
	if err != nil {
		return logoutToken{}, err
	}
	t := logoutToken{}
	t.issued, err = v.checkLogoutDates(c)
	if err != nil {
		return logoutToken{}, err
	}
	for _, f := range []struct {
		name string
		into *string
	}{{"jti", &t.id}, {"sub", &t.sub}, {"sid", &t.sid}} {
		*f.into, err = c.str(f.name)
		if err != nil || len(*f.into) > maxLogoutID {
			return logoutToken{}, refusal.New(refusal.LogoutToken, "%s is no string of at most %d bytes", f.name, maxLogoutID)
		}
	}
	if t.id == "" || t.sub == "" && t.sid == "" {
		return logoutToken{}, refusal.New(refusal.LogoutToken, "jti, or both sub and sid, are missing")
	}
	return t, nil
}

func (v *verifier) checkLogoutParties(c claims) error {
	iss, err := c.str("iss")
	if err != nil || iss != v.issuer {
		return refusal.New(refusal.LogoutToken, "iss is %.200q, expected %q", iss, v.issuer)
	}
	// Others may be named as well: they could only end what the provider has ended.
	aud, err := c.strings("aud")
	if err != nil || !slices.Contains(aud, v.clientID) {
		return refusal.New(refusal.LogoutToken, "aud does not name this client")
	}
	return nil
}

// checkLogoutDates returns when the token was issued.
func (v *verifier) checkLogoutDates(c claims) (time.Time, error) {
	now := v.now()
	exp, ok, err := c.date("exp")
	if err != nil || !ok || !now.Before(exp.Add(v.skew)) {
		return time.Time{}, refusal.New(refusal.LogoutToken, "exp is missing, no date, or over")
	}
	iat, ok, err := c.date("iat")
	if err != nil || !ok || iat.After(now.Add(v.skew)) || !now.Before(iat.Add(maxLogoutAge+v.skew)) {
		return time.Time{}, refusal.New(refusal.LogoutToken, "iat is missing, no date, in the future, or more than %s ago", maxLogoutAge)
	}
	if exp.Before(iat) {
		return time.Time{}, refusal.New(refusal.LogoutToken, "exp lies before iat")
	}
	return iat, nil
}

// checkLogoutEvent tells a logout token from an ID token, which has a nonce and no such
// event.
func checkLogoutEvent(c claims) error {
	if _, ok := c["nonce"]; ok {
		return refusal.New(refusal.LogoutToken, "there is a nonce, as in an ID token")
	}
	events, err := splitObject(c["events"])
	if err == nil {
		_, err = splitObject(events[logoutEvent])
	}
	if err != nil {
		return refusal.New(refusal.LogoutToken, "events has no object %s", logoutEvent)
	}
	return nil
}

var errTokenUsed = refusal.New(refusal.LogoutToken, "the logout token was used before")

// tokenUsed refuses a logout token that this process, or another with the same store, took
// before.
func (k *storeSessions) tokenUsed(ctx context.Context, mark sessionstore.Record) error {
	_, err := k.store.LoadLatest(ctx, mark.Key)
	switch {
	case err == nil:
		return errTokenUsed
	case errors.Is(err, sessionstore.ErrNoRecord):
		return nil
	}
	return storeDown(err)
}

// useToken sees to it that the token is not taken again.
func (k *storeSessions) useToken(ctx context.Context, mark sessionstore.Record) error {
	err := k.store.Create(ctx, mark)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, sessionstore.ErrRecordChanged): // at the same time
		return errTokenUsed
	}
	return storeDown(err)
}
