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
