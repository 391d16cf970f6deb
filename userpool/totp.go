package userpool

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha1"
	"encoding/base32"
	"encoding/binary"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"
)

// Time-based one-time passwords (RFC 6238), as authenticator apps compute them:
// HMAC-SHA-1, six digits, a new one every 30 seconds.
const (
	totpPeriod = 30 * time.Second
	totpBytes  = 32 // of a secret; Cognito's have as many
)

// totpSkew is how many steps a phone's clock may be off.
const totpSkew = 1

var totpEncoding = base32.StdEncoding.WithPadding(base32.NoPadding)

// newTOTPSecret returns a fresh secret in base32, as apps take it.
func newTOTPSecret() Secret {
	var b [totpBytes]byte
	_, _ = rand.Read(b[:]) // never fails: the runtime ends the program instead
	return Secret(totpEncoding.EncodeToString(b[:]))
}

// decodeTOTP returns the key that a secret is.
func decodeTOTP(secret Secret) ([]byte, error) { return totpEncoding.DecodeString(string(secret)) }

// totpCode is the code of a time step (RFC 4226 section 5.3).
func totpCode(key []byte, step int64) string {
	mac := hmac.New(sha1.New, key)
	mac.Write(binary.BigEndian.AppendUint64(nil, uint64(step))) //nolint:gosec // the time is after 1970
	sum := mac.Sum(nil)
	at := sum[len(sum)-1] & 0xf
	number := binary.BigEndian.Uint32(sum[at:at+4]) & 0x7fffffff
	return fmt.Sprintf("%06d", number%1_000_000)
}

// matchTOTP returns the time step that the code is of, if it is of one around
// now. Spaces that an app shows between the digits do not count.
func matchTOTP(secret, code Secret, now time.Time) (step int64, ok bool) {
	key, err := decodeTOTP(secret)
	if err != nil || len(key) == 0 {
		return 0, false
	}
	typed, current := plainCode(code), totpStep(now)
	for s := current - totpSkew; s <= current+totpSkew; s++ {
		if Secret(totpCode(key, s)).Equal(typed) {
			step, ok = s, true
		}
	}
	return step, ok
}

func totpStep(now time.Time) int64 { return now.Unix() / int64(totpPeriod/time.Second) }

// TextCodeUsed is what a person reads whose code was used before.
const TextCodeUsed = "Your software token has already been used once."

var errCodeUsed = &Error{Code: CodeExpired, Description: TextCodeUsed}

// maxTOTPBefore is how many steps before the last one a user keeps.
const maxTOTPBefore = 16

// spendTOTP records that the code of a step was accepted. Each is accepted once
// (RFC 6238 section 5.2), and no code of an earlier step than the last. If that is
// of a time to come, the clock was set back since: then a step is good that is not
// among those that are kept, or nobody could sign in until the clock has caught up.
func spendTOTP(u *User, step int64, now time.Time) error {
	setBack := u.TOTPStep > totpStep(now)+totpSkew
	if step == u.TOTPStep || slices.Contains(u.TOTPBefore, step) || step < u.TOTPStep && !setBack {
		return errCodeUsed
	}
	if u.TOTPStep != 0 {
		u.TOTPBefore = slices.Insert(u.TOTPBefore, 0, u.TOTPStep)
		u.TOTPBefore = u.TOTPBefore[:min(len(u.TOTPBefore), maxTOTPBefore)]
	}
	u.TOTPStep = step
	return nil
}

// plainCode takes out the spaces that people and apps put between digits.
func plainCode(code Secret) Secret {
	if len(code) > 64 {
		return ""
	}
	return Secret(strings.Join(strings.Fields(string(code)), ""))
}

// totpURI is what an authenticator app reads from the QR code.
func totpURI(issuer, account string, secret Secret) Secret {
	label := url.PathEscape(issuer + ":" + account)
	q := url.Values{
		"secret": {string(secret)}, "issuer": {issuer},
		"algorithm": {"SHA1"}, "digits": {"6"}, "period": {"30"},
	}
	// Not every app takes a plus sign for a space.
	return Secret("otpauth://totp/" + label + "?" + strings.ReplaceAll(q.Encode(), "+", "%20"))
}
