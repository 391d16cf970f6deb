package records

import (
	"context"
	"time"

	"github.com/cognate-auth/cognate/userpool"
	"github.com/cognate-auth/cognate/userpool/store"
)

// The kinds of records of federation.
const (
	kindRoundTrip = "federation"
	kindUsed      = "used" // ids that must not count twice
)

// storedTrip is a RoundTrip with its secrets in the clear.
type storedTrip struct {
	userpool.RoundTrip

	Nonce    string `json:",omitempty"`
	Verifier string `json:",omitempty"`
}

// PutRoundTrip adds t, then drops the oldest of the same browser until at most
// keep are left.
func (s Records) PutRoundTrip(ctx context.Context, t userpool.RoundTrip, keep int) error {
	r := store.Record{
		Kind: kindRoundTrip, ID: t.Hash, Owner: t.Browser, Expires: t.Expires,
		Body: encodeBody(storedTrip{t, string(t.Nonce), string(t.Verifier)}),
	}
	return s.Apply(ctx, store.Change{Op: store.Create, Record: r, Keep: keep})
}

// TakeRoundTrip removes and returns the round trip with this hash.
func (s Records) TakeRoundTrip(ctx context.Context, hash string) (userpool.RoundTrip, bool, error) {
	stored, _, ok, err := found[storedTrip](s.Store.Take(ctx, s.Pool, kindRoundTrip, hash))
	t := stored.RoundTrip
	t.Nonce, t.Verifier = userpool.Secret(stored.Nonce), userpool.Secret(stored.Verifier)
	return t, ok, err
}

// PutUsed adds the hash of something that was used, or returns ErrExists.
func (s Records) PutUsed(ctx context.Context, hash string, until time.Time) error {
	r := store.Record{Kind: kindUsed, ID: hash, Expires: until, Body: encodeBody(struct{}{})}
	return s.Apply(ctx, store.Change{Op: store.Create, Record: r})
}

// UserByIdentity returns the user who is this at an identity provider.
func (s Records) UserByIdentity(ctx context.Context, provider, id string) (userpool.User, bool, error) {
	return foundUser(s.Store.Find(ctx, s.Pool, kindUser, IdentityName(provider, id)))
}

// IdentityName is the name by which a user is found who is this at an identity
// provider. Case matters, unlike in a login. It begins with a space, which
// nobody can type: the spaces around a login are cut off.
func IdentityName(provider, id string) string {
	return " identity:" + userpool.Secret(provider+"\x00"+id).Digest()
}

// userNames are all the names by which a user is found.
func userNames(u userpool.User) []string {
	names := make([]string, 0, len(u.Logins)+len(u.Identities))
	names = append(names, u.Logins...)
	for _, i := range u.Identities {
		names = append(names, IdentityName(i.ProviderName, i.UserID))
	}
	return names
}
