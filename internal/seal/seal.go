// Package seal packs values and seals them: encrypted, authenticated and bound to what they
// are for, so that they may travel through a browser or lie in a store. It draws the random
// bytes, too. It does not know what the values mean, nor anything else of this module.
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

// Encoding is that of what is in a cookie, a state or the key of a record: base64url without
// padding. Strict refuses encodings whose last character has stray bits, so that one
// plaintext has one spelling.
var Encoding = base64.RawURLEncoding.Strict()

// ErrSealed is the one answer to everything that can't be opened: why a forgery failed is
// nobody's business.
var ErrSealed = errors.New("value was not sealed by these keys, or was changed")

// Keys are secrets that keys are derived from, the newest first. Printed, they are
// "[redacted]".
type Keys []string

// KeysOf makes Keys of secrets of any string type.
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
	// bound is authenticated with every value: what it is sealed for. A cookie of
	// one provider, client or purpose does not open as one of another.
	bound string
}

// New makes a Sealer for one purpose. What it seals opens for the same purpose and the same
// bound alone; a value of more than limit bytes does not open at all.
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

// Seal returns the text that holds plaintext, in [Encoding]. The text opens only under the
// same name, that of its cookie as a rule.
func (s *Sealer) Seal(name string, plaintext []byte) string {
	return Encoding.EncodeToString(s.SealBytes(name, plaintext))
}

// SealBytes is Seal for a place that takes any bytes.
func (s *Sealer) SealBytes(name string, plaintext []byte) []byte {
	return s.aeads[0].Seal(nil, nil, plaintext, s.additional(name)) //nolint:gosec // the AEAD draws the nonce itself
}

// Open returns what a text of Seal holds; current reports whether the newest key sealed it.
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

// OpenBytes is Open for what SealBytes made.
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
