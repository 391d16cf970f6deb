package accounts

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/cognate-auth/cognate/userpool"
	"github.com/cognate-auth/cognate/userpool/internal/clock"
	"github.com/cognate-auth/cognate/userpool/internal/naming"
	"github.com/cognate-auth/cognate/userpool/internal/text"
)

// Rules are all that is decided about a user without a store and without a hash:
// what the user is called, which attributes there may be, how far the user is.
type Rules struct {
	settings *userpool.Settings
	names    signInNames
	now      func() time.Time
}

// CheckUser checks n as [Users.Create] does, for a pool with these settings:
// what breaks a rule is an [*userpool.Error] whose description says what was expected.
// Whether the name is free, only a pool can tell.
func CheckUser(s userpool.Settings, n userpool.NewUser) error {
	s.Groups = nil // nothing of a user is compared with them, and to sort them for each user takes its time
	s = s.WithDefaults()
	_, err := Rules{&s, newSignInNames(s), time.Now}.NewUser(n)
	return err
}

// NewUser applies every rule that needs neither hash nor store.
func (r Rules) NewUser(n userpool.NewUser) (userpool.User, error) {
	u := userpool.User{Sub: n.Sub, Username: n.Username, Status: n.Status, Disabled: n.Disabled}
	err := r.setPasswordState(&u, n)
	if err != nil {
		return userpool.User{}, err
	}
	u.Created = r.now()
	u.Modified = u.Created
	if u.Sub == "" {
		u.Sub = userpool.NewUUID()
	}
	if !naming.ValidName(u.Sub) {
		return userpool.User{}, userpool.InvalidParameter("a sub has 1 to 128 characters and no space")
	}
	u.Attributes, err = r.settings.CleanAttributes(n.Attributes)
	if err != nil {
		return userpool.User{}, err
	}
	u.Groups, err = cleanGroups(n.Groups)
	if err != nil {
		return userpool.User{}, err
	}
	err = r.SetNames(&u)
	if err != nil {
		return userpool.User{}, err
	}
	return u, setFactors(&u, n)
}

// setPasswordState says how far a new user is.
func (r Rules) setPasswordState(u *userpool.User, n userpool.NewUser) error {
	if u.Status == "" {
		u.Status = userpool.UserConfirmed
	}
	if n.Temporary {
		r.passwordSet(u, true)
	}
	without := u.Status == userpool.UserResetRequired || u.Status == userpool.UserUnconfirmed ||
		u.Status == userpool.UserExternal
	known := without || u.Status == userpool.UserConfirmed || u.Status == userpool.UserForceChange
	switch {
	case !known:
		return userpool.InvalidParameter(fmt.Sprintf("the status %q is unknown", text.Clip(string(u.Status))))
	case n.Password == "" && !without, len(n.Password) > userpool.MaxPassword:
		return userpool.InvalidParameter("a password has 1 to 256 bytes")
	}
	return nil
}

// passwordSet says how far a user is who was given a password.
func (r Rules) passwordSet(u *userpool.User, temporary bool) {
	switch {
	case temporary:
		u.Status, u.TemporaryUntil = userpool.UserForceChange, r.now().Add(r.settings.Passwords.TemporaryValidity)
	case u.Status != userpool.UserExternal:
		u.Status = userpool.UserConfirmed
	}
}

// Admit returns what keeps a user from signing in, whatever was proven.
func (r Rules) Admit(u userpool.User) error {
	switch {
	case u.Disabled:
		return errDisabled
	case u.Status == userpool.UserUnconfirmed:
		return ErrNotConfirmed
	case u.Status == userpool.UserResetRequired:
		return ErrResetRequired
	case u.Status == userpool.UserForceChange && !u.TemporaryUntil.IsZero() &&
		!clock.InTime(r.now(), u.TemporaryUntil, userpool.MaxTemporary):
		return errTemporaryExpired
	default:
		return nil
	}
}

// mergeAttributes changes u alone, names included. What stays as it is, is not
// looked at: the schema may have changed since.
func (r Rules) mergeAttributes(u *userpool.User, attributes map[string]string) error {
	if u.Attributes == nil {
		u.Attributes = map[string]string{}
	}
	for _, name := range slices.Sorted(maps.Keys(attributes)) {
		if attributes[name] == u.Attributes[name] {
			continue
		}
		_, said := attributes[name+"_verified"]
		err := r.settings.SetAttribute(u, name, attributes[name], said)
		if err != nil {
			return err
		}
	}
	err := u.CheckVerified()
	if err != nil {
		return err
	}
	return r.SetNames(u)
}

const maxGroups = 100 // of one user

func cleanGroups(in []string) ([]string, error) {
	if len(in) > maxGroups {
		return nil, userpool.InvalidParameter("a user is in at most 100 groups")
	}
	for i, g := range in {
		if !naming.ValidName(g) || slices.Contains(in[:i], g) {
			return nil, userpool.InvalidParameter("a group name has 1 to 128 characters, no space, and occurs once")
		}
	}
	return slices.Clone(in), nil
}

const (
	leastTOTPSecret = 16 // bytes: RFC 4226 section 4, R6
	mostTOTPSecret  = 128
)
