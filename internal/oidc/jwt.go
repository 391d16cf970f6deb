package oidc

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	_ "crypto/sha256" // for crypto.SHA256
	_ "crypto/sha512" // for crypto.SHA384 and crypto.SHA512
	"encoding/base64"
	"errors"
	"math/big"
	"strings"
	"sync/atomic"
)

// A signedToken is a parsed compact JWS with claims (RFC 7515, 7.1; RFC 7519). Its signature
// has not been verified.
type signedToken struct {
	*tokenHeader
	claims    Claims
	signed    []byte // the signing input
	signature []byte
}

// A tokenHeader is the first part of a token. It is never changed once made.
type tokenHeader struct {
	part     string // encoded
	alg, kid string
	typ      string // in lower case, without "application/" (RFC 7515, 4.1.9)
}

// A tokenReader parses tokens of a bounded size. A provider's tokens have the same header
// until its key changes, so the reader remembers the last header. It is safe for concurrent
// use.
type tokenReader struct {
	limit int // in bytes
	last  atomic.Pointer[tokenHeader]
}

var errToken = errors.New("not a signed token")

// tokenEncoding rejects a last character with stray bits, so that each signature has only
// one encoding. It ignores line breaks; read rejects those itself.
var tokenEncoding = base64.RawURLEncoding.Strict()

// read parses a token.
func (r *tokenReader) read(raw string) (*signedToken, error) {
	if len(raw) > r.limit || strings.ContainsAny(raw, "\r\n") {
		return nil, errToken
	}
	head, rest, _ := strings.Cut(raw, ".")
	body, sig, ok := strings.Cut(rest, ".")
	if !ok {
		return nil, errToken
	}
	header, err := r.header(head)
	if err != nil {
		return nil, err
	}
	t := &signedToken{tokenHeader: header, signed: []byte(raw[:len(head)+1+len(body)])}
	t.claims, err = decodeObject(body)
	if err != nil {
		return nil, err
	}
	t.signature, err = tokenEncoding.DecodeString(sig) // a fourth part fails, because of its dot
	if err != nil {
		return nil, errToken
	}
	return t, nil
}

// header parses the first part. It rejects crit, which lists extensions that change the
// meaning of the signature (RFC 7515, 4.1.11); b64, which changes the signing input (RFC
// 7797); and zip, which belongs to encryption (RFC 7516, 4.1.3). None is supported.
func (r *tokenReader) header(part string) (*tokenHeader, error) {
	if last := r.last.Load(); last != nil && last.part == part {
		return last, nil
	}
	members, err := decodeObject(part)
	if err != nil {
		return nil, err
	}
	for _, name := range []string{"crit", "b64", "zip"} {
		if _, ok := members[name]; ok {
			return nil, errToken
		}
	}
	h := &tokenHeader{part: strings.Clone(part)} // so that the token can be freed
	for _, f := range []struct {
		name string
		into *string
	}{{"alg", &h.alg}, {"kid", &h.kid}, {"typ", &h.typ}} {
		*f.into, err = members.String(f.name)
		if err != nil {
			return nil, errToken
		}
	}
	h.typ = strings.TrimPrefix(strings.ToLower(h.typ), "application/")
	r.last.Store(h)
	return h, nil
}

// decodeObject decodes the JSON object in one part of a token.
func decodeObject(part string) (Claims, error) {
	data, err := tokenEncoding.DecodeString(part)
	if err != nil {
		return nil, errToken
	}
	return splitObject(data)
}

// verify reports whether the key made the signature under the token's algorithm. The key
// has to fit the algorithm; see [publicKey.fits].
func (t *signedToken) verify(key crypto.PublicKey) bool {
	hash := hashOf(t.alg)
	if hash == 0 {
		return false
	}
	h := hash.New()
	h.Write(t.signed)
	digest := h.Sum(make([]byte, 0, 64))
	switch key := key.(type) {
	case *rsa.PublicKey:
		if strings.HasPrefix(t.alg, "PS") {
			// The salt is as long as the hash (RFC 7518, 3.5).
			return rsa.VerifyPSS(key, hash, digest, t.signature,
				&rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash}) == nil
		}
		return strings.HasPrefix(t.alg, "RS") && rsa.VerifyPKCS1v15(key, hash, digest, t.signature) == nil
	case *ecdsa.PublicKey:
		// Two numbers of the curve's size, one after the other (RFC 7518, 3.4).
		size := (key.Curve.Params().BitSize + 7) / 8
		if !strings.HasPrefix(t.alg, "ES") || len(t.signature) != 2*size {
			return false
		}
		r, s := new(big.Int).SetBytes(t.signature[:size]), new(big.Int).SetBytes(t.signature[size:])
		return ecdsa.Verify(key, digest, r, s)
	}
	return false
}

// hashOf returns the hash of a signing algorithm, or 0 if the algorithm is not one of
// SigningAlgorithms.
func hashOf(alg string) crypto.Hash {
	switch alg {
	case "RS256", "PS256", "ES256":
		return crypto.SHA256
	case "RS384", "PS384", "ES384":
		return crypto.SHA384
	case "RS512", "PS512", "ES512":
		return crypto.SHA512
	}
	return 0
}
