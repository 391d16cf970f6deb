package userpool

import (
	"context"
	"errors"
	"fmt"
)

// StartSession opens a browser session for the user sub, who has just signed in, and
// closes the one that the browser had before, if any. The id is always new, so
// that nobody can plant one and wait (session fixation). methods are what the
// person has proven, as amr values.
func (p *Pool) StartSession(
	ctx context.Context, sub string, methods []string, previous Secret,
) (id Secret, s Session, err error) {
	return p.openSession(ctx, Session{Sub: sub, Methods: methods}, previous)
}

// StartFederatedSession is StartSession for a user whom an identity provider has
// signed in. providerSession is what [SAML.SignOut] needs to end it there.
func (p *Pool) StartFederatedSession(
	ctx context.Context, sub, provider, providerSession string, previous Secret,
) (id Secret, s Session, err error) {
	s = Session{Sub: sub, Methods: []string{"fed"}, Provider: provider, ProviderSession: providerSession}
	return p.openSession(ctx, s, previous)
}

func (p *Pool) openSession(ctx context.Context, s Session, previous Secret) (id Secret, _ Session, err error) {
	now := p.now()
	p.collect(ctx, now)
	err = p.EndSession(ctx, previous)
	if err != nil {
		return "", Session{}, err
	}
	id = newOpaque()
	s.Hash, s.AuthTime, s.Expires = id.digest(), now, now.Add(SessionLifetime)
	err = p.store.PutSession(ctx, s, maxSessions)
	if err != nil {
		return "", Session{}, fmt.Errorf("userpool: storing session: %w", err)
	}
	return id, s, nil
}

// Session returns the live session with this id. An unknown, expired or empty
// id, or a user who is gone or disabled, is ok == false.
func (p *Pool) Session(ctx context.Context, id Secret) (s Session, ok bool, err error) {
	if id == "" {
		return Session{}, false, nil
	}
	s, ok, err = p.store.Session(ctx, id.digest())
	if err != nil {
		return Session{}, false, fmt.Errorf("userpool: reading session: %w", err)
	}
	if !ok || !inTime(p.now(), s.Expires, SessionLifetime) {
		return Session{}, false, nil
	}
	u, err := p.user(ctx, s.Sub)
	if errors.Is(err, errGone) || u.Disabled {
		return Session{}, false, nil
	}
	return s, err == nil, err
}

// EndSession closes the session with this id. It does not revoke tokens, as
// Cognito's logout does not.
func (p *Pool) EndSession(ctx context.Context, id Secret) error {
	if id == "" {
		return nil
	}
	err := p.store.DeleteSession(ctx, id.digest())
	if err != nil {
		return fmt.Errorf("userpool: ending session: %w", err)
	}
	return nil
}
