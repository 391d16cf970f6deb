package userpool

import (
	"crypto/hmac"
	"crypto/sha1" //nolint:gosec // RFC 6238: authenticator apps compute nothing else
	"encoding/base32"
	"encoding/binary"
	"fmt"
	"net/url"
	"strings"
	"time"
)

// Time-based one-time passwords (RFC 6238), as authenticator apps compute them:
// HMAC-SHA-1, six digits, a new one every 30 seconds.
const (
	totpPeriod = 30 * time.Second
	totpSkew   = 1  // steps that a phone's clock may be off
	totpBytes  = 32 // of a secret; Cognito's have as many
)

var totpEncoding = base32.StdEncoding.WithPadding(base32.NoPadding)

func newTOTPSecret() Secret { return Secret(totpEncoding.EncodeToString(randomBytes(totpBytes))) }

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
	key, err := totpEncoding.DecodeString(string(secret))
	if err != nil || len(key) == 0 {
		return 0, false
	}
	typed := plainCode(code)
	current := now.Unix() / int64(totpPeriod/time.Second)
	for s := current - totpSkew; s <= current+totpSkew; s++ {
		if Secret(totpCode(key, s)).Equal(typed) {
			step, ok = s, true
		}
	}
	return step, ok
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
