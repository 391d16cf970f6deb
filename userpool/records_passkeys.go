package userpool

import (
	"context"

	"github.com/cognate-auth/cognate/userpool/store"
)

const kindPasskey = "passkey"

// passkeyRecord: the ID is a digest because a credential id may be longer than
// a record's.
func passkeyRecord(k Passkey) store.Record {
	return store.Record{
		Kind: kindPasskey, ID: Secret(k.ID).digest(), Owner: k.Sub, Version: k.Version, Body: encodeBody(k),
	}
}

// CreatePasskey adds k, or returns ErrExists when somebody has its ID.
func (s records) CreatePasskey(ctx context.Context, k Passkey) error {
	return s.Apply(ctx, store.Change{Op: store.Create, Record: passkeyRecord(k)})
}

// UpdatePasskey replaces the passkey if its stored Version is still k's.
func (s records) UpdatePasskey(ctx context.Context, k Passkey) error {
	return s.Apply(ctx, store.Change{Op: store.Update, Record: passkeyRecord(k)})
}

// Passkey returns the passkey with this credential id.
func (s records) Passkey(ctx context.Context, id string) (k Passkey, ok bool, err error) {
	k, version, ok, err := found[Passkey](s.store.Get(ctx, s.pool, kindPasskey, Secret(id).digest()))
	k.Version = version
	return k, ok, err
}

// Passkeys returns at most limit passkeys of a user.
func (s records) Passkeys(ctx context.Context, sub string, limit int) ([]Passkey, error) {
	list, err := s.store.List(ctx, s.pool, kindPasskey, store.Query{Owner: sub, Limit: limit})
	if err != nil {
		return nil, err
	}
	out := make([]Passkey, 0, len(list))
	for _, r := range list {
		k, err := decode[Passkey](r)
		if err != nil {
			return nil, err
		}
		k.Version = r.Version
		out = append(out, k)
	}
	return out, nil
}

// DeletePasskey removes the passkey with this credential id.
func (s records) DeletePasskey(ctx context.Context, id string) error {
	return s.Apply(ctx, store.Change{Op: store.Delete, Record: store.Record{Kind: kindPasskey, ID: Secret(id).digest()}})
}
