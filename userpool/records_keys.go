package userpool

import (
	"context"
	"errors"
	"fmt"

	"github.com/cognate-auth/cognate/userpool/store"
)

// kindKeys is the kind of the one record that has a pool's signing keys.
const kindKeys = "keys"

const signingKeysID = "signing"

// storedKeys are pairs of private keys in PKCS #8, in the clear: whoever reads
// the store can sign as the pool.
type storedKeys struct {
	Pairs []storedPair
}

type storedPair struct{ ID, Access []byte }

func keysRecord(pairs []*SigningKeys, version int64) (store.Record, error) {
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

// CreateKeys stores a pool's first keys, or returns ErrExists.
func (s records) CreateKeys(ctx context.Context, pairs []*SigningKeys) error {
	r, err := keysRecord(pairs, 0)
	if err != nil {
		return err
	}
	return s.Apply(ctx, store.Change{Op: store.Create, Record: r})
}

// UpdateKeys replaces a pool's keys if they still have this version.
func (s records) UpdateKeys(ctx context.Context, pairs []*SigningKeys, version int64) error {
	r, err := keysRecord(pairs, version)
	if err != nil {
		return err
	}
	return s.Apply(ctx, store.Change{Op: store.Update, Record: r})
}

// Keys returns a pool's keys. If they have the version of those that are known,
// it returns these: reading a key takes longer than using it.
func (s records) Keys(ctx context.Context, known *keySets) (sets *keySets, ok bool, err error) {
	r, ok, err := s.store.Get(ctx, s.pool, kindKeys, signingKeysID)
	if err != nil || !ok {
		return nil, false, err
	}
	if known != nil && known.version == r.Version {
		return known, true, nil
	}
	stored, err := decode[storedKeys](r)
	if err != nil {
		return nil, false, err
	}
	sets = &keySets{version: r.Version}
	for _, pair := range stored.Pairs {
		keys, err := ParseSigningKeys(pair.ID, pair.Access)
		if err != nil {
			return nil, false, fmt.Errorf("userpool: reading stored keys: %w", err)
		}
		sets.pairs = append(sets.pairs, keys)
	}
	if len(sets.pairs) == 0 {
		return nil, false, errors.New("userpool: the record of the keys has none")
	}
	return sets, true, nil
}
