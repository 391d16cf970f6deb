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

// RequireAccessToken is [Auth.RequireLogin] for pages that call APIs as the user: it lets a
// request through with an access token that is fresh, so that [Auth.AccessToken] answers at
// once. If the provider refuses to refresh the tokens the session ends, and the request is
// answered as if nobody were signed in: a page leads to a sign-in that comes back to it, a
// script gets 401. If the provider can't be reached, and the token has expired, the answer
// is 503 with Retry-After, and the session stays.
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

// AccessToken returns the access token of the user who is signed in, for calling APIs as
// that user. ctx is the request's, behind [Auth.RequireLogin], or one made of it. A token
// that expires within the next minute is refreshed first: once for all requests of the
// session, also of other processes if they share a [sessionstore.Store]. A token whose life the
// provider did not state is used until the session ends.
//
// The error is an [*Error]; give it to [Auth.Fail]. Its reasons are
// [ReasonNotSignedIn]; [ReasonNoTokens]; [ReasonRefreshRefused], after which the session has
// ended; [ReasonRefreshFailed], [ReasonProviderDown] and [ReasonStoreDown], after which a
// later call may go well; and [ReasonResponseStarted].
//
// With Session.TokensInCookie new tokens go into cookies. Call it then before the answer's
// header is written, and from the handler's own goroutine. With a Store it may be called
// from any goroutine, for as long as ctx lives.
func (a *Auth) AccessToken(ctx context.Context) (string, error) {
	t, err := a.freshTokens(ctx)
	if err != nil {
		return "", err
	}
	return t.Access, nil
}

// TokenSource returns the source of [Auth.AccessToken]'s tokens for one request, for
// packages that want an [oauth2.TokenSource].
func (a *Auth) TokenSource(ctx context.Context) oauth2.TokenSource { return tokenSource{a, ctx} }

type tokenSource struct {
	auth *Auth
	ctx  context.Context //nolint:containedctx // it is what names the session
}

// Token returns the access token as it is now.
func (s tokenSource) Token() (*oauth2.Token, error) {
	t, err := s.auth.freshTokens(s.ctx)
	if err != nil {
		return nil, err
	}
	return &oauth2.Token{AccessToken: t.Access, TokenType: "Bearer", Expiry: t.Expires}, nil
}

// Client returns an HTTP client that calls APIs as the user who is signed in: every request
// gets the access token. ctx is the request's, as for [Auth.AccessToken], whose errors
// come back inside of the client's. A redirect to another host is followed without the
// token. Requests have no time limit but their own context's.
func (a *Auth) Client(ctx context.Context) *http.Client {
	return &http.Client{Transport: &bearerTransport{a, ctx}}
}

type bearerTransport struct {
	auth *Auth
	ctx  context.Context //nolint:containedctx // it is what names the session
}

// callContext lives as long as one call of an API, and has the session of the request that
// makes it.
type callContext struct {
	context.Context
	session context.Context //nolint:containedctx // it is what names the session
}

// Value returns the session, or what the call's own context holds.
func (c callContext) Value(key any) any {
	if _, ok := key.(requestKey); ok {
		return c.session.Value(key)
	}
	return c.Context.Value(key)
}

// RoundTrip sends a copy of req with the token.
func (t *bearerTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	if redirectedAway(req) {
		return loopback.RoundTripper{}.RoundTrip(req)
	}
	token, err := t.auth.freshTokens(callContext{req.Context(), t.ctx})
	if err != nil {
		if req.Body != nil {
			_ = req.Body.Close() // a RoundTripper always does
		}
		return nil, err
	}
	out := req.Clone(req.Context())
	out.Header.Set("Authorization", "Bearer "+token.Access)
	return loopback.RoundTripper{}.RoundTrip(out)
}

// redirectedAway reports whether some answer sent the client to another place than the one
// the app asked for.
func redirectedAway(req *http.Request) bool {
	first := req
	for first.Response != nil && first.Response.Request != nil {
		first = first.Response.Request
	}
	return originOf(first.URL) != originOf(req.URL)
}

// Fail answers a request that failed with an error of [Auth.AccessToken], of
// [Auth.VerifyAccessToken] or of a [Rule]: a session that has ended leads to a sign-in or,
// for a script, to 401, as [Auth.RequireLogin] would, unless it began moments ago, so that
// another would end the same way; everything else leads to the page or JSON of its reason,
// or to Config.ErrorHandler. An error that is no [*Error] is 500, and so is
// a handler that asks for a token outside of RequireLogin although somebody is signed in.
func (a *Auth) Fail(w http.ResponseWriter, r *http.Request, err error) {
	e, ok := errors.AsType[*Error](err)
	switch {
	case !ok:
		e = &Error{Reason: ReasonInternal, Status: http.StatusInternalServerError, Err: err}
	case e.Reason == ReasonNotSignedIn && a.User(r) != nil:
		// Signing in would lead here again, and so on.
		e = &Error{
			Reason: ReasonInternal, Status: http.StatusInternalServerError,
			Err: fmt.Errorf("put RequireLogin in front: %w", err),
		}
	case (e.Reason == ReasonRefreshRefused || e.Reason == ReasonNotSignedIn) && !e.final:
		a.challenge(w, r, true)
		return
	}
	a.fail(w, r, e, a.paths.wanted(r))
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
	// ErrEndedElsewhere alone has ErrEnded bare: somebody signed out.
	refused := errors.Is(err, session.ErrEnded) && e.Err != session.ErrEnded //nolint:errorlint // bare
	if refused && v.JustBegun() {
		e.final = true
		e.Err = fmt.Errorf("the tokens of a sign-in moments ago were refused, as those of another sign-in would be: "+
			"%w", e.Err)
	}
	return nil, e
}
