package grants

import (
	"context"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cognate-auth/cognate/userpool/internal/clock"
	"github.com/cognate-auth/cognate/userpool/internal/core"
	"github.com/cognate-auth/cognate/userpool/internal/records"
	"github.com/cognate-auth/cognate/userpool/keys"
	"github.com/cognate-auth/cognate/userpool/store"
	"golang.org/x/sync/singleflight"
)

const (
	// maxKeySets is how many pairs of keys a pool publishes: the one that signs
	// and those before it.
	maxKeySets = 4

	// keysFresh is how long keys that were read from the store count as those
	// that are there. After that they are read again beside the work, and after
	// keysStale before it.
	keysFresh, keysStale = 5 * time.Second, time.Minute

	// keysPatience bounds reading the keys, and making them.
	keysPatience = 30 * time.Second
)

// Keys are the pairs of keys whose tokens are good.
type Keys struct {
	core   *core.Core
	stored records.Keys

	kept    bool // in the store, where other processes change them too
	reading singleflight.Group

	triedAt atomic.Int64 // Unix nanoseconds of the last attempt to read them
	readAt  atomic.Int64 // of the last that succeeded

	// sets is replaced, never modified, so that what one read saw stays whole;
	// nil as long as there are no keys yet.
	mu   sync.Mutex // guards against two replacements at once
	sets atomic.Pointer[records.KeySets]
}

// take replaces the pairs, unless there are newer ones.
func (k *Keys) take(next *records.KeySets) {
	k.mu.Lock()
	defer k.mu.Unlock()
	now := k.sets.Load()
	if now == nil || now.Version <= next.Version {
		k.sets.Store(next)
	}
}

// newKeys reads the keys or, if there are none, begins to make them: that takes longer
// than all else at a start, and whoever needs keys waits for it.
func newKeys(ctx context.Context, c *core.Core, given *keys.Pair) (*Keys, error) {
	k := &Keys{core: c, stored: records.Keys(c.Records), kept: given == nil}
	if given != nil {
		k.take(&records.KeySets{Pairs: []*keys.Pair{given}})
		return k, nil
	}
	ok, err := k.load(ctx)
	if err == nil && !ok {
		k.readAside()
	}
	return k, err
}

// load takes the keys from the store, if there are any.
func (k *Keys) load(ctx context.Context) (ok bool, err error) {
	now := k.core.Now().UnixNano()
	k.triedAt.Store(now)
	sets, ok, err := k.stored.Get(ctx, k.sets.Load())
	if err != nil || !ok {
		return false, err
	}
	k.take(sets)
	k.readAt.Store(now)
	return true, nil
}

// readAside begins to read the keys, unless somebody does already. The
// channel tells how it ended, and has room for that if nobody listens.
func (k *Keys) readAside() <-chan singleflight.Result {
	return k.reading.DoChan("", func() (any, error) {
		// Not the context of whoever came first: others wait for the same.
		ctx, cancel := context.WithTimeout(context.Background(), keysPatience)
		defer cancel()
		err := k.readOrMake(ctx)
		if err != nil {
			k.core.Log.ErrorContext(ctx, "reading the signing keys failed", "err", err)
		}
		return nil, err
	})
}

