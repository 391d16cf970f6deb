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

// response is an authorization response as it came.
type response struct {
	oidc.Response
	again bool // sent by a page of ours; see sendAgain
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

// parseResponse reads the parameters. One that is there twice could mean one thing here
// and another elsewhere, so it is refused (RFC 6749, 3.1). With an error, the response has
// nothing but a state that can be read.
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
	for _, name := range []string{"code", "state", "iss", "error", "error_description", againField} {
		if len(q[name]) > 1 {
			return known, refusal.New(refusal.MalformedCallback, "%s is there %d times", name, len(q[name]))
		}
	}
	return response{oidc.Response{
		Code: q.Get("code"), State: q.Get("state"), Issuer: q.Get("iss"),
		Error: q.Get("error"), Description: q.Get("error_description"),
	}, q.Has(againField)}, nil
}

// callback answers the redirect URL: it ends the sign-in that state belongs to. What fails before
// signIn has caused no request to the provider.
func (a *Auth) callback(w http.ResponseWriter, r *http.Request) {
	var in signedIn
	resp, err := readResponse(w, r)
	if err == nil && r.Method == http.MethodPost && !resp.again && a.transactions.Awaits(r, resp.State) {
		a.sendAgain(w, resp)
		return
	}
	if err == nil {
		in.replaced, _, err = a.sessions.Read(r, a.now())
	}
	readable := err == nil
	if readable {
		in.transaction, err = a.transactions.Finish(w, r, resp.State)
	} else {
		in.transaction = a.transactions.Open(resp.State)
	}
	switch {
	case err != nil && readable:
		in.code = a.client.ErrorCode(resp.Error, resp.Code, resp.State)
		in.again = in.replaced != nil ||
			refusal.Of(err) == refusal.Replay && a.transactions.LedOn(r.Context(), in.transaction)
	case err == nil:
		if a.hooks.OnCallback != nil {
			a.hooks.OnCallback(r.Context(), r)
		}
		// A second click ends the first one's request. Its code is spent by then.
		r = r.WithContext(context.WithoutCancel(r.Context()))
		err = a.signIn(w, r, resp, &in)
	}
	a.answerCallback(w, r, &in, err)
}

// signedIn is what came of a callback.
type signedIn struct {
	transaction *transaction.Transaction // nil: not one of ours
	// again says that the sign-in has ended before: by the back button, or the second click of
	// two. Nothing is done with the request then.
	again bool
	// code is the error code of a callback that does not belong to a sign-in under way in this
	// browser, and so comes from anybody.
	code     string
	replaced *session.Session // the one that this browser had until now; nil: none
	user     *User            // with all claims; nil: nobody
}

// signIn redeems the code of a sign-in that has come back, and begins the session of a user who
// may have one.
func (a *Auth) signIn(w http.ResponseWriter, r *http.Request, resp response, in *signedIn) (err error) {
	t := in.transaction
	attempt := attemptOf(t)
	out := transaction.Outcome{Spent: resp.Code != "" && resp.Error == ""}
	var refreshToken string
	defer func() { // a hook may panic
		if !out.SignedIn {
			a.dropTokens(r.Context(), refreshToken)
		}
		out.LedOn = out.SignedIn || inVain(t, err)
		a.transactions.Settle(r.Context(), t, out)
	}()
	secrets := a.client.Secrets(resp.Code, resp.State, t.Nonce, t.Verifier)
	claims, tokens, err := a.client.Exchange(r.Context(), resp.Response, attempt)
	refreshToken = tokens.Refresh
	if err != nil {
		return withoutSecrets(err, append(secrets, tokens.Access, tokens.Refresh))
	}
	in.user = userOf(claims, a.client.Provider.Issuer(), a.dialect, tokens.Scopes)
	kept, err := a.admission.admit(r.Context(), in.user)
	if err != nil {
		return err
	}
	if a.hooks.OnLogin != nil {
		err = a.hooks.OnLogin(r.Context(),
			LoginEvent{User: in.user, State: t.AppState, ReturnTo: t.ReturnTo, Request: r})
		if err != nil {
			return vetoed(err)
		}
	}
	if in.replaced != nil { // it may have ended meanwhile, by a hook or at another process
		in.replaced, _, err = a.sessions.Read(r, a.now())
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
	if in.replaced == nil {
		_ = a.sessions.Discard(r) // no more than tidy: nobody is signed in by it
	}
	a.transactions.Ended(w, t)
	out.SignedIn = true
	return nil
}

// attemptOf is a sign-in under way as the provider and its ID token know it.
func attemptOf(t *transaction.Transaction) oidc.Attempt {
	attempt := oidc.Attempt{State: t.State, Nonce: t.Nonce, Verifier: t.Verifier, ACR: t.ACR}
	if t.MaxAge != transaction.NoMaxAge {
		attempt.NotBefore = t.Started.Add(-time.Duration(t.MaxAge) * time.Second)
	}
	return attempt
}

// answerCallback sends the browser on to the page that the sign-in was begun for, or says what is
// wrong.
func (a *Auth) answerCallback(w http.ResponseWriter, r *http.Request, in *signedIn, err error) {
	target := a.paths.home
	if in.transaction != nil {
		target = in.transaction.ReturnTo
	}
	if err != nil && !in.again && !inVain(in.transaction, err) {
		e := asError(err, ReasonTokenEndpoint)
		e.ProviderCode = cmp.Or(in.code, e.ProviderCode)
		if in.user != nil {
			e.subject = in.user.Subject
		}
		a.failLogin(w, r, e, target)
		return
	}
	if err == nil {
		a.endSession(r.Context(), in.replaced, LogoutReplaced)
		a.metrics.Login(a.now().Sub(in.transaction.Started))
		a.log.LogAttrs(r.Context(), slog.LevelInfo, "cognate: signed in", slog.String("sub", in.user.Subject))
	}
	if !in.again {
		w.Header().Set("Referrer-Policy", "no-referrer") // the code is in this URL
	}
	redirect(w, target, redirectStatus(r))
}
