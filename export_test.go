package cognate

import (
	"context"
	"encoding/json"
	"time"

	"github.com/cognate-auth/cognate/internal/oidc"
)

// What the tests of the outside need of the inside.

// Rows are those of the table of reasons.
var Rows = reasons

// HasPage reports whether visitors are told something about a reason.
func HasPage(reason Reason) bool { return reasons[reason].title != "" && reasons[reason].status >= 400 }

// Claims and rules.

var (
	ClaimsOf          = claimsOf
	Keeps             = keeps
	ClaimNameProblems = claimNameProblems
)

// CheckRules is what stands behind Config.LoginRules and Require.
func CheckRules(ctx context.Context, u *User, rules ...Rule) *Error { return checkRules(ctx, rules, u) }

// WithClaims returns a copy of u for which the claims, JSON by name, are kept.
func (u User) WithClaims(kept map[string]string) *User {
	u.extra = oidc.Claims{}
	for name, raw := range kept {
		u.extra[name] = json.RawMessage(raw)
	}
	return &u
}

// The provider and its documents.

// AuthWaits has an Auth wait so long for a document that is old: a test then sees the new one
// however busy the machine is, and no fetch goes on behind its back.
func AuthWaits(a *Auth, grace time.Duration) {
	a.client.Provider.SetGrace(grace)
	BearerWaits(a.bearer, grace)
}

// BearerWaits is AuthWaits for a Bearer.
func BearerWaits(b *Bearer, grace time.Duration) { b.tokens.SetGrace(grace) }

// ReportTime bounds one report to a developer's view.
const ReportTime = reportTime

// How sessions and sign-ins under way are kept.

// ReadUser decodes what a session holds of a user and encodes it again.
func ReadUser(data []byte) (again []byte, ok bool) {
	who, tokensDropped, err := decodeIdentity("https://provider.test", "sub", time.Time{}, data)
	if err != nil {
		return nil, false
	}
	return who.Encode(tokensDropped), true
}
