// Package accounts has the rules about who is in a pool and how they prove it: app clients,
// users, their groups, passwords, second factors and addresses, sign-up and recovery. What
// a page and an operation of the user pools API both decide about an account is one method
// here.
//
// It knows the words (userpool), store and, of the internal packages, core, records, codes,
// triggers, lockout, totp, clock, decision, naming and text. It knows no sign-in under way,
// no token and no HTTP.
package accounts

import (
	"context"

	"github.com/cognate-auth/cognate/userpool"
	"github.com/cognate-auth/cognate/userpool/internal/codes"
	"github.com/cognate-auth/cognate/userpool/internal/core"
	"github.com/cognate-auth/cognate/userpool/internal/lockout"
	"github.com/cognate-auth/cognate/userpool/internal/triggers"
)

// Accounts are the accounts of one pool, each kind of rule in a part of its own. All
// parts are safe for concurrent use.
type Accounts struct {
	Clients      *Clients
	Users        *Users
	Registration *Registration
	Recovery     *Recovery
	Outbox       *Outbox

	// What the rules above these stand on too.
	Decoys   *Decoys
	Codes    *codes.Codes
	Triggers *triggers.Triggers
}

// New returns the accounts of a pool. sent is told of every message, and deliver is given
// it; each may be nil.
func New(
	c *core.Core, sent func(userpool.Message), deliver func(context.Context, userpool.Message) error,
) *Accounts {
	l, t := lockout.New(c), triggers.New(c)
	cs := codes.New(c, l, t, sent, deliver)
	users := &Users{
		core: c, names: newSignInNames(*c.Settings()), lockout: l, codes: cs, triggers: t, decoys: &Decoys{core: c},
	}
	clients := &Clients{core: c}
	return &Accounts{
		Clients: clients, Users: users, Outbox: &Outbox{core: c},
		Registration: &Registration{core: c, users: users, clients: clients, codes: cs, triggers: t},
		Recovery:     &Recovery{core: c, users: users, codes: cs, triggers: t},
		Decoys:       users.decoys, Codes: cs, Triggers: t,
	}
}
