package cognate

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"golang.org/x/oauth2"

	"github.com/cognate-auth/cognate/internal/loopback"
	"github.com/cognate-auth/cognate/internal/session"
)

// RequireAccessToken is [Auth.RequireLogin] for pages that call APIs as the user: it
// refreshes the access token if needed before it lets a request through, so that
// [Auth.AccessToken] returns at once. If the provider refuses to refresh the tokens the
// session ends, and the request is answered as if nobody were signed in: a person is
// sent to a sign-in that returns to the page, a script gets 401. If the token has
// expired and the provider can't be reached, the answer is 503 with Retry-After, and
// the session stays.
func (a *Auth) RequireAccessToken(next http.Handler) http.Handler {
	return a.RequireLogin(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, err := a.AccessToken(r.Context())
		if err != nil {
			a.Fail(w, r, err)
			return
		}
		next.ServeHTTP(w, r)
	}))
}

// AccessToken returns the access token of the user who is signed in, for calling APIs
// as that user. ctx is the request's, behind [Auth.RequireLogin], or derived from it. A
// token that expires within the next minute is refreshed first: once for all requests
// of the session, including those of other processes that share a [sessionstore.Store].
// A token whose lifetime the provider did not state is used until the session ends.
//
// The error is an [*Error]; pass it to [Auth.Fail]. Its reasons are
// [ReasonNotSignedIn]; [ReasonNoTokens]; [ReasonRefreshRefused], after which the
// session has ended; [ReasonRefreshFailed], [ReasonProviderDown] and [ReasonStoreDown],
// after which a later call may succeed; and [ReasonResponseStarted].
//
// With Session.TokensInCookie new tokens go into cookies: call AccessToken before the
// answer's header is written, and from the handler's own goroutine. With a Store it may
// be called from any goroutine until ctx ends.
func (a *Auth) AccessToken(ctx context.Context) (string, error) {
	t, err := a.freshTokens(ctx)
	if err != nil {
		return "", err
	}
	return t.Access, nil
}

// TokenSource returns a source of [Auth.AccessToken]'s tokens for one request, for
// packages that need an [oauth2.TokenSource].
func (a *Auth) TokenSource(ctx context.Context) oauth2.TokenSource { return tokenSource{a, ctx} }

type tokenSource struct {
	auth *Auth
	ctx  context.Context //nolint:containedctx // it is what names the session
}

// Token returns the access token, refreshed if needed.
func (s tokenSource) Token() (*oauth2.Token, error) {
	t, err := s.auth.freshTokens(s.ctx)
	if err != nil {
		return nil, err
	}
	return &oauth2.Token{AccessToken: t.Access, TokenType: "Bearer", Expiry: t.Expires}, nil
}

// Client returns an HTTP client that calls APIs as the user who is signed in: it adds
// the access token to every request. ctx is the request's, as for [Auth.AccessToken],
// whose errors the client's errors wrap. A redirect to another host is followed without
// the token. The client sets no time limit; use the contexts of its requests.
func (a *Auth) Client(ctx context.Context) *http.Client {
	return &http.Client{Transport: &bearerTransport{a, ctx}}
}

type bearerTransport struct {
	auth *Auth
	ctx  context.Context //nolint:containedctx // it is what names the session
}

// callContext ends with one API call, and has the session of the incoming request that
// makes the call.
type callContext struct {
	context.Context
	session context.Context //nolint:containedctx // it is what names the session
}

// Value returns the session, or a value of the call's own context.
func (c callContext) Value(key any) any {
	if _, ok := key.(requestKey); ok {
		return c.session.Value(key)
	}
	return c.Context.Value(key)
}

// RoundTrip sends a copy of req with the token.
func (t *bearerTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	if redirectedAway(req) {
		return t.base().RoundTrip(req)
	}
	token, err := t.auth.freshTokens(callContext{req.Context(), t.ctx})
	if err != nil {
		if req.Body != nil {
			_ = req.Body.Close() // a RoundTripper must, also on errors
		}
		return nil, err
	}
	out := req.Clone(req.Context())
	out.Header.Set("Authorization", "Bearer "+token.Access)
	return t.base().RoundTrip(out)
}

// base makes the requests as those to the provider are made.
func (t *bearerTransport) base() loopback.RoundTripper {
	return loopback.RoundTripper{AskResolver: t.auth.bearer.config.InsecureHTTP}
}

// redirectedAway reports whether redirects led the client to another origin than the
// one that the app called.
func redirectedAway(req *http.Request) bool {
	first := req
	for first.Response != nil && first.Response.Request != nil {
		first = first.Response.Request
	}
	return originOf(first.URL) != originOf(req.URL)
}

// Fail answers a request that failed with an error of [Auth.AccessToken], of
// [Auth.VerifyAccessToken] or of a [Rule]. If the session has ended it answers as
// [Auth.RequireLogin] does, with a sign-in or, for a script, with 401, unless the
// session began moments ago: another one would end in the same way. Every other
// [*Error] is answered with the page or JSON of its reason, or by Config.ErrorHandler.
// An error of another type is answered with 500; so is the error of a handler that
// asked for a token outside of RequireLogin although somebody is signed in.
func (a *Auth) Fail(w http.ResponseWriter, r *http.Request, err error) {
	e, ok := errors.AsType[*Error](err)
	switch {
	case !ok:
		e = &Error{Reason: ReasonInternal, Status: http.StatusInternalServerError, Err: err}
	case e.Reason == ReasonNotSignedIn && a.User(r) != nil:
		// A sign-in would lead here again, without end.
		e = &Error{
			Reason: ReasonInternal, Status: http.StatusInternalServerError,
			Err: fmt.Errorf("put RequireLogin in front: %w", err),
		}
	case (e.Reason == ReasonRefreshRefused || e.Reason == ReasonNotSignedIn) && !e.final:
		a.challenge(w, r, true)
		return
	}
	a.fail(w, r, e, a.paths.returnPage(r))
}

// freshTokens returns the tokens of the session that ctx belongs to.
func (a *Auth) freshTokens(ctx context.Context) (*session.Tokens, error) {
	var v *session.Visit
	if c, _ := ctx.Value(requestKey{}).(*requestContext); c != nil && c.auth == a {
		v = &c.visit
	}
	t, err := v.Tokens(ctx, a.refresh)
	if err == nil {
		return t, nil
	}
	e := asError(err, ReasonRefreshFailed)
	// If ErrEnded is not wrapped, the error is ErrEndedElsewhere: somebody signed out.
	refused := errors.Is(err, session.ErrEnded) && e.Err != session.ErrEnded //nolint:errorlint // bare
	if refused && v.JustBegun() {
		e.final = true
		e.Err = fmt.Errorf("the tokens of a sign-in moments ago were refused, as those of another sign-in would be: "+
			"%w", e.Err)
	}
	return nil, e
}
