package cognate

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"net/http"
	"strings"
	"time"
)

const (
	// keysMaxAge is how long keys are used before they are asked for again, so that
	// a key the provider withdrew does not stay good for ever.
	keysMaxAge = time.Hour
	// RSA keys outside these sizes, in bits, are not used: shorter ones are weak,
	// longer ones make a verification dear.
	minRSABits, maxRSABits = 2048, 8192
)

// A keySet is the provider's public keys (RFC 7517).
type keySet struct {
	set *remote[[]publicKey]
}

// A publicKey is a key with its ID and the one algorithm it may be used with; both may
// be empty.
type publicKey struct {
	kid, alg string
	key      crypto.PublicKey
}

// find returns the key that a token's header names. An unknown key ID causes one
// fetch, at most every refetchPause; a bad signature never does.
func (k *keySet) find(ctx context.Context, kid, alg string) (crypto.PublicKey, error) {
	keys, err := k.set.get(ctx)
	if err != nil {
		return nil, k.down(err)
	}
	key, err := pick(keys, kid, alg)
	if err == nil {
		return key, nil
	}
	keys, err = k.set.refresh(ctx)
	if err != nil {
		return nil, k.down(err)
	}
	return pick(keys, kid, alg)
}

func (k *keySet) down(err error) *Error {
	e := refuse(ReasonProviderDown, "%w", err)
	e.RetryAfter = k.set.retryAfter()
	return e
}

// pick finds the one key of that ID that is made for the algorithm: two kinds of keys
// may share an ID (RFC 7517, 4.5). A token without kid is unambiguous only where a
// single key is left (OpenID Connect Core 1.0, 10.1).
func pick(keys []publicKey, kid, alg string) (crypto.PublicKey, error) {
	var found []publicKey
	for _, k := range keys {
		if (kid == "" || k.kid == kid) && k.fits(alg) {
			found = append(found, k)
		}
	}
	if len(found) != 1 {
		return nil, refuse(ReasonTokenKey, "the provider has %d keys of ID %.100q for %s, expected one", len(found), kid, alg)
	}
	return found[0].key, nil
}

// fits tells whether the key can be, and may be, used with a signing algorithm. An
// elliptic curve belongs to one algorithm (RFC 7518, 3.4).
func (k publicKey) fits(alg string) bool {
	if k.alg != "" && k.alg != alg {
		return false
	}
	switch key := k.key.(type) {
	case *rsa.PublicKey:
		return strings.HasPrefix(alg, "RS") || strings.HasPrefix(alg, "PS")
	case *ecdsa.PublicKey:
		return alg == map[int]string{256: "ES256", 384: "ES384", 521: "ES512"}[key.Curve.Params().BitSize]
	}
	return false
}

// fetchKeys fetches the key set from the address that discovery or the configuration
// names.
func (p *provider) fetchKeys(ctx context.Context) ([]publicKey, error) {
	address := p.configured.JWKS
	if address == "" {
		m, err := p.metadata.get(ctx)
		if err != nil {
			return nil, err
		}
		address = m.JWKS
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, fmt.Errorf("fetching the provider's keys: %w", err)
	}
	var doc struct {
		Keys []json.RawMessage `json:"keys"`
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
func usableKeys(set []json.RawMessage) ([]publicKey, error) {
	var keys []publicKey
	for _, raw := range set {
		var j jwk
		if json.Unmarshal(raw, &j) != nil {
			continue
		}
		key, err := j.publicKey()
		if err != nil {
			continue
		}
		keys = append(keys, publicKey{j.KeyID, j.Algorithm, key})
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
