package accounts

import (
	"context"
	"errors"
	"fmt"

	"github.com/cognate-auth/cognate/userpool"
	"github.com/cognate-auth/cognate/userpool/internal/codes"
	"github.com/cognate-auth/cognate/userpool/internal/decision"
	"github.com/cognate-auth/cognate/userpool/internal/naming"
	"github.com/cognate-auth/cognate/userpool/internal/records"
	"github.com/cognate-auth/cognate/userpool/store"
)

// SpendOn spends a code that matched and makes the change to its user that it
// allows: both or neither.
func (a *Users) SpendOn(
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

// Account returns who has a name: a user, or who stands in for one.
func (a *Users) Account(ctx context.Context, username string) (Account, error) {
	decoy, err := a.decoys.Account(ctx, username)
	if err != nil {
		return Account{}, err
	}
	u, ok, err := a.core.Records.UserByLogin(ctx, naming.Fold(username))
	if err != nil {
		return Account{}, fmt.Errorf("userpool: reading user: %w", err)
	}
	if !ok {
		return decoy, nil
	}
	return Account{u, true}, nil
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
		return a.AliasTaken(ctx, *u)
	case errors.Is(err, store.ErrConflict):
		return err
	default:
		return fmt.Errorf("userpool: storing user: %w", err)
	}
}

// AliasTaken says which of the user's names is somebody else's.
func (a *Users) AliasTaken(ctx context.Context, u userpool.User) error {
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

// signOut is what ends all that a user has under way: sessions, tokens, codes.
var signOut = func() (out []func(userpool.User) store.Change) {
	for _, kind := range []string{records.KindSession, records.KindCode, records.KindRefresh, records.KindOneTime} {
		out = append(out, func(u userpool.User) store.Change {
			return store.Change{Op: store.DeleteOwned, Record: store.Record{Kind: kind, Owner: u.Sub}}
		})
	}
	return out
}()

// userOrDecoy returns the user with this name, who may be nobody, and who stands
// in for them; both always, since it takes time.
func (a *Users) userOrDecoy(ctx context.Context, username string) (u, decoy userpool.User, err error) {
	u, _, err = a.Find(ctx, username)
	if err == nil {
		decoy, err = a.decoys.User(ctx, username)
	}
	return u, decoy, err
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
	u, err := a.Rules().NewUser(n)
	if err != nil {
		return userpool.User{}, err
	}
	if n.Password != "" {
		u.PasswordHash, err = a.core.Hasher.Hash(ctx, n.Password)
		if err != nil {
			return userpool.User{}, err
		}
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
