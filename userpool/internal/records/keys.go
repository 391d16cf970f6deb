package records

import (
	"context"
	"errors"
	"fmt"

	"github.com/cognate-auth/cognate/userpool/keys"
	"github.com/cognate-auth/cognate/userpool/store"
)

// kindKeys is the kind of the one record that has a pool's signing keys.
const kindKeys = "keys"

const signingKeysID = "signing"

// Keys are the record of the keys that sign.
type Keys Records

// KeySets are pairs of keys, the one that signs first.
type KeySets struct {
	Pairs   []*keys.Pair
	Version int64 // of the record that they are from
}

// storedKeys are pairs of private keys in PKCS #8, in the clear: whoever reads
// the store can sign as the pool.
type storedKeys struct {
	Pairs []storedPair
}

type storedPair struct{ ID, Access []byte }

func keysRecord(pairs []*keys.Pair, version int64) (store.Record, error) {
	var stored storedKeys
	for _, pair := range pairs {
		id, access, err := pair.Marshal()
		if err != nil {
			return store.Record{}, err
		}
		stored.Pairs = append(stored.Pairs, storedPair{id, access})
	}
	return store.Record{Kind: kindKeys, ID: signingKeysID, Version: version, Body: encodeBody(stored)}, nil
}

// Create stores a pool's first keys, or returns ErrExists.
func (s Keys) Create(ctx context.Context, pairs []*keys.Pair) error {
	r, err := keysRecord(pairs, 0)
	if err != nil {
		return err
	}
	return Records(s).Apply(ctx, store.Change{Op: store.Create, Record: r})
}

// Update replaces a pool's keys if they still have this version.
func (s Keys) Update(ctx context.Context, pairs []*keys.Pair, version int64) error {
	r, err := keysRecord(pairs, version)
	if err != nil {
		return err
	}
	return Records(s).Apply(ctx, store.Change{Op: store.Update, Record: r})
}

// Get returns a pool's keys. If they have the version of those that are known,
// it returns these: reading a key takes longer than using it.
func (s Keys) Get(ctx context.Context, known *KeySets) (sets *KeySets, ok bool, err error) {
	r, ok, err := s.Store.Get(ctx, s.Pool, kindKeys, signingKeysID)
	if err != nil || !ok {
		return nil, false, err
	}
	if known != nil && known.Version == r.Version {
		return known, true, nil
	}
	stored, err := decode[storedKeys](r)
	if err != nil {
		return nil, false, err
	}
	sets = &KeySets{Version: r.Version}
	for _, pair := range stored.Pairs {
		parsed, err := keys.Parse(pair.ID, pair.Access)
		if err != nil {
			return nil, false, fmt.Errorf("userpool: reading stored keys: %w", err)
		}
		sets.Pairs = append(sets.Pairs, parsed)
	}
	if len(sets.Pairs) == 0 {
		return nil, false, errors.New("userpool: the record of the keys has none")
	}
	return sets, true, nil
}
