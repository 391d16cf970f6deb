package records

import (
	"context"
	"time"

	"github.com/cognate-auth/cognate/userpool"
	"github.com/cognate-auth/cognate/userpool/store"
)

// PutSession adds s, then drops the oldest sessions of the same user until at
// most keep are left.
func (s Records) PutSession(ctx context.Context, v userpool.Session, keep int) error {
	r := store.Record{Kind: KindSession, ID: v.Hash, Owner: v.Sub, Expires: v.Expires, Body: encodeBody(v)}
	return s.Apply(ctx, store.Change{Op: store.Create, Record: r, Keep: keep})
}

// Session returns the session with this hash.
func (s Records) Session(ctx context.Context, hash string) (v userpool.Session, ok bool, err error) {
	v, _, ok, err = found[userpool.Session](s.Store.Get(ctx, s.Pool, KindSession, hash))
	return v, ok, err
}

// DeleteSession removes the session with this hash.
func (s Records) DeleteSession(ctx context.Context, hash string) error {
	return s.Apply(ctx, store.Change{Op: store.Delete, Record: store.Record{Kind: KindSession, ID: hash}})
}

// Code is an authorization code and all that it is bound to.
type Code struct {
	Hash            string // hexadecimal SHA-256 of the code
	ClientID        string
	Sub             string
	RedirectURI     string
	RedirectOmitted bool   // the authorization request left redirect_uri out
	Challenge       string // PKCE S256; empty: none was sent
	Nonce           string
	Scopes          []string
	Resource        string // RFC 8707: the audience of the access token; empty: none
	AuthTime        time.Time
	Methods         []string // amr of the session
	Expires         time.Time
}

// PutCode adds c, then drops the oldest codes of the same user until at most
// keep are left.
func (s Records) PutCode(ctx context.Context, c Code, keep int) error {
	r := store.Record{Kind: KindCode, ID: c.Hash, Owner: c.Sub, Expires: c.Expires, Body: encodeBody(c)}
	return s.Apply(ctx, store.Change{Op: store.Create, Record: r, Keep: keep})
}

// TakeCode removes and returns the code with this hash; one caller gets it.
func (s Records) TakeCode(ctx context.Context, hash string) (c Code, ok bool, err error) {
	c, _, ok, err = found[Code](s.Store.Take(ctx, s.Pool, KindCode, hash))
	return c, ok, err
}

// RefreshToken is a refresh token and what it renews.
type RefreshToken struct {
	Hash       string // hexadecimal SHA-256 of the token
	ClientID   string
	Sub        string
	Scopes     []string
	Resource   string // as in Code
	OriginJTI  string
	AuthTime   time.Time
	Methods    []string  // amr of the sign-in
	ValidUntil time.Time // end of the refresh token itself
	RetryUntil time.Time // end of the token's grace after it was rotated; zero: it was not
	Expires    time.Time // later: when no access token of the family is alive

	version int64 // counted up by the store
}

// familyTerm finds the refresh tokens with one origin_jti: what one sign-in at
// one client led to. The family is alive as long as the store holds one of its
// records, so that what is lost is refused, not honoured.
func familyTerm(originJTI string) string { return "family:" + originJTI }

func refreshRecord(t RefreshToken, version int64) store.Record {
	return store.Record{
		Kind: KindRefresh, ID: t.Hash, Owner: t.Sub, Terms: []string{familyTerm(t.OriginJTI)},
		Expires: t.Expires, Version: version, Body: encodeBody(t),
	}
}

// PutRefreshToken adds t, then drops the oldest tokens of the same user until
// at most keep are left.
func (s Records) PutRefreshToken(ctx context.Context, t RefreshToken, keep int) error {
	return s.Apply(ctx, store.Change{Op: store.Create, Record: refreshRecord(t, 0), Keep: keep})
}

// RefreshToken returns the token with this hash.
func (s Records) RefreshToken(ctx context.Context, hash string) (t RefreshToken, ok bool, err error) {
	t, version, ok, err := found[RefreshToken](s.Store.Get(ctx, s.Pool, KindRefresh, hash))
	t.version = version
	return t, ok, err
}

// DeleteRefreshToken removes the token with this hash.
func (s Records) DeleteRefreshToken(ctx context.Context, hash string) error {
	return s.Apply(ctx, store.Change{Op: store.Delete, Record: store.Record{Kind: KindRefresh, ID: hash}})
}

// RotateRefreshToken adds next and puts old, which says until when it may be tried
// again, in the place of the token as it was read; without such a time that goes.
// Both or neither: it returns ErrConflict when the token is gone, or was rotated
// since it was read; so a revoked family does not come back, and a token is
// rotated once. In its grace, which does not change any more, others may be doing
// the same.
func (s Records) RotateRefreshToken(
	ctx context.Context, read, old, next RefreshToken, keep int,
) error {
	ended := store.Change{Op: store.Delete, Record: refreshRecord(read, read.version)}
	if !old.RetryUntil.IsZero() {
		version := read.version
		if !read.RetryUntil.IsZero() {
			version = 0
		}
		old.Expires = old.RetryUntil
		ended = store.Change{Op: store.Update, Record: refreshRecord(old, version)}
	}
	return s.Apply(ctx, ended, store.Change{Op: store.Create, Record: refreshRecord(next, 0), Keep: keep})
}

// FamilyAlive reports whether any token with this origin_jti is stored.
func (s Records) FamilyAlive(ctx context.Context, originJTI string) (bool, error) {
	list, err := s.Store.List(ctx, s.Pool, KindRefresh, store.Query{Term: familyTerm(originJTI), Limit: 1})
	return len(list) > 0, err
}

// DeleteFamily removes every token with this origin_jti.
func (s Records) DeleteFamily(ctx context.Context, originJTI string) error {
	r := store.Record{Kind: KindRefresh, Terms: []string{familyTerm(originJTI)}}
	return s.Apply(ctx, store.Change{Op: store.DeleteTerm, Record: r})
}
