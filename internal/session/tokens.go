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
	// refreshAhead is how long before its expiry an access token is refreshed. If a tenth of
	// its life is shorter, that is used instead.
	refreshAhead = time.Minute
)

// Tokens are the tokens that the provider issued to a session. They must not be modified once
// they belong to a session. They print as "[redacted]".
type Tokens struct {
	// Access, Refresh and ID are the tokens; the last two may be empty.
	Access, Refresh, ID string
	// Nonce is the nonce of the sign-in, to check refreshed ID tokens.
	Nonce string
	// Expires is when the access token expires, or zero if that is not known.
	Expires time.Time
	// RefreshAt is when to refresh it, a little before Expires; zero if Expires is zero.
	RefreshAt time.Time
}

// Format prints "[redacted]" for every verb.
func (Tokens) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "[redacted]") }

// NewTokens returns the tokens of a session from those that the provider has just issued. A
// missing refresh token or ID token is taken from old, unless old is nil.
func NewTokens(issued Tokens, old *Tokens, now time.Time) *Tokens {
	t := issued
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

// Fresh reports whether the access token need not be refreshed yet. One whose expiry is not
// known is used until the session ends.
func (t *Tokens) Fresh(now time.Time) bool {
	return t.RefreshAt.IsZero() || now.Before(t.RefreshAt)
}

// Usable reports whether the access token has not expired yet.
func (t *Tokens) Usable(now time.Time) bool {
	return t.Expires.IsZero() || now.Before(t.Expires)
}

// reductions lists what to keep of the tokens, from largest to smallest: all of them; all
// but the raw ID token, which only saves a confirmation by the provider at sign-out; none.
func (t *Tokens) reductions() []*Tokens {
	if t == nil {
		return []*Tokens{nil}
	}
	withoutID := *t
	withoutID.ID = ""
	return []*Tokens{t, &withoutID, nil}
}
