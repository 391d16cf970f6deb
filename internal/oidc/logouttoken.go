package oidc

import (
	"context"
	"slices"
	"time"

	"github.com/cognate-auth/cognate/internal/refusal"
)

const (
	// maxLogoutAge is how old a logout token may be. The specification recommends a lifetime
	// of at most two minutes.
	maxLogoutAge = 10 * time.Minute
	// maxLogoutID bounds the jti, sub and sid of a logout token, in bytes.
	maxLogoutID = 255
	// logoutEvent is what makes a token a logout token.
	logoutEvent = "http://schemas.openid.net/event/backchannel-logout"
)

// A LogoutToken says whose sessions end (OpenID Connect Back-Channel Logout 1.0, 2.4).
type LogoutToken struct {
	// ID identifies the token (jti).
	ID string
	// Subject and SessionID (sid) name the sessions; one of them may be empty.
	Subject, SessionID string
	// Over is when every process whose clock is within the skew refuses the token as too
	// old. Its ID has to be remembered until then.
	Over time.Time
}

// VerifyLogout checks a logout token (OpenID Connect Back-Channel Logout 1.0, 2.6). The text
// of its error is for the log: the sender of the token must only learn that it is not valid.
func (v *Verifier) VerifyLogout(ctx context.Context, raw string) (LogoutToken, error) {
	token, c, err := v.verifySignature(ctx, raw)
	if refusal.ProviderFault(err) {
		return LogoutToken{}, err
	}
	if err != nil {
		return LogoutToken{}, refusal.New(refusal.LogoutToken, "%w", err)
	}
	// Tokens of other types have other purposes. Logout tokens had no type of their own in
	// the first version of the specification.
	if !slices.Contains([]string{"logout+jwt", "jwt", ""}, token.typ) {
		return LogoutToken{}, refusal.New(refusal.LogoutToken, "typ is %.40q, expected logout+jwt", token.typ)
	}
	err = v.checkLogoutParties(c)
	if err != nil {
		return LogoutToken{}, err
	}
	err = checkLogoutEvent(c)
	if err != nil {
		return LogoutToken{}, err
	}
	issued, err := v.checkLogoutDates(c)
	if err != nil {
		return LogoutToken{}, err
	}
	t := LogoutToken{Over: issued.Add(maxLogoutAge + 2*v.Skew)}
	for _, f := range []struct {
		name string
		into *string
	}{{"jti", &t.ID}, {"sub", &t.Subject}, {"sid", &t.SessionID}} {
		*f.into, err = c.String(f.name)
		if err != nil || len(*f.into) > maxLogoutID {
			return LogoutToken{}, refusal.New(refusal.LogoutToken,
				"%s is not a string of at most %d bytes", f.name, maxLogoutID)
		}
	}
	if t.ID == "" || t.Subject == "" && t.SessionID == "" {
		return LogoutToken{}, refusal.New(refusal.LogoutToken, "jti, or both sub and sid, are missing")
	}
	return t, nil
}

func (v *Verifier) checkLogoutParties(c Claims) error {
	iss, err := c.String("iss")
	if err != nil || iss != v.Provider.Issuer() {
		return refusal.New(refusal.LogoutToken, "iss is %.200q, expected %q", iss, v.Provider.Issuer())
	}
	// Other audiences are allowed: they could only end sessions that the provider has ended.
	aud, err := c.Strings("aud")
	if err != nil || !slices.Contains(aud, v.ClientID) {
		return refusal.New(refusal.LogoutToken, "aud does not name this client")
	}
	return nil
}

// checkLogoutDates returns when the token was issued.
func (v *Verifier) checkLogoutDates(c Claims) (time.Time, error) {
	now := v.Now()
	exp, ok, err := c.Date("exp")
	if err != nil || !ok || !now.Before(exp.Add(v.Skew)) {
		return time.Time{}, refusal.New(refusal.LogoutToken, "exp is missing, not a date, or in the past")
	}
	iat, ok, err := c.Date("iat")
	if err != nil || !ok || iat.After(now.Add(v.Skew)) || !now.Before(iat.Add(maxLogoutAge+v.Skew)) {
		return time.Time{}, refusal.New(refusal.LogoutToken,
			"iat is missing, not a date, in the future, or more than %s ago", maxLogoutAge)
	}
	if exp.Before(iat) {
		return time.Time{}, refusal.New(refusal.LogoutToken, "exp is before iat")
	}
	return iat, nil
}

// checkLogoutEvent distinguishes a logout token from an ID token, which has a nonce and no
// such event.
func checkLogoutEvent(c Claims) error {
	if _, ok := c["nonce"]; ok {
		return refusal.New(refusal.LogoutToken, "the token has a nonce, as ID tokens do")
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
