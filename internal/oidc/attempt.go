package oidc

import (
	"slices"
	"time"

	"github.com/cognate-auth/cognate/internal/refusal"
)

// An Attempt is one sign-in under way: what it is known by, none of which can be guessed, and
// what it asks for.
type Attempt struct {
	// State comes back with the response, and Nonce in the ID token.
	State, Nonce string
	// Verifier is the code verifier (RFC 7636, 4.1).
	Verifier string
	// NotBefore is when the person may have proved who they are at the earliest: max_age
	// before the sign-in began. Zero: whenever.
	NotBefore time.Time
	// ACR are the authentication contexts of which the provider has to name one. Empty: any.
	ACR []string
}

// check refuses the claims of an ID token that are another sign-in's, or say less than this
// one asked for (OpenID Connect Core 1.0, 3.1.3.7, 11 to 13).
func (a Attempt) check(c Claims, skew time.Duration) error {
	nonce, err := c.String("nonce")
	if err != nil || a.Nonce == "" || !equal(nonce, a.Nonce) {
		return refusal.New(refusal.TokenNonce, "nonce is not the one of this sign-in")
	}
	if !a.NotBefore.IsZero() {
		at, ok, err := c.Date("auth_time")
		if err != nil || !ok || at.Before(a.NotBefore.Add(-skew)) {
			return refusal.New(refusal.TokenAuthTime,
				"auth_time is missing, or lies more than max_age before the sign-in")
		}
	}
	acr, err := c.String("acr")
	if len(a.ACR) > 0 && (err != nil || !slices.Contains(a.ACR, acr)) {
		return refusal.New(refusal.TokenACR, "acr is %.100q, expected one of %q", acr, a.ACR)
	}
	return nil
}
