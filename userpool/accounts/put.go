package accounts

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/cognate-auth/cognate/userpool"
	"github.com/cognate-auth/cognate/userpool/internal/naming"
	"github.com/cognate-auth/cognate/userpool/internal/records"
	"github.com/cognate-auth/cognate/userpool/internal/text"
	"github.com/cognate-auth/cognate/userpool/store"
)

// Put creates a user or makes the one with this name as n says, for a file
// that lists users: attributes that n names, groups unless nil, whether the user is
// disabled, and the password, whose hash stays when it is the same. A temporary
// password that was changed stays changed, and so does the status. created
// reports which it was; of several that create the same user at once, as
// processes do that start on one file, one does and the others find it done.
func (a *Users) Put(ctx context.Context, n userpool.NewUser) (u userpool.User, created bool, err error) {
	u, did, err := a.place(ctx, n, nil)
	return u, did == userCreated, err
}

// Follow is [Users.Put] for a file that is read again and again: before is
// what it said of this user the last time. Attributes, groups and second factors
// that it named then and does not name any more are taken away; status and
// password count if they differ from what it said, and otherwise stay as they
// have become since. Values of attributes in before are not looked at. created
// and changed report what was stored.
func (a *Users) Follow(
	ctx context.Context, before, n userpool.NewUser,
) (u userpool.User, created, changed bool, err error) {
	u, did, err := a.place(ctx, n, &before)
	return u, did == userCreated, did == userChanged, err
}

// CheckFollow tells why [Users.Follow] of a user who is there would be refused
// in a pool with settings s, as far as that can be told without the password. A
// user who is not there is not looked at.
func (a *Users) CheckFollow(ctx context.Context, s userpool.Settings, before, n userpool.NewUser) error {
	s = s.WithDefaults()
	u, ok, err := a.Find(ctx, n.Username)
	if err != nil || !ok {
		return err
	}
	if n.Sub != "" && n.Sub != u.Sub {
		return anotherSub(n.Username)
	}
	next := u.Clone()
	n.Password, before.Password = "", ""
	err = a.merge(ctx, Rules{&s, a.names, a.core.Now}, &next, n, &before)
	if err != nil {
		return err
	}
	for _, login := range next.Logins {
		other, taken, err := a.Find(ctx, login)
		if err != nil {
			return err
		}
		if taken && other.Sub != u.Sub {
			return a.aliasTaken(ctx, next)
		}
	}
	return nil
}

func anotherSub(name string) error {
	return userpool.InvalidParameter("the user " + text.Clip(name) + " has another sub already")
}

// What place did.
const (
	userKept = iota
	userCreated
	userChanged
)

// place begins anew when another process creates the user at the same time.
func (a *Users) place(
	ctx context.Context, n userpool.NewUser, before *userpool.NewUser,
) (u userpool.User, did int, err error) {
	const tries = 3
	for range tries {
		u, did, err = a.placeOnce(ctx, n, before)
		if did != userCreated || !errors.Is(err, store.ErrExists) {
			break
		}
	}
	return u, did, err
}

func (a *Users) placeOnce(
	ctx context.Context, n userpool.NewUser, before *userpool.NewUser,
) (u userpool.User, did int, err error) {
	name := n.Username
	for _, address := range []string{"email", "phone_number"} {
		if name == "" && a.names.replaced() {
			name = n.Attributes[address]
		}
	}
	u, ok, err := a.Find(ctx, name)
	if err != nil {
		return userpool.User{}, userKept, err
	}
	if !ok {
		u, err = a.Create(ctx, n)
		return u, userCreated, err
	}
	if !a.names.replaced() && naming.Fold(u.Username) != naming.Fold(name) {
		return userpool.User{}, userKept, fmt.Errorf(
			"userpool: putting user: the name is another's alias: %w", store.ErrExists,
		)
	}
	if n.Sub != "" && n.Sub != u.Sub {
		return userpool.User{}, userKept, anotherSub(name)
	}
	return a.put(ctx, u, n, before)
}

func (a *Users) put(
	ctx context.Context, u userpool.User, n userpool.NewUser, before *userpool.NewUser,
) (userpool.User, int, error) {
	for range 10 {
		next := u.Clone()
		err := a.merge(ctx, a.Rules(), &next, n, before)
		if err != nil {
			return userpool.User{}, userKept, err
		}
		if sameUser(u, next) {
			return u, userKept, nil
		}
		var more []func(userpool.User) store.Change
		if next.Disabled && !u.Disabled {
			more = signOut
		}
		err = a.Store(ctx, &next, more...)
		if !errors.Is(err, store.ErrConflict) {
			return next, userChanged, err
		}
		u, err = a.BySub(ctx, u.Sub)
		if err != nil {
			return userpool.User{}, userKept, err
		}
	}
	return userpool.User{}, userKept, fmt.Errorf("userpool: changing user: %w", store.ErrConflict)
}

