package cognate

import (
	"context"
	"crypto/rsa"
	"encoding/json"
	"strings"
	"time"
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
	u.extra = claims{}
	for name, raw := range kept {
		u.extra[name] = json.RawMessage(raw)
	}
	return &u
}

// The provider: its documents, requests to it, its tokens.

// AuthWaits has an Auth wait so long for a document that is old: a test then sees the new one
// however busy the machine is, and no fetch goes on behind its back.
func AuthWaits(a *Auth, grace time.Duration) {
	a.provider.metadata.grace = grace
	BearerWaits(a.bearer, grace)
}

// BearerWaits is AuthWaits for a Bearer.
func BearerWaits(b *Bearer, grace time.Duration) {
	for _, i := range b.issuers {
		i.keys.set.grace = grace
	}
}

// KeysGrace is how long requests wait outside of tests.
const KeysGrace = keysGrace

// Tokens is what a refresh gave.
type Tokens struct {
	ID, Access, Refresh string
	Scopes              []string
	Expires             time.Time
}

// Exchange redeems a code at the token endpoint of a.
func Exchange(ctx context.Context, a *Auth, code, verifier string) (Tokens, error) {
	m, err := a.provider.ready(ctx)
	if err != nil {
		return Tokens{}, exported(err)
	}
	t, err := a.client.exchange(ctx, a.provider.http, m.Endpoints, code, verifier)
	return Tokens{t.id, t.access, t.refresh, t.scopes, t.expires}, exported(err)
}

// Refresh asks the token endpoint of a for new tokens.
func Refresh(ctx context.Context, a *Auth, refreshToken string) (Tokens, error) {
	m, err := a.provider.ready(ctx)
	if err != nil {
		return Tokens{}, exported(err)
	}
	t, err := a.client.refresh(ctx, a.provider.http, m.Endpoints, refreshToken)
	return Tokens{t.id, t.access, t.refresh, t.scopes, t.expires}, exported(err)
}

// Revoke asks the revocation endpoint of a to forget a refresh token.
func Revoke(ctx context.Context, a *Auth, refreshToken string) error {
	m, err := a.provider.ready(ctx)
	if err != nil {
		return err
	}
	return a.client.revoke(ctx, a.provider.http, m.Revocation, refreshToken)
}

// TokenVerifier returns the check of ID tokens for one client and one key, without a
// provider.
func TokenVerifier(issuer, clientID, kid string, key *rsa.PublicKey, now func() time.Time) func(raw, nonce string) error {
	keys := &keySet{&remote[[]publicKey]{now: now, maxAge: time.Hour, have: true, fetched: now()}}
	keys.set.value = []publicKey{{kid: kid, key: key}}
	keys.set.fetch = func(context.Context) ([]publicKey, error) { return keys.set.value, nil }
	v := newVerifier(issuer, clientID, StandardDialect(), []string{"RS256"}, time.Minute, now, keys)
	return func(raw, nonce string) error {
		_, err := v.verify(context.Background(), raw, nonce, "")
		return err
	}
}

// ReadToken takes a token apart and returns its header's alg, kid and typ, and its claims.
func ReadToken(raw string) (alg, kid, typ string, members map[string]json.RawMessage, err error) {
	t, err := (&tokenReader{limit: maxToken}).read(raw)
	if err != nil {
		return "", "", "", nil, err
	}
	return t.alg, t.kid, t.typ, t.claims, nil
}

// SplitObject is the reader of the JSON in tokens.
func SplitObject(data []byte) (map[string]json.RawMessage, error) { return splitObject(data) }

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
		Subject: "sub", Email: "e", EmailVerified: true, Groups: []string{"g"}, Scopes: []string{"openid"}, extra: claims{"x": []byte("1")},
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
