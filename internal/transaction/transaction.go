// Package transaction keeps track of sign-ins under way. The sealed state of a sign-in says
// what it is for, and a cookie proves that this browser began it. The package also remembers
// which callbacks were used, and counts sign-ins that directly follow one another. It imports
// packages record, seal, cookie, cache and refusal, and knows neither the provider nor the
// sessions that sign-ins lead to.
package transaction

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/cognate-auth/cognate/internal/seal"
)

const (
	// lifetime is how long a person may take to sign in. Each of Cognito's prompts is valid
	// for 5 minutes; signing up, with a code by e-mail, takes longer.
	lifetime = 15 * time.Minute

	format = 3
	// secretSize is the entropy of a code verifier (RFC 7636, 7.1), in bytes; nonceSize
	// and proofSize are the sizes of other values derived from the secret.
	secretSize, nonceSize, proofSize = 32, 16, 12

	// NoMaxAge is the MaxAge of a sign-in that does not ask for max_age.
	NoMaxAge = -1
)

// A Request says what a sign-in is for, and what it requires of the ID token.
type Request struct {
	// ReturnTo is the page to return to, and AppState is returned to the app.
	ReturnTo, AppState string
	// MaxAge is the longest acceptable time since the user authenticated, in seconds, or
	// NoMaxAge.
	MaxAge int64
	// ACR lists the acceptable authentication context classes; empty means any.
	ACR []string
	// Silent says that the provider must not show any page (prompt=none).
	Silent bool
}

// A Transaction is one sign-in under way. Its sealed state contains everything that is needed
// to finish it, so even a late callback, or one without its cookie, tells which page was
// asked for. The cookie proves that this browser began the sign-in. It is small, so that a
// browser may begin many. A Transaction prints as "[redacted]".
type Transaction struct {
	Request

	// State is the sealed transaction, without the derived values.
	State string
	// Nonce and Verifier, the code verifier (RFC 7636, 4.1), are derived from the secret.
	Nonce, Verifier string
	// Started is when it began.
	Started time.Time
	// InRow is how many sign-ins came right before this one; see [Row].
	InRow int

	secret string  // from which Nonce, Verifier and proof are derived
	proof  string  // the cookie's value
	slot   int     // the number of the cookie
	began  address // where the sign-in began
}

// Format prints "[redacted]" for every verb.
func (Transaction) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "[redacted]") }

// An address is what determines which cookies a browser sends, as far as a request shows it:
// a hash of the host, and whether the browser treats the connection as secure.
type address struct {
	host   string
	secure bool
}

// addressOf returns the address of this app as the browser sees it. Browsers send Fetch
// Metadata only over https and to loopback addresses (Fetch Metadata, 2), so it also shows
// https in front of a proxy that terminates TLS.
func addressOf(r *http.Request) address {
	return address{hostHash(r.Host), r.TLS != nil || r.Header.Get("Sec-Fetch-Site") != ""}
}

func hostHash(host string) string {
	sum := sha256.Sum256([]byte(strings.ToLower(host)))
	return string(sum[:4])
}

// describe names a host that a sign-in began at, for the developer. The address has only a
// hash of it, so the names that are often mistaken for here are tried.
func (a address) describe(here string) string {
	here = strings.ToLower(here)
	name, port := here, ""
	host, digits, err := net.SplitHostPort(here)
	if err == nil {
		name, port = host, ":"+digits
	}
	bare := strings.TrimPrefix(name, "www.")
	for _, other := range []string{
		name, "localhost", "127.0.0.1", "[::1]", "0.0.0.0", bare, "www." + bare,
	} {
		for _, host := range []string{other + port, other} {
			if a.host != hostHash(host) {
				continue
			}
			if host == here {
				return strconv.Quote(host) + " over plain http"
			}
			return strconv.Quote(host)
		}
	}
	return "another host"
}

// derive derives the values that others see from the secret. None reveals anything about
// another.
func (t *Transaction) derive() {
	of := func(purpose string, n int) []byte {
		mac := hmac.New(sha256.New, []byte(t.secret))
		mac.Write([]byte(purpose))
		return mac.Sum(nil)[:n]
	}
	t.Nonce = base64.RawURLEncoding.EncodeToString(of("nonce", nonceSize))
	t.Verifier = base64.RawURLEncoding.EncodeToString(of("code verifier", sha256.Size))
	t.proof = base64.RawURLEncoding.EncodeToString(append(stamp(t.Started), of("cookie", proofSize)...))
}

// stamp encodes a time. Proofs begin with it, so that the oldest cookie can be replaced.
func stamp(at time.Time) []byte {
	return binary.BigEndian.AppendUint32(nil, uint32(min(max(at.Unix(), 0), 1<<32-1)))
}

const (
	flagSilent = 1 << 0
	flagSecure = 1 << 1
)

func (t *Transaction) encode() []byte {
	flags := byte(0)
	if t.Silent {
		flags |= flagSilent
	}
	if t.began.secure {
		flags |= flagSecure
	}
	b := []byte{format, flags, byte(t.slot), byte(t.InRow)} //nolint:gosec // both are small
	for _, f := range []string{t.secret, t.began.host, t.ReturnTo, t.AppState} {
		b = seal.AppendString(b, f)
	}
	b = seal.AppendTime(b, t.Started)
	b = binary.AppendUvarint(b, uint64(max(t.MaxAge-NoMaxAge, 0)))
	return seal.AppendStrings(b, t.ACR)
}

var errTransaction = errors.New("not an encoded transaction")

func decode(data []byte) (*Transaction, error) {
	d := seal.NewDecoder(data)
	if d.Byte() != format {
		return nil, errTransaction
	}
	flags := d.Byte()
	t := &Transaction{slot: int(d.Byte()), InRow: int(d.Byte())}
	t.Silent = flags&flagSilent != 0
	t.began.secure = flags&flagSecure != 0
	for _, f := range []*string{&t.secret, &t.began.host, &t.ReturnTo, &t.AppState} {
		*f = d.String()
	}
	t.Started = d.Time()
	age := d.Uvarint()
	t.MaxAge = int64(min(age, seal.MaxSeconds)) + NoMaxAge
	t.ACR = d.Strings()
	if !d.Done() || flags > flagSilent|flagSecure || age > seal.MaxSeconds || len(t.secret) != secretSize {
		return nil, errTransaction
	}
	t.derive()
	return t, nil
}

// expired reports whether a transaction has expired.
func (t *Transaction) expired(now time.Time) bool {
	return !now.Before(t.Started.Add(lifetime))
}

// fromFuture reports whether the transaction began in the future: this machine's clock, or
// that of the process that began it, is wrong by more than the skew.
func (t *Transaction) fromFuture(now time.Time, skew time.Duration) bool {
	return t.Started.After(now.Add(skew))
}
