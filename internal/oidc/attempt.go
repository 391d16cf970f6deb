package oidc

import (
	"slices"
	"time"

	"github.com/cognate-auth/cognate/internal/refusal"
)

// An Attempt is one sign-in under way: the values that identify it, none of which can be
// guessed, and what it requires.
type Attempt struct {
	// State comes back with the response, and Nonce in the ID token.
	State, Nonce string
	// Verifier is the code verifier (RFC 7636, 4.1).
	Verifier string
	// NotBefore is the earliest acceptable auth_time: max_age before the sign-in began. Zero
	// means any.
	NotBefore time.Time
	// ACR lists acceptable authentication context classes. Empty means any.
	ACR []string
}

// check rejects the claims of an ID token of another sign-in, and those that do not meet
// what this one requires (OpenID Connect Core 1.0, 3.1.3.7, 11 to 13).
func (a Attempt) check(c Claims, skew time.Duration) error {
	nonce, err := c.String("nonce")
	if err != nil || a.Nonce == "" || !equal(nonce, a.Nonce) {
		return refusal.New(refusal.TokenNonce, "nonce is not the one of this sign-in")
	}
	if !a.NotBefore.IsZero() {
		at, ok, err := c.Date("auth_time")
		if err != nil || !ok || at.Before(a.NotBefore.Add(-skew)) {
			return refusal.New(refusal.TokenAuthTime,
				"auth_time is missing, or more than max_age before the sign-in")
		}
	}
	acr, err := c.String("acr")
	if len(a.ACR) > 0 && (err != nil || !slices.Contains(a.ACR, acr)) {
		return refusal.New(refusal.TokenACR, "acr is %.100q, expected one of %q", acr, a.ACR)
	}
	return nil
}
