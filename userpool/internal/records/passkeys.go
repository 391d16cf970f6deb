package records

import (
	"context"

	"github.com/cognate-auth/cognate/userpool"
	"github.com/cognate-auth/cognate/userpool/store"
)

const kindPasskey = "passkey"

// Passkeys are the records of passkeys.
type Passkeys Records

// passkeyRecord: the ID is a digest because a credential id may be longer than
// a record's.
func passkeyRecord(k userpool.Passkey) store.Record {
	return store.Record{
		Kind: kindPasskey, ID: userpool.Secret(k.ID).Digest(), Owner: k.Sub, Version: k.Version, Body: encodeBody(k),
	}
}

// Create adds k, or returns ErrExists when somebody has its ID.
func (s Passkeys) Create(ctx context.Context, k userpool.Passkey) error {
	return Records(s).Apply(ctx, store.Change{Op: store.Create, Record: passkeyRecord(k)})
}

// Update replaces the passkey if its stored Version is still k's.
func (s Passkeys) Update(ctx context.Context, k userpool.Passkey) error {
	return Records(s).Apply(ctx, store.Change{Op: store.Update, Record: passkeyRecord(k)})
}

// Get returns the passkey with this credential id.
func (s Passkeys) Get(ctx context.Context, id string) (k userpool.Passkey, ok bool, err error) {
	k, version, ok, err := found[userpool.Passkey](s.Store.Get(ctx, s.Pool, kindPasskey, userpool.Secret(id).Digest()))
	k.Version = version
	return k, ok, err
}

// List returns at most limit passkeys of a user.
func (s Passkeys) List(ctx context.Context, sub string, limit int) ([]userpool.Passkey, error) {
	list, err := s.Store.List(ctx, s.Pool, kindPasskey, store.Query{Owner: sub, Limit: limit})
	if err != nil {
		return nil, err
	}
	out := make([]userpool.Passkey, 0, len(list))
	for _, r := range list {
		k, err := decode[userpool.Passkey](r)
		if err != nil {
			return nil, err
		}
		k.Version = r.Version
		out = append(out, k)
	}
	return out, nil
}

// Delete removes the passkey with this credential id.
func (s Passkeys) Delete(ctx context.Context, id string) error {
	return Records(s).Apply(
		ctx, store.Change{Op: store.Delete, Record: store.Record{Kind: kindPasskey, ID: userpool.Secret(id).Digest()}},
	)
}
