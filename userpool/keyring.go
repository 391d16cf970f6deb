package userpool

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

// keyRing is the pairs of keys whose tokens are good.
type keyRing struct {
	kept    bool // in the store, where other processes change them too
	reading singleflight.Group

	tried atomic.Int64 // Unix nanoseconds of the last attempt to read them
	read  atomic.Int64 // of the last that succeeded

	// sets is replaced, never modified, so that what one read saw stays whole;
	// nil as long as there are no keys yet.
	mu   sync.Mutex // guards against two replacements at once
	sets atomic.Pointer[keySets]
}

// keySets are pairs of keys, the one that signs first.
type keySets struct {
	pairs   []*SigningKeys
	version int64 // of the record that they are from
}

// take replaces the pairs, unless there are newer ones.
func (r *keyRing) take(next *keySets) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.sets.Load()
	if now == nil || now.version <= next.version {
		r.sets.Store(next)
	}
}

// startKeys reads the keys or, if there are none, begins to make them: that
// takes longer than all else at a start, and whoever needs keys waits for it.
func (p *Pool) startKeys(ctx context.Context, given *SigningKeys) error {
	p.keys = &keyRing{kept: given == nil}
	if given != nil {
		p.keys.take(&keySets{pairs: []*SigningKeys{given}})
		return nil
	}
	ok, err := p.loadKeys(ctx)
	if err == nil && !ok {
		p.readKeysAside()
	}
	return err
}

// loadKeys takes the keys from the store, if there are any.
func (p *Pool) loadKeys(ctx context.Context) (ok bool, err error) {
	now := p.now().UnixNano()
	p.keys.tried.Store(now)
	stored, ok, err := p.store.Keys(ctx, p.keys.sets.Load())
	if err != nil || !ok {
		return false, err
	}
	p.keys.take(stored)
	p.keys.read.Store(now)
	return true, nil
}

// readKeysAside begins to read the keys, unless somebody does already. The
// channel tells how it ended, and has room for that if nobody listens.
func (p *Pool) readKeysAside() <-chan singleflight.Result {
	return p.keys.reading.DoChan("", func() (any, error) {
		// Not the context of whoever came first: others wait for the same.
		ctx, cancel := context.WithTimeout(context.Background(), keysPatience)
		defer cancel()
		err := p.readOrMakeKeys(ctx)
		if err != nil {
			p.log.ErrorContext(ctx, "reading the signing keys failed", "err", err)
		}
		return nil, err
	})
}

