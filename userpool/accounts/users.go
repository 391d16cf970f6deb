package accounts

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/cognate-auth/cognate/userpool"
	"github.com/cognate-auth/cognate/userpool/internal/codes"
	"github.com/cognate-auth/cognate/userpool/internal/core"
	"github.com/cognate-auth/cognate/userpool/internal/decision"
	"github.com/cognate-auth/cognate/userpool/internal/lockout"
	"github.com/cognate-auth/cognate/userpool/internal/naming"
	"github.com/cognate-auth/cognate/userpool/internal/records"
	"github.com/cognate-auth/cognate/userpool/internal/text"
	"github.com/cognate-auth/cognate/userpool/internal/triggers"
	"github.com/cognate-auth/cognate/userpool/store"
)

// Users are the users of a pool.
type Users struct {
	core     *core.Core
	names    signInNames
	lockout  *lockout.Lockout
	codes    *codes.Codes
	triggers *triggers.Triggers
	decoys   *Decoys
}

// Create adds a user. A name or an alias that is taken is [store.ErrExists]; what
// breaks a rule is an [*userpool.Error] that says which.
func (a *Users) Create(ctx context.Context, n userpool.NewUser) (userpool.User, error) {
	if n.Invite {
		n.Temporary = true
		if n.Password == "" {
			n.Password = a.temporaryPassword()
		}
	}
	u, err := newUser(ctx, a.core, a.Rules(), n)
	if err != nil {
		return userpool.User{}, err
	}
	err = a.core.Records.CreateUser(ctx, u)
	if err != nil {
		return userpool.User{}, fmt.Errorf("userpool: creating user: %w", err)
	}
	u.Version = 1
	if n.Invite {
		return u, a.invite(ctx, u, n.Password)
	}
	return u, nil
}

// CreateAll adds users, and makes the changes that go with them, in one transaction of
// the store: all, or none. It is for lists of many users, who are added many times as fast
// as one by one. [store.ErrExists] says that a name, a sub or an alias is taken, and not
// whose; what breaks a rule is an [*userpool.Error]. Nobody is invited: NewUser.Invite has
// no effect.
func (a *Users) CreateAll(ctx context.Context, users []userpool.NewUser, more ...store.Change) error {
	changes, rules := make([]store.Change, 0, len(users)+len(more)), a.Rules()
	for _, n := range users {
		u, err := newUser(ctx, a.core, rules, n)
		if err != nil {
			return err
		}
		changes = append(changes, store.Change{Op: store.Create, Record: records.UserRecord(u)})
	}
	err := a.core.Records.Apply(ctx, append(changes, more...)...)
	if err != nil {
		return fmt.Errorf("userpool: creating users: %w", err)
	}
	return nil
}

// newUser applies every rule, and hashes the password if there is one.
func newUser(ctx context.Context, c *core.Core, r Rules, n userpool.NewUser) (userpool.User, error) {
	u, err := r.NewUser(n)
	if err != nil || n.Password == "" {
		return u, err
	}
	u.PasswordHash, err = c.Hasher.Hash(ctx, n.Password)
	return u, err
}

// ErrGone says that a user was there a moment ago.
var ErrGone = errors.New(decision.UserGone)

// BySub returns the user with this sub, or ErrGone.
func (a *Users) BySub(ctx context.Context, sub string) (userpool.User, error) {
	u, ok, err := a.core.Records.UserBySub(ctx, sub)
	if err != nil {
		return userpool.User{}, fmt.Errorf("userpool: reading user: %w", err)
	}
	if !ok {
		return userpool.User{}, ErrGone
	}
	return u, nil
}

// Get returns the user with this sub.
func (a *Users) Get(ctx context.Context, sub string) (u userpool.User, ok bool, err error) {
	u, err = a.BySub(ctx, sub)
	if errors.Is(err, ErrGone) {
		return userpool.User{}, false, nil
	}
	return u, err == nil, err
}

// Find returns the user who signs in with this name.
func (a *Users) Find(ctx context.Context, login string) (u userpool.User, ok bool, err error) {
	u, ok, err = a.core.Records.UserByLogin(ctx, naming.Fold(login))
	if err != nil {
		return userpool.User{}, false, fmt.Errorf("userpool: reading user: %w", err)
	}
	return u, ok, nil
}

// ErrNoSuchUser says that nobody has the name that an administrator gave.
var ErrNoSuchUser = &userpool.Error{Code: userpool.CodeUserNotFound, Description: TextNoSuchUser}

// ByName returns the user whom an administrator means: by sub, or by whatever
// signs the user in. The sub comes first, because nobody can choose it.
func (a *Users) ByName(ctx context.Context, name string) (userpool.User, error) {
	u, err := a.BySub(ctx, name)
	if !errors.Is(err, ErrGone) {
		return u, err
	}
	u, ok, err := a.Find(ctx, name)
	if err == nil && !ok {
		err = ErrNoSuchUser
	}
	return u, err
}

// UserQuery says which users [Users.List] returns; at most one of Attribute and
// Group may be set.
type UserQuery struct {
	// Attribute is username, status, email, phone_number, name, given_name,
	// family_name or preferred_username, and Value what it must be, exactly or,
	// with Prefix, begin with.
	Attribute, Value string
	Prefix           bool
	Group            string // only its members
	After            string // the sub of the last user of the page before
	Limit            int    // at most 1000; zero: 60
}

