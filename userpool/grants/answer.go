package grants

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/cognate-auth/cognate/userpool"
	"github.com/cognate-auth/cognate/userpool/accounts"
	"github.com/cognate-auth/cognate/userpool/internal/core"
	"github.com/cognate-auth/cognate/userpool/internal/records"
	"github.com/cognate-auth/cognate/userpool/internal/text"
	"github.com/cognate-auth/cognate/userpool/internal/triggers"
)

// Refusal turns an [*userpool.Error] into the answer to the app; other errors stay. What
// a trigger refuses is invalid_request to the app, with the trigger's words. So
// is what the token endpoint calls invalid_grant: here that is no error code
// (RFC 6749 section 4.2.2.1).
func (a *Authorization) Refusal(err error) error {
	e, ok := errors.AsType[*userpool.Error](err)
	if !ok {
		return err
	}
	told := e.ForApp()
	if told.Code == userpool.CodeInvalidGrant {
		told = userpool.Error{Code: userpool.CodeInvalidRequest, Description: userpool.CodeInvalidGrant}
	}
	return a.redirectError(told)
}

func (a *Authorization) redirectError(e userpool.Error) *userpool.RedirectError {
	return &userpool.RedirectError{Err: e, RedirectURI: a.RedirectURI, State: a.State, Fragment: a.implicit}
}

// ServerError is the answer to the app when the pool itself fails.
func (a *Authorization) ServerError() *userpool.RedirectError {
	return a.redirectError(userpool.Error{Code: userpool.CodeServerError})
}

// LoginRequired is the answer to a prompt=none request that needs a person.
func (a *Authorization) LoginRequired() *userpool.RedirectError {
	return a.redirectError(userpool.Error{Code: userpool.CodeLoginRequired})
}

// AuthorizeSilently answers the request from the browser's session, if that may
// be done: it returns the location that takes the person to the app, or ok ==
// false when the person must sign in. With prompt=none that is a
// [*userpool.RedirectError] instead.
func (g *Grants) AuthorizeSilently(
	ctx context.Context, a *Authorization, session userpool.Secret,
) (location string, ok bool, err error) {
	g.noteIgnored(ctx, a)
	s, ok, err := g.sessions.Get(ctx, session)
	if err != nil {
		return "", false, err
	}
	ok = ok && a.accepts(s, g.core.Now())
	if ok {
		ok, err = g.suffices(ctx, a, s)
	}
	switch {
	case err != nil:
		return "", false, err
	case !ok && a.NoPrompt:
		return "", false, a.LoginRequired()
	case !ok:
		return "", false, nil
	}
	location, err = g.Authorize(ctx, a, s)
	return location, err == nil, err
}

// accepts reports whether a session like this one may stand in for a sign-in,
// as far as the request alone can tell. Who asks for an identity provider gets
// no session that came from elsewhere, and no client one that came from where
// nobody can sign in to it.
func (a *Authorization) accepts(s userpool.Session, now time.Time) bool {
	from := s.Provider
	if from == "" {
		from = userpool.ProviderCognito
	}
	return !a.ForceLogin && !a.ProviderMissing && !a.tooOld(s, now) &&
		(a.Provider == "" && a.Client.Supports(from) || a.Provider == from)
}

// suffices reports whether the session's user may still sign in, and whether
// the session is as strong as acr_values ask of this user.
func (g *Grants) suffices(ctx context.Context, a *Authorization, s userpool.Session) (bool, error) {
	u, err := g.users.BySub(ctx, s.Sub)
	if errors.Is(err, accounts.ErrGone) || err == nil && tokenRefusal(u) != "" {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return g.steps.StrongEnough(ctx, a.Request(), s.Methods, u)
}

// tooOld applies max_age (OpenID Connect Core section 3.1.2.1), in the whole
// seconds of auth_time, which the app will compare it with. Zero always asks.
func (a *Authorization) tooOld(s userpool.Session, now time.Time) bool {
	return a.maxAge == 0 || a.maxAge > 0 && now.Unix()-s.AuthTime.Unix() > int64(a.maxAge/time.Second)
}

// Authorize answers the request for the session's user, with a code or, in the
// implicit grant, with tokens, and returns the location that takes it to the
// app. A [*userpool.RedirectError] says why the app gets none.
func (g *Grants) Authorize(ctx context.Context, a *Authorization, s userpool.Session) (location string, err error) {
	now := g.core.Now()
	g.core.Collect(ctx, now)
	if a.implicit {
		return g.authorizeImplicit(ctx, a, s, now)
	}
	code := userpool.Secret(userpool.NewUUID())
	err = g.core.Records.PutCode(ctx, records.Code{
		Hash: code.Digest(), ClientID: a.Client.ID, Sub: s.Sub,
		RedirectURI: a.RedirectURI, RedirectOmitted: a.redirectOmitted,
		Challenge: a.challenge, Nonce: a.Nonce, Scopes: a.Scopes, Resource: a.Resource,
		AuthTime: s.AuthTime, Methods: s.Methods, Expires: now.Add(CodeLifetime),
	}, maxCodes)
	if err != nil {
		return "", fmt.Errorf("userpool: storing code: %w", err)
	}
	g.core.Audit(ctx, "code issued", core.ClientAttr(a.Client.ID), core.SubAttr(s.Sub))
	return text.AppendQuery(a.RedirectURI, text.Query("code", string(code), "state", a.State)), nil
}

// authorizeImplicit issues tokens at once (RFC 6749 section 4.2). There is never
// a refresh token among them: what is stored of the family only lets it be
// revoked, and its token is known to nobody.
func (g *Grants) authorizeImplicit(
	ctx context.Context, a *Authorization, s userpool.Session, now time.Time,
) (string, error) {
	u, err := g.tokenUser(ctx, a.Client, s.Sub)
	if err != nil {
		return "", a.Refusal(err)
	}
	family := records.RefreshToken{
		Hash: userpool.NewSecret().Digest(), ClientID: a.Client.ID, Sub: s.Sub, Scopes: a.Scopes,
		OriginJTI: userpool.NewUUID(),
		AuthTime:  s.AuthTime, Methods: s.Methods, Resource: a.Resource,
		ValidUntil: now, Expires: now.Add(maxAccessLife),
	}
	tokens, err := g.issue(ctx, issuance{
		client: a.Client, user: u, family: family, nonce: a.Nonce, source: triggers.SourceTokensHosted, now: now,
	})
	if err != nil {
		return "", a.Refusal(err)
	}
	err = g.keepFamily(ctx, a.Client, u, family)
	if err != nil {
		return "", a.Refusal(err)
	}
	g.core.Audit(ctx, "tokens issued", core.ClientAttr(a.Client.ID), core.SubAttr(s.Sub))
	return a.RedirectURI + "#" + tokens.fragment(a.State), nil
}

// fragment is the answer of the implicit grant, in Cognito's order.
func (t TokenSet) fragment(state string) string {
	return text.Query("id_token", string(t.IDToken), "access_token", string(t.AccessToken), "token_type", "Bearer",
		"expires_in", strconv.Itoa(int(t.ExpiresIn/time.Second)), "state", state)
}
