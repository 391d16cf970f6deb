// Package signin decides what a person does next on the way from a name to a sign-in:
// password, second factor, passkey, code, sign-up, recovery, or another identity
// provider. A pure value decides which step is next (facts.next); each step has a method
// of its own that decides what the person's answer is worth.
//
// It knows the words (userpool), accounts and, of the internal packages, core, records,
// codes, triggers, lockout, totp, clock, decision, naming and text, beside the errors of
// package store. It knows no authorization request and no token: what it has to know of
// whoever asks is a [Request].
package signin

import (
	"github.com/cognate-auth/cognate/userpool"
	"github.com/cognate-auth/cognate/userpool/accounts"
	"github.com/cognate-auth/cognate/userpool/internal/core"
	"github.com/cognate-auth/cognate/userpool/internal/records"
)

// SignIn is the sign-in of one pool, each kind of rule in a part of its own. All parts
// are safe for concurrent use.
type SignIn struct {
	Flows      *Flows
	Steps      *Steps
	Passkeys   *Passkeys
	Federation *Federation
}

// New returns the sign-in of a pool. checker checks passkeys; nil: there are none.
func New(c *core.Core, a *accounts.Accounts, checker userpool.Passkeys) *SignIn {
	passkeys := &Passkeys{core: c, users: a.Users, stored: records.Passkeys(c.Records), checker: checker}
	return &SignIn{
		Flows: &Flows{core: c}, Passkeys: passkeys,
		Steps: &Steps{
			core: c, users: a.Users, decoys: a.Decoys, registration: a.Registration, recovery: a.Recovery,
			passkeys: passkeys, codes: a.Codes, triggers: a.Triggers,
		},
		Federation: &Federation{core: c, users: a.Users, triggers: a.Triggers},
	}
}

// A Request is what a sign-in has to know of whoever asks for it: an
// authorization request of a browser, or a call of the user pools API.
type Request struct {
	Client userpool.Client
	Levels []int // of assurance that are wanted, in order of preference (acr_values)
}
