package oidc

import (
	"bytes"
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
	"slices"
	"strings"
	"time"

	"github.com/cognate-auth/cognate/internal/refusal"
)

const (
	// keysMaxAge is how long keys are used before they are fetched again, so that a key
	// that the provider withdrew does not stay valid for ever.
	keysMaxAge = time.Hour
	// keysTrusted is how long keys are used at most while they can't be fetched again: long
	// enough for an outage of the provider, and short enough to limit the use of a stolen key.
	keysTrusted = 24 * time.Hour
	// keysGrace is how long a request that finds old keys waits for new ones: long enough
	// for a provider that answers as usual, and too short for a visitor to notice.
	keysGrace = 250 * time.Millisecond
	// MinRSABits and maxRSABits bound the size of RSA keys: shorter keys are weak, and
	// longer ones make verification expensive.
	MinRSABits, maxRSABits = 2048, 8192
	// maxKeysOfID bounds how many keys with one ID are tried. Each costs a verification.
	maxKeysOfID = 4
)

// A keySet is the provider's public keys (RFC 7517).
type keySet struct {
	set *remote[[]publicKey]
}

// A publicKey is a key with its ID and the only algorithm that it may be used with; either
// may be empty.
type publicKey struct {
	kid, alg string
	key      crypto.PublicKey
}

// find returns the keys that a token's header names, usually one. An unknown key ID causes
// a fetch, at most one every refetchPause; a bad signature never does.
func (k *keySet) find(ctx context.Context, kid, alg string) ([]publicKey, error) {
	keys, err := k.set.get(ctx)
	if err != nil {
		return nil, k.unavailable(err)
	}
	found, err := selectKeys(keys, kid, alg)
	if err == nil {
		return found, nil
	}
	keys, err = k.set.refresh(ctx)
	if err != nil {
		return nil, k.unavailable(err)
	}
	return selectKeys(keys, kid, alg)
}

func (k *keySet) unavailable(err error) *refusal.Error { return unavailable(err, k.set.retryAfter()) }

// selectKeys returns the keys with an ID that fit an algorithm. There may be several: keys of
// different types may share an ID, and some providers list a key twice or give two keys the
// same ID (RFC 7517, 4.5 only says that they should not). A token without kid is accepted
// only if a single key fits (OpenID Connect Core 1.0, 10.1).
func selectKeys(keys []publicKey, kid, alg string) ([]publicKey, error) {
	var found []publicKey
	for i, k := range keys {
		switch {
		case kid != "" && k.kid != kid, !k.fits(alg), k.among(found):
		case found == nil:
			found = keys[i : i+1 : i+1] // usually the only one: no allocation
		default:
			found = append(found, k)
		}
	}
	if n := len(found); n == 0 || n > maxKeysOfID || kid == "" && n > 1 {
		return nil, refusal.New(refusal.TokenKey,
			"the provider has %d keys with ID %.100q for %s, expected one", n, kid, alg)
	}
	return found, nil
}

// same reports whether both are the same key; their IDs may differ.
func (k publicKey) same(other publicKey) bool {
	key, ok := k.key.(interface{ Equal(crypto.PublicKey) bool })
	return ok && key.Equal(other.key)
}

// among reports whether the key is one of others.
func (k publicKey) among(others []publicKey) bool {
	for _, other := range others {
		if k.same(other) {
			return true
		}
	}
	return false
}

// fits reports whether the key has the right type for a signing algorithm and may be used
// with it. Each elliptic curve belongs to one algorithm (RFC 7518, 3.4).
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

// usableKeys returns the keys that can verify a signature. For each skipped key that is
// meant for signatures, it also returns what is wrong with it. Keys of other types and for
// other uses are ignored silently, as RFC 7517, section 5 asks. If the private half of a key
// is in the set, all entries for that key are skipped.
func usableKeys(set []json.RawMessage) (keys []publicKey, skipped []string) {
	var compromised []publicKey
	for n, raw := range set {
		var j jwk
		err := json.Unmarshal(raw, &j)
		if err != nil {
			err = errors.New("it is not a JSON Web Key")
		} else if j.private() {
			err = errPrivateHalf
			key, bad := j.material()
			if bad == nil {
				compromised = append(compromised, publicKey{key: key})
			}
		}
		var key crypto.PublicKey
		if err == nil {
			key, err = j.publicKey()
		}
		switch {
		case errors.Is(err, errOtherKey):
		case err != nil:
			skipped = append(skipped, fmt.Sprintf("number %d, kid %.40q: %v", n+1, j.KeyID, err))
		default:
			keys = append(keys, publicKey{j.KeyID, j.Algorithm, key})
		}
	}
	if len(compromised) == 0 {
		return keys, skipped
	}
	return slices.DeleteFunc(keys, func(k publicKey) bool {
		found := slices.ContainsFunc(compromised, k.same)
		if found {
			skipped = append(skipped, fmt.Sprintf("kid %.40q: %v", k.kid, errPrivateHalf))
		}
		return found
	}), skipped
}

