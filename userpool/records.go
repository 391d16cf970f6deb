package userpool

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/cognate-auth/cognate/userpool/store"
)

// The kinds of records.
const (
	kindClient   = "client"
	kindUser     = "user"
	kindSession  = "session"
	kindCode     = "code"
	kindRefresh  = "refresh"
	kindAttempts = "attempts"
	kindFlow     = "flow"
)

// records are what a store keeps of one pool, with the pool's types instead of
// bytes. It is the one place that knows how they are kept.
type records struct {
	store store.Store
	pool  string
}

// Apply makes all of the changes, in their order, or none.
func (s records) Apply(ctx context.Context, changes ...store.Change) error {
	return s.store.Apply(ctx, s.pool, changes...)
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
	Client

	Secret       string `json:",omitempty"`
	SecondSecret string `json:",omitempty"`
}

func clientRecord(c Client, version int64) store.Record {
	body := encodeBody(storedClient{c, string(c.Secret), string(c.SecondSecret)})
	return store.Record{Kind: kindClient, ID: c.ID, Version: version, Body: body}
}

func (s storedClient) client(version int64) Client {
	c := s.Client
	c.Secret, c.SecondSecret, c.Version = Secret(s.Secret), Secret(s.SecondSecret), version
	return c
}

// CreateClient adds c, or returns ErrExists when its ID is taken.
func (s records) CreateClient(ctx context.Context, c Client) error {
	return s.Apply(ctx, store.Change{Op: store.Create, Record: clientRecord(c, 0)})
}

// UpdateClient replaces the client if its Version is still c's.
func (s records) UpdateClient(ctx context.Context, c Client) error {
	return s.Apply(ctx, store.Change{Op: store.Update, Record: clientRecord(c, c.Version)})
}

// DeleteClient removes the client with this ID.
func (s records) DeleteClient(ctx context.Context, id string) error {
	return s.Apply(ctx, store.Change{Op: store.Delete, Record: store.Record{Kind: kindClient, ID: id}})
}

// Client returns the client with this ID.
func (s records) Client(ctx context.Context, id string) (c Client, ok bool, err error) {
	stored, version, ok, err := found[storedClient](s.store.Get(ctx, s.pool, kindClient, id))
	return stored.client(version), ok, err
}

// Clients returns at most limit clients with IDs after this one, in their order.
func (s records) Clients(ctx context.Context, after string, limit int) ([]Client, error) {
	list, err := s.store.List(ctx, s.pool, kindClient, store.Query{After: after, Limit: limit})
	if err != nil {
		return nil, err
	}
	out := make([]Client, 0, len(list))
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
	User

	PasswordHash   string   `json:",omitempty"`
	PreviousHashes []string `json:",omitempty"`
	TOTPSecret     string   `json:",omitempty"`
}

func userRecord(u User) store.Record {
	stored := storedUser{User: u, PasswordHash: string(u.PasswordHash), TOTPSecret: string(u.TOTPSecret)}
	for _, h := range u.PreviousHashes {
		stored.PreviousHashes = append(stored.PreviousHashes, string(h))
	}
	stored.Logins, stored.Version = nil, 0 // the record's own
	return store.Record{
		Kind: kindUser, ID: u.Sub, Names: userNames(u), Terms: userTerms(u), Version: u.Version, Body: encodeBody(stored),
	}
}

// userTerms are what a list of users can be searched by (API reference,
// ListUsers and ListUsersInGroup).
func userTerms(u User) []string {
	terms := []string{"username:" + u.Username, "status:" + string(u.Status)}
	for _, name := range searchedAttributes {
		if u.Attributes[name] != "" {
			terms = append(terms, name+":"+u.Attributes[name])
		}
	}
	for _, g := range u.Groups {
		terms = append(terms, "group:"+g)
	}
	return terms
}

// searchedAttributes are the attributes among the terms.
var searchedAttributes = []string{"email", "phone_number", "name", "given_name", "family_name", "preferred_username"}

func (s storedUser) user(r store.Record) User {
	u := s.User
	u.PasswordHash, u.TOTPSecret = Secret(s.PasswordHash), Secret(s.TOTPSecret)
	for _, h := range s.PreviousHashes {
		u.PreviousHashes = append(u.PreviousHashes, Secret(h))
	}
	u.Logins = slices.DeleteFunc(r.Names, func(n string) bool { return strings.HasPrefix(n, " ") }) // identities
	u.Version = r.Version
	if u.Status == "" {
		u.Status = UserConfirmed
	}
	return u
}

