// Package seal encodes values and seals them: it encrypts and authenticates them and binds
// them to a purpose, so that they can be kept in a browser or a store. It also generates
// random bytes. It does not know what the values mean, and imports nothing else of this
// module.
package seal

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
)

// Encoding is the encoding of cookies, states and the keys of records: base64url without
// padding. Strict rejects a last character with stray bits, so that each value has only one
// encoding.
var Encoding = base64.RawURLEncoding.Strict()

// ErrSealed is the only error for values that can't be opened, so that a forger does not
// learn why.
var ErrSealed = errors.New("value was not sealed by these keys, or was changed")

// Keys are secrets from which keys are derived, the newest first. They print as "[redacted]".
type Keys []string

// KeysOf converts secrets of any string type to Keys.
func KeysOf[S ~string](secrets []S) Keys {
	keys := make(Keys, len(secrets))
	for i, s := range secrets {
		keys[i] = string(s)
	}
	return keys
}

// Format prints "[redacted]" for every verb.
func (Keys) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "[redacted]") }

// A Sealer encrypts and authenticates small values, with AES-256-GCM. The first key seals,
// every key opens, so that keys can be rotated. Each key is derived from a configured secret
// for one purpose only. A Sealer is safe for concurrent use.
//
// GCM's random 96-bit nonces allow 2^32 values under one key before the chance of a
// repeated nonce reaches 2^-33 (NIST SP 800-38D, 8.3).
type Sealer struct {
	aeads []cipher.AEAD
	limit int // of a value, in bytes
	// bound is authenticated with every value. It says what the value is sealed for, so that
	// a cookie for one provider, client or purpose does not open as one for another.
	bound string
}

// New returns a Sealer for one purpose. A sealed value opens only with the same purpose and
// bound. A value of more than limit bytes does not open at all.
func New(keys Keys, purpose, bound string, limit int) (*Sealer, error) {
	s := &Sealer{bound: purpose + "\x00" + bound, limit: limit}
	for _, k := range keys {
		key, err := hkdf.Key(sha256.New, []byte(k), nil, "cognate v1 "+purpose, 32)
		if err != nil {
			return nil, fmt.Errorf("deriving a cookie key: %w", err)
		}
		block, err := aes.NewCipher(key)
		if err != nil {
			return nil, fmt.Errorf("using a cookie key: %w", err)
		}
		aead, err := cipher.NewGCMWithRandomNonce(block)
		if err != nil {
			return nil, fmt.Errorf("using a cookie key: %w", err)
		}
		s.aeads = append(s.aeads, aead)
	}
	return s, nil
}

// Seal returns the sealed plaintext as text, in [Encoding]. It opens only under the same
// name, usually that of a cookie.
func (s *Sealer) Seal(name string, plaintext []byte) string {
	return Encoding.EncodeToString(s.SealBytes(name, plaintext))
}

// SealBytes is like Seal, but returns bytes.
func (s *Sealer) SealBytes(name string, plaintext []byte) []byte {
	return s.aeads[0].Seal(nil, nil, plaintext, s.additional(name)) //nolint:gosec // the AEAD draws the nonce itself
}

// Open returns the plaintext of a text from Seal; current reports whether the newest key
// sealed it.
// The error is [ErrSealed].
func (s *Sealer) Open(name, text string) (plaintext []byte, current bool, err error) {
	if len(text) > s.limit {
		return nil, false, ErrSealed
	}
	ciphertext, err := Encoding.DecodeString(text)
	if err != nil {
		return nil, false, ErrSealed
	}
	return s.OpenBytes(name, ciphertext)
}

// OpenBytes is like Open, for bytes from SealBytes.
func (s *Sealer) OpenBytes(name string, ciphertext []byte) (plaintext []byte, current bool, err error) {
	if len(ciphertext) > s.limit {
		return nil, false, ErrSealed
	}
	additional := s.additional(name)
	for i, aead := range s.aeads {
		plaintext, err := aead.Open(nil, nil, ciphertext, additional)
		if err == nil {
			return plaintext, i == 0, nil
		}
	}
	return nil, false, ErrSealed
}

func (s *Sealer) additional(name string) []byte {
	return []byte(s.bound + "\x00" + name)
}

// Random returns n bytes from the operating system's generator, which does not fail
// (crypto/rand.Read).
func Random(n int) string {
	b := make([]byte, n)
	_, _ = rand.Read(b)
	return string(b)
}
