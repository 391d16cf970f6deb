package cognate

import (
	"context"
	"log/slog"
	"net/http"
	"net/url"
)

const (
	// maxCallbackQuery bounds the callback's query, in bytes; a code is short, and an
	// error description should be.
	maxCallbackQuery = 16 << 10
	// maxCode bounds an authorization code, in bytes. Cognito's has 36.
	maxCode = 4 << 10
)

// response is an authorization response (RFC 6749, 4.1.2; RFC 9207).
type response struct {
	code, state, issuer, err, description string
}

// parseResponse reads the callback's query. A parameter that is there twice could mean
// one thing here and another elsewhere, so it is refused (RFC 6749, 3.1).
func parseResponse(rawQuery string) (response, error) {
	if len(rawQuery) > maxCallbackQuery {
		return response{}, refuse(ReasonMalformedCallback, "the query is larger than %d bytes", maxCallbackQuery)
	}
	q, err := url.ParseQuery(rawQuery)
	if err != nil {
		return response{}, refuse(ReasonMalformedCallback, "the query can't be read")
	}
	for _, name := range []string{"code", "state", "iss", "error", "error_description"} {
		if len(q[name]) > 1 {
			return response{}, refuse(ReasonMalformedCallback, "%s is there %d times", name, len(q[name]))
		}
	}
	return response{q.Get("code"), q.Get("state"), q.Get("iss"), q.Get("error"), q.Get("error_description")}, nil
}

// callback answers the redirect URL: it ends the sign-in that state belongs to.
func (a *Auth) callback(w http.ResponseWriter, r *http.Request) {
	resp, err := parseResponse(r.URL.RawQuery)
	if err != nil {
		a.fail(w, r, asError(err, ReasonMalformedCallback), a.homePath)
		return
	}
	t, err := a.transactions.finish(w, r, resp.state)
	if err != nil {
		if a.User(r) != nil {
			// The back button, most likely. Nothing is done with the request.
			redirect(w, a.homePath, http.StatusFound)
			return
		}
		e := asError(err, ReasonState)
		e.ProviderCode = errorCode(resp.err)
		a.fail(w, r, e, a.homePath)
		return
	}
	target := a.returnTarget(t.returnTo)
	user, err := a.redeem(r.Context(), resp, t)
	if err == nil {
		err = a.signIn(w, r, user)
	}
	if err != nil {
		a.fail(w, r, asError(err, ReasonTokenEndpoint), target)
		return
	}
	w.Header().Set("Referrer-Policy", "no-referrer") // the code is in this URL
	redirect(w, target, http.StatusFound)
}

// redeem turns the response to a transaction into a user, or says what is wrong.
func (a *Auth) redeem(ctx context.Context, resp response, t *transaction) (*User, error) {
	m, err := a.provider.ready(ctx)
	if err != nil {
		return nil, err
	}
	if resp.issuer != "" && resp.issuer != a.provider.issuer || resp.issuer == "" && m.responseIssuer {
		return nil, refuse(ReasonResponseIssuer, "the response's iss is %.200q, expected %q", resp.issuer, a.provider.issuer)
	}
	if resp.err != "" {
		e := refuse(ReasonProviderError, "the provider refused the authorization request, saying %.200q", resp.description)
		e.ProviderCode = errorCode(resp.err)
		return nil, e
	}
	if resp.code == "" || len(resp.code) > maxCode {
		return nil, refuse(ReasonMalformedCallback, "the code is missing or longer than %d bytes", maxCode)
	}
	tokens, err := a.client.exchange(ctx, a.provider.http, m.Endpoints, resp.code, t.verifier)
	if err != nil {
		return nil, err
	}
	c, err := a.verifier.verify(ctx, tokens.id, t.nonce, tokens.access)
	if err != nil {
		return nil, err
	}
	if a.wantsUserInfo(c, m.Endpoints) {
		c, err = a.addUserInfo(ctx, c, m.Endpoints, tokens.access)
		if err != nil {
			return nil, err
		}
	}
	return a.userOf(c), nil
}

// signIn begins the session of a user who may have one.
func (a *Auth) signIn(w http.ResponseWriter, r *http.Request, u *User) error {
	if !a.sessions.admits(u) {
		return refuse(ReasonEmailNotVerified, "the provider does not vouch for the e-mail address of subject %.255q", u.Subject)
	}
	err := a.sessions.write(w, a.sessions.create(u))
	if err != nil {
		return err
	}
	old, _ := a.sessions.read(r)
	a.sessions.revoke(old) // it was this browser's until now
	a.log.LogAttrs(r.Context(), slog.LevelInfo, "cognate: signed in", slog.String("sub", u.Subject))
	return nil
}
