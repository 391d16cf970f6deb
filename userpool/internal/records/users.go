package records

import (
	"context"
	"slices"
	"strings"

	"github.com/cognate-auth/cognate/userpool"
	"github.com/cognate-auth/cognate/userpool/internal/naming"
	"github.com/cognate-auth/cognate/userpool/store"
)

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

// userNames are all the names by which a user is found.
func userNames(u userpool.User) []string {
	names := make([]string, 0, len(u.Logins)+len(u.Identities))
	names = append(names, u.Logins...)
	for _, i := range u.Identities {
		names = append(names, IdentityName(i.ProviderName, i.UserID))
	}
	return names
}

// IdentityName is the name by which a user is found who is this at an identity
// provider. Case matters, unlike in a login. It begins with a space, which
// nobody can type: the spaces around a login are cut off.
func IdentityName(provider, id string) string {
	return " identity:" + userpool.Secret(provider+"\x00"+id).Digest()
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

// UserByIdentity returns the user who is this at an identity provider.
func (s Records) UserByIdentity(ctx context.Context, provider, id string) (userpool.User, bool, error) {
	return foundUser(s.Store.Find(ctx, s.Pool, kindUser, IdentityName(provider, id)))
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
