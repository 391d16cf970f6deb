package cognatetest

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	_ "embed"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"sync"

	"github.com/cognate-auth/cognate/userpool/keys"
	"github.com/cognate-auth/cognate/userpool/pool"
)

// keyPair is the two keys of a pool. The test package makes them itself, so that it
// can sign what the pool never would.
type keyPair struct {
	id, access *rsa.PrivateKey
	set        *keys.Pair
}

// firstKeys are two private keys that everyone knows: making keys would take longer than
// all else at the start of a test. What they sign means nothing outside of it.
//
//go:embed keys.pem
var firstKeys []byte

// made holds the pairs of this process, for all its pools.
var made struct {
	mu    sync.Mutex
	pairs []*keyPair
}

// sharedKeys returns the pair of number n: the known one for 0, or one that is made once
// per process.
func sharedKeys(n int) (*keyPair, error) {
	made.mu.Lock()
	defer made.mu.Unlock()
	for len(made.pairs) <= n {
		source := makeKey
		if len(made.pairs) == 0 {
			source = knownKeys()
		}
		pair, err := newKeyPair(source)
		if err != nil {
			return nil, fmt.Errorf("making keys: %w", err)
		}
		made.pairs = append(made.pairs, pair)
	}
	return made.pairs[n], nil
}

func newKeyPair(source func() (*rsa.PrivateKey, error)) (*keyPair, error) {
	id, err := source()
	if err != nil {
		return nil, err
	}
	access, err := source()
	if err != nil {
		return nil, err
	}
	set, err := keys.New(id, access)
	return &keyPair{id, access, set}, err
}

func makeKey() (*rsa.PrivateKey, error) { return rsa.GenerateKey(rand.Reader, 2048) }

// knownKeys returns one key of firstKeys after the other.
func knownKeys() func() (*rsa.PrivateKey, error) {
	rest := firstKeys
	return func() (*rsa.PrivateKey, error) {
		var block *pem.Block
		block, rest = pem.Decode(rest)
		if block == nil {
			return nil, errors.New("keys.pem holds no further key")
		}
		key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
		if err != nil {
			return nil, err
		}
		private, ok := key.(*rsa.PrivateKey)
		if !ok {
			return nil, errors.New("keys.pem holds a key that is not RSA")
		}
		return private, nil
	}
}

// signer is a private key with the key ID that the pool publishes it under.
type signer struct {
	kid string
	key *rsa.PrivateKey
}

// signingKeys are those that the pool signed with so far.
type signingKeys struct {
	mu      sync.Mutex
	number  int // of the pair in use, see sharedKeys
	current *keyPair
	idKey   signer // of current
	byID    map[string]*rsa.PrivateKey
}

// use notes the pair that the pool signs with now.
func (k *signingKeys) use(p *pool.Pool, pair *keyPair) error {
	raw, err := p.Keys.JWKS(context.Background())
	if err != nil {
		return err
	}
	var set struct {
		Keys []struct {
			Kid string `json:"kid"`
		} `json:"keys"`
	}
	err = json.Unmarshal(raw, &set)
	if err != nil {
		return err
	}
	// The pair that signs comes first, its ID tokens' key before the other.
	if k.byID == nil {
		k.byID = make(map[string]*rsa.PrivateKey)
	}
	k.byID[set.Keys[0].Kid], k.byID[set.Keys[1].Kid] = pair.id, pair.access
	k.current, k.idKey = pair, signer{set.Keys[0].Kid, pair.id}
	return nil
}

func (k *signingKeys) find(kid string) (*rsa.PrivateKey, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	key, ok := k.byID[kid]
	return key, ok
}

func (k *signingKeys) forID() signer {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.idKey
}

// stranger is a key that signs no ID token: that of the access tokens.
func (k *signingKeys) stranger() *rsa.PrivateKey {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.current.access
}

// RotateKeys makes the pool sign with other keys from now on. The old ones stay
// published, and their tokens good, until [Pool.WithdrawKeys]. An app has to fetch
// the key set again when it meets the new key, and may not do so at every request
// with an unknown one.
func (p *Pool) RotateKeys() {
	p.tb.Helper()
	err := p.rotateKeys()
	if err != nil {
		p.tb.Fatalf("cognatetest: rotating keys: %v", err)
	}
}

func (p *Pool) rotateKeys() error {
	p.keys.mu.Lock()
	defer p.keys.mu.Unlock()
	next, err := sharedKeys(p.keys.number + 1)
	if err != nil {
		return err
	}
	err = p.pool.Keys.Rotate(context.Background(), next.set)
	if err != nil {
		return err
	}
	p.keys.number++
	return p.keys.use(p.pool, next)
}

// WithdrawKeys takes back all keys but those that sign now: tokens of the old ones
// can't be verified any more, by whoever fetches the key set anew.
func (p *Pool) WithdrawKeys() {
	p.tb.Helper()
	err := p.pool.Keys.Withdraw(context.Background())
	if err != nil {
		p.tb.Fatalf("cognatetest: withdrawing keys: %v", err)
	}
}
