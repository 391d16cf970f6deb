package cognate

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
)

// Cookie values are base64url without padding. Strict refuses encodings whose last
// character has stray bits, so that one plaintext has one spelling.
var cookieEncoding = base64.RawURLEncoding.Strict()

// errSealed is the one answer to everything that can't be opened: why a forgery
// failed is nobody's business.
var errSealed = errors.New("value was not sealed by these keys, or was changed")

// A sealer encrypts and authenticates small values that travel through the browser,
// with AES-256-GCM. The first key seals, every key opens, so that keys can be
// rotated. Each key is derived from a configured secret for one purpose only.
//
// GCM's random 96-bit nonces allow 2^32 values under one key before the chance of a
// repeated nonce reaches 2^-33 (NIST SP 800-38D, 8.3).
type sealer struct {
	aeads []cipher.AEAD
	limit int // of a value, in bytes
	// bound is authenticated with every value: what it is sealed for. A cookie of
	// one provider, client or purpose does not open as one of another.
	bound string
}

func newSealer(keys []Secret, purpose, bound string, limit int) (*sealer, error) {
	s := &sealer{bound: purpose + "\x00" + bound, limit: limit}
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

// seal returns the cookie value that holds plaintext. name is the cookie's name; the
// value opens only under it.
func (s *sealer) seal(name string, plaintext []byte) string {
	return cookieEncoding.EncodeToString(s.sealBytes(name, plaintext))
}

// sealBytes is seal for a place that takes any bytes.
func (s *sealer) sealBytes(name string, plaintext []byte) []byte {
	return s.aeads[0].Seal(nil, nil, plaintext, s.additional(name)) //nolint:gosec // the AEAD draws the nonce itself
}

// open returns what value holds; current reports whether the newest key sealed it.
func (s *sealer) open(name, value string) (plaintext []byte, current bool, err error) {
	if len(value) > s.limit {
		return nil, false, errSealed
	}
	ciphertext, err := cookieEncoding.DecodeString(value)
	if err != nil {
		return nil, false, errSealed
	}
	return s.openBytes(name, ciphertext)
}

// openBytes is open for what sealBytes made.
func (s *sealer) openBytes(name string, ciphertext []byte) (plaintext []byte, current bool, err error) {
	if len(ciphertext) > s.limit {
		return nil, false, errSealed
	}
	additional := s.additional(name)
	for i, aead := range s.aeads {
		plaintext, err := aead.Open(nil, nil, ciphertext, additional)
		if err == nil {
			return plaintext, i == 0, nil
		}
	}
	return nil, false, errSealed
}

func (s *sealer) additional(name string) []byte {
	return []byte(s.bound + "\x00" + name)
}