// List returns users by sub, a page at a time: as long as a page is full there
// may be another.
func (a *Users) List(ctx context.Context, q UserQuery) ([]userpool.User, error) {
	query := store.Query{After: q.After, Limit: q.Limit}
	if query.Limit <= 0 {
		query.Limit = 60
	}
	query.Limit = min(query.Limit, maxListed)
	switch {
	case q.Group != "" && q.Attribute != "":
		return nil, userpool.InvalidParameter("a list of users is by an attribute or by a group, not both")
	case q.Group != "":
		query.Term = "group:" + q.Group
	case q.Attribute != "" && !searchable(q.Attribute):
		return nil, userpool.InvalidParameter("Invalid search attribute: " + text.Clip(q.Attribute))
	case q.Attribute != "" && q.Prefix:
		query.TermPrefix = q.Attribute + ":" + q.Value
	case q.Attribute != "":
		query.Term = q.Attribute + ":" + q.Value
	}
	users, err := a.core.Records.Users(ctx, query)
	if err != nil {
		return nil, fmt.Errorf("userpool: listing users: %w", err)
	}
	return users, nil
}

func searchable(attribute string) bool {
	return attribute == "username" || attribute == "status" || slices.Contains(records.SearchedAttributes, attribute)
}

// Change does something to a user, who may be named by sub, user name or alias,
// and stores it with the changes that go with it. It begins anew when somebody
// else changed the user meanwhile.
func (a *Users) Change(
	ctx context.Context, name string, edit func(*userpool.User) error, more ...func(userpool.User) store.Change,
) (userpool.User, error) {
	for range 10 {
		u, err := a.ByName(ctx, name)
		if err != nil {
			return userpool.User{}, err
		}
		u = u.Clone()
		err = edit(&u)
		if err != nil {
			return userpool.User{}, err
		}
		err = a.Store(ctx, &u, more...)
		if !errors.Is(err, store.ErrConflict) {
			return u, err
		}
	}
	return userpool.User{}, fmt.Errorf("userpool: changing user: %w", store.ErrConflict)
}

// Store stores a changed user, and counts up u.Version. ErrConflict: somebody
// was faster. An alias that is taken is AliasExistsException.
func (a *Users) Store(ctx context.Context, u *userpool.User, more ...func(userpool.User) store.Change) error {
	u.Modified = a.core.Now()
	changes := []store.Change{{Op: store.Update, Record: records.UserRecord(*u)}}
	for _, m := range more {
		changes = append(changes, m(*u))
	}
	err := a.core.Records.Apply(ctx, changes...)
	switch {
	case err == nil:
		u.Version++
		return nil
	case errors.Is(err, store.ErrExists):
		return a.aliasTaken(ctx, *u)
	case errors.Is(err, store.ErrConflict):
		return err
	default:
		return fmt.Errorf("userpool: storing user: %w", err)
	}
}

// aliasTaken says which of the user's names is somebody else's.
func (a *Users) aliasTaken(ctx context.Context, u userpool.User) error {
	text := TextNameAlias
	for _, login := range u.Logins {
		other, ok, err := a.core.Records.UserByLogin(ctx, login)
		if err != nil {
			return fmt.Errorf("userpool: reading user: %w", err)
		}
		if !ok || other.Sub == u.Sub {
			continue
		}
		switch login {
		case naming.Fold(u.Attributes["email"]):
			text = TextEmailAlias
		case naming.Fold(u.Attributes["phone_number"]):
			text = TextPhoneAlias
		}
		break
	}
	return &userpool.Error{Code: userpool.CodeAliasExists, Description: text}
}

// spendOn spends a code that matched and makes the change to its user that it
// allows: both or neither.
func (a *Users) spendOn(
	ctx context.Context, c records.OneTimeCode, edit func(*userpool.User) error,
) (userpool.User, error) {
	for range codes.SpendTries {
		u, err := a.BySub(ctx, c.Sub)
		if errors.Is(err, ErrGone) {
			return userpool.User{}, codes.ErrExpired
		}
		if err != nil {
			return userpool.User{}, err
		}
		u = u.Clone()
		err = edit(&u)
		if err == nil {
			err = a.Store(ctx, &u, c.Spend)
		}
		if !errors.Is(err, store.ErrConflict) {
			return u, err
		}
		c, err = a.codes.Reread(ctx, c)
		if err != nil {
			return userpool.User{}, err
		}
	}
	return userpool.User{}, fmt.Errorf("userpool: spending a code: %w", store.ErrConflict)
}

// signOut is what ends all that a user has under way: sessions, tokens, codes.
var signOut = func() (out []func(userpool.User) store.Change) {
	for _, kind := range []string{records.KindSession, records.KindCode, records.KindRefresh, records.KindOneTime} {
		out = append(out, func(u userpool.User) store.Change {
			return store.Change{Op: store.DeleteOwned, Record: store.Record{Kind: kind, Owner: u.Sub}}
		})
	}
	return out
}()

// Rules returns the rules as the pool's settings are now.
func (a *Users) Rules() Rules { return Rules{a.core.Settings(), a.names, a.core.Now} }
