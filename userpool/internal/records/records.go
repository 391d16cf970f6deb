// Package records knows what users, clients, sessions, codes and tokens look like in a
// store: it turns them into records and back. It is the one place that does.
//
// It knows the words (userpool), store, keys, clock and naming, and decides nothing.
package records

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/cognate-auth/cognate/userpool"
	"github.com/cognate-auth/cognate/userpool/internal/naming"
	"github.com/cognate-auth/cognate/userpool/store"
)

// The kinds of records.
const (
	kindClient   = "client"
	kindUser     = "user"
	KindSession  = "session"
	KindCode     = "code"
	KindRefresh  = "refresh"
	kindAttempts = "attempts"
	kindFlow     = "flow"
)

// Records are what a store keeps of one pool, with the pool's types instead of
// bytes. It is the one place that knows how they are kept.
type Records struct {
	Store store.Store
	Pool  string
}

// Apply makes all of the changes, in their order, or none.
func (s Records) Apply(ctx context.Context, changes ...store.Change) error {
	return s.Store.Apply(ctx, s.Pool, changes...)
}

// encode never fails: the bodies are structs of strings, numbers and times.
func encodeBody(v any) []byte {
	body, err := json.Marshal(v)
	if err != nil {
		panic("userpool: encoding a record: " + err.Error())
	}
	return body
}

// decode reads what encodeBody wrote. Times come back in UTC.
func decode[T any](r store.Record) (v T, err error) {
	err = json.Unmarshal(r.Body, &v)
	if err != nil {
		return v, fmt.Errorf("userpool: reading a stored %s: %w", r.Kind, err)
	}
	return v, nil
}

// found decodes what Get, Find or Take returned.
func found[T any](r store.Record, ok bool, err error) (v T, version int64, have bool, fault error) {
	if err != nil || !ok {
		return v, 0, false, err
	}
	v, err = decode[T](r)
	return v, r.Version, err == nil, err
}

// storedClient is a Client with its secrets in the clear.
type storedClient struct {
	userpool.Client

	Secret       string `json:",omitempty"`
	SecondSecret string `json:",omitempty"`
}

// ClientRecord returns a client as it is stored.
func ClientRecord(c userpool.Client, version int64) store.Record {
	body := encodeBody(storedClient{c, string(c.Secret), string(c.SecondSecret)})
	return store.Record{Kind: kindClient, ID: c.ID, Version: version, Body: body}
}

func (s storedClient) client(version int64) userpool.Client {
	c := s.Client
	c.Secret, c.SecondSecret, c.Version = userpool.Secret(s.Secret), userpool.Secret(s.SecondSecret), version
	return c
}

// CreateClient adds c, or returns ErrExists when its ID is taken.
func (s Records) CreateClient(ctx context.Context, c userpool.Client) error {
	return s.Apply(ctx, store.Change{Op: store.Create, Record: ClientRecord(c, 0)})
}

// UpdateClient replaces the client if its Version is still c's.
func (s Records) UpdateClient(ctx context.Context, c userpool.Client) error {
	return s.Apply(ctx, store.Change{Op: store.Update, Record: ClientRecord(c, c.Version)})
}

// DeleteClient removes the client with this ID.
func (s Records) DeleteClient(ctx context.Context, id string) error {
	return s.Apply(ctx, store.Change{Op: store.Delete, Record: store.Record{Kind: kindClient, ID: id}})
}

// Client returns the client with this ID.
func (s Records) Client(ctx context.Context, id string) (c userpool.Client, ok bool, err error) {
	stored, version, ok, err := found[storedClient](s.Store.Get(ctx, s.Pool, kindClient, id))
	return stored.client(version), ok, err
}

// Clients returns at most limit clients with IDs after this one, in their order.
func (s Records) Clients(ctx context.Context, after string, limit int) ([]userpool.Client, error) {
	list, err := s.Store.List(ctx, s.Pool, kindClient, store.Query{After: after, Limit: limit})
	if err != nil {
		return nil, err
	}
	out := make([]userpool.Client, 0, len(list))
	for _, r := range list {
		stored, err := decode[storedClient](r)
		if err != nil {
			return nil, err
		}
		out = append(out, stored.client(r.Version))
	}
	return out, nil
}

