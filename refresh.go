package cognate

import (
	"context"
	"log/slog"

	"github.com/cognate-auth/cognate/internal/oidc"
	"github.com/cognate-auth/cognate/internal/refusal"
	"github.com/cognate-auth/cognate/internal/session"
)

// refresh redeems the refresh token, checks what comes back, and asks those who may refuse. A
// refusal ends the session, and so it ends one that has nothing to redeem.
func (a *Auth) refresh(ctx context.Context, s *session.Session, old *session.Tokens) (*session.Refreshed, error) {
	if old == nil || old.Refresh == "" {
		a.endSession(ctx, s, LogoutRefused)
		return nil, nothingToRedeem(a.sessions.JustBegun(s), old)
	}
	start := a.now()
	got, err := a.redeemRefresh(ctx, s, old)
	problem := err
	if err == nil {
		problem = got.Unusable
	}
	if err == nil {
		got.TooLate = func(ctx context.Context) { a.revokeTokens(ctx, got.Tokens.Refresh) }
		if a.sessions.Ended(s) { // the sign-out revoked the one before
			got.TooLate(ctx)
			return nil, session.ErrEndedElsewhere
		}
	}
	if problem == nil {
		a.metrics.Refresh(a.now().Sub(start), "")
		return got, nil
	}
	reason := asError(problem, ReasonRefreshFailed).Reason
	a.metrics.Refresh(a.now().Sub(start), reason)
	if !reason.endsSession() {
		a.sessions.PauseRefreshes(s)
		a.log.LogAttrs(ctx, slog.LevelWarn, "cognate: the tokens could not be refreshed; the session stays",
			slog.String("err", problem.Error()))
		return got, err
	}
	a.log.LogAttrs(ctx, slog.LevelInfo, "cognate: the tokens may not be refreshed; the session has ended",
		slog.String("reason", string(reason)), slog.String("sub", s.Identity.Subject()),
		slog.String("err", err.Error()))
	a.endSession(ctx, s, LogoutRefused)
	if got != nil {
		a.dropTokens(ctx, got.Tokens.Refresh)
	}
	e := refusal.New(refusal.RefreshRefused, "%w: %w", session.ErrEnded, err)
	e.ProviderCode = asError(err, reason).ProviderCode
	return nil, e
}

// nothingToRedeem is the refusal of a session whose tokens are lost, or have expired without a
// refresh token. Another sign-in leads out of it, unless this one's was moments ago.
func nothingToRedeem(justBegun bool, old *session.Tokens) error {
	switch {
	case !justBegun:
		return session.ErrEndedElsewhere
	case old == nil:
		return refusal.New(refusal.NoTokens, "the tokens of a sign-in moments ago are lost: "+
			"does the browser take all cookies of the session?")
	}
	return refusal.New(refusal.NoTokens, "the access token of a sign-in moments ago has expired, "+
		"and the provider gave no refresh token with it")
}

// redeemRefresh asks the token endpoint, with one request, and checks the answer. If that
// ends the session it is returned beside the error: its refresh token is of no more use.
func (a *Auth) redeemRefresh(ctx context.Context, s *session.Session, old *session.Tokens) (*session.Refreshed, error) {
	t, err := a.client.Refresh(ctx, old.Refresh)
	if err != nil {
		return nil, err
	}
	out := &session.Refreshed{Identity: s.Identity, Tokens: session.NewTokens(session.Tokens{
		Access: t.Access, Refresh: t.Refresh, ID: t.ID, Nonce: old.Nonce, Expires: t.Expires,
	}, old, a.now())}
	now, err := a.acceptRefresh(ctx, t, userIn(s), old)
	err = withoutSecrets(err, a.client.Secrets(old.Refresh, t.Refresh, t.Access))
	if err == nil {
		out.Identity = identity{now}
		return out, nil
	}
	if asError(err, ReasonVetoed).Reason.endsSession() {
		return out, err
	}
	// Nobody can say for now whether these tokens may be used, but a rotated refresh
	// token can't be had a second time.
	out.Unusable = refusal.New(refusal.RefreshFailed, "the new tokens can't be checked: %w", err)
	out.Tokens.Access, out.Tokens.ID, out.Tokens.Expires, out.Tokens.RefreshAt = old.Access, old.ID,
		old.Expires, a.now()
	return out, nil
}

// acceptRefresh checks what came of a refresh and asks the hook. It returns the user as it
// is now.
func (a *Auth) acceptRefresh(ctx context.Context, t oidc.Tokens, was *User, old *session.Tokens) (u *User, err error) {
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
func (a *Auth) refreshedUser(ctx context.Context, t oidc.Tokens, was *User, old *session.Tokens) (*User, error) {
	of := oidc.SignIn{Subject: was.Subject, Nonce: old.Nonce, AuthTime: was.AuthTime}
	c, err := a.client.VerifyRefreshed(ctx, t, of)
	if err != nil {
		return nil, err
	}
	if !of.KeepsAuthTime(c) {
		a.warnOfAuthTime(ctx, was)
	}
	u := userOf(c, a.client.Provider.Issuer(), a.dialect, was.Scopes)
	u.AuthTime = was.AuthTime // a refresh proves nobody's presence
	return a.admission.admit(ctx, u)
}

// warnOfAuthTime says that a provider does not keep auth_time through a refresh, as it
// should (OpenID Connect Core 1.0, 12.2). Such a one does so at every refresh: one line a
// minute tells as much.
func (a *Auth) warnOfAuthTime(ctx context.Context, was *User) {
	if a.oddAuthTime.Pass(a.now()) {
		a.log.LogAttrs(ctx, slog.LevelWarn,
			"cognate: a refreshed ID token has another auth_time than that of the sign-in, "+
				"or one that is no date; the session keeps its own", slog.String("sub", was.Subject))
	}
}
