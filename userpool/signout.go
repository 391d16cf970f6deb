package userpool

import (
	"context"
	"errors"
	"fmt"
)

// GlobalSignOut ends everything that was issued for the user: refresh tokens,
// codes that are under way, and access tokens as far as the pool is asked. The
// browser's session goes on, as it does with AdminUserGlobalSignOut (developer
// guide, page "amazon-cognito-user-pools-using-the-refresh-token"). A user who
// is not there is no error.
func (p *Pool) GlobalSignOut(ctx context.Context, sub string) error {
	const tries = 10
	err := ErrConflict
	for i := 0; i < tries && errors.Is(err, ErrConflict); i++ {
		err = p.signOut(ctx, sub)
	}
	if err != nil {
		return fmt.Errorf("userpool: signing out everywhere: %w", err)
	}
	p.audit(ctx, "signed out everywhere", subAttr(sub))
	return nil
}

// signOut is one try; it returns ErrConflict when the user changed meanwhile.
func (p *Pool) signOut(ctx context.Context, sub string) error {
	u, err := p.user(ctx, sub)
	if errors.Is(err, errGone) {
		return nil
	}
	if err != nil {
		return err
	}
	u.SignedOut = p.now()
	return p.store.SignOut(ctx, p.id, u)
}

// SignOut stores u, if its Version is still that of the store, and removes its
// tokens and codes.
func (s records) SignOut(ctx context.Context, pool string, u User) error {
	return s.store.Apply(ctx, pool,
		Change{Op: Update, Record: userRecord(u)},
		Change{Op: DeleteOwned, Record: Record{Kind: kindRefresh, Owner: u.Sub}},
		Change{Op: DeleteOwned, Record: Record{Kind: kindCode, Owner: u.Sub}})
}