// storedUser is a User with its secrets in the clear.
type storedUser struct {
	userpool.User

	PasswordHash   string   `json:",omitempty"`
	PreviousHashes []string `json:",omitempty"`
	TOTPSecret     string   `json:",omitempty"`
}

// UserRecord returns a user as it is stored.
func UserRecord(u userpool.User) store.Record {
	stored := storedUser{User: u, PasswordHash: string(u.PasswordHash), TOTPSecret: string(u.TOTPSecret)}
	for _, h := range u.PreviousHashes {
		stored.PreviousHashes = append(stored.PreviousHashes, string(h))
	}
	stored.Logins, stored.Version = nil, 0 // the record's own
	return store.Record{
		Kind: kindUser, ID: u.Sub, Names: userNames(u), Terms: userTerms(u), Version: u.Version,
		Body: encodeBody(stored),
	}
}

// userTerms are what a list of users can be searched by (API reference,
// ListUsers and ListUsersInGroup).
func userTerms(u userpool.User) []string {
	terms := []string{"username:" + u.Username, "status:" + string(u.Status)}
	for _, name := range SearchedAttributes {
		if u.Attributes[name] != "" {
			terms = append(terms, name+":"+u.Attributes[name])
		}
	}
	for _, g := range u.Groups {
		terms = append(terms, "group:"+g)
	}
	return terms
}

// SearchedAttributes are the attributes among the terms.
var SearchedAttributes = []string{"email", "phone_number", "name", "given_name", "family_name", "preferred_username"}

func (s storedUser) user(r store.Record) userpool.User {
	u := s.User
	u.PasswordHash, u.TOTPSecret = userpool.Secret(s.PasswordHash), userpool.Secret(s.TOTPSecret)
	for _, h := range s.PreviousHashes {
		u.PreviousHashes = append(u.PreviousHashes, userpool.Secret(h))
	}
	u.Logins = slices.DeleteFunc(r.Names, func(n string) bool { return strings.HasPrefix(n, " ") }) // identities
	u.Version = r.Version
	if u.Status == "" {
		u.Status = userpool.UserConfirmed
	}
	return u
}

func foundUser(r store.Record, ok bool, err error) (userpool.User, bool, error) {
	if err != nil || !ok {
		return userpool.User{}, false, err
	}
	stored, err := decode[storedUser](r)
	return stored.user(r), err == nil, err
}

// CreateUser adds u with Version 1, or returns ErrExists when its Sub or any of
// its Logins is taken.
func (s Records) CreateUser(ctx context.Context, u userpool.User) error {
	return s.Apply(ctx, store.Change{Op: store.Create, Record: UserRecord(u)})
}

// UpdateUser replaces the user with u.Sub if its stored Version is still
// u.Version; otherwise, or when the user is gone, it returns ErrConflict.
func (s Records) UpdateUser(ctx context.Context, u userpool.User) error {
	return s.Apply(ctx, store.Change{Op: store.Update, Record: UserRecord(u)})
}

// DeleteUser removes the user and all that is theirs.
func (s Records) DeleteUser(ctx context.Context, sub string) error {
	changes := []store.Change{{Op: store.Delete, Record: store.Record{Kind: kindUser, ID: sub}}}
	for _, kind := range ownedKinds {
		changes = append(changes, store.Change{Op: store.DeleteOwned, Record: store.Record{Kind: kind, Owner: sub}})
	}
	return s.Apply(ctx, changes...)
}

// ownedKinds are the kinds of records whose owner is a user.
var ownedKinds = []string{KindSession, KindCode, KindRefresh, KindOneTime, kindPasskey}

// UserBySub returns the user with this sub.
func (s Records) UserBySub(ctx context.Context, sub string) (userpool.User, bool, error) {
	if !naming.ValidName(sub) {
		return userpool.User{}, false, nil // nobody has it, and no store needs to take it
	}
	return foundUser(s.Store.Get(ctx, s.Pool, kindUser, sub))
}

// UserByLogin returns the user one of whose Logins is exactly this.
func (s Records) UserByLogin(ctx context.Context, login string) (userpool.User, bool, error) {
	if !naming.ValidName(login) {
		return userpool.User{}, false, nil
	}
	return foundUser(s.Store.Find(ctx, s.Pool, kindUser, login))
}

