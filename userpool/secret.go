package userpool

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"fmt"
	"io"
	"log/slog"
)

const redacted = "[redacted]"

// Secret is a value that must not reach a log, a page or an error text: a
// password, a client secret, a token, a code, a session id. Every way of
// printing or encoding it gives "[redacted]"; string(s) is the deliberate way
// out. (Not as the key of a map: encoding/json takes string keys as they are.)
// Compare with [Secret.Equal], never with ==, except against "".
type Secret string

// String returns "[redacted]".
func (Secret) String() string { return redacted }

// GoString returns "[redacted]".
func (Secret) GoString() string { return redacted }

// Format writes "[redacted]" for every verb. Without it a wrong verb, such as
// %d, would print the value inside fmt's complaint.
func (Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// LogValue returns "[redacted]" for log/slog.
func (Secret) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalJSON returns "[redacted]" as a JSON string.
func (Secret) MarshalJSON() ([]byte, error) { return []byte(`"` + redacted + `"`), nil }

// MarshalText returns "[redacted]", for the other encoders.
func (Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// Equal reports whether s and t are the same value, in a time that depends on
// neither. Two empty secrets are not equal: a value that was never set must not
// match one that was never sent.
func (s Secret) Equal(t Secret) bool {
	if s == "" || t == "" {
		return false
	}
	a, b := sha256.Sum256([]byte(s)), sha256.Sum256([]byte(t))
	return subtle.ConstantTimeCompare(a[:], b[:]) == 1
}

// Digest is the form in which sessions, codes and refresh tokens reach a
// store. They hold at least 122 random bits, so a plain hash is enough: nobody
// can search for the value behind it.
func (s Secret) Digest() string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:])
}
