package cognate

import (
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/cognate-auth/cognate/internal/refusal"
)

// redacted is what a [Secret] prints as, whatever the verb.
const redacted = "[redacted]"

// Secret is a value that must not reach a log, an error text or a page: a client
// secret or a cookie key. Printed by fmt, logged by slog or encoded as text or JSON, it
// is "[redacted]". Convert it with string(s) where the value itself is needed.
//
// Go's fmt calls no methods on what it reads from an unexported field: don't print a
// struct of your own that keeps a Secret, or a [Config], in one.
type Secret string

// String returns "[redacted]".
func (Secret) String() string { return redacted }

// GoString returns "[redacted]", so that %#v of a configuration is safe.
func (Secret) GoString() string { return redacted }

// Format prints "[redacted]" for every verb. Without it, a wrong verb such as %d
// would print the value itself inside fmt's complaint.
func (Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// LogValue returns "[redacted]" to log/slog.
func (Secret) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText returns "[redacted]", for encoders of JSON, XML and the like.
// [ClientSecrets.Encode] is the one place that writes a secret on purpose.
func (Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// repeatedRun is the length of the pieces of a secret that are looked for, in bytes: of a
// piece that was cut out of it, twice as long, one is surely found. A run that short of what
// is random is in no text by chance.
const repeatedRun = 12

// minSecret is the length, in bytes, from which on a secret that is shorter is looked for. What
// is shorter still is a part of any text.
const minSecret = 6

// repeats reports whether a text holds one of the secrets, or a piece of one: texts are cut.
func repeats(text string, secrets ...string) bool {
	text = strings.ToLower(text)
	for _, secret := range secrets {
		plain := strings.ToLower(secret)
		quoted := strings.Trim(strconv.Quote(plain), `"`)   // errors quote what they show
		escaped := strings.ToLower(url.QueryEscape(secret)) // as it is in a form
		for _, s := range []string{plain, quoted, escaped} {
			if len(s) >= minSecret && len(s) < repeatedRun && strings.Contains(text, s) {
				return true
			}
			for ; len(s) >= repeatedRun; s = s[repeatedRun:] {
				if strings.Contains(text, s[:repeatedRun]) {
					return true
				}
			}
		}
	}
	return false
}

// withoutSecrets returns an error that is fit for a log: one whose text repeats what the
// provider was sent loses its text and its cause, and keeps its reason. Claims, key IDs and
// error codes are quoted in errors, and a provider may put into them what it likes.
func withoutSecrets(err error, sent ...string) error {
	if err == nil || !repeats(err.Error(), sent...) {
		return err
	}
	cause := errors.New("the provider's answer repeats what it was sent, and is not shown")
	if _, ok := errors.AsType[*Error](err); !ok && refusal.Of(err) == "" {
		return cause
	}
	own := asError(err, "")
	own.Err = cause
	if repeats(own.ProviderCode, sent...) {
		own.ProviderCode = ""
	}
	return own
}

// basicForms are the ways in which a secret goes to the provider, whatever the method: as it
// is, and in the credentials of HTTP Basic (RFC 7617, 2), which nobody reads off the text.
func basicForms(id string, secret Secret) []string {
	if secret == "" {
		return nil
	}
	r := http.Request{Header: http.Header{}}
	r.SetBasicAuth(url.QueryEscape(id), url.QueryEscape(string(secret))) // encoded first (RFC 6749, 2.3.1)
	return []string{string(secret), strings.TrimPrefix(r.Header.Get("Authorization"), "Basic ")}
}

// equal compares in a time that does not depend on the contents.
func equal(a, b string) bool {
	return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1
}