// read waits until the keys are read, or made.
func (k *Keys) read(ctx context.Context) error {
	select {
	case result := <-k.readAside():
		return result.Err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// readOrMake makes keys where the store has none. Another process may be
// doing the same; the first to store its keys wins.
func (k *Keys) readOrMake(ctx context.Context) error {
	ok, err := k.load(ctx)
	if err != nil || ok {
		return err
	}
	first := k.sets.Load() // not nil if somebody emptied the store
	if first == nil {
		made, err := keys.Generate()
		if err != nil {
			return fmt.Errorf("making keys: %w", err)
		}
		first = &records.KeySets{Pairs: []*keys.Pair{made}}
	}
	err = k.stored.Create(ctx, first.Pairs)
	if err != nil && !errors.Is(err, store.ErrExists) {
		return fmt.Errorf("storing keys: %w", err)
	}
	ok, err = k.load(ctx)
	if err == nil && !ok {
		err = errors.New("the keys are gone as soon as they are stored")
	}
	return err
}

// known returns all pairs, the one that signs first. They may be some
// seconds old, so that not every token costs a look at the store.
func (k *Keys) known(ctx context.Context) ([]*keys.Pair, error) {
	now := k.core.Now()
	switch {
	case k.sets.Load() == nil:
		err := k.read(ctx)
		if err != nil {
			return nil, fmt.Errorf("userpool: reading keys: %w", err)
		}
	case !k.kept || clock.Recent(now, time.Unix(0, k.triedAt.Load()), keysFresh):
	case clock.Recent(now, time.Unix(0, k.readAt.Load()), keysStale):
		k.readAside()
	default:
		_ = k.read(ctx) // which logs it; the keys from before are better than none
	}
	return k.sets.Load().Pairs, nil
}

// current returns all pairs as the store has them now, so that another
// process's new key is known here as soon as it signs there.
func (k *Keys) current(ctx context.Context) ([]*keys.Pair, error) {
	if k.kept {
		err := k.read(ctx)
		if err != nil && k.sets.Load() == nil {
			return nil, fmt.Errorf("userpool: reading keys: %w", err)
		}
	}
	return k.sets.Load().Pairs, nil
}

// find returns the public key that find finds, in the known pairs or in those of
// the store.
func (k *Keys) find(
	ctx context.Context, find func(*keys.Pair) (*rsa.PublicKey, bool),
) (key *rsa.PublicKey, ok bool) {
	for _, read := range []func(context.Context) ([]*keys.Pair, error){k.known, k.current} {
		pairs, err := read(ctx)
		if err != nil {
			continue
		}
		for _, pair := range pairs {
			key, ok = find(pair)
			if ok {
				return key, true
			}
		}
	}
	return nil, false
}

// JWKS returns the pool's public keys as a JSON Web Key Set (RFC 7517): of each
// pair first the ID tokens' key, then the access tokens'; the pair that signs
// comes first. After [Keys.Rotate] it is another. At the first start of a
// pool it waits until the keys are made.
func (k *Keys) JWKS(ctx context.Context) ([]byte, error) {
	pairs, err := k.current(ctx)
	if err != nil {
		return nil, err
	}
	var all []keys.JWK
	for _, pair := range pairs {
		all = append(all, pair.JWKs()...)
	}
	return json.Marshal(struct {
		Keys []keys.JWK `json:"keys"`
	}{all})
}

// Rotate signs with next from now on. The keys before stay published, and
// what they signed stays good, until [Keys.Withdraw] or until three more
// rotations have come; so nobody is signed out. Keys that are in use already
// are an error.
//
// Unless the keys were given with pool.Config, the store has the new ones when
// Rotate returns; other processes on it sign with them some seconds later,
// and know them at once.
func (k *Keys) Rotate(ctx context.Context, next *keys.Pair) error {
	if next == nil {
		return errors.New("userpool: Keys.Rotate needs keys")
	}
	err := k.change(ctx, func(old []*keys.Pair) ([]*keys.Pair, error) {
		if slices.ContainsFunc(old, next.Shares) {
			return nil, errors.New("userpool: Keys.Rotate needs keys that are not in use already")
		}
		return append([]*keys.Pair{next}, old[:min(len(old), maxKeySets-1)]...), nil
	})
	if err == nil {
		k.core.Audit(ctx, "signing keys rotated")
	}
	return err
}

// Withdraw takes back all keys but those that sign: what the others signed
// is refused from now on, by other processes on the same store after some
// seconds, and where apps learn the pool's keys as soon as they look again.
func (k *Keys) Withdraw(ctx context.Context) error {
	err := k.change(ctx, func(old []*keys.Pair) ([]*keys.Pair, error) { return old[:1:1], nil })
	if err == nil {
		k.core.Audit(ctx, "signing keys withdrawn")
	}
	return err
}

// change replaces the pairs. Another process may do so at the same time;
// then the next round builds on what it left.
func (k *Keys) change(ctx context.Context, change func([]*keys.Pair) ([]*keys.Pair, error)) error {
	if !k.kept {
		return k.changeHere(change)
	}
	err := store.ErrConflict
	for i := 0; i < 10 && errors.Is(err, store.ErrConflict); i++ {
		err = k.read(ctx)
		if err != nil {
			return fmt.Errorf("userpool: reading keys: %w", err)
		}
		before := k.sets.Load()
		next := &records.KeySets{Version: before.Version + 1}
		next.Pairs, err = change(before.Pairs)
		if err != nil {
			return err
		}
		err = k.stored.Update(ctx, next.Pairs, before.Version)
		if err == nil {
			k.take(next)
			return nil
		}
	}
	return fmt.Errorf("userpool: storing keys: %w", err)
}

// changeHere replaces pairs that are nowhere but here.
func (k *Keys) changeHere(change func([]*keys.Pair) ([]*keys.Pair, error)) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	pairs, err := change(k.sets.Load().Pairs)
	if err == nil {
		k.sets.Store(&records.KeySets{Pairs: pairs})
	}
	return err
}
