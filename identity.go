package cognate

import (
	"encoding/binary"
	"errors"
	"time"

	"github.com/cognate-auth/cognate/internal/oidc"
	"github.com/cognate-auth/cognate/internal/seal"
	"github.com/cognate-auth/cognate/internal/session"
)

// An identity is a [User] as a session has it, which knows dates, a subject and bytes. It
// fits into an interface without an allocation.
type identity struct{ user *User }

// userIn returns the user of a session.
func userIn(s *session.Session) *User { return s.Identity.(identity).user }

// Subject is the user's.
func (i identity) Subject() string { return i.user.Subject }

// AuthTime is the user's.
func (i identity) AuthTime() time.Time { return i.user.AuthTime }

const (
	flagEmailVerified = 1 << 0
	flagTokensDropped = 1 << 1
	knownFlags        = flagEmailVerified | flagTokensDropped
)

// Encode packs the rest of the user.
func (i identity) Encode(tokensDropped bool) []byte {
	u := i.user
	b := make([]byte, 0, 256)
	for _, f := range []string{u.Username, u.Email, u.Name} {
		b = seal.AppendString(b, f)
	}
	flags := byte(0)
	if u.EmailVerified {
		flags |= flagEmailVerified
	}
	if tokensDropped {
		flags |= flagTokensDropped
	}
	b = append(b, flags)
	b = seal.AppendStrings(seal.AppendStrings(b, u.Groups), u.Scopes)
	b = binary.AppendUvarint(b, uint64(len(u.extra)))
	for _, name := range sortedNames(u.extra) {
		b = seal.AppendString(seal.AppendString(b, name), string(u.extra[name]))
	}
	return b
}

var errIdentity = errors.New("not an encoded identity")

// decodeIdentity is the inverse of Encode and accepts nothing else. The issuer is that of all
// users here.
func decodeIdentity(issuer, subject string, authTime time.Time, data []byte) (who identity, tokensDropped bool, err error) {
	d := seal.NewDecoder(data)
	u := &User{Issuer: issuer, Subject: subject, AuthTime: authTime}
	for _, f := range []*string{&u.Username, &u.Email, &u.Name} {
		*f = d.String()
	}
	flags := d.Byte()
	u.EmailVerified = flags&flagEmailVerified != 0
	u.Groups, u.Scopes = d.Strings(), d.Strings()
	for n := d.Count(); n > 0 && !d.Bad(); n-- {
		if u.extra == nil {
			u.extra = make(oidc.Claims)
		}
		name := d.String()
		u.extra[name] = []byte(d.String())
	}
	if !d.Done() || flags&^knownFlags != 0 {
		return identity{}, false, errIdentity
	}
	return identity{u}, flags&flagTokensDropped != 0, nil
}