func foundUser(r store.Record, ok bool, err error) (User, bool, error) {
	if err != nil || !ok {
		return User{}, false, err
	}
	stored, err := decode[storedUser](r)
	return stored.user(r), err == nil, err
}

// CreateUser adds u with Version 1, or returns ErrExists when its Sub or any of
// its Logins is taken.
func (s records) CreateUser(ctx context.Context, u User) error {
	return s.Apply(ctx, store.Change{Op: store.Create, Record: userRecord(u)})
}

// UpdateUser replaces the user with u.Sub if its stored Version is still
// u.Version; otherwise, or when the user is gone, it returns ErrConflict.
func (s records) UpdateUser(ctx context.Context, u User) error {
	return s.Apply(ctx, store.Change{Op: store.Update, Record: userRecord(u)})
}

// DeleteUser removes the user and all that is his.
func (s records) DeleteUser(ctx context.Context, sub string) error {
	changes := []store.Change{{Op: store.Delete, Record: store.Record{Kind: kindUser, ID: sub}}}
	for _, kind := range ownedKinds {
		changes = append(changes, store.Change{Op: store.DeleteOwned, Record: store.Record{Kind: kind, Owner: sub}})
	}
	return s.Apply(ctx, changes...)
}

// ownedKinds are the kinds of records whose owner is a user.
var ownedKinds = []string{kindSession, kindCode, kindRefresh, kindOneTime, kindPasskey}

// UserBySub returns the user with this sub.
func (s records) UserBySub(ctx context.Context, sub string) (User, bool, error) {
	if !validName(sub) {
		return User{}, false, nil // nobody has it, and no store needs to take it
	}
	return foundUser(s.store.Get(ctx, s.pool, kindUser, sub))
}

// UserByLogin returns the user one of whose Logins is exactly this.
func (s records) UserByLogin(ctx context.Context, login string) (User, bool, error) {
	if !validName(login) {
		return User{}, false, nil
	}
	return foundUser(s.store.Find(ctx, s.pool, kindUser, login))
}

