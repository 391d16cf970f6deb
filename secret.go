package cognate

import (
	"errors"
	"fmt"
	"io"
	"log/slog"

	"github.com/cognate-auth/cognate/internal/oidc"
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

// withoutSecrets is [oidc.Secrets.Redact] for errors of hooks and rules, too: they keep their
// reason.
func withoutSecrets(err error, secrets oidc.Secrets) error {
	if _, ok := errors.AsType[*Error](err); !ok {
		return secrets.Redact(err)
	}
	if !secrets.RepeatedIn(err.Error()) {
		return err
	}
	own := asError(err, ReasonInternal)
	own.Err = oidc.ErrRepeats
	if secrets.RepeatedIn(own.ProviderCode) {
		own.ProviderCode = ""
	}
	return own
}