// Users returns the users that q asks for, by sub.
func (s Records) Users(ctx context.Context, q store.Query) ([]userpool.User, error) {
	list, err := s.Store.List(ctx, s.Pool, kindUser, q)
	if err != nil {
		return nil, err
	}
	out := make([]userpool.User, 0, len(list))
	for _, r := range list {
		stored, err := decode[storedUser](r)
		if err != nil {
			return nil, err
		}
		out = append(out, stored.user(r))
	}
	return out, nil
}

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

// Attempts returns the count of failures with this key.
func (s Records) Attempts(ctx context.Context, key string) (a Attempts, ok bool, err error) {
	a, version, ok, err := found[Attempts](s.Store.Get(ctx, s.Pool, kindAttempts, key))
	a.Version = version
	return a, ok, err
}

// PutAttempts stores a if the stored Version is still a.Version (0: there is no
// record yet); otherwise it returns ErrConflict.
func (s Records) PutAttempts(ctx context.Context, a Attempts) error {
	c := store.Change{Op: store.Update, Record: store.Record{
		Kind: kindAttempts, ID: a.Key, Expires: a.Expires, Version: a.Version, Body: encodeBody(a),
	}}
	if a.Version == 0 {
		c.Op = store.Create
	}
	err := s.Apply(ctx, c)
	if errors.Is(err, store.ErrExists) {
		return store.ErrConflict
	}
	return err
}

// DeleteAttempts removes the count with this key.
func (s Records) DeleteAttempts(ctx context.Context, key string) error {
	return s.Apply(ctx, store.Change{Op: store.Delete, Record: store.Record{Kind: kindAttempts, ID: key}})
}

// DeleteExpired is that of the store.
func (s Records) DeleteExpired(ctx context.Context, now time.Time, limit int) (int, error) {
	return s.Store.DeleteExpired(ctx, now, limit)
}

func flowRecord(f *userpool.Flow) store.Record {
	return store.Record{
		Kind: kindFlow, ID: f.Hash, Owner: f.Browser, Expires: f.Expires, Version: f.Version,
		Body: encodeBody(storeFlow(f)),
	}
}

// ReplaceFlow stores next, which is new, in the place of f, or returns ErrConflict
// if the stored Version of that is another by now.
func (s Records) ReplaceFlow(ctx context.Context, f, next *userpool.Flow) error {
	err := s.Apply(ctx,
		store.Change{Op: store.Delete, Record: store.Record{Kind: kindFlow, ID: f.Hash, Version: f.Version}},
		store.Change{Op: store.Create, Record: flowRecord(next), Keep: maxFlows})
	if err == nil {
		next.Version++
	}
	return err
}

// PutFlow stores f if the stored Version is still f.Version (0: it is new) and
// counts it up; otherwise it returns ErrConflict.
func (s Records) PutFlow(ctx context.Context, f *userpool.Flow) error {
	c := store.Change{Op: store.Update, Record: flowRecord(f)}
	if f.Version == 0 {
		c.Op, c.Keep = store.Create, maxFlows
	}
	err := s.Apply(ctx, c)
	if err == nil {
		f.Version++
	}
	return err
}

// Flow returns the flow with this hash.
func (s Records) Flow(ctx context.Context, hash string) (*userpool.Flow, bool, error) {
	stored, version, ok, err := found[storedFlow](s.Store.Get(ctx, s.Pool, kindFlow, hash))
	if err != nil || !ok {
		return nil, false, err
	}
	f := stored.Flow
	f.Secret, f.Version = userpool.Secret(stored.Secret), version
	return &f, true, nil
}

// DeleteFlow removes f, or returns ErrConflict if the stored Version is another by
// now.
func (s Records) DeleteFlow(ctx context.Context, f *userpool.Flow) error {
	return s.Apply(
		ctx, store.Change{Op: store.Delete, Record: store.Record{Kind: kindFlow, ID: f.Hash, Version: f.Version}},
	)
}

// maxFlows is how many flows one browser can have under way; the oldest makes
// room for the next.
const maxFlows = 16

// storedFlow is a Flow with its secret in the clear.
type storedFlow struct {
	userpool.Flow

	Secret string `json:",omitempty"`
}

func storeFlow(f *userpool.Flow) storedFlow { return storedFlow{*f, string(f.Secret)} }
