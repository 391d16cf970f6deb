package cognate

import (
	"encoding/binary"
	"errors"
	"slices"
	"time"

	"github.com/cognate-auth/cognate/internal/oidc"
	"github.com/cognate-auth/cognate/internal/seal"
)

const (
	// sessionFormat and tokensFormat are the first bytes of an encoded session and of
	// encoded tokens.
	sessionFormat = 2
	tokensFormat  = 1
	// sessionIDSize is the size of a session's ID, in bytes.
	sessionIDSize = 16

	flagEmailVerified = 1 << 0
	flagTokensDropped = 1 << 1
	knownFlags        = flagEmailVerified | flagTokensDropped
)

// A session is a sign-in: the identity and its dates, no token. It is never changed once
// made.
type session struct {
	id      string    // 16 random bytes; not what the browser shows to a store
	created time.Time // sign-in
	seen    time.Time // last time the session was written
	expires time.Time // absolute end
	sid     string    // the provider's session, if it named one
	user    *User
	// dropped tells that the tokens were too large to be kept, so that nobody signs in
	// again and again to get them.
	dropped bool
	oldKey  bool    // sealed with a key that is not the newest
	stored  *stored // where a store has it; nil for one in cookies
}

var errSession = errors.New("not an encoded session")

// encode packs a session: a format byte, then fields of fixed order, strings with
// their length in front. A session of a Cognito user takes some 150 bytes, a third of
// its JSON. The issuer is not in it: the seal is bound to it.
func (s *session) encode() []byte {
	u := s.user
	b := make([]byte, 0, 256)
	b = append(b, sessionFormat)
	b = seal.AppendString(b, s.id)
	for _, t := range []time.Time{s.created, s.seen, s.expires, u.AuthTime} {
		b = seal.AppendTime(b, t)
	}
	for _, f := range []string{s.sid, u.Subject, u.Username, u.Email, u.Name} {
		b = seal.AppendString(b, f)
	}
	b = append(b, s.flags())
	for _, list := range [][]string{u.Groups, u.Scopes} {
		b = binary.AppendUvarint(b, uint64(len(list)))
		for _, v := range list {
			b = seal.AppendString(b, v)
		}
	}
	b = binary.AppendUvarint(b, uint64(len(u.extra)))
	for _, name := range sortedNames(u.extra) {
		b = seal.AppendString(seal.AppendString(b, name), string(u.extra[name]))
	}
	return b
}

func (s *session) flags() (f byte) {
	if s.user.EmailVerified {
		f |= flagEmailVerified
	}
	if s.dropped {
		f |= flagTokensDropped
	}
	return f
}

func sortedNames(c oidc.Claims) []string {
	names := make([]string, 0, len(c))
	for name := range c {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// decodeSession is the inverse of encode and accepts nothing else.
func decodeSession(data []byte) (*session, error) {
	d := seal.NewDecoder(data)
	if d.Byte() != sessionFormat {
		return nil, errSession
	}
	u := &User{}
	s := &session{id: d.String(), user: u}
	for _, t := range []*time.Time{&s.created, &s.seen, &s.expires, &u.AuthTime} {
		*t = d.Time()
	}
	for _, f := range []*string{&s.sid, &u.Subject, &u.Username, &u.Email, &u.Name} {
		*f = d.String()
	}
	flags := d.Byte()
	u.EmailVerified, s.dropped = flags&flagEmailVerified != 0, flags&flagTokensDropped != 0
	u.Groups, u.Scopes = d.Strings(), d.Strings()
	for n := d.Count(); n > 0 && !d.Bad(); n-- {
		if u.extra == nil {
			u.extra = make(oidc.Claims)
		}
		name := d.String()
		u.extra[name] = []byte(d.String())
	}
	if !d.Done() || flags&^knownFlags != 0 || u.Subject == "" || len(s.id) != sessionIDSize {
		return nil, errSession
	}
	return s, nil
}

// tokenSet is what the provider gave a session for calling APIs. It is never changed
// once made.
type tokenSet struct {
	access, refresh, id string
	nonce               string    // of the sign-in, for refreshed ID tokens
	expires             time.Time // of the access token; zero: not known
	refreshAt           time.Time // when to refresh, a little before; zero with expires
}

var errTokens = errors.New("not encoded tokens")

func (t *tokenSet) encode() []byte {
	b := make([]byte, 0, len(t.access)+len(t.refresh)+len(t.id)+64)
	b = append(b, tokensFormat)
	for _, f := range []string{t.access, t.refresh, t.id, t.nonce} {
		b = seal.AppendString(b, f)
	}
	return seal.AppendTime(seal.AppendTime(b, t.expires), t.refreshAt)
}

func decodeTokens(data []byte) (*tokenSet, error) {
	d := seal.NewDecoder(data)
	if d.Byte() != tokensFormat {
		return nil, errTokens
	}
	t := &tokenSet{}
	for _, f := range []*string{&t.access, &t.refresh, &t.id, &t.nonce} {
		*f = d.String()
	}
	t.expires, t.refreshAt = d.Time(), d.Time()
	if !d.Done() || t.access == "" {
		return nil, errTokens
	}
	return t, nil
}

// fresh reports whether the access token can be used without asking for another. Without
// a known end it is good until the session's.
func (t *tokenSet) fresh(now time.Time) bool {
	return t.refreshAt.IsZero() || now.Before(t.refreshAt)
}

// usable reports whether the access token has not expired yet.
func (t *tokenSet) usable(now time.Time) bool {
	return t.expires.IsZero() || now.Before(t.expires)
}
