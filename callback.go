package cognate

import (
	"context"
	"io"
	"log/slog"
	"mime"
	"net/http"
	"net/url"

	"github.com/cognate-auth/cognate/internal/refusal"
)

const (
	// maxCallback bounds the callback's query or form, in bytes; a code is short, and an
	// error description should be.
	maxCallback = 16 << 10
	// maxCode bounds an authorization code, in bytes. Cognito's has 36.
	maxCode = 4 << 10
)

// response is an authorization response (RFC 6749, 4.1.2; RFC 9207).
type response struct {
	code, state, issuer, err, description string
	again                                 bool // sent by a page of ours; see sendAgain
}

// againField marks a response that a page of ours sends.
const againField = "again"

// readResponse reads the callback's query or, where the provider answers by a form
// (OAuth 2.0 Form Post Response Mode), its body.
func readResponse(w http.ResponseWriter, r *http.Request) (response, error) {
	if r.Method != http.MethodPost {
		return parseResponse(r.URL.RawQuery)
	}
	t, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || t != "application/x-www-form-urlencoded" {
		return response{}, refusal.New(refusal.MalformedCallback, "the form's type is not application/x-www-form-urlencoded")
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxCallback+1))
	if err != nil {
		return response{}, refusal.New(refusal.MalformedCallback, "the form can't be read, or is larger than %d bytes", maxCallback)
	}
	return parseResponse(string(body))
}

// parseResponse reads the parameters. One that is there twice could mean one thing here
// and another elsewhere, so it is refused (RFC 6749, 3.1). With an error, the response has
// nothing but a state that can be read.
func parseResponse(raw string) (response, error) {
	if len(raw) > maxCallback {
		return response{}, refusal.New(refusal.MalformedCallback, "the parameters are larger than %d bytes", maxCallback)
	}
	q, err := url.ParseQuery(raw)
	if err != nil {
		return response{}, refusal.New(refusal.MalformedCallback, "the parameters can't be read")
	}
	var known response
	if len(q["state"]) == 1 {
		known.state = q.Get("state")
	}
	for _, name := range []string{"code", "state", "iss", "error", "error_description", againField} {
		if len(q[name]) > 1 {
			return known, refusal.New(refusal.MalformedCallback, "%s is there %d times", name, len(q[name]))
		}
	}
	return response{
		q.Get("code"), q.Get("state"), q.Get("iss"), q.Get("error"), q.Get("error_description"), q.Has(againField),
	}, nil
}

// callback answers the redirect URL: it ends the sign-in that state belongs to.
func (a *Auth) callback(w http.ResponseWriter, r *http.Request) {
	resp, err := readResponse(w, r)
	if err != nil {
		a.failLogin(w, r, asError(err, ReasonMalformedCallback), a.targetOf(a.transactions.open(resp.state)))
		return
	}
	if r.Method == http.MethodPost && !resp.again && a.transactions.awaits(r, resp.state) {
		a.sendAgain(w, resp)
		return
	}
	t, err := a.transactions.finish(w, r, resp.state)
	target := a.targetOf(t)
	if err != nil {
		e := asError(err, ReasonState)
		if a.User(r) != nil || e.Reason == ReasonReplay && a.transactions.used.ledOn(r.Context(), t.nonce, a.now()) {
			// The back button, or the second click of two. Nothing is done with the request.
			redirect(w, target, redirectStatus(r))
			return
		}
		e.ProviderCode = errorCode(resp.err, append(basicForms(a.client.id, a.client.secret), resp.code, resp.state)...)
		a.failLogin(w, r, e, target)
		return
	}
	if a.hooks.OnCallback != nil {
		a.hooks.OnCallback(r.Context(), r)
	}
	// A second click ends the first one's request. Its code is spent by then.
	r = r.WithContext(context.WithoutCancel(r.Context()))
	came := outcome{spent: resp.code != "" && resp.err == ""}
	defer func() { a.transactions.used.settle(r.Context(), t.nonce, came, a.now()) }()
	got, err := a.redeem(r.Context(), resp, t)
	if err == nil {
		err = a.signIn(w, r, t, got)
		if err != nil {
			a.dropTokens(r.Context(), got.tokens.refresh)
		}
	}
	came.signedIn, came.ledOn = err == nil, err == nil || t.inVain(err)
	if !came.ledOn {
		e := asError(err, ReasonTokenEndpoint)
		if got != nil {
			e.subject = got.user.Subject
		}
		a.failLogin(w, r, e, target)
		return
	}
	w.Header().Set("Referrer-Policy", "no-referrer") // the code is in this URL
	redirect(w, target, redirectStatus(r))
}

