package userpool

import (
	"context"

	"github.com/cognate-auth/cognate/userpool/store"
)

// GlobalSignOut ends everything that was issued for a user, who is named by sub,
// user name or alias: refresh tokens, codes that are under way, and access
// tokens as far as the pool is asked. The browser's session goes on, as it does
// with AdminUserGlobalSignOut (developer guide, page
// "amazon-cognito-user-pools-using-the-refresh-token"). Nobody of that name is
// an [*Error] of [CodeUserNotFound].
func (p *Pool) GlobalSignOut(ctx context.Context, name string) error {
	all := func(kind string) func(User) store.Change {
		return func(u User) store.Change {
			return store.Change{Op: store.DeleteOwned, Record: store.Record{Kind: kind, Owner: u.Sub}}
		}
	}
	u, err := p.change(ctx, name, func(u *User) error {
		u.SignedOut = p.now()
		return nil
	}, all(kindRefresh), all(kindCode))
	if err != nil {
		return err
	}
	p.audit(ctx, "signed out everywhere", subAttr(u.Sub))
	return nil
}
