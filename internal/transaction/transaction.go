// Package transaction keeps sign-ins under way: what a sign-in is for in its state, sealed, and
// in a cookie the proof that this browser began it; which callbacks were used; and how many
// sign-ins came right after one another. It knows packages record, seal, cookie, cache and
// refusal, and neither the provider nor what a sign-in leads to.
package transaction

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/cognate-auth/cognate/internal/seal"
)

const (
	// lifetime is how long a person may take to sign in. Cognito's pages give a prompt 5
	// minutes; signing up, with a code by e-mail, takes longer.
	lifetime = 15 * time.Minute

	format = 3
	// secretSize is the entropy of a code verifier (RFC 7636, 7.1), in bytes; nonceSize
	// and proofSize are those of what is made of it.
	secretSize, nonceSize, proofSize = 32, 16, 12

	// NoMaxAge is the MaxAge of a sign-in that asks for none.
	NoMaxAge = -1
)

// A Request is what a sign-in is for, and what it asks of the provider that its ID token has to
// say in the end.
type Request struct {
	// ReturnTo is the page to come back to, AppState what the app wants back.
	ReturnTo, AppState string
	// MaxAge is how long ago the person may have proved who they are, in seconds, or NoMaxAge.
	MaxAge int64
	// ACR is one of the classes of authentication that the ID token has to name; empty is any.
	ACR []string
	// Silent tells that nobody is to be asked for anything.
	Silent bool
}

// A Transaction is one sign-in under way. What it takes to end it travels in its state,
// sealed: so it is of the same use however long the person takes and whatever became of the
// cookie, if only to say which page was asked for. The cookie is the proof that this browser
// began it, and is small, so that a browser may begin many. Printed, it is "[redacted]".
type Transaction struct {
	Request

	// State is all of it but what is derived, sealed.
	State string
	// Nonce and Verifier, the code verifier (RFC 7636, 4.1), are made of the secret.
	Nonce, Verifier string
	// Started is when it began.
	Started time.Time
	// InRow is how many sign-ins came right before this one; see [Row].
	InRow int

	secret string  // what Nonce, Verifier and proof are made of
	proof  string  // the cookie's value
	slot   int     // which cookie
	began  address // where
}

// Format prints "[redacted]" for every verb.
func (Transaction) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "[redacted]") }

// An address is what a browser tells one cookie jar from another by, as far as a request
// shows it: a hash of the host, and whether the connection is one that browsers trust.
type address struct {
	host   string
	secure bool
}

// addressOf is where the browser sees this app. Browsers send Fetch Metadata over https and
// on loopback alone (Fetch Metadata, 2), also through a proxy that ends TLS.
func addressOf(r *http.Request) address {
	sum := sha256.Sum256([]byte(strings.ToLower(r.Host)))
	return address{string(sum[:4]), r.TLS != nil || r.Header.Get("Sec-Fetch-Site") != ""}
}

// derive makes the values of the secret that others see. None tells anything of another.
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

// stamp is a time as proofs begin with it, so that the oldest cookie gives way.
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

// over reports whether a transaction's time has passed.
func (t *Transaction) over(now time.Time) bool {
	return !now.Before(t.Started.Add(lifetime))
}

// early reports whether it begins in the future: this machine's clock, or that of the process
// that began it, is wrong by more than the skew.
func (t *Transaction) early(now time.Time, skew time.Duration) bool {
	return t.Started.After(now.Add(skew))
}
