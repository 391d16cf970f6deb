// Package keys has the keys that a pool signs its tokens with. It knows the words
// (userpool) alone; which pairs are in use, and for how long, is a matter of grants.
package keys

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"

	"github.com/cognate-auth/cognate/userpool"
	"golang.org/x/sync/errgroup"
)

// Pair are the two keys of a pool: one signs ID tokens, the other access
// tokens, so that the one kind can never pass for the other.
type Pair struct {
	id, access signingKey
}

// signingKey is a key with what every signature needs, worked out once.
type signingKey struct {
	key    *rsa.PrivateKey
	kid    string
	header string // the encoded JOSE header and the dot after it
}

// Generate returns two fresh RSA-2048 keys. It takes a good part of
// a second, of two CPUs if there are.
func Generate() (*Pair, error) {
	var id, access *rsa.PrivateKey
	var both errgroup.Group
	for _, key := range []**rsa.PrivateKey{&id, &access} {
		both.Go(func() (err error) {
			*key, err = rsa.GenerateKey(rand.Reader, 2048)
			return err
		})
	}
	err := both.Wait()
	if err != nil {
		return nil, err
	}
	return New(id, access)
}

// Shares reports whether the pairs have a key in common.
func (s *Pair) Shares(other *Pair) bool {
	return s.id.kid == other.id.kid || s.id.kid == other.access.kid ||
		s.access.kid == other.id.kid || s.access.kid == other.access.kid
}

// New returns the pair of these keys, which must differ and have
// 2048 bits, as Cognito's do. The key ids follow from the keys, so that they
// stay the same from one start to the next.
func New(id, access *rsa.PrivateKey) (*Pair, error) {
	for _, k := range []*rsa.PrivateKey{id, access} {
		if k == nil || k.N.BitLen() != 2048 {
			return nil, errors.New("userpool: a signing key must be RSA with 2048 bits")
		}
		err := k.Validate()
		if err != nil {
			return nil, fmt.Errorf("userpool: checking a signing key: %w", err)
		}
	}
	if id.N.Cmp(access.N) == 0 {
		return nil, errors.New("userpool: ID and access tokens need two different keys")
	}
	return &Pair{id: newSigningKey(id), access: newSigningKey(access)}, nil
}

func newSigningKey(k *rsa.PrivateKey) signingKey {
	n, e := publicNumbers(&k.PublicKey)
	// The JWK thumbprint of RFC 7638: 32 bytes. Cognito writes its kid in
	// standard base64 with padding; so do we.
	sum := sha256.Sum256(fmt.Appendf(nil, `{"e":%q,"kty":"RSA","n":%q}`, e, n))
	kid := base64.StdEncoding.EncodeToString(sum[:])
	// Just kid and alg, in Cognito's order, no typ.
	header := fmt.Appendf(nil, `{"kid":%q,"alg":"RS256"}`, kid)
	return signingKey{key: k, kid: kid, header: base64.RawURLEncoding.EncodeToString(header) + "."}
}

func publicNumbers(k *rsa.PublicKey) (n, e string) {
	enc := base64.RawURLEncoding
	return enc.EncodeToString(k.N.Bytes()), enc.EncodeToString(big.NewInt(int64(k.E)).Bytes())
}

// SignID returns the claims as an ID token.
func (s *Pair) SignID(claims map[string]any) (userpool.Secret, error) { return s.id.sign(claims) }

// SignAccess returns the claims as an access token.
func (s *Pair) SignAccess(claims map[string]any) (userpool.Secret, error) {
	return s.access.sign(claims)
}

// IDKey returns the public key that checks ID tokens, if it has this key id.
func (s *Pair) IDKey(kid string) (key *rsa.PublicKey, ok bool) {
	return &s.id.key.PublicKey, kid == s.id.kid
}

// AccessKey returns the public key that checks access tokens, if it has this key id.
func (s *Pair) AccessKey(kid string) (key *rsa.PublicKey, ok bool) {
	return &s.access.key.PublicKey, kid == s.access.kid
}

// JWKs returns the two public keys, that of ID tokens first.
func (s *Pair) JWKs() []JWK { return []JWK{s.id.jwk(), s.access.jwk()} }

// Marshal returns the two private keys in PKCS #8.
func (s *Pair) Marshal() (id, access []byte, err error) {
	id, err = x509.MarshalPKCS8PrivateKey(s.id.key)
	if err != nil {
		return nil, nil, err
	}
	access, err = x509.MarshalPKCS8PrivateKey(s.access.key)
	return id, access, err
}

// Parse reads what [Pair.Marshal] returned. Its errors say nothing of
// what it read.
func Parse(id, access []byte) (*Pair, error) {
	var pair [2]*rsa.PrivateKey
	for i, der := range [][]byte{id, access} {
		key, err := x509.ParsePKCS8PrivateKey(der)
		private, ok := key.(*rsa.PrivateKey)
		if err != nil || !ok {
			return nil, errors.New("a key is damaged")
		}
		pair[i] = private
	}
	return New(pair[0], pair[1])
}

// sign returns the claims as a JWT (RFC 7515 compact serialization, RS256).
func (k *signingKey) sign(claims map[string]any) (userpool.Secret, error) {
	payload, err := json.Marshal(claims)
	if err != nil {
		return "", fmt.Errorf("encoding claims: %w", err)
	}
	signed := k.header + base64.RawURLEncoding.EncodeToString(payload)
	sum := sha256.Sum256([]byte(signed))
	sig, err := rsa.SignPKCS1v15(nil, k.key, crypto.SHA256, sum[:])
	if err != nil {
		return "", fmt.Errorf("signing: %w", err)
	}
	return userpool.Secret(signed + "." + base64.RawURLEncoding.EncodeToString(sig)), nil
}

// JWK is a public key with the members in Cognito's order.
type JWK struct {
	Alg string `json:"alg"`
	E   string `json:"e"`
	Kid string `json:"kid"`
	Kty string `json:"kty"`
	N   string `json:"n"`
	Use string `json:"use"`
}

func (k *signingKey) jwk() JWK {
	n, e := publicNumbers(&k.key.PublicKey)
	return JWK{Alg: "RS256", E: e, Kid: k.kid, Kty: "RSA", N: n, Use: "sig"}
}
