package cognate

import (
	"context"
	"log/slog"

	"github.com/cognate-auth/cognate/internal/oidc"
	"github.com/cognate-auth/cognate/internal/refusal"
	"github.com/cognate-auth/cognate/internal/session"
)

// refresh exchanges the refresh token for new tokens, and checks them with the rules
// and the hook. If any of them refuses, or if there is no refresh token, it ends the
// session.
func (a *Auth) refresh(ctx context.Context, s *session.Session, old *session.Tokens) (*session.Refreshed, error) {
	if old == nil || old.Refresh == "" {
		a.endSession(ctx, s, LogoutRefused)
		return nil, noRefreshToken(a.sessions.JustBegun(s), old)
	}
	start := a.now()
	got, err := a.redeemRefresh(ctx, s, old)
	problem := err
	if err == nil {
		problem = got.Unusable
	}
	if err == nil {
		got.TooLate = func(ctx context.Context) { a.revokeTokens(ctx, got.Tokens.Refresh) }
		if a.sessions.Ended(s) { // the sign-out revoked only the old refresh token
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
	a.log.LogAttrs(ctx, slog.LevelInfo, "cognate: refreshing the tokens was refused; the session has ended",
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

// noRefreshToken returns the refusal for a session whose tokens are lost, or have
// expired without a refresh token. A new sign-in helps, unless the session began
// moments ago.
func noRefreshToken(justBegun bool, old *session.Tokens) error {
	switch {
	case !justBegun:
		return session.ErrEndedElsewhere
	case old == nil:
		return refusal.New(refusal.NoTokens, "the tokens of a sign-in moments ago are lost: "+
			"check that the browser keeps all cookies of the session")
	}
	return refusal.New(refusal.NoTokens, "the access token of a sign-in moments ago has expired, "+
		"and the provider gave no refresh token with it")
}

// redeemRefresh sends one request to the token endpoint, and checks the answer. If the
// error ends the session it also returns the new tokens, so that their refresh token
// can be revoked.
func (a *Auth) redeemRefresh(ctx context.Context, s *session.Session, old *session.Tokens) (*session.Refreshed, error) {
	t, err := a.client.Refresh(ctx, old.Refresh)
	if err != nil {
		return nil, err
	}
	now := a.now()
	user, err := a.acceptRefresh(ctx, t, userIn(s), old.Nonce)
	err = withoutSecrets(err, a.client.Secrets(old.Refresh, t.Refresh, t.Access))
	out := &session.Refreshed{Identity: s.Identity, Tokens: session.NewTokens(session.Tokens{
		Access: t.Access, Refresh: t.Refresh, ID: t.ID, Nonce: old.Nonce, Expires: t.Expires,
	}, old, now)}
	if err == nil {
		out.Identity = identity{user}
		return out, nil
	}
	if asError(err, ReasonVetoed).Reason.endsSession() {
		return out, err
	}
	// These tokens can't be checked now, but must be kept: the provider sends a rotated
	// refresh token only once.
	out.Unusable = refusal.New(refusal.RefreshFailed, "the new tokens can't be checked: %w", err)
	out.Tokens.Access, out.Tokens.ID, out.Tokens.Expires, out.Tokens.RefreshAt = old.Access, old.ID,
		old.Expires, a.now()
	return out, nil
}

// acceptRefresh checks the new tokens of a refresh and calls the hook. It returns the
// updated user.
func (a *Auth) acceptRefresh(ctx context.Context, t oidc.Tokens, old *User, nonce string) (u *User, err error) {
	updated := *old
	if len(t.Scopes) > 0 {
		updated.Scopes = t.Scopes
	}
	u = &updated
	if t.ID != "" {
		u, err = a.refreshedUser(ctx, t, u, nonce)
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

// refreshedUser checks the ID token of a refresh, and reads the updated user from it.
func (a *Auth) refreshedUser(ctx context.Context, t oidc.Tokens, old *User, nonce string) (*User, error) {
	signIn := oidc.SignIn{Subject: old.Subject, Nonce: nonce, AuthTime: old.AuthTime}
	c, err := a.client.VerifyRefreshed(ctx, t, signIn)
	if err != nil {
		return nil, err
	}
	if !signIn.KeepsAuthTime(c) {
		a.warnOfAuthTime(ctx, old.Subject)
	}
	u := userOf(c, a.client.Provider.Issuer(), a.dialect, old.Scopes)
	u.AuthTime = old.AuthTime // a refresh does not authenticate the person again
	return a.admission.admit(ctx, u)
}

// warnOfAuthTime logs that a provider changes auth_time in a refresh, which it should
// not (OpenID Connect Core 1.0, 12.2). Such a provider does so at every refresh, so the
// line is written at most once a minute.
func (a *Auth) warnOfAuthTime(ctx context.Context, subject string) {
	if a.authTimeWarnings.Pass(a.now()) {
		a.log.LogAttrs(ctx, slog.LevelWarn,
			"cognate: a refreshed ID token has another auth_time than that of the sign-in, "+
				"or one that is not a date; the session keeps its own", slog.String("sub", subject))
	}
}
