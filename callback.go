package cognate

import (
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

// callback answers the redirect URL: it ends the sign-in that state belongs to.
func (a *Auth) callback(w http.ResponseWriter, r *http.Request) {
	resp, err := readResponse(w, r)
	if err != nil {
		a.failLogin(w, r, asError(err, ReasonMalformedCallback), a.targetOf(a.transactions.Open(resp.State)))
		return
	}
	if r.Method == http.MethodPost && !resp.again && a.transactions.Awaits(r, resp.State) {
		a.sendAgain(w, resp)
		return
	}
	t, err := a.transactions.Finish(w, r, resp.State)
	target := a.targetOf(t)
	if err != nil {
		e := asError(err, ReasonState)
		if a.User(r) != nil || e.Reason == ReasonReplay && a.transactions.LedOn(r.Context(), t) {
			// The back button, or the second click of two. Nothing is done with the request.
			redirect(w, target, redirectStatus(r))
			return
		}
		e.ProviderCode = a.client.ErrorCode(resp.Error, resp.Code, resp.State)
		a.failLogin(w, r, e, target)
		return
	}
	if a.hooks.OnCallback != nil {
		a.hooks.OnCallback(r.Context(), r)
	}
	// A second click ends the first one's request. Its code is spent by then.
	r = r.WithContext(context.WithoutCancel(r.Context()))
	came := transaction.Outcome{Spent: resp.Code != "" && resp.Error == ""}
	defer func() { a.transactions.Settle(r.Context(), t, came) }()
	got, err := a.redeem(r.Context(), resp, t)
	if err == nil {
		err = a.signIn(w, r, t, got)
		if err != nil {
			a.dropTokens(r.Context(), got.tokens.Refresh)
		}
	}
	came.SignedIn, came.LedOn = err == nil, err == nil || inVain(t, err)
	if !came.LedOn {
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
func (a *Auth) targetOf(t *transaction.Transaction) string {
	if t == nil {
		return a.homePath
	}
	return a.returnTarget(t.ReturnTo)
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
	tokens *session.Tokens
}

// redeem turns the response to a transaction into a user, or says what is wrong.
func (a *Auth) redeem(ctx context.Context, resp response, t *transaction.Transaction) (got *redeemed, err error) {
	secrets := a.client.Secrets(resp.Code, resp.State, t.Nonce, t.Verifier)
	claims, tokens, err := a.client.Exchange(ctx, resp.Response, attemptOf(t))
	if err == nil {
		got, err = a.identify(ctx, claims, tokens, t.Nonce)
	}
	if err != nil {
		a.dropTokens(ctx, tokens.Refresh)
	}
	return got, withoutSecrets(err, append(secrets, tokens.Access, tokens.Refresh))
}

// attemptOf is a sign-in under way as the provider and its ID token know it.
func attemptOf(t *transaction.Transaction) oidc.Attempt {
	attempt := oidc.Attempt{State: t.State, Nonce: t.Nonce, Verifier: t.Verifier, ACR: t.ACR}
	if t.MaxAge != transaction.NoMaxAge {
		attempt.NotBefore = t.Started.Add(-time.Duration(t.MaxAge) * time.Second)
	}
	return attempt
}

// identify reads the user out of the claims of the ID token and, if it is to be asked, of
// userInfo.
func (a *Auth) identify(ctx context.Context, c oidc.Claims, tokens oidc.Tokens, nonce string) (*redeemed, error) {
	c, err := a.addUserInfo(ctx, c, tokens.Access)
	if err != nil {
		return nil, err
	}
	u := userOf(c, a.client.Provider.Issuer(), a.dialect, tokens.Scopes)
	return &redeemed{u, c.Text("sid"), sessionTokens(tokens, nonce, nil, a.now())}, nil
}

// signIn begins the session of a user who may have one.
func (a *Auth) signIn(w http.ResponseWriter, r *http.Request, t *transaction.Transaction, got *redeemed) error {
	err := a.admit(r.Context(), got.user)
	if err != nil {
		return err
	}
	if a.hooks.OnLogin != nil {
		err := a.hooks.OnLogin(r.Context(), LoginEvent{User: got.user, State: t.AppState, ReturnTo: a.returnTarget(t.ReturnTo), Request: r})
		if err != nil {
			return vetoed(err)
		}
	}
	old, _, err := a.sessions.Read(r, a.now())
	if err != nil {
		return err
	}
	if a.transactions.Abandoned(t) {
		return refusal.New(refusal.State, "this browser signed out while the sign-in was under way")
	}
	err = a.sessions.Begin(w, r, a.sessions.Create(identity{a.keptClaims.trim(got.user)}, got.sid), got.tokens)
	if err != nil {
		return err
	}
	if old != nil { // it was this browser's until now
		a.endSession(r.Context(), old, LogoutReplaced)
	} else {
		_ = a.sessions.Discard(r) // no more than tidy: nobody is signed in by it
	}
	a.transactions.Ended(w, t)
	a.metrics.Login(a.now().Sub(t.Started))
	a.log.LogAttrs(r.Context(), slog.LevelInfo, "cognate: signed in", slog.String("sub", got.user.Subject))
	return nil
}