// readKeys waits until the keys are read, or made.
func (p *Pool) readKeys(ctx context.Context) error {
	select {
	case result := <-p.readKeysAside():
		return result.Err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// readOrMakeKeys makes keys where the store has none. Another process may be
// doing the same; the first to store its keys wins.
func (p *Pool) readOrMakeKeys(ctx context.Context) error {
	ok, err := p.loadKeys(ctx)
	if err != nil || ok {
		return err
	}
	first := p.keys.sets.Load() // not nil if somebody emptied the store
	if first == nil {
		made, err := GenerateSigningKeys()
		if err != nil {
			return fmt.Errorf("making keys: %w", err)
		}
		first = &keySets{pairs: []*SigningKeys{made}}
	}
	err = p.store.CreateKeys(ctx, first.pairs)
	if err != nil && !errors.Is(err, store.ErrExists) {
		return fmt.Errorf("storing keys: %w", err)
	}
	ok, err = p.loadKeys(ctx)
	if err == nil && !ok {
		err = errors.New("the keys are gone as soon as they are stored")
	}
	return err
}

// knownKeys returns all pairs, the one that signs first. They may be some
// seconds old, so that not every token costs a look at the store.
func (p *Pool) knownKeys(ctx context.Context) ([]*SigningKeys, error) {
	now := p.now()
	switch {
	case p.keys.sets.Load() == nil:
		err := p.readKeys(ctx)
		if err != nil {
			return nil, fmt.Errorf("userpool: reading keys: %w", err)
		}
	case !p.keys.kept || recent(now, time.Unix(0, p.keys.tried.Load()), keysFresh):
	case recent(now, time.Unix(0, p.keys.read.Load()), keysStale):
		p.readKeysAside()
	default:
		_ = p.readKeys(ctx) // which logs it; the keys from before are better than none
	}
	return p.keys.sets.Load().pairs, nil
}

// currentKeys returns all pairs as the store has them now, so that another
// process's new key is known here as soon as it signs there.
func (p *Pool) currentKeys(ctx context.Context) ([]*SigningKeys, error) {
	if p.keys.kept {
		err := p.readKeys(ctx)
		if err != nil && p.keys.sets.Load() == nil {
			return nil, fmt.Errorf("userpool: reading keys: %w", err)
		}
	}
	return p.keys.sets.Load().pairs, nil
}

// findKey returns the public key that find finds, in the known pairs or in those of
// the store.
func (p *Pool) findKey(
	ctx context.Context, find func(*SigningKeys) (*rsa.PublicKey, bool),
) (key *rsa.PublicKey, ok bool) {
	for _, read := range []func(context.Context) ([]*SigningKeys, error){p.knownKeys, p.currentKeys} {
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
// comes first. After [Pool.RotateKeys] it is another. At the first start of a
// pool it waits until the keys are made.
func (p *Pool) JWKS(ctx context.Context) ([]byte, error) {
	pairs, err := p.currentKeys(ctx)
	if err != nil {
		return nil, err
	}
	var all []JWK
	for _, pair := range pairs {
		all = append(all, pair.JWKs()...)
	}
	return json.Marshal(struct {
		Keys []JWK `json:"keys"`
	}{all})
}

// RotateKeys signs with next from now on. The keys before stay published, and
// what they signed stays good, until [Pool.WithdrawKeys] or until three more
// rotations have come; so nobody is signed out. Keys that are in use already
// are an error.
//
// Unless the keys were given with [Config], the store has the new ones when
// RotateKeys returns; other processes on it sign with them some seconds later,
// and know them at once.
func (p *Pool) RotateKeys(ctx context.Context, next *SigningKeys) error {
	if next == nil {
		return errors.New("userpool: RotateKeys needs keys")
	}
	err := p.changeKeys(ctx, func(old []*SigningKeys) ([]*SigningKeys, error) {
		if slices.ContainsFunc(old, next.Shares) {
			return nil, errors.New("userpool: RotateKeys needs keys that are not in use already")
		}
		return append([]*SigningKeys{next}, old[:min(len(old), maxKeySets-1)]...), nil
	})
	if err == nil {
		p.audit(ctx, "signing keys rotated")
	}
	return err
}

// WithdrawKeys takes back all keys but those that sign: what the others signed
// is refused from now on, by other processes on the same store after some
// seconds, and where apps learn the pool's keys as soon as they look again.
func (p *Pool) WithdrawKeys(ctx context.Context) error {
	err := p.changeKeys(ctx, func(old []*SigningKeys) ([]*SigningKeys, error) { return old[:1:1], nil })
	if err == nil {
		p.audit(ctx, "signing keys withdrawn")
	}
	return err
}

// changeKeys replaces the pairs. Another process may do so at the same time;
// then the next round builds on what it left.
func (p *Pool) changeKeys(ctx context.Context, change func([]*SigningKeys) ([]*SigningKeys, error)) error {
	if !p.keys.kept {
		return p.keys.change(change)
	}
	err := store.ErrConflict
	for i := 0; i < 10 && errors.Is(err, store.ErrConflict); i++ {
		err = p.readKeys(ctx)
		if err != nil {
			return fmt.Errorf("userpool: reading keys: %w", err)
		}
		before := p.keys.sets.Load()
		next := &keySets{version: before.version + 1}
		next.pairs, err = change(before.pairs)
		if err != nil {
			return err
		}
		err = p.store.UpdateKeys(ctx, next.pairs, before.version)
		if err == nil {
			p.keys.take(next)
			return nil
		}
	}
	return fmt.Errorf("userpool: storing keys: %w", err)
}

// change replaces pairs that are nowhere but here.
func (r *keyRing) change(change func([]*SigningKeys) ([]*SigningKeys, error)) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	pairs, err := change(r.sets.Load().pairs)
	if err == nil {
		r.sets.Store(&keySets{pairs: pairs})
	}
	return err
}
