package userpool

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Refresh answers a token request with a refresh token. The token stays valid
// until its own end, or, if the client's are rotated, for the grace period: then
// the answer holds the one to use from now on. Refusals are an [*Error].
func (p *Pool) Refresh(ctx context.Context, c Client, token Secret) (TokenSet, error) {
	if token == "" {
		return TokenSet{}, badRequest("refresh_token is missing")
	}
	now := p.now()
	p.collect(ctx, now)
	// A token changes twice at most: when it is rotated, and when it goes.
	const tries = 3
	var tokens TokenSet
	err := ErrConflict
	for i := 0; i < tries && errors.Is(err, ErrConflict); i++ {
		tokens, err = p.refresh(ctx, c, token.digest(), now)
	}
	return tokens, err
}

// refresh is one try; it returns ErrConflict when the token changed meanwhile.
func (p *Pool) refresh(ctx context.Context, c Client, hash string, now time.Time) (TokenSet, error) {
	t, ok, err := p.store.RefreshToken(ctx, p.id, hash)
	if err != nil {
		return TokenSet{}, fmt.Errorf("userpool: reading refresh token: %w", err)
	}
	if !ok {
		return TokenSet{}, p.refuseGrant(ctx, c, "unknown, revoked or rotated refresh token", errGrant)
	}
	if reason := t.refusal(c, now); reason != "" {
		return TokenSet{}, p.refuseGrant(ctx, c, reason, errGrant)
	}
	user, err := p.tokenUser(ctx, c, t.Sub)
	if err != nil {
		return TokenSet{}, err
	}
	// No nonce: a refreshed ID token answers no authorization request (OpenID
	// Connect Core section 12.2).
	tokens, err := p.issue(ctx, issuance{client: c, user: user, family: t, source: sourceTokensRefresh, now: now})
	if err != nil || !c.RefreshTokenRotation.Enabled {
		return tokens, err
	}
	tokens.RefreshToken, err = p.rotate(ctx, c, t, now)
	if err != nil {
		return TokenSet{}, err
	}
	return tokens, nil
}

// refusal says why this client may not use the token any more, or nothing. A
// token that comes back after its grace may be stolen, or the app lost an answer;
// only it is refused, since Cognito documents no more than that.
func (t RefreshToken) refusal(c Client, now time.Time) string {
	switch {
	case t.ClientID != c.ID:
		return "the refresh token is another client's"
	case !now.Before(t.ValidUntil):
		return "the refresh token is expired"
	case !t.RetryUntil.IsZero() && !now.Before(t.RetryUntil):
		return "the refresh token was rotated, and its grace period is over"
	}
	return ""
}

// rotate stores and returns the token that takes t's place. It ends when t would
// have ended (developer guide, page "amazon-cognito-user-pools-using-the-refresh-token").
// A token in its grace gets one more successor and no more grace.
func (p *Pool) rotate(ctx context.Context, c Client, t RefreshToken, now time.Time) (Secret, error) {
	until := t.RetryUntil
	if until.IsZero() {
		until = now.Add(c.RefreshTokenRotation.RetryGracePeriod)
	}
	fresh, next := newOpaque(), t
	next.Hash, next.RetryUntil = fresh.digest(), time.Time{}
	next.Expires = t.ValidUntil.Add(maxAccessLife)
	err := p.store.RotateRefreshToken(ctx, p.id, t, until, next, maxRefreshTokens)
	if err != nil {
		return "", fmt.Errorf("userpool: rotating refresh token: %w", err)
	}
	p.audit(ctx, "refresh token rotated", clientAttr(c.ID), subAttr(t.Sub))
	return fresh, nil
}
