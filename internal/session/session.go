// Package session keeps sessions and their tokens, in the browser's cookies or in a store,
// and makes one refresh of the tokens serve all who wait for them. Of a user it knows dates,
// a subject and encoded bytes; the provider is a callback that gets new tokens. It imports
// packages sessionstore, record, seal, cookie, cache, flight, gate and refusal, and knows
// neither OpenID Connect nor the configuration of an app.
package session

import (
	"errors"
	"time"

	"github.com/cognate-auth/cognate/internal/seal"
)

const (
	// sessionFormat is the first byte of an encoded session.
	sessionFormat = 2
	// idSize is the size of a session's ID, in bytes.
	idSize = 16
)

// An Identity is the user of a session.
type Identity interface {
	// Subject is the user's subject identifier at the provider.
	Subject() string
	// AuthTime is when the user authenticated, or zero if that is not known.
	AuthTime() time.Time
	// Encode encodes everything but Subject and AuthTime, for [Config].Decode. It includes
	// tokensDropped, which is not part of the identity: the two have shared a byte since
	// the first version, and cookies outlive an upgrade.
	Encode(tokensDropped bool) []byte
}

// A Session is a sign-in: the identity and its dates, without tokens. It must not be
// modified.
type Session struct {
	// ID is random. It is not the ID by which a cookie names a session in a store.
	ID string
	// Created is when the sign-in was completed.
	Created time.Time
	// Identity is the user who signed in.
	Identity Identity
	// TokensDropped reports whether the tokens were too large to be kept. Another sign-in
	// would not help then.
	TokensDropped bool

	lastSeen time.Time // last time the session was written
	expires  time.Time // absolute end
	sid      string    // the session ID at the provider, if it sent one
	oldKey   bool      // sealed with a key that is not the newest
	stored   *stored   // its state in a store; nil for a session in cookies
}

var errSession = errors.New("not an encoded session")

// encode encodes a session: a format byte, then fields in a fixed order, with strings
// preceded by their length. The session of a Cognito user takes about 150 bytes, a third of
// its JSON. The issuer is not included, because the seal is bound to it.
func (s *Session) encode() []byte {
	b := make([]byte, 0, 256)
	b = append(b, sessionFormat)
	b = seal.AppendString(b, s.ID)
	for _, t := range []time.Time{s.Created, s.lastSeen, s.expires, s.Identity.AuthTime()} {
		b = seal.AppendTime(b, t)
	}
	b = seal.AppendString(seal.AppendString(b, s.sid), s.Identity.Subject())
	return append(b, s.Identity.Encode(s.TokensDropped)...)
}

// A Decoder decodes an identity from its subject, its authentication time and what
// [Identity].Encode returned.
type Decoder func(subject string, authTime time.Time, data []byte) (identity Identity, tokensDropped bool, err error)

// decodeSession is the inverse of encode. It accepts only what encode produces.
func decodeSession(data []byte, decode Decoder) (*Session, error) {
	d := seal.NewDecoder(data)
	if d.Byte() != sessionFormat {
		return nil, errSession
	}
	s := &Session{ID: d.String()}
	var authTime time.Time
	for _, t := range []*time.Time{&s.Created, &s.lastSeen, &s.expires, &authTime} {
		*t = d.Time()
	}
	s.sid = d.String()
	subject := d.String()
	if d.Bad() || subject == "" || len(s.ID) != idSize {
		return nil, errSession
	}
	var err error
	s.Identity, s.TokensDropped, err = decode(subject, authTime, d.Rest())
	if err != nil {
		return nil, errSession
	}
	return s, nil
}
