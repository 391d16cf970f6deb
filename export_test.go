package cognate

import (
	"context"
	"encoding/json"
	"strings"
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

// How sessions and sign-ins under way are kept.

// OpenCookie opens value as the session cookie of a, and as the state of a sign-in.
func OpenCookie(a *Auth, value string) (sessionOK, transactionOK bool) {
	s := a.sessions.keeper.(*cookieSessions).open(value)
	t := a.transactions.open(value)
	return s != nil, t != nil
}

// ReadSession decodes an encoded session and encodes it again.
func ReadSession(data []byte) (again []byte, ok bool) {
	s, err := decodeSession(data)
	if err != nil {
		return nil, false
	}
	return s.encode(), true
}

// ReadStored decodes a session as a store has it and encodes it again.
func ReadStored(data []byte) (again []byte, ok bool) {
	s, err := decodeStored(data)
	if err != nil {
		return nil, false
	}
	return encodeStored(s, s.stored.tokens, s.stored.lease), true
}

// SampleStored is such a session.
func SampleStored() []byte {
	day := time.Unix(86400, 0)
	s := &session{id: strings.Repeat("i", sessionIDSize), created: day, seen: day, expires: day, sid: "s", dropped: true, user: &User{
		Subject: "sub", Email: "e", EmailVerified: true, Groups: []string{"g"}, Scopes: []string{"openid"}, extra: oidc.Claims{"x": []byte("1")},
	}}
	return encodeStored(s, &tokenSet{access: "a", refresh: "r", id: "i", nonce: "n", expires: day, refreshAt: day}, lease{"h", day})
}

// ReadTransaction decodes an encoded transaction and encodes it again.
func ReadTransaction(data []byte) (again []byte, ok bool) {
	t, err := decodeTransaction(data)
	if err != nil {
		return nil, false
	}
	return t.encode(), true
}