// sameUser compares what a store keeps.
func sameUser(a, b userpool.User) bool {
	before, after := records.UserRecord(a), records.UserRecord(b)
	return string(before.Body) == string(after.Body) && slices.Equal(before.Names, after.Names)
}

// merge applies what n says to a user who is there; before is what was said the
// last time, or nil.
func (a *Users) merge(
	ctx context.Context, r Rules, u *userpool.User, n userpool.NewUser, before *userpool.NewUser,
) error {
	attributes := withoutName(n.Attributes)
	if before != nil {
		r.takeBack(u, attributes, n, *before)
	}
	err := r.mergeAttributes(u, attributes)
	if err != nil {
		return err
	}
	u.Disabled = n.Disabled
	if n.Groups != nil {
		u.Groups, err = cleanGroups(n.Groups)
		if err != nil {
			return err
		}
	}
	err = setFactors(u, n)
	if err != nil {
		return err
	}
	news := before != nil && saysOtherwise(*before, n)
	hash := u.PasswordHash
	if n.Password != "" && (!n.Temporary || u.Status == userpool.UserForceChange || news) {
		err = a.mergePassword(ctx, r, u, n)
	}
	// What is as it should be stays, the end of a temporary password too: another
	// process may have done it a moment ago.
	if err == nil && news && (string(hash) != string(u.PasswordHash) || u.Status != n.Status) {
		r.setStatus(u, n)
	}
	return err
}

func (a *Users) mergePassword(ctx context.Context, r Rules, u *userpool.User, n userpool.NewUser) error {
	same := false
	if u.PasswordHash != "" {
		var err error
		same, _, err = a.core.Hasher.Verify(ctx, u.PasswordHash, n.Password)
		if err != nil {
			return err
		}
	}
	if same {
		return nil
	}
	if len(n.Password) > userpool.MaxPassword {
		return userpool.InvalidParameter("a password has 1 to 256 bytes")
	}
	hash, err := a.core.Hasher.Hash(ctx, n.Password)
	if err != nil {
		return err
	}
	u.PasswordHash, u.TemporaryUntil = hash, time.Time{}
	r.passwordSet(u, n.Temporary)
	return nil
}

// saysOtherwise reports whether a file says something new about how far a user
// is.
func saysOtherwise(before, n userpool.NewUser) bool {
	return before.Status != n.Status || before.Temporary != n.Temporary || before.Password != n.Password
}

// setStatus makes a user as far as a file says.
func (r Rules) setStatus(u *userpool.User, n userpool.NewUser) {
	u.TemporaryUntil = time.Time{}
	switch {
	case n.Temporary || n.Status == userpool.UserForceChange:
		r.passwordSet(u, true)
	case n.Status == "":
		u.Status = userpool.UserConfirmed
	default:
		u.Status = n.Status
	}
}

// takeBack takes from u what before says and n does not; attributes gets the
// names to remove. The address that stands for the user name stays.
func (r Rules) takeBack(u *userpool.User, attributes map[string]string, n, before userpool.NewUser) {
	for name := range before.Attributes {
		isName := r.names.replaced() && naming.Fold(u.Attributes[name]) == naming.Fold(n.Username)
		if n.Attributes[name] == "" && !strings.EqualFold(name, "sub") && !isName {
			attributes[name] = ""
		}
	}
	if n.Groups == nil {
		u.Groups = without(u.Groups, before.Groups...)
	}
	if before.TOTPSecret != "" && n.TOTPSecret == "" {
		u.TOTPSecret, u.TOTPStep, u.TOTPBefore = "", 0, nil
		u.MFA = without(u.MFA, userpool.FactorTOTP)
	}
	if n.MFA == nil {
		u.MFA = without(u.MFA, before.MFA...)
	}
	switch {
	case n.PreferredMFA == "" && u.PreferredMFA == before.PreferredMFA,
		n.MFA == nil && !slices.Contains(u.MFA, u.PreferredMFA):
		u.PreferredMFA = ""
	}
}

func without(list []string, taken ...string) []string {
	return slices.DeleteFunc(list, func(s string) bool { return slices.Contains(taken, s) })
}

// withoutName leaves out what no file can mean to change.
func withoutName(attributes map[string]string) map[string]string {
	out := map[string]string{}
	for name, value := range attributes {
		if value != "" && !strings.EqualFold(name, "sub") {
			out[name] = value
		}
	}
	return out
}
