package userpool

import (
	"context"
	"time"

	"github.com/cognate-auth/cognate/userpool/store"
)

// The kinds of records of federation.
const (
	kindRoundTrip = "federation"
	kindUsed      = "used" // ids that must not count twice
)

// storedTrip is a RoundTrip with its secrets in the clear.
type storedTrip struct {
	RoundTrip

	Nonce    string `json:",omitempty"`
	Verifier string `json:",omitempty"`
}

// PutRoundTrip adds t, then drops the oldest of the same browser until at most
// keep are left.
func (s records) PutRoundTrip(ctx context.Context, t RoundTrip, keep int) error {
	r := store.Record{
		Kind: kindRoundTrip, ID: t.Hash, Owner: t.Browser, Expires: t.Expires,
		Body: encodeBody(storedTrip{t, string(t.Nonce), string(t.Verifier)}),
	}
	return s.Apply(ctx, store.Change{Op: store.Create, Record: r, Keep: keep})
}

// TakeRoundTrip removes and returns the round trip with this hash.
func (s records) TakeRoundTrip(ctx context.Context, hash string) (RoundTrip, bool, error) {
	stored, _, ok, err := found[storedTrip](s.store.Take(ctx, s.pool, kindRoundTrip, hash))
	t := stored.RoundTrip
	t.Nonce, t.Verifier = Secret(stored.Nonce), Secret(stored.Verifier)
	return t, ok, err
}

// PutUsed adds the hash of something that was used, or returns ErrExists.
func (s records) PutUsed(ctx context.Context, hash string, until time.Time) error {
	r := store.Record{Kind: kindUsed, ID: hash, Expires: until, Body: encodeBody(struct{}{})}
	return s.Apply(ctx, store.Change{Op: store.Create, Record: r})
}

// UserByIdentity returns the user who is this at an identity provider.
func (s records) UserByIdentity(ctx context.Context, provider, id string) (User, bool, error) {
	return foundUser(s.store.Find(ctx, s.pool, kindUser, identityName(provider, id)))
}

// identityName is the name by which a user is found who is this at an identity
// provider. Case matters, unlike in a login. It begins with a space, which
// nobody can type: the spaces around a login are cut off.
func identityName(provider, id string) string {
	return " identity:" + Secret(provider+"\x00"+id).digest()
}

// userNames are all the names by which a user is found.
func userNames(u User) []string {
	names := make([]string, 0, len(u.Logins)+len(u.Identities))
	names = append(names, u.Logins...)
	for _, i := range u.Identities {
		names = append(names, identityName(i.ProviderName, i.UserID))
	}
	return names
}
