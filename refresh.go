package cognate

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/cognate-auth/cognate/internal/oidc"
	"github.com/cognate-auth/cognate/internal/refusal"
)

const (
	// refreshAhead is how long before its expiry an access token is refreshed, or a
	// tenth of its life if that is shorter.
	refreshAhead = time.Minute
	// refreshTime bounds a refresh in all: another process's lease, the provider, and
	// saving what it gave.
	refreshTime = 2 * leaseTime
	// gateTime bounds how long a refresh waits before it may begin: for others, or for
	// another process's lease. What is left of refreshTime is enough for it then.
	gateTime = refreshTime - askTime - time.Second
	// refreshPause is how long a session's tokens are left alone after a refresh that
	// failed.
	refreshPause = 3 * time.Second
	// loopTime is how young a session is whose tokens are lost already: another
	// sign-in would end the same way, and so on.
	loopTime = 10 * time.Second
)

var (
	// errRefused marks a refresh that has ended the session.
	errRefused = errors.New("the session has ended")
	// errEnded is a session that somebody else ended in the meantime.
	errEnded = &refusal.Error{Reason: refusal.RefreshRefused, Err: errRefused}
)

// refreshed is what came of a refresh.
type refreshed struct {
	user   *User
	tokens *tokenSet
	// unusable says why the access token must not be used although the refresh token
	// is good: the ID token that came along could not be checked.
	unusable error
	// tooLate is called when the session turns out to have ended meanwhile.
	tooLate func(context.Context)
}

// An asker asks the provider for new tokens. If it refuses, the session has ended and the
// error is errRefused too.
type asker func(ctx context.Context, s *session, old *tokenSet) (*refreshed, error)

// newTokens makes a session's tokens of what the token endpoint gave. What it left out
// stays as it was.
func newTokens(t oidc.Tokens, nonce string, old *tokenSet, now time.Time) *tokenSet {
	out := &tokenSet{access: t.Access, refresh: t.Refresh, id: t.ID, nonce: nonce}
	if old != nil && out.refresh == "" {
		out.refresh = old.refresh
	}
	if old != nil && out.id == "" {
		out.id = old.id
	}
	if !t.Expires.IsZero() {
		out.expires = t.Expires.Truncate(time.Second)
		life := max(out.expires.Sub(now), 0)
		out.refreshAt = out.expires.Add(-min(refreshAhead, life/10)).Truncate(time.Second)
	}
	return out
}

// ask redeems the refresh token, checks what comes back, and asks those who may refuse. A
// refusal ends the session.
func (a *Auth) ask(ctx context.Context, s *session, old *tokenSet) (*refreshed, error) {
	start := a.now()
	got, err := a.redeemRefresh(ctx, s, old)
	problem := err
	if err == nil {
		problem = got.unusable
	}
	if err == nil {
		got.tooLate = func(ctx context.Context) { a.revokeTokens(ctx, got.tokens.refresh) }
		if a.sessions.ended.Has(s.id, a.now()) { // the sign-out revoked the one before
			got.tooLate(ctx)
			return nil, errEnded
		}
	}
	if problem == nil {
		a.metrics.Refresh(a.now().Sub(start), "")
		return got, nil
	}
	reason := asError(problem, ReasonRefreshFailed).Reason
	a.metrics.Refresh(a.now().Sub(start), reason)
	if !reason.endsSession() {
		a.failedRefresh.Put(s.id, a.now())
		a.log.LogAttrs(ctx, slog.LevelWarn, "cognate: the tokens could not be refreshed; the session stays", slog.String("err", problem.Error()))
		return got, err
	}
	a.log.LogAttrs(ctx, slog.LevelInfo, "cognate: the tokens may not be refreshed; the session has ended",
		slog.String("reason", string(reason)), slog.String("sub", s.user.Subject), slog.String("err", err.Error()))
	a.finish(ctx, s, LogoutRefused)
	if got != nil {
		a.dropTokens(ctx, got.tokens.refresh)
	}
	e := refusal.New(refusal.RefreshRefused, "%w: %w", errRefused, err)
	e.ProviderCode = asError(err, reason).ProviderCode
	return nil, e
}

// finish ends a session for a reason that is not the visitor's.
func (a *Auth) finish(ctx context.Context, s *session, reason LogoutReason) {
	first, err := a.sessions.close(ctx, s)
	if err != nil {
		a.log.LogAttrs(ctx, slog.LevelError, "cognate: a session could not be ended in the store", slog.String("err", err.Error()))
	}
	if first {
		a.ended(ctx, s.user.Subject, reason)
	}
}