// jwk is one member of a key set (RFC 7517, section 4; RFC 7518, section 6).
type jwk struct {
	KeyType    string   `json:"kty"`
	Use        string   `json:"use"`
	Operations []string `json:"key_ops"`
	Algorithm  string   `json:"alg"`
	KeyID      string   `json:"kid"`
	N          string   `json:"n"`
	E          string   `json:"e"`
	Curve      string   `json:"crv"`
	X          string   `json:"x"`
	Y          string   `json:"y"`
	// Private members, which must not be published (RFC 7518, 6.2.2, 6.3.2 and 6.4.1).
	D  json.RawMessage `json:"d"`
	P  json.RawMessage `json:"p"`
	Q  json.RawMessage `json:"q"`
	DP json.RawMessage `json:"dp"`
	DQ json.RawMessage `json:"dq"`
	QI json.RawMessage `json:"qi"`
	K  json.RawMessage `json:"k"`
	// Others are the other primes of an RSA key.
	Others json.RawMessage `json:"oth"`
}

// errOtherKey is the error for a key that is not for verifying signatures, or of a type that
// this package does not support.
var errOtherKey = errors.New("another kind of key")

var errPrivateHalf = errors.New("it is published with its private half, so that anybody can sign with it; " +
	"have the provider replace it")

// private reports whether the JWK includes the private half of the key.
func (j *jwk) private() bool {
	for _, half := range []json.RawMessage{j.D, j.P, j.Q, j.DP, j.DQ, j.QI, j.K, j.Others} {
		// Some programs write absent members as null, "" or [].
		if !slices.Contains([]string{"", "null", `""`, "[]"}, string(half)) {
			return true
		}
	}
	return false
}

// publicKey returns the key if it may be used to verify signatures.
func (j *jwk) publicKey() (crypto.PublicKey, error) {
	forbidden := len(j.Operations) > 0 && !slices.Contains(j.Operations, "verify")
	switch {
	case j.Use != "" && j.Use != "sig":
		return nil, errOtherKey
	case forbidden && (j.Use == "sig" || slices.Contains(j.Operations, "sign")):
		return nil, fmt.Errorf("its key_ops are %.80q, without verify", j.Operations)
	case forbidden:
		return nil, errOtherKey
	}
	return j.material()
}

// material returns the public key, whatever its use.
func (j *jwk) material() (crypto.PublicKey, error) {
	switch j.KeyType {
	case "RSA":
		return j.rsaKey()
	case "EC":
		return j.ecKey()
	}
	return nil, errOtherKey
}

func (j *jwk) rsaKey() (*rsa.PublicKey, error) {
	n, errN := keyPart(j.N)
	e, errE := keyPart(j.E)
	e = bytes.TrimLeft(e, "\x00") // some programs write a whole machine word
	if errN != nil || errE != nil || len(e) == 0 || len(e) > 4 {
		return nil, errors.New("its n or e can't be read")
	}
	key := &rsa.PublicKey{N: new(big.Int).SetBytes(n), E: int(new(big.Int).SetBytes(e).Int64())}
	bits := key.N.BitLen()
	if bits < MinRSABits || bits > maxRSABits {
		return nil, fmt.Errorf("it has %d bits; expected %d to %d", bits, MinRSABits, maxRSABits)
	}
	if key.E < 3 || key.E%2 == 0 || key.E > 1<<31-1 {
		return nil, errors.New("its e is not a valid RSA exponent")
	}
	return key, nil
}

func (j *jwk) ecKey() (*ecdsa.PublicKey, error) {
	curves := map[string]elliptic.Curve{"P-256": elliptic.P256(), "P-384": elliptic.P384(), "P-521": elliptic.P521()}
	curve, ok := curves[j.Curve]
	if !ok {
		return nil, errOtherKey
	}
	x, errX := keyPart(j.X)
	y, errY := keyPart(j.Y)
	size := (curve.Params().BitSize + 7) / 8
	if errX != nil || errY != nil || len(x) != size || len(y) != size {
		return nil, fmt.Errorf("its x or y can't be read, or does not have %d bytes", size)
	}
	// This checks that the point is on the curve.
	key, err := ecdsa.ParseUncompressedPublicKey(curve, append(append([]byte{4}, x...), y...))
	if err != nil {
		return nil, errors.New("its x and y are not a point on the curve")
	}
	return key, nil
}

// keyPart decodes a number of a key. RFC 7518, 2 requires base64url without padding, but
// several providers write padded base64. Accepting both is safe: they decode to the same
// number.
func keyPart(text string) ([]byte, error) {
	text = strings.NewReplacer("+", "-", "/", "_").Replace(strings.TrimRight(text, "="))
	return base64.RawURLEncoding.DecodeString(text)
}