// Users returns the users that q asks for, by sub.
func (s records) Users(ctx context.Context, q store.Query) ([]User, error) {
	list, err := s.store.List(ctx, s.pool, kindUser, q)
	if err != nil {
		return nil, err
	}
	out := make([]User, 0, len(list))
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
func (s records) PutSession(ctx context.Context, v Session, keep int) error {
	r := store.Record{Kind: kindSession, ID: v.Hash, Owner: v.Sub, Expires: v.Expires, Body: encodeBody(v)}
	return s.Apply(ctx, store.Change{Op: store.Create, Record: r, Keep: keep})
}

// Session returns the session with this hash.
func (s records) Session(ctx context.Context, hash string) (v Session, ok bool, err error) {
	v, _, ok, err = found[Session](s.store.Get(ctx, s.pool, kindSession, hash))
	return v, ok, err
}

// DeleteSession removes the session with this hash.
func (s records) DeleteSession(ctx context.Context, hash string) error {
	return s.Apply(ctx, store.Change{Op: store.Delete, Record: store.Record{Kind: kindSession, ID: hash}})
}

// PutCode adds c, then drops the oldest codes of the same user until at most
// keep are left.
func (s records) PutCode(ctx context.Context, c Code, keep int) error {
	r := store.Record{Kind: kindCode, ID: c.Hash, Owner: c.Sub, Expires: c.Expires, Body: encodeBody(c)}
	return s.Apply(ctx, store.Change{Op: store.Create, Record: r, Keep: keep})
}

// TakeCode removes and returns the code with this hash; one caller gets it.
func (s records) TakeCode(ctx context.Context, hash string) (c Code, ok bool, err error) {
	c, _, ok, err = found[Code](s.store.Take(ctx, s.pool, kindCode, hash))
	return c, ok, err
}

// familyTerm finds the refresh tokens with one origin_jti: what one sign-in at
// one client led to. The family is alive as long as the store holds one of its
// records, so that what is lost is refused, not honoured.
func familyTerm(originJTI string) string { return "family:" + originJTI }

func refreshRecord(t RefreshToken, version int64) store.Record {
	return store.Record{
		Kind: kindRefresh, ID: t.Hash, Owner: t.Sub, Terms: []string{familyTerm(t.OriginJTI)},
		Expires: t.Expires, Version: version, Body: encodeBody(t),
	}
}

// PutRefreshToken adds t, then drops the oldest tokens of the same user until
// at most keep are left.
func (s records) PutRefreshToken(ctx context.Context, t RefreshToken, keep int) error {
	return s.Apply(ctx, store.Change{Op: store.Create, Record: refreshRecord(t, 0), Keep: keep})
}

// RefreshToken returns the token with this hash.
func (s records) RefreshToken(ctx context.Context, hash string) (t RefreshToken, ok bool, err error) {
	t, version, ok, err := found[RefreshToken](s.store.Get(ctx, s.pool, kindRefresh, hash))
	t.version = version
	return t, ok, err
}

// DeleteRefreshToken removes the token with this hash.
func (s records) DeleteRefreshToken(ctx context.Context, hash string) error {
	return s.Apply(ctx, store.Change{Op: store.Delete, Record: store.Record{Kind: kindRefresh, ID: hash}})
}

// RotateRefreshToken adds next and puts old, which says until when it may be tried
// again, in the place of the token as it was read; without such a time that goes.
// Both or neither: it returns ErrConflict when the token is gone, or was rotated
// since it was read; so a revoked family does not come back, and a token is
// rotated once. In its grace, which does not change any more, others may be doing
// the same.
func (s records) RotateRefreshToken(
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
func (s records) FamilyAlive(ctx context.Context, originJTI string) (bool, error) {
	list, err := s.store.List(ctx, s.pool, kindRefresh, store.Query{Term: familyTerm(originJTI), Limit: 1})
	return len(list) > 0, err
}

// DeleteFamily removes every token with this origin_jti.
func (s records) DeleteFamily(ctx context.Context, originJTI string) error {
	r := store.Record{Kind: kindRefresh, Terms: []string{familyTerm(originJTI)}}
	return s.Apply(ctx, store.Change{Op: store.DeleteTerm, Record: r})
}

// Attempts returns the count of failures with this key.
func (s records) Attempts(ctx context.Context, key string) (a Attempts, ok bool, err error) {
	a, version, ok, err := found[Attempts](s.store.Get(ctx, s.pool, kindAttempts, key))
	a.Version = version
	return a, ok, err
}

// PutAttempts stores a if the stored Version is still a.Version (0: there is no
// record yet); otherwise it returns ErrConflict.
func (s records) PutAttempts(ctx context.Context, a Attempts) error {
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
func (s records) DeleteAttempts(ctx context.Context, key string) error {
	return s.Apply(ctx, store.Change{Op: store.Delete, Record: store.Record{Kind: kindAttempts, ID: key}})
}

// DeleteExpired is that of the store.
func (s records) DeleteExpired(ctx context.Context, now time.Time, limit int) (int, error) {
	return s.store.DeleteExpired(ctx, now, limit)
}

func flowRecord(f *Flow) store.Record {
	return store.Record{
		Kind: kindFlow, ID: f.Hash, Owner: f.Browser, Expires: f.Expires, Version: f.Version, Body: encodeBody(storeFlow(f)),
	}
}

// ReplaceFlow stores next, which is new, in the place of f, or returns ErrConflict
// if the stored Version of that is another by now.
func (s records) ReplaceFlow(ctx context.Context, f, next *Flow) error {
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
func (s records) PutFlow(ctx context.Context, f *Flow) error {
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
func (s records) Flow(ctx context.Context, hash string) (*Flow, bool, error) {
	stored, version, ok, err := found[storedFlow](s.store.Get(ctx, s.pool, kindFlow, hash))
	if err != nil || !ok {
		return nil, false, err
	}
	f := stored.Flow
	f.Secret, f.Version = Secret(stored.Secret), version
	return &f, true, nil
}

// DeleteFlow removes f, or returns ErrConflict if the stored Version is another by
// now.
func (s records) DeleteFlow(ctx context.Context, f *Flow) error {
	return s.Apply(ctx, store.Change{Op: store.Delete, Record: store.Record{Kind: kindFlow, ID: f.Hash, Version: f.Version}})
}
