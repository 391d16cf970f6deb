package cognate

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/base64"
	"errors"
	"fmt"
	"math/big"
	"net/http"
	"time"
)

const (
	// keysMaxAge is how long keys are used before they are asked for again, so that
	// a key the provider withdrew does not stay good for ever.
	keysMaxAge = time.Hour
	// maxKeys bounds a key set. Cognito's has two.
	maxKeys = 100
	// RSA keys outside these sizes, in bits, are not used: shorter ones are weak,
	// longer ones make a verification dear.
	minRSABits, maxRSABits = 2048, 8192
)

// A keySet is the provider's public keys (RFC 7517), by key ID.
type keySet struct {
	set *remote[map[string]publicKey]
}

// A publicKey is a key with the one algorithm it may be used with, if the provider
// said so.
type publicKey struct {
	key crypto.PublicKey
	alg string
}

// find returns the key that a token's header names. An unknown key ID causes one
// fetch, at most every refetchPause; a bad signature never does.
func (k *keySet) find(ctx context.Context, kid, alg string) (crypto.PublicKey, error) {
	keys, err := k.set.get(ctx)
	if err != nil {
		e := refuse(ReasonProviderDown, "%w", err)
		e.RetryAfter = k.set.retryAfter()
		return nil, e
	}
	key, ok := pick(keys, kid)
	if !ok {
		keys, err = k.set.refresh(ctx)
		if err != nil {
			return nil, refuse(ReasonProviderDown, "%w", err)
		}
		key, ok = pick(keys, kid)
	}
	if !ok {
		return nil, refuse(ReasonTokenKey, "the provider has no key of ID %.100q", kid)
	}
	if key.alg != "" && key.alg != alg {
		return nil, refuse(ReasonTokenAlgorithm, "the key is for %.20q, the token says %q", key.alg, alg)
	}
	return key.key, nil
}

// pick finds a key. A token without kid is unambiguous only with a single key
// (OpenID Connect Core 1.0, 10.1).
func pick(keys map[string]publicKey, kid string) (publicKey, bool) {
	if kid == "" && len(keys) == 1 {
		for _, key := range keys {
			return key, true
		}
	}
	key, ok := keys[kid]
	return key, ok
}

// fetchKeys fetches the key set from the address that discovery or the configuration
// names.
func (p *provider) fetchKeys(ctx context.Context) (map[string]publicKey, error) {
	m, err := p.metadata.get(ctx)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, m.JWKS, nil)
	if err != nil {
		return nil, fmt.Errorf("fetching the provider's keys: %w", err)
	}
	var doc struct {
		Keys []jwk `json:"keys"`
	}
	err = getJSON(p.http, req, &doc)
	if err != nil {
		return nil, fmt.Errorf("fetching the provider's keys: %w", err)
	}
	return usableKeys(doc.Keys)
}

// usableKeys returns the keys that can verify a signature. Others are passed over, as
// RFC 7517, section 5 asks; a set without a single usable one is an error, so that it
// does not replace a good one.
func usableKeys(set []jwk) (map[string]publicKey, error) {
	if len(set) > maxKeys {
		return nil, fmt.Errorf("the provider's key set has %d keys, more than %d", len(set), maxKeys)
	}
	keys := make(map[string]publicKey, len(set))
	for _, j := range set {
		key, err := j.publicKey()
		if err != nil {
			continue
		}
		if _, ok := keys[j.KeyID]; ok {
			return nil, fmt.Errorf("the provider's key set has two keys of ID %.100q", j.KeyID)
		}
		keys[j.KeyID] = publicKey{key, j.Algorithm}
	}
	if len(keys) == 0 {
		return nil, errors.New("the provider's key set has no key for signatures")
	}
	return keys, nil
}

// jwk is one member of a key set (RFC 7517, section 4; RFC 7518, section 6).
type jwk struct {
	KeyType   string `json:"kty"`
	Use       string `json:"use"`
	Algorithm string `json:"alg"`
	KeyID     string `json:"kid"`
	N         string `json:"n"`
	E         string `json:"e"`
	Curve     string `json:"crv"`
	X         string `json:"x"`
	Y         string `json:"y"`
}

var errKey = errors.New("unusable key")

func (j *jwk) publicKey() (crypto.PublicKey, error) {
	if j.Use != "" && j.Use != "sig" {
		return nil, errKey
	}
	switch j.KeyType {
	case "RSA":
		return j.rsaKey()
	case "EC":
		return j.ecKey()
	}
	return nil, errKey
}

func (j *jwk) rsaKey() (*rsa.PublicKey, error) {
	n, errN := base64.RawURLEncoding.DecodeString(j.N)
	e, errE := base64.RawURLEncoding.DecodeString(j.E)
	if errN != nil || errE != nil || len(e) == 0 || len(e) > 4 {
		return nil, errKey
	}
	key := &rsa.PublicKey{N: new(big.Int).SetBytes(n), E: int(new(big.Int).SetBytes(e).Int64())}
	bits := key.N.BitLen()
	if bits < minRSABits || bits > maxRSABits || key.E < 3 || key.E%2 == 0 || key.E > 1<<31-1 {
		return nil, errKey
	}
	return key, nil
}

func (j *jwk) ecKey() (*ecdsa.PublicKey, error) {
	curve, ok := map[string]elliptic.Curve{"P-256": elliptic.P256(), "P-384": elliptic.P384(), "P-521": elliptic.P521()}[j.Curve]
	x, errX := base64.RawURLEncoding.DecodeString(j.X)
	y, errY := base64.RawURLEncoding.DecodeString(j.Y)
	if !ok || errX != nil || errY != nil {
		return nil, errKey
	}
	size := (curve.Params().BitSize + 7) / 8
	if len(x) != size || len(y) != size {
		return nil, errKey
	}
	// The point is checked to be on the curve here.
	return ecdsa.ParseUncompressedPublicKey(curve, append(append([]byte{4}, x...), y...))
}
