package cognate

import (
	"context"
	"log/slog"

	"github.com/cognate-auth/cognate/internal/session"
)

// endSession ends a session for a reason that is not the visitor's.
func (a *Auth) endSession(ctx context.Context, s *session.Session, reason LogoutReason) {
	first, err := a.sessions.Close(ctx, s)
	if err != nil {
		a.log.LogAttrs(ctx, slog.LevelError, "cognate: a session could not be ended in the store", slog.String("err", err.Error()))
	}
	if first {
		a.notifyEnded(ctx, s.Identity.Subject(), reason)
	}
}

// notifyEnded tells those who want to know that a session, or all of a user's, has ended.
func (a *Auth) notifyEnded(ctx context.Context, subject string, reason LogoutReason) {
	a.metrics.Logout(reason)
	if a.hooks.OnLogout != nil {
		a.hooks.OnLogout(ctx, LogoutEvent{Reason: reason, Issuer: a.client.Provider.Issuer(), Subject: subject})
	}
}
