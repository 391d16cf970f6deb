package cognatetest

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	_ "embed" // for keys.pem
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"sync"

	"github.com/cognate-auth/cognate/userpool/keys"
	"github.com/cognate-auth/cognate/userpool/pool"
)

// keyPair has the two keys of a pool. This package generates them itself, so that it
// can sign what the pool would never sign.
type keyPair struct {
	id, access *rsa.PrivateKey
	set        *keys.Pair
}

// firstKeys are two private keys that are published in this repository: generating keys
// would take longer than everything else at the start of a test. Outside of a test, their
// signatures mean nothing.
//
//go:embed keys.pem
var firstKeys []byte

// generated holds the pairs that this process generated, for all its pools.
var generated struct {
	mu    sync.Mutex
	pairs []*keyPair
}

// sharedKeys returns pair number n: the published one for 0, or one that is generated
// once per process.
func sharedKeys(n int) (*keyPair, error) {
	generated.mu.Lock()
	defer generated.mu.Unlock()
	for len(generated.pairs) <= n {
		source := makeKey
		if len(generated.pairs) == 0 {
			source = knownKeys()
		}
		pair, err := newKeyPair(source)
		if err != nil {
			return nil, fmt.Errorf("making keys: %w", err)
		}
		generated.pairs = append(generated.pairs, pair)
	}
	return generated.pairs[n], nil
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

// knownKeys returns a function that returns the keys of firstKeys one after the other.
func knownKeys() func() (*rsa.PrivateKey, error) {
	rest := firstKeys
	return func() (*rsa.PrivateKey, error) {
		var block *pem.Block
		block, rest = pem.Decode(rest)
		if block == nil {
			return nil, errors.New("keys.pem has no further key")
		}
		key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
		if err != nil {
			return nil, err
		}
		private, ok := key.(*rsa.PrivateKey)
		if !ok {
			return nil, errors.New("keys.pem has a key that is not an RSA key")
		}
		return private, nil
	}
}

// signer is a private key with the key ID under which the pool publishes it.
type signer struct {
	kid string
	key *rsa.PrivateKey
}

// signingKeys are the keys that the pool has signed with so far.
type signingKeys struct {
	mu      sync.Mutex
	number  int // the number of the pair in use, see sharedKeys
	current *keyPair
	idKey   signer // in current
	byID    map[string]*rsa.PrivateKey
}

// use records the pair that the pool signs with now.
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
	// The pair that signs is first, its key for ID tokens before the other one.
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

// wrongKey returns a key that signs no ID tokens: the key for access tokens.
func (k *signingKeys) wrongKey() *rsa.PrivateKey {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.current.access
}

// RotateKeys makes the pool sign with other keys from now on. The old keys are still
// published, and their tokens valid, until [Pool.WithdrawKeys]. An app must fetch the
// key set again when a token has the new key's ID, and must not fetch it at every
// request with an unknown key ID.
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

// WithdrawKeys withdraws all keys except the present ones: after an app fetches the key
// set again, it can't verify tokens of the old keys.
func (p *Pool) WithdrawKeys() {
	p.tb.Helper()
	err := p.pool.Keys.Withdraw(context.Background())
	if err != nil {
		p.tb.Fatalf("cognatetest: withdrawing keys: %v", err)
	}
}
