package cognate

import (
	"context"
	"encoding/binary"
	"errors"
	"log/slog"
	"time"

	"github.com/cognate-auth/cognate/internal/cookie"
	"github.com/cognate-auth/cognate/internal/oidc"
	"github.com/cognate-auth/cognate/internal/record"
	"github.com/cognate-auth/cognate/internal/seal"
	"github.com/cognate-auth/cognate/internal/session"
	"github.com/cognate-auth/cognate/internal/transaction"
)

// An identity is a [User] as package session sees it, which knows only dates, a subject
// and bytes. It fits into an interface without an allocation.
type identity struct{ user *User }

// userIn returns the user of a session.
func userIn(s *session.Session) *User { return s.Identity.(identity).user }

// Subject returns the user's subject.
func (i identity) Subject() string { return i.user.Subject }

// AuthTime returns the time when the user authenticated.
func (i identity) AuthTime() time.Time { return i.user.AuthTime }

const (
	flagEmailVerified = 1 << 0
	flagTokensDropped = 1 << 1
	knownFlags        = flagEmailVerified | flagTokensDropped
)

// Encode encodes the rest of the user.
func (i identity) Encode(tokensDropped bool) []byte {
	u := i.user
	b := make([]byte, 0, 256)
	for _, f := range []string{u.Username, u.Email, u.Name} {
		b = seal.AppendString(b, f)
	}
	flags := byte(0)
	if u.EmailVerified {
		flags |= flagEmailVerified
	}
	if tokensDropped {
		flags |= flagTokensDropped
	}
	b = append(b, flags)
	b = seal.AppendStrings(seal.AppendStrings(b, u.Groups), u.Scopes)
	b = binary.AppendUvarint(b, uint64(len(u.extra)))
	for _, name := range sortedNames(u.extra) {
		b = seal.AppendString(seal.AppendString(b, name), string(u.extra[name]))
	}
	return b
}

var errIdentity = errors.New("not an encoded identity")

// decodeIdentity is the inverse of Encode, and accepts nothing else. issuer is the same
// for all users of an Auth.
func decodeIdentity(issuer, subject string, authTime time.Time,
	data []byte) (i identity, tokensDropped bool, err error) {
	d := seal.NewDecoder(data)
	u := &User{Issuer: issuer, Subject: subject, AuthTime: authTime}
	for _, f := range []*string{&u.Username, &u.Email, &u.Name} {
		*f = d.String()
	}
	flags := d.Byte()
	u.EmailVerified = flags&flagEmailVerified != 0
	u.Groups, u.Scopes = d.Strings(), d.Strings()
	for n := d.Count(); n > 0 && !d.Bad(); n-- {
		if u.extra == nil {
			u.extra = make(oidc.Claims)
		}
		name := d.String()
		u.extra[name] = []byte(d.String())
	}
	if !d.Done() || flags&^knownFlags != 0 {
		return identity{}, false, errIdentity
	}
	return identity{u}, flags&flagTokensDropped != 0, nil
}

// endSession ends a session that the visitor did not end.
func (a *Auth) endSession(ctx context.Context, s *session.Session, reason LogoutReason) {
	first, err := a.sessions.Close(ctx, s)
	if err != nil {
		a.log.LogAttrs(ctx, slog.LevelError, "cognate: a session could not be ended in the store",
			slog.String("err", err.Error()))
	}
	if first {
		a.notifyEnded(ctx, s.Identity.Subject(), reason)
	}
}

// notifyEnded reports to the metrics and the hook that one or all sessions of a user
// have ended.
func (a *Auth) notifyEnded(ctx context.Context, subject string, reason LogoutReason) {
	a.metrics.Logout(reason)
	if a.hooks.OnLogout != nil {
		a.hooks.OnLogout(ctx, LogoutEvent{Reason: reason, Issuer: a.client.Provider.Issuer(), Subject: subject})
	}
}

// revokeTimeout bounds how long a sign-out or a refusal waits for the provider.
const revokeTimeout = 2 * time.Second

// revokeTokens revokes the refresh token of an ended session at the provider, if
// Config.RevokeOnLogout is set.
func (a *Auth) revokeTokens(ctx context.Context, refreshToken string) {
	if a.revokes {
		a.revoke(ctx, refreshToken, true)
	}
}

// dropTokens revokes a refresh token that will never be used because its sign-in or
// refresh was refused, if the provider has a revocation endpoint.
func (a *Auth) dropTokens(ctx context.Context, refreshToken string) {
	a.revoke(ctx, refreshToken, false)
}

// revoke sends one request to the provider, and waits two seconds at most. It logs a
// failure, and continues if the visitor leaves meanwhile. expected says that a provider
// without a revocation endpoint is a failure, too.
func (a *Auth) revoke(ctx context.Context, refreshToken string, expected bool) {
	if refreshToken == "" {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), revokeTimeout)
	defer cancel()
	err := a.client.Revoke(ctx, refreshToken)
	if err != nil && (expected || !errors.Is(err, oidc.ErrNoRevocation)) {
		a.log.LogAttrs(ctx, slog.LevelWarn, "cognate: the refresh token of an ended session was not revoked",
			errAttr(err))
	}
}

// openSessions sets up the cookies of sign-ins and of sessions, and the store if there
// is one. Their encryption is bound to the provider and the client, so that apps with
// the same keys don't share sessions.
func (a *Auth) openSessions(s *settings) error {
	bound := s.Issuer + "\x00" + s.ClientID
	spec, store := cookie.NewSpec(s.CookieName, s.secure), record.NewStore(s.Session.Store, bound)
	var err error
	a.transactions, err = transaction.New(transaction.Config{
		Keys: seal.KeysOf(s.Keys), Bound: bound, Cookie: spec, Store: store,
		Skew: s.ClockSkew, MaxSkew: maxSkew, RequestTime: oidc.RequestTimeout, ReturnTo: a.paths.target, Now: s.Now,
	})
	if err != nil {
		return err
	}
	a.logoutTokens = usedTokens{store}
	a.sessions, err = session.New(session.Config{
		Keys: seal.KeysOf(s.Keys), Bound: bound, Cookie: spec, Store: store, TokensInCookie: s.Session.TokensInCookie,
		Lifetime: s.Session.Lifetime, IdleTime: s.Session.IdleTimeout, Skew: s.ClockSkew,
		CacheSize:   s.Session.CacheSize,
		RequestTime: oidc.RequestTimeout, Gate: a.client.Gate,
		Decode: func(subject string, authTime time.Time, data []byte) (session.Identity, bool, error) {
			return decodeIdentity(s.Issuer, subject, authTime, data)
		},
		Admits: func(i session.Identity) bool { return a.admission.acceptsEmail(i.(identity).user) },
		Expired: func(ctx context.Context, s *session.Session) {
			a.notifyEnded(ctx, s.Identity.Subject(), LogoutExpired)
		},
		Log: s.Logger, Now: s.Now,
	})
	return err
}
