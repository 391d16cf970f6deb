package userpool

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/cognate-auth/cognate/userpool/internal/text"
)

// Refusal turns an [*Error] into the answer to the app; other errors stay. What
// a trigger refuses is invalid_request to the app, with the trigger's words. So
// is what the token endpoint calls invalid_grant: here that is no error code
// (RFC 6749 section 4.2.2.1).
func (a *Authorization) Refusal(err error) error {
	e, ok := errors.AsType[*Error](err)
	if !ok {
		return err
	}
	told := e.forApp()
	if told.Code == CodeInvalidGrant {
		told = Error{Code: CodeInvalidRequest, Description: CodeInvalidGrant}
	}
	return a.redirectError(told)
}

// forApp replaces the codes of the user-pools API, which mean nothing in OAuth.
func (e *Error) forApp() Error {
	if strings.HasSuffix(e.Code, "Exception") {
		return Error{Code: CodeInvalidRequest, Description: e.Description}
	}
	return *e
}

func (a *Authorization) redirectError(e Error) *RedirectError {
	return &RedirectError{Err: e, RedirectURI: a.RedirectURI, State: a.State, Fragment: a.implicit}
}

// ServerError is the answer to the app when the pool itself fails.
func (a *Authorization) ServerError() *RedirectError {
	return a.redirectError(Error{Code: CodeServerError})
}

// LoginRequired is the answer to a prompt=none request that needs a person.
func (a *Authorization) LoginRequired() *RedirectError {
	return a.redirectError(Error{Code: CodeLoginRequired})
}

// AuthorizeSilently answers the request from the browser's session, if that may
// be done: it returns the location that takes the person to the app, or ok ==
// false when the person must sign in. With prompt=none that is a
// [*RedirectError] instead.
func (p *Pool) AuthorizeSilently(
	ctx context.Context, a *Authorization, session Secret,
) (location string, ok bool, err error) {
	p.noteUnheeded(ctx, a)
	s, ok, err := p.Session(ctx, session)
	if err != nil {
		return "", false, err
	}
	ok = ok && a.accepts(s, p.now())
	if ok {
		ok, err = p.suffices(ctx, a, s)
	}
	switch {
	case err != nil:
		return "", false, err
	case !ok && a.NoPrompt:
		return "", false, a.LoginRequired()
	case !ok:
		return "", false, nil
	}
	location, err = p.Authorize(ctx, a, s)
	return location, err == nil, err
}

// accepts reports whether a session like this one may stand in for a sign-in,
// as far as the request alone can tell. Who asks for an identity provider gets
// no session that came from elsewhere, and no client one that came from where
// nobody can sign in to it.
func (a *Authorization) accepts(s Session, now time.Time) bool {
	from := s.Provider
	if from == "" {
		from = ProviderCognito
	}
	return !a.ForceLogin && !a.ProviderMissing && !a.tooOld(s, now) &&
		(a.Provider == "" && a.Client.Supports(from) || a.Provider == from)
}

// suffices reports whether the session's user may still sign in, and whether
// the session is as strong as acr_values ask of this user.
func (p *Pool) suffices(ctx context.Context, a *Authorization, s Session) (bool, error) {
	u, err := p.user(ctx, s.Sub)
	if errors.Is(err, errGone) || err == nil && tokenRefusal(u) != "" {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return p.strongEnough(ctx, a.Request(), s.Methods, u)
}

// tooOld applies max_age (OpenID Connect Core section 3.1.2.1), in the whole
// seconds of auth_time, which the app will compare it with. Zero always asks.
func (a *Authorization) tooOld(s Session, now time.Time) bool {
	return a.maxAge == 0 || a.maxAge > 0 && now.Unix()-s.AuthTime.Unix() > int64(a.maxAge/time.Second)
}

// Authorize answers the request for the session's user, with a code or, in the
// implicit grant, with tokens, and returns the location that takes it to the
// app. A [*RedirectError] says why the app gets none.
func (p *Pool) Authorize(ctx context.Context, a *Authorization, s Session) (location string, err error) {
	now := p.now()
	p.collect(ctx, now)
	if a.implicit {
		return p.authorizeImplicit(ctx, a, s, now)
	}
	code := Secret(NewUUID())
	err = p.store.PutCode(ctx, Code{
		Hash: code.digest(), ClientID: a.Client.ID, Sub: s.Sub,
		RedirectURI: a.RedirectURI, RedirectOmitted: a.redirectOmitted,
		Challenge: a.challenge, Nonce: a.Nonce, Scopes: a.Scopes, Resource: a.Resource,
		AuthTime: s.AuthTime, Methods: s.Methods, Expires: now.Add(CodeLifetime),
	}, maxCodes)
	if err != nil {
		return "", fmt.Errorf("userpool: storing code: %w", err)
	}
	p.audit(ctx, "code issued", clientAttr(a.Client.ID), subAttr(s.Sub))
	return text.AppendQuery(a.RedirectURI, text.Query("code", string(code), "state", a.State)), nil
}

// authorizeImplicit issues tokens at once (RFC 6749 section 4.2). There is never
// a refresh token among them: what is stored of the family only lets it be
// revoked, and its token is known to nobody.
func (p *Pool) authorizeImplicit(ctx context.Context, a *Authorization, s Session, now time.Time) (string, error) {
	u, err := p.tokenUser(ctx, a.Client, s.Sub)
	if err != nil {
		return "", a.Refusal(err)
	}
	family := RefreshToken{
		Hash: newOpaque().digest(), ClientID: a.Client.ID, Sub: s.Sub, Scopes: a.Scopes, OriginJTI: NewUUID(),
		AuthTime: s.AuthTime, Methods: s.Methods, Resource: a.Resource,
		ValidUntil: now, Expires: now.Add(maxAccessLife),
	}
	tokens, err := p.issue(ctx, issuance{
		client: a.Client, user: u, family: family, nonce: a.Nonce, source: sourceTokensHosted, now: now,
	})
	if err != nil {
		return "", a.Refusal(err)
	}
	err = p.keepFamily(ctx, a.Client, u, family)
	if err != nil {
		return "", a.Refusal(err)
	}
	p.audit(ctx, "tokens issued", clientAttr(a.Client.ID), subAttr(s.Sub))
	return a.RedirectURI + "#" + tokens.fragment(a.State), nil
}

// fragment is the answer of the implicit grant, in Cognito's order.
func (t TokenSet) fragment(state string) string {
	return text.Query("id_token", string(t.IDToken), "access_token", string(t.AccessToken), "token_type", "Bearer",
		"expires_in", strconv.Itoa(int(t.ExpiresIn/time.Second)), "state", state)
}
