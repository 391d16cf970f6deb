package session

import (
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/cognate-auth/cognate/internal/seal"
)

const (
	// tokensFormat is the first byte of encoded tokens.
	tokensFormat = 1
	// refreshAhead is how long before its expiry an access token is refreshed, or a
	// tenth of its life if that is shorter.
	refreshAhead = time.Minute
)

// Tokens are what the provider gave a session for calling APIs. They are never changed once
// they belong to a session. Printed, they are "[redacted]".
type Tokens struct {
	// Access, Refresh and ID are the tokens; the last two may be empty.
	Access, Refresh, ID string
	// Nonce is that of the sign-in, for refreshed ID tokens.
	Nonce string
	// Expires is when the access token ends, or zero if that is not known.
	Expires time.Time
	// RefreshAt is when to refresh it, a little before; zero with Expires.
	RefreshAt time.Time
}

// Format prints "[redacted]" for every verb.
func (Tokens) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "[redacted]") }

// NewTokens makes a session's tokens of what the provider has just given. What it left out
// stays as it was in old, if that is not nil.
func NewTokens(given Tokens, old *Tokens, now time.Time) *Tokens {
	t := given
	if old != nil && t.Refresh == "" {
		t.Refresh = old.Refresh
	}
	if old != nil && t.ID == "" {
		t.ID = old.ID
	}
	if !t.Expires.IsZero() {
		t.Expires = t.Expires.Truncate(time.Second)
		life := max(t.Expires.Sub(now), 0)
		t.RefreshAt = t.Expires.Add(-min(refreshAhead, life/10)).Truncate(time.Second)
	}
	return &t
}

var errTokens = errors.New("not encoded tokens")

func (t *Tokens) encode() []byte {
	b := make([]byte, 0, len(t.Access)+len(t.Refresh)+len(t.ID)+64)
	b = append(b, tokensFormat)
	for _, f := range []string{t.Access, t.Refresh, t.ID, t.Nonce} {
		b = seal.AppendString(b, f)
	}
	return seal.AppendTime(seal.AppendTime(b, t.Expires), t.RefreshAt)
}

func decodeTokens(data []byte) (*Tokens, error) {
	d := seal.NewDecoder(data)
	if d.Byte() != tokensFormat {
		return nil, errTokens
	}
	t := &Tokens{}
	for _, f := range []*string{&t.Access, &t.Refresh, &t.ID, &t.Nonce} {
		*f = d.String()
	}
	t.Expires, t.RefreshAt = d.Time(), d.Time()
	if !d.Done() || t.Access == "" {
		return nil, errTokens
	}
	return t, nil
}

// Fresh reports whether the access token can be used without asking for another. Without a
// known end it is good until the session's.
func (t *Tokens) Fresh(now time.Time) bool {
	return t.RefreshAt.IsZero() || now.Before(t.RefreshAt)
}

// Usable reports whether the access token has not expired yet.
func (t *Tokens) Usable(now time.Time) bool {
	return t.Expires.IsZero() || now.Before(t.Expires)
}

// slimmer lists what to keep of the tokens where there is less and less room: all; all but
// the raw ID token, which only spares the provider a question at sign-out; nothing.
func (t *Tokens) slimmer() []*Tokens {
	if t == nil {
		return []*Tokens{nil}
	}
	slim := *t
	slim.ID = ""
	return []*Tokens{t, &slim, nil}
}
