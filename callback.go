package cognate

import (
	"cmp"
	"context"
	"io"
	"log/slog"
	"mime"
	"net/http"
	"net/url"
	"time"

	"github.com/cognate-auth/cognate/internal/oidc"
	"github.com/cognate-auth/cognate/internal/refusal"
	"github.com/cognate-auth/cognate/internal/session"
	"github.com/cognate-auth/cognate/internal/transaction"
)

// maxCallback bounds the callback's query or form, in bytes; a code is short, and an error
// description should be.
const maxCallback = 16 << 10

// response is an authorization response as it was received.
type response struct {
	oidc.Response
	resent bool // sent by our own page; see resend
}

// resentField marks a response that was sent by our own page.
const resentField = "again"

// readResponse reads the callback's query or, if the provider answered with a form
// (OAuth 2.0 Form Post Response Mode), its body.
func readResponse(w http.ResponseWriter, r *http.Request) (response, error) {
	if r.Method != http.MethodPost {
		return parseResponse(r.URL.RawQuery)
	}
	t, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || t != "application/x-www-form-urlencoded" {
		return response{}, refusal.New(refusal.MalformedCallback,
			"the form's type is not application/x-www-form-urlencoded")
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxCallback+1))
	if err != nil {
		return response{}, refusal.New(refusal.MalformedCallback,
			"the form can't be read, or is larger than %d bytes", maxCallback)
	}
	return parseResponse(string(body))
}

// parseResponse reads the parameters. A parameter that appears twice is refused (RFC
// 6749, 3.1): other readers could use the other value. With an error it returns only
// the state, if that can be read.
func parseResponse(raw string) (response, error) {
	if len(raw) > maxCallback {
		return response{}, refusal.New(refusal.MalformedCallback,
			"the parameters are larger than %d bytes", maxCallback)
	}
	q, err := url.ParseQuery(raw)
	if err != nil {
		return response{}, refusal.New(refusal.MalformedCallback, "the parameters can't be read")
	}
	var known response
	if len(q["state"]) == 1 {
		known.State = q.Get("state")
	}
	for _, name := range []string{"code", "state", "iss", "error", "error_description", resentField} {
		if len(q[name]) > 1 {
			return known, refusal.New(refusal.MalformedCallback,
				"%s appears %d times; expected once", name, len(q[name]))
		}
	}
	return response{oidc.Response{
		Code: q.Get("code"), State: q.Get("state"), Issuer: q.Get("iss"),
		Error: q.Get("error"), Description: q.Get("error_description"),
	}, q.Has(resentField)}, nil
}

// callback answers the redirect URL: it ends the sign-in that state belongs to. No
// request goes to the provider before signIn.
func (a *Auth) callback(w http.ResponseWriter, r *http.Request) {
	var result callbackResult
	resp, err := readResponse(w, r)
	result.attempt = attemptName(resp.State)
	if err == nil && r.Method == http.MethodPost && !resp.resent && a.transactions.Awaits(r, resp.State) {
		a.resend(w, resp)
		return
	}
	if err == nil {
		result.replaced, _, err = a.sessions.Read(r, a.now())
	}
	readable := err == nil
	if readable {
		result.transaction, err = a.transactions.Finish(w, r, resp.State)
	} else {
		result.transaction = a.transactions.Open(resp.State)
	}
	switch {
	case err != nil && readable:
		result.code = a.client.ErrorCode(resp.Error, resp.Code, resp.State)
		result.repeated = result.replaced != nil ||
			refusal.Of(err) == refusal.Replay && a.transactions.LedOn(r.Context(), result.transaction)
	case err == nil:
		if a.hooks.OnCallback != nil {
			a.hooks.OnCallback(r.Context(), r)
		}
		// A second click cancels the first request, whose code is used up by then.
		r = r.WithContext(context.WithoutCancel(r.Context()))
		err = a.signIn(w, r, resp, &result)
	}
	a.answerCallback(w, r, &result, err)
}

// callbackResult is the outcome of a callback.
type callbackResult struct {
	transaction *transaction.Transaction // nil if the state was not made here
	attempt     string                   // of the state, whoever made it; see attemptName
	// repeated says that the sign-in had already ended: the visitor used the back
	// button or clicked twice. The request then changes nothing.
	repeated bool
	// code is the error code of a callback that does not belong to a sign-in under way
	// in this browser. Anybody could have sent it.
	code     string
	replaced *session.Session // the browser's session before this sign-in, or nil
	user     *User            // with all claims; nil if nobody signed in
}

// signIn exchanges the code for tokens, and begins a session if the user may sign in.
func (a *Auth) signIn(
	w http.ResponseWriter, r *http.Request, resp response, result *callbackResult,
) (err error) {
	t := result.transaction
	attempt := attemptOf(t)
	out := transaction.Outcome{Spent: resp.Code != "" && resp.Error == ""}
	var refreshToken string
	defer func() { // a hook may panic
		if !out.SignedIn {
			a.dropTokens(r.Context(), refreshToken)
		}
		out.LedOn = out.SignedIn || needsInteraction(t, err)
		a.transactions.Settle(r.Context(), t, out)
	}()
	secrets := a.client.Secrets(resp.Code, resp.State, t.Nonce, t.Verifier)
	claims, tokens, err := a.client.Exchange(r.Context(), resp.Response, attempt)
	refreshToken = tokens.Refresh
	if err != nil {
		return withoutSecrets(err, append(secrets, tokens.Access, tokens.Refresh))
	}
	result.user = userOf(claims, a.client.Provider.Issuer(), a.dialect, tokens.Scopes)
	kept, err := a.admission.admit(r.Context(), result.user)
	if err != nil {
		return err
	}
	if a.hooks.OnLogin != nil {
		err = a.hooks.OnLogin(r.Context(),
			LoginEvent{User: result.user, State: t.AppState, ReturnTo: t.ReturnTo, Request: r})
		if err != nil {
			return vetoed(err)
		}
	}
	if result.replaced != nil { // it may have ended meanwhile, by a hook or at another process
		result.replaced, _, err = a.sessions.Read(r, a.now())
		if err != nil {
			return err
		}
	}
	if a.transactions.Abandoned(t) {
		return refusal.New(refusal.State, "this browser signed out while the sign-in was under way")
	}
	s := a.sessions.Create(identity{kept}, claims.Text("sid"))
	err = a.sessions.Begin(w, r, s, session.NewTokens(session.Tokens{
		Access: tokens.Access, Refresh: tokens.Refresh, ID: tokens.ID, Nonce: t.Nonce, Expires: tokens.Expires,
	}, nil, a.now()))
	if err != nil {
		return err
	}
	if result.replaced == nil {
		_ = a.sessions.Discard(r) // only tidies up: that session signs nobody in
	}
	a.transactions.Ended(w, t)
	out.SignedIn = true
	return nil
}

// attemptOf returns the part of a sign-in under way that goes to the provider and is
// checked in its ID token.
func attemptOf(t *transaction.Transaction) oidc.Attempt {
	attempt := oidc.Attempt{State: t.State, Nonce: t.Nonce, Verifier: t.Verifier, ACR: t.ACR}
	if t.MaxAge != transaction.NoMaxAge {
		attempt.NotBefore = t.Started.Add(-time.Duration(t.MaxAge) * time.Second)
	}
	return attempt
}

// answerCallback sends the browser to the page that the visitor wanted, or answers with
// the error.
func (a *Auth) answerCallback(w http.ResponseWriter, r *http.Request, result *callbackResult, err error) {
	target := a.paths.home
	if result.transaction != nil {
		target = result.transaction.ReturnTo
	}
	if err != nil && !result.repeated && !needsInteraction(result.transaction, err) {
		e := asError(err, ReasonTokenEndpoint)
		e.ProviderCode = cmp.Or(result.code, e.ProviderCode)
		if result.user != nil {
			e.subject = result.user.Subject
		}
		e.attempt = result.attempt
		a.failLogin(w, r, e, target)
		return
	}
	if err == nil {
		a.endSession(r.Context(), result.replaced, LogoutReplaced)
		a.metrics.Login(a.now().Sub(result.transaction.Started))
		a.log.LogAttrs(r.Context(), slog.LevelInfo, "cognate: signed in", slog.String("sub", result.user.Subject))
	}
	if !result.repeated {
		w.Header().Set("Referrer-Policy", "no-referrer") // the code is in this URL
	}
	redirect(w, target, redirectStatus(r))
	if err == nil {
		a.reports.tell(result.attempt, oidc.Report{Outcome: oidc.OutcomeSignedIn})
	}
}
