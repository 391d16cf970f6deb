// Package grants decides what an app gets: it checks authorization requests, and answers
// with codes and tokens; it keeps browser sessions, refreshes, revokes, and tells who the
// user of an access token is.
//
// It knows the words (userpool), keys, accounts, signin and, of the internal packages,
// core, records, triggers, clock, decision, oauthscope, redirect and text, beside the errors
// of package store. It knows no HTTP: what a request brings comes in as values, and what is
// answered goes out as one.
package grants

import (
	"context"
	"fmt"
	"time"

	"github.com/cognate-auth/cognate/userpool/accounts"
	"github.com/cognate-auth/cognate/userpool/internal/core"
	"github.com/cognate-auth/cognate/userpool/internal/triggers"
	"github.com/cognate-auth/cognate/userpool/keys"
	"github.com/cognate-auth/cognate/userpool/signin"
)

// Fixed lifetimes and limits. The lifetimes are Cognito's (developer guide, the
// pages on the authorization endpoint, managed login and authentication).
const (
	CodeLifetime    = 5 * time.Minute
	SessionLifetime = time.Hour // from the interactive sign-in; use does not extend it

	// Of one user; the oldest makes room for the next.
	maxSessions      = 256
	maxCodes         = 1024
	maxRefreshTokens = 4096
)

// Grants answers the requests of the apps of one pool. It is safe for concurrent use.
type Grants struct {
	core     *core.Core
	clients  *accounts.Clients
	users    *accounts.Users
	steps    *signin.Steps
	triggers *triggers.Triggers
	sessions *Sessions
	keys     *Keys
}

// New returns what a pool grants. pair signs the tokens, and the store does not get it;
// nil: the keys in the store, which are made if there are none.
func New(
	ctx context.Context, c *core.Core, a *accounts.Accounts, s *signin.SignIn, pair *keys.Pair,
) (*Grants, error) {
	k, err := newKeys(ctx, c, pair)
	if err != nil {
		return nil, fmt.Errorf("userpool: reading keys: %w", err)
	}
	return &Grants{
		core: c, clients: a.Clients, users: a.Users, steps: s.Steps, triggers: a.Triggers,
		sessions: &Sessions{core: c, users: a.Users}, keys: k,
	}, nil
}

// Sessions returns the pool's sessions.
func (g *Grants) Sessions() *Sessions { return g.sessions }

// Keys returns the pool's keys.
func (g *Grants) Keys() *Keys { return g.keys }