// targetOf is the page that a sign-in was begun for; of none, the home page.
func (a *Auth) targetOf(t *transaction) string {
	if t == nil {
		return a.homePath
	}
	return a.returnTarget(t.returnTo)
}

// failLogin is fail for a sign-in.
func (a *Auth) failLogin(w http.ResponseWriter, r *http.Request, e *Error, target string) {
	e = e.answerable(target)
	e.signIn = true
	if a.hooks.OnLoginError != nil {
		a.hooks.OnLoginError(r.Context(), e)
	}
	a.answerRefusal(w, r, e)
}

// redeemed is what an authorization code was worth.
type redeemed struct {
	user   *User // with all claims
	sid    string
	tokens *tokenSet
}

// redeem turns the response to a transaction into a user, or says what is wrong.
func (a *Auth) redeem(ctx context.Context, resp response, t *transaction) (_ *redeemed, err error) {
	sent := append(basicForms(a.client.id, a.client.secret), resp.code, resp.state, t.nonce, t.verifier)
	defer func() { err = withoutSecrets(err, sent...) }()
	m, err := a.provider.ready(ctx)
	if err != nil {
		return nil, err
	}
	if resp.issuer != "" && resp.issuer != a.provider.issuer || resp.issuer == "" && m.responseIssuer {
		return nil, refusal.New(refusal.ResponseIssuer, "the response's iss is %.200q, expected %q", resp.issuer, a.provider.issuer)
	}
	if resp.err != "" {
		e := refusal.New(refusal.ProviderError, "the provider refused the authorization request, saying %.200q", resp.description)
		e.ProviderCode = errorCode(resp.err, sent...)
		return nil, e
	}
	if resp.code == "" || len(resp.code) > maxCode {
		return nil, refusal.New(refusal.MalformedCallback, "the code is missing or longer than %d bytes", maxCode)
	}
	tokens, err := a.client.exchange(ctx, a.provider.http, m.Endpoints, resp.code, t.verifier)
	sent = append(sent, tokens.access, tokens.refresh)
	var got *redeemed
	if err == nil {
		got, err = a.identify(ctx, tokens, t, m)
	}
	if err != nil {
		a.dropTokens(ctx, tokens.refresh)
	}
	return got, err
}

// identify reads the user out of what the token endpoint gave.
func (a *Auth) identify(ctx context.Context, tokens tokens, t *transaction, m metadata) (*redeemed, error) {
	c, err := a.verifier.verify(ctx, tokens.id, t.nonce, tokens.access)
	if err != nil {
		return nil, err
	}
	err = t.check(c, a.verifier.skew)
	if err != nil {
		return nil, err
	}
	sid := c.text("sid")
	if a.wantsUserInfo(c, m.Endpoints) {
		c, err = a.addUserInfo(ctx, c, m.Endpoints, tokens.access)
		if err != nil {
			return nil, err
		}
	}
	u := a.userOf(c)
	u.Scopes = tokens.scopes
	return &redeemed{u, sid, newTokens(tokens, t.nonce, nil, a.now())}, nil
}

// signIn begins the session of a user who may have one.
func (a *Auth) signIn(w http.ResponseWriter, r *http.Request, t *transaction, got *redeemed) error {
	err := a.admit(r.Context(), got.user)
	if err != nil {
		return err
	}
	if a.hooks.OnLogin != nil {
		err := a.hooks.OnLogin(r.Context(), LoginEvent{User: got.user, State: t.appState, ReturnTo: a.returnTarget(t.returnTo), Request: r})
		if err != nil {
			return vetoed(err)
		}
	}
	old, _, err := a.sessions.read(r, a.now())
	if err != nil {
		return err
	}
	if a.transactions.abandoned.Has(t.proof, a.now()) {
		return refusal.New(refusal.State, "this browser signed out while the sign-in was under way")
	}
	err = a.sessions.begin(w, r, a.sessions.create(a.keptClaims.trim(got.user), got.sid), got.tokens)
	if err != nil {
		return err
	}
	if old != nil { // it was this browser's until now
		a.finish(r.Context(), old, LogoutReplaced)
	} else {
		_ = a.sessions.discard(r) // no more than tidy: nobody is signed in by it
	}
	a.transactions.ended(w, t)
	a.metrics.Login(a.now().Sub(t.started))
	a.log.LogAttrs(r.Context(), slog.LevelInfo, "cognate: signed in", slog.String("sub", got.user.Subject))
	return nil
}
