package userpool

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/cognate-auth/cognate/userpool/store"
)

const (
	// maxGrace is the longest grace period of a client (API reference,
	// RefreshTokenRotationType).
	maxGrace = time.Minute

	// rotateTries bounds how often a request looks again because others used the
	// same token at that moment. Without a grace period the second look ends it.
	rotateTries = 10
)

// Refresh answers a token request with a refresh token. The token stays valid
// until its own end, or, if the client's are rotated, for the grace period: then
// the answer holds the one to use from now on. Without a grace period one of any
// number of requests with the same token gets a successor, also if several
// processes on one store answer them, and whatever their clocks say. Refusals
// are an [*Error].
func (p *Pool) Refresh(ctx context.Context, c Client, token Secret) (TokenSet, error) {
	if token == "" {
		return TokenSet{}, badRequest("refresh_token is missing")
	}
	now := p.now()
	p.collect(ctx, now)
	t, err := p.refreshToken(ctx, c, token.digest())
	if err != nil {
		return TokenSet{}, err
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
	tokens.RefreshToken, err = p.rotate(ctx, c, t)
	if err != nil {
		return TokenSet{}, err
	}
	return tokens, nil
}

// refreshToken returns the token with this hash, which the client may use now.
// One whose grace is over is removed, so that no clock that is set back, and no
// process whose clock is behind, makes it good again. It may be stolen, or the
// app lost an answer; only the token itself is refused, since Cognito documents
// no more than that.
func (p *Pool) refreshToken(ctx context.Context, c Client, hash string) (RefreshToken, error) {
	t, ok, err := p.store.RefreshToken(ctx, hash)
	if err != nil {
		return t, fmt.Errorf("userpool: reading refresh token: %w", err)
	}
	now, reason := p.now(), ""
	switch {
	case !ok:
		reason = "unknown, revoked or rotated refresh token"
	case t.ClientID != c.ID:
		reason = "the refresh token is another client's"
	case !now.Before(t.ValidUntil):
		reason = "the refresh token is expired"
	case !t.RetryUntil.IsZero() && !inTime(now, t.RetryUntil, maxGrace):
		reason = "the refresh token was rotated, and its grace period is over"
		err = p.store.DeleteRefreshToken(ctx, hash)
		if err != nil {
			return t, fmt.Errorf("userpool: removing a rotated refresh token: %w", err)
		}
	default:
		return t, nil
	}
	return t, p.refuseGrant(ctx, c, reason, errGrant)
}

// rotate stores and returns the token that takes t's place. It ends when t would
// have ended (developer guide, page "amazon-cognito-user-pools-using-the-refresh-token").
// A token in its grace gets one more successor and no more grace. Which of several
// requests is first, the store decides by the version of the record; the others
// look at what it left.
func (p *Pool) rotate(ctx context.Context, c Client, t RefreshToken) (Secret, error) {
	err := store.ErrConflict
	for i := 0; i < rotateTries && errors.Is(err, store.ErrConflict); i++ {
		if i > 0 {
			t, err = p.refreshToken(ctx, c, t.Hash)
			if err != nil {
				return "", err
			}
		}
		fresh, next, old := newOpaque(), t, t
		next.Hash, next.RetryUntil = fresh.digest(), time.Time{}
		next.Expires = t.ValidUntil.Add(maxAccessLife)
		if grace := c.RefreshTokenRotation.RetryGracePeriod; grace > 0 && t.RetryUntil.IsZero() {
			old.RetryUntil = p.now().Add(grace)
		}
		err = p.store.RotateRefreshToken(ctx, t, old, next, maxRefreshTokens)
		if err == nil {
			p.audit(ctx, "refresh token rotated", clientAttr(c.ID), subAttr(t.Sub))
			return fresh, nil
		}
	}
	return "", fmt.Errorf("userpool: rotating refresh token: %w", err)
}
