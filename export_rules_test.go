package cognate

import (
	"context"
	"encoding/json"
)

// What the tests of rules and claims need of the inside.

var (
	ClaimsOf          = claimsOf
	Keeps             = keeps
	ClaimNameProblems = claimNameProblems
)

// CheckRules is what stands behind Config.LoginRules and Require.
func CheckRules(ctx context.Context, u *User, rules ...Rule) *Error { return checkRules(ctx, rules, u) }

// WithClaims returns a copy of u for which the claims, JSON by name, are kept.
func (u User) WithClaims(kept map[string]string) *User {
	u.extra = claims{}
	for name, raw := range kept {
		u.extra[name] = json.RawMessage(raw)
	}
	return &u
}
