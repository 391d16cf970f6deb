package grants

import (
	"context"
	"errors"
	"fmt"

	"github.com/cognate-auth/cognate/userpool"
	"github.com/cognate-auth/cognate/userpool/accounts"
	"github.com/cognate-auth/cognate/userpool/internal/clock"
	"github.com/cognate-auth/cognate/userpool/internal/core"
	"github.com/cognate-auth/cognate/userpool/signin"
)

// Sessions are the browsers that are signed in.
type Sessions struct {
	core  *core.Core
	users *accounts.Users
}

// Start opens a browser session for the user sub, who has just signed in, and
// closes the one that the browser had before, if any. The id is always new, so
// that nobody can plant one and wait (session fixation). methods are what the
// person has proven, as amr values.
func (ss *Sessions) Start(
	ctx context.Context, sub string, methods []string, previous userpool.Secret,
) (id userpool.Secret, s userpool.Session, err error) {
	return ss.open(ctx, userpool.Session{Sub: sub, Methods: methods}, previous)
}

// StartFederated is Start for a user whom an identity provider has
// signed in. providerSession is what [userpool.SAML.SignOut] needs to end it there.
func (ss *Sessions) StartFederated(
	ctx context.Context, sub, provider, providerSession string, previous userpool.Secret,
) (id userpool.Secret, s userpool.Session, err error) {
	return ss.open(ctx, userpool.Session{
		Sub: sub, Methods: []string{signin.MethodFederated}, Provider: provider, ProviderSession: providerSession,
	}, previous)
}

func (ss *Sessions) open(
	ctx context.Context, s userpool.Session, previous userpool.Secret,
) (id userpool.Secret, _ userpool.Session, err error) {
	now := ss.core.Now()
	ss.core.Collect(ctx, now)
	err = ss.End(ctx, previous)
	if err != nil {
		return "", userpool.Session{}, err
	}
	id = userpool.NewSecret()
	s.Hash, s.AuthTime, s.Expires = id.Digest(), now, now.Add(SessionLifetime)
	err = ss.core.Records.PutSession(ctx, s, maxSessions)
	if err != nil {
		return "", userpool.Session{}, fmt.Errorf("userpool: storing session: %w", err)
	}
	return id, s, nil
}

// Get returns the live session with this id. An unknown, expired or empty
// id, or a user who is gone or disabled, is ok == false.
func (ss *Sessions) Get(ctx context.Context, id userpool.Secret) (s userpool.Session, ok bool, err error) {
	if id == "" {
		return userpool.Session{}, false, nil
	}
	s, ok, err = ss.core.Records.Session(ctx, id.Digest())
	if err != nil {
		return userpool.Session{}, false, fmt.Errorf("userpool: reading session: %w", err)
	}
	if !ok || !clock.InTime(ss.core.Now(), s.Expires, SessionLifetime) {
		return userpool.Session{}, false, nil
	}
	u, err := ss.users.BySub(ctx, s.Sub)
	if errors.Is(err, accounts.ErrGone) || u.Disabled {
		return userpool.Session{}, false, nil
	}
	return s, err == nil, err
}

// End closes the session with this id. It does not revoke tokens, as
// Cognito's logout does not.
func (ss *Sessions) End(ctx context.Context, id userpool.Secret) error {
	if id == "" {
		return nil
	}
	err := ss.core.Records.DeleteSession(ctx, id.Digest())
	if err != nil {
		return fmt.Errorf("userpool: ending session: %w", err)
	}
	return nil
}
