package redisstore

import (
	"fmt"
	"io"
	"log/slog"
)

// redacted is what a [Secret] prints as, whatever the verb.
const redacted = "[redacted]"

// Secret is a password, which must not reach a log or an error text: printed by fmt, logged
// by slog or encoded as text or JSON, it is "[redacted]". Convert it with string(s) where
// the value itself is needed.
type Secret string

// String returns "[redacted]".
func (Secret) String() string { return redacted }

// GoString returns "[redacted]", so that %#v of a configuration is safe.
func (Secret) GoString() string { return redacted }

// Format prints "[redacted]" for every verb, also for a wrong one.
func (Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// LogValue returns "[redacted]" to log/slog.
func (Secret) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText returns "[redacted]", for encoders of JSON, XML and the like.
func (Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }
