package grants

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/cognate-auth/cognate/userpool"
	"github.com/cognate-auth/cognate/userpool/internal/clock"
	"github.com/cognate-auth/cognate/userpool/internal/core"
	"github.com/cognate-auth/cognate/userpool/internal/decision"
	"github.com/cognate-auth/cognate/userpool/internal/records"
	"github.com/cognate-auth/cognate/userpool/internal/triggers"
	"github.com/cognate-auth/cognate/userpool/store"
)

// rotateTries bounds how often a request looks again because others used the same
// token at that moment. Without a grace period the second look ends it.
const rotateTries = 10

// Refresh answers a token request with a refresh token. The token stays valid
// until its own end, or, if the client's are rotated, for the grace period: then
// the answer holds the one to use from now on. Without a grace period one of any
// number of requests with the same token gets a successor, also if several
// processes on one store answer them, and whatever their clocks say. Refusals
// are an [*userpool.Error].
func (g *Grants) Refresh(ctx context.Context, c userpool.Client, token userpool.Secret) (TokenSet, error) {
	if token == "" {
		return TokenSet{}, userpool.InvalidRequest("refresh_token is missing")
	}
	now := g.core.Now()
	g.core.Collect(ctx, now)
	t, err := g.refreshToken(ctx, c, token.Digest())
	if err != nil {
		return TokenSet{}, err
	}
	user, err := g.tokenUser(ctx, c, t.Sub)
	if err != nil {
		return TokenSet{}, err
	}
	// No nonce: a refreshed ID token answers no authorization request (OpenID
	// Connect Core section 12.2).
	tokens, err := g.issue(
		ctx, issuance{client: c, user: user, family: t, source: triggers.SourceTokensRefresh, now: now},
	)
	if err != nil || !c.RefreshTokenRotation.Enabled {
		return tokens, err
	}
	tokens.RefreshToken, err = g.rotate(ctx, c, t)
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
func (g *Grants) refreshToken(ctx context.Context, c userpool.Client, hash string) (records.RefreshToken, error) {
	t, ok, err := g.core.Records.RefreshToken(ctx, hash)
	if err != nil {
		return t, fmt.Errorf("userpool: reading refresh token: %w", err)
	}
	now, reason := g.core.Now(), ""
	switch {
	case !ok:
		reason = decision.RefreshUnknown
	case t.ClientID != c.ID:
		reason = decision.RefreshOfAnotherClient
	case !now.Before(t.ValidUntil):
		reason = decision.RefreshExpired
	case !t.RetryUntil.IsZero() && !clock.InTime(now, t.RetryUntil, userpool.MaxGrace):
		reason = decision.RefreshRotated
		err = g.core.Records.DeleteRefreshToken(ctx, hash)
		if err != nil {
			return t, fmt.Errorf("userpool: removing a rotated refresh token: %w", err)
		}
	default:
		return t, nil
	}
	return t, g.refuseGrant(ctx, c, reason, errGrant)
}

// rotate stores and returns the token that takes t's place. It ends when t would
// have ended (developer guide, page "amazon-cognito-user-pools-using-the-refresh-token").
// A token in its grace gets one more successor and no more grace. Which of several
// requests is first, the store decides by the version of the record; the others
// look at what it left.
func (g *Grants) rotate(ctx context.Context, c userpool.Client, t records.RefreshToken) (userpool.Secret, error) {
	err := store.ErrConflict
	for i := 0; i < rotateTries && errors.Is(err, store.ErrConflict); i++ {
		if i > 0 {
			t, err = g.refreshToken(ctx, c, t.Hash)
			if err != nil {
				return "", err
			}
		}
		fresh, next, old := userpool.NewSecret(), t, t
		next.Hash, next.RetryUntil = fresh.Digest(), time.Time{}
		next.Expires = t.ValidUntil.Add(maxAccessLife)
		if grace := c.RefreshTokenRotation.RetryGracePeriod; grace > 0 && t.RetryUntil.IsZero() {
			old.RetryUntil = g.core.Now().Add(grace)
		}
		err = g.core.Records.RotateRefreshToken(ctx, t, old, next, maxRefreshTokens)
		if err == nil {
			g.core.Audit(ctx, "refresh token rotated", core.ClientAttr(c.ID), core.SubAttr(t.Sub))
			return fresh, nil
		}
	}
	return "", fmt.Errorf("userpool: rotating refresh token: %w", err)
}
