package cognate

import (
	"context"

	"github.com/cognate-auth/cognate/internal/session"
)

// requestContext holds the user, and the visit of the session, which refreshes its
// tokens. It replaces context.WithValue because it is made for every request: one
// allocation instead of two.
type requestContext struct {
	context.Context
	auth *Auth
	user *User
	// visit is the session's; for a bearer token it is the zero value.
	visit session.Visit
}

type (
	userKey    struct{}
	requestKey struct{}
)

// Value returns the user, the requestContext itself, or a value of the request's own
// context.
func (c *requestContext) Value(key any) any {
	switch key.(type) {
	case userKey:
		return c.user
	case requestKey:
		return c
	}
	return c.Context.Value(key)
}

// UserFrom returns the request's user, or nil. Behind [Auth.RequireLogin] it is never
// nil. On a public page use [Auth.User].
func UserFrom(ctx context.Context) *User {
	u, _ := ctx.Value(userKey{}).(*User)
	return u
}
