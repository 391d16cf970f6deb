// Package totp computes time-based one-time passwords, as authenticator apps do (RFC
// 6238). It knows the words (userpool) alone; that a code counts once is not its rule.
package totp

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha1" //nolint:gosec // RFC 6238: authenticator apps compute nothing else
	"encoding/base32"
	"encoding/binary"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/cognate-auth/cognate/userpool"
)

// Time-based one-time passwords (RFC 6238), as authenticator apps compute them:
// HMAC-SHA-1, six digits, a new one every 30 seconds.
const (
	period      = 30 * time.Second
	secretBytes = 32 // of a secret; Cognito's have as many
)

// Skew is how many steps a phone's clock may be off.
const Skew = 1

var encoding = base32.StdEncoding.WithPadding(base32.NoPadding)

// NewSecret returns a fresh secret in base32, as apps take it.
func NewSecret() userpool.Secret {
	var b [secretBytes]byte
	_, _ = rand.Read(b[:]) // never fails: the runtime ends the program instead
	return userpool.Secret(encoding.EncodeToString(b[:]))
}

// Decode returns the key that a secret is.
func Decode(secret userpool.Secret) ([]byte, error) { return encoding.DecodeString(string(secret)) }

// Code is the code of a time step (RFC 4226 section 5.3).
func Code(key []byte, step int64) string {
	mac := hmac.New(sha1.New, key)
	mac.Write(binary.BigEndian.AppendUint64(nil, uint64(step))) //nolint:gosec // the time is after 1970
	sum := mac.Sum(nil)
	at := sum[len(sum)-1] & 0xf
	number := binary.BigEndian.Uint32(sum[at:at+4]) & 0x7fffffff
	return fmt.Sprintf("%06d", number%1_000_000)
}

// Match returns the time step that the code is of, if it is of one around
// now. Spaces that an app shows between the digits do not count.
func Match(secret, code userpool.Secret, now time.Time) (step int64, ok bool) {
	key, err := Decode(secret)
	if err != nil || len(key) == 0 {
		return 0, false
	}
	typed, current := Plain(code), Step(now)
	for s := current - Skew; s <= current+Skew; s++ {
		if userpool.Secret(Code(key, s)).Equal(typed) {
			step, ok = s, true
		}
	}
	return step, ok
}

// Step returns the time step that a moment is in.
func Step(now time.Time) int64 { return now.Unix() / int64(period/time.Second) }

// Plain takes out the spaces that people and apps put between digits.
func Plain(code userpool.Secret) userpool.Secret {
	if len(code) > 64 {
		return ""
	}
	return userpool.Secret(strings.Join(strings.Fields(string(code)), ""))
}

// URI is what an authenticator app reads from the QR code.
func URI(issuer, account string, secret userpool.Secret) userpool.Secret {
	label := url.PathEscape(issuer + ":" + account)
	q := url.Values{
		"secret": {string(secret)}, "issuer": {issuer},
		"algorithm": {"SHA1"}, "digits": {"6"}, "period": {"30"},
	}
	// Not every app takes a plus sign for a space.
	return userpool.Secret("otpauth://totp/" + label + "?" + strings.ReplaceAll(q.Encode(), "+", "%20"))
}