// ended tells those who want to know.
func (a *Auth) ended(ctx context.Context, subject string, reason LogoutReason) {
	a.metrics.Logout(reason)
	if a.hooks.OnLogout != nil {
		a.hooks.OnLogout(ctx, LogoutEvent{Reason: reason, Issuer: a.client.Provider.Issuer(), Subject: subject})
	}
}

// redeemRefresh asks the token endpoint, with one request, and checks the answer. If that
// ends the session it is returned beside the error: its refresh token is of no more use.
func (a *Auth) redeemRefresh(ctx context.Context, s *session, old *tokenSet) (*refreshed, error) {
	t, err := a.client.Refresh(ctx, old.refresh)
	if err != nil {
		return nil, err
	}
	out := &refreshed{user: s.user, tokens: newTokens(t, old.nonce, old, a.now())}
	out.user, err = a.acceptRefresh(ctx, t, s.user, old)
	err = withoutSecrets(err, a.client.Secrets(old.refresh, t.Refresh, t.Access))
	if err == nil {
		return out, nil
	}
	if asError(err, ReasonVetoed).Reason.endsSession() {
		return out, err
	}
	// Nobody can say for now whether these tokens may be used, but a rotated refresh
	// token can't be had a second time.
	out.user, out.unusable = s.user, refusal.New(refusal.RefreshFailed, "the new tokens can't be checked: %w", err)
	out.tokens.access, out.tokens.id, out.tokens.expires, out.tokens.refreshAt = old.access, old.id, old.expires, a.now()
	return out, nil
}

// acceptRefresh checks what came of a refresh and asks the hook. It returns the user as it
// is now.
func (a *Auth) acceptRefresh(ctx context.Context, t oidc.Tokens, was *User, old *tokenSet) (u *User, err error) {
	now := *was
	if len(t.Scopes) > 0 {
		now.Scopes = t.Scopes
	}
	u = &now
	if t.ID != "" {
		u, err = a.refreshedUser(ctx, t, u, old)
		if err != nil {
			return nil, err
		}
	}
	if a.hooks.OnRefresh != nil {
		err := a.hooks.OnRefresh(ctx, RefreshEvent{User: u, Expires: t.Expires})
		if err != nil && ctx.Err() != nil {
			return nil, refusal.New(refusal.RefreshFailed, "the OnRefresh hook took too long: %w", err)
		}
		if err != nil {
			return nil, vetoed(err)
		}
	}
	return u, nil
}

// refreshedUser checks the ID token of a refresh, and reads the user as it is now.
func (a *Auth) refreshedUser(ctx context.Context, t oidc.Tokens, was *User, old *tokenSet) (*User, error) {
	of := oidc.SignIn{Subject: was.Subject, Nonce: old.nonce, AuthTime: was.AuthTime}
	c, err := a.client.Verifier.VerifyRefreshed(ctx, t.ID, t.Access, of)
	if err != nil {
		return nil, err
	}
	c, err = a.addUserInfo(ctx, c, t.Access)
	if err != nil {
		return nil, err
	}
	if !of.KeepsAuthTime(c) {
		a.warnOfAuthTime(ctx, was)
	}
	u := userOf(c, a.client.Provider.Issuer(), a.dialect, was.Scopes)
	u.AuthTime = was.AuthTime // a refresh proves nobody's presence
	err = a.admit(ctx, u)
	return a.keptClaims.trim(u), err
}

// warnOfAuthTime says that a provider does not keep auth_time through a refresh, as it
// should (OpenID Connect Core 1.0, 12.2). Such a one does so at every refresh: one line a
// minute tells as much.
func (a *Auth) warnOfAuthTime(ctx context.Context, was *User) {
	if a.oddAuthTime.Pass(a.now()) {
		a.log.LogAttrs(ctx, slog.LevelWarn, "cognate: a refreshed ID token has another auth_time than that of the sign-in, "+
			"or one that is no date; the session keeps its own", slog.String("sub", was.Subject))
	}
}

// admit asks the rules of sign-in.
func (a *Auth) admit(ctx context.Context, u *User) error {
	if !a.sessions.admits(u) {
		return refusal.New(refusal.EmailNotVerified, "the provider does not vouch for the e-mail address of subject %.255q", u.Subject)
	}
	if e := checkRules(ctx, a.loginRules, u); e != nil {
		return e
	}
	return nil
}
