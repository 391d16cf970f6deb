// Package session keeps sign-ins and their tokens, in the browser's cookies or in a store,
// and refreshes the tokens once for all who wait for them. Of a person it knows dates, a
// subject and bytes, not who they are; of a provider, that somebody asks it for new tokens.
// It knows packages sessionstore, record, seal, cookie, cache, flight, gate and refusal, and
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

// An Identity is who a session is of.
type Identity interface {
	// Subject is the provider's name for the account.
	Subject() string
	// AuthTime is when the person proved to be that user; zero if that is not known.
	AuthTime() time.Time
	// Encode packs all that Subject and AuthTime don't say, for [Config].Decode. Whether
	// the session lacks its tokens is packed with it: the two have shared a byte since the
	// first version, and cookies outlive an upgrade.
	Encode(tokensDropped bool) []byte
}

// A Session is a sign-in: the identity and its dates, no token. It is never changed once
// made.
type Session struct {
	// ID is random; it is not what the browser shows to a store.
	ID string
	// Created is when the sign-in ended.
	Created time.Time
	// Identity is who signed in.
	Identity Identity
	// TokensDropped reports whether the tokens were too large to be kept, so that nobody
	// signs in again and again to get them.
	TokensDropped bool

	seen    time.Time // last time the session was written
	expires time.Time // absolute end
	sid     string    // the provider's session, if it named one
	oldKey  bool      // sealed with a key that is not the newest
	stored  *stored   // where a store has it; nil for one in cookies
}

var errSession = errors.New("not an encoded session")

// encode packs a session: a format byte, then fields of fixed order, strings with their
// length in front. A session of a Cognito user takes some 150 bytes, a third of its JSON.
// The issuer is not in it: the seal is bound to it.
func (s *Session) encode() []byte {
	b := make([]byte, 0, 256)
	b = append(b, sessionFormat)
	b = seal.AppendString(b, s.ID)
	for _, t := range []time.Time{s.Created, s.seen, s.expires, s.Identity.AuthTime()} {
		b = seal.AppendTime(b, t)
	}
	b = seal.AppendString(seal.AppendString(b, s.sid), s.Identity.Subject())
	return append(b, s.Identity.Encode(s.TokensDropped)...)
}

// A Decoder makes the identity of a session again, of its subject, the time of its proof and
// what [Identity].Encode has packed.
type Decoder func(subject string, authTime time.Time, data []byte) (who Identity, tokensDropped bool, err error)

// decodeSession is the inverse of encode and accepts nothing else.
func decodeSession(data []byte, decode Decoder) (*Session, error) {
	d := seal.NewDecoder(data)
	if d.Byte() != sessionFormat {
		return nil, errSession
	}
	s := &Session{ID: d.String()}
	var authTime time.Time
	for _, t := range []*time.Time{&s.Created, &s.seen, &s.expires, &authTime} {
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
