package cognate

import (
	"context"

	"github.com/cognate-auth/cognate/internal/session"
)

// requestContext carries who is signed in, and the visit of their session, by which its tokens
// are refreshed. It is a type of its own, not context.WithValue, because it stands on the path of
// every request: one allocation instead of two.
type requestContext struct {
	context.Context
	auth *Auth
	user *User
	// visit is of the session; of none for a bearer token.
	visit session.Visit
}

type (
	userKey    struct{}
	requestKey struct{}
)

// Value returns the user, or what the request's own context holds.
func (c *requestContext) Value(key any) any {
	switch key.(type) {
	case userKey:
		return c.user
	case requestKey:
		return c
	}
	return c.Context.Value(key)
}

// UserFrom returns who is signed in, or nil. Behind [Auth.RequireLogin] it is never
// nil. On a public page use [Auth.User].
func UserFrom(ctx context.Context) *User {
	u, _ := ctx.Value(userKey{}).(*User)
	return u
}
