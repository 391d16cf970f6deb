package userpool

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/cognate-auth/cognate/userpool/internal/text"
)

// UserStatus says how far a user is (API reference, UserType).
type UserStatus string

// The statuses of users. The zero value is that of a confirmed one.
const (
	UserUnconfirmed   UserStatus = "UNCONFIRMED" // registered, the code is still to come
	UserConfirmed     UserStatus = "CONFIRMED"
	UserForceChange   UserStatus = "FORCE_CHANGE_PASSWORD" // has a temporary password
	UserResetRequired UserStatus = "RESET_REQUIRED"        // must choose a new one by code
	UserExternal      UserStatus = "EXTERNAL_PROVIDER"     // signs in at an identity provider alone
)

// User is a user of the pool.
type User struct {
	Sub      string
	Username string // cognito:username
	Status   UserStatus
	Disabled bool

	PasswordHash   Secret    // argon2id in PHC format; empty: no password signs the user in
	PreviousHashes []Secret  // of the passwords before, the newest first
	TemporaryUntil time.Time // end of a temporary password; zero: it is none

	TOTPSecret   Secret   // of the authenticator app, in base32; empty: none is registered
	TOTPStep     int64    // the last time step whose code was accepted
	TOTPBefore   []int64  `json:",omitempty"` // steps whose codes were accepted before it, the newest first, at most 16
	MFA          []string // which second factors are on: FactorTOTP, FactorSMS, FactorEmail
	PreferredMFA string   // which of them comes first; empty: the person chooses

	// Attributes holds standard attributes and custom ones ("custom:plan") as
	// strings, booleans too: "true" or "false".
	Attributes map[string]string
	Groups     []string
	Identities []Identity // who the user is at other identity providers
	Logins     []string   // what the user may type to sign in, folded; unique in the pool
	Created    time.Time
	Modified   time.Time
	SignedOut  time.Time // of [Pool.GlobalSignOut]; zero: never
	Version    int64     // counted up by the store
}

// Identity is who a user is at an identity provider (the identities claim).
type Identity struct {
	UserID, ProviderName, ProviderType string
	Issuer                             string // of a SAML provider its entity ID; empty: none
	Primary                            bool
	Created                            time.Time
}

// Clone returns a copy that shares no memory with u.
func (u User) Clone() User {
	u.Attributes = maps.Clone(u.Attributes)
	u.Groups = slices.Clone(u.Groups)
	u.Logins = slices.Clone(u.Logins)
	u.PreviousHashes = slices.Clone(u.PreviousHashes)
	u.TOTPBefore = slices.Clone(u.TOTPBefore)
	u.MFA = slices.Clone(u.MFA)
	u.Identities = slices.Clone(u.Identities)
	return u
}

// Verified reports whether the user has this address, email or phone_number, and
// it is known to be the user's own.
func (u User) Verified(address string) bool {
	return u.Attributes[address] != "" && u.Attributes[address+"_verified"] == "true"
}

// NewUser is what [Pool.CreateUser] needs to know.
type NewUser struct {
	// Sub is for a user who must have a certain one, at most 128 characters.
	// Empty: a fresh UUID.
	Sub string
	// Username has 1 to 128 letters, marks, symbols, digits or punctuation and
	// no space; upper and lower case are the same. In a pool whose user name is
	// an e-mail address or phone number it is that, or empty if Attributes has it.
	Username string
	// Password has 1 to 256 bytes. No password policy applies. Empty only with a
	// Status that needs none, and with Invite, which makes one up.
	Password Secret
	// Temporary makes the password one that must be changed at the first sign-in,
	// within Settings.Passwords.TemporaryValidity.
	Temporary bool
	// Invite sends the user the temporary password, by e-mail or else by SMS. It
	// makes the password temporary.
	Invite bool
	// Status is UserConfirmed when empty, or UserForceChange with a temporary
	// password. UserResetRequired (as after an import), UserUnconfirmed and
	// UserExternal need no password.
	Status   UserStatus
	Disabled bool
	// Attributes are the standard attributes of OpenID Connect, email_verified
	// and phone_number_verified ("true" or "false"), and custom ones
	// ("custom:plan"), each at most 2048 bytes, as Settings.Schema has them; the
	// required ones may be missing. An empty value is left out.
	Attributes map[string]string
	// Groups are at most 100 names, in the order of cognito:groups.
	Groups []string
	// TOTPSecret registers an authenticator app: 16 to 128 bytes in base32.
	TOTPSecret Secret
	// MFA are the second factors that are on (see User), PreferredMFA the one
	// of them that comes first.
	MFA          []string
	PreferredMFA string
}

// CreateUser adds a user. A name or an alias that is taken is [store.ErrExists]; what
// breaks a rule is an [*Error] that says which.
func (p *Pool) CreateUser(ctx context.Context, n NewUser) (User, error) {
	if n.Invite {
		n.Temporary = true
		if n.Password == "" {
			n.Password = p.temporaryPassword()
		}
	}
	u, err := p.rules().newUser(n)
	if err != nil {
		return User{}, err
	}
	if n.Password != "" {
		u.PasswordHash, err = p.hasher.hash(ctx, n.Password)
		if err != nil {
			return User{}, err
		}
	}
	err = p.store.CreateUser(ctx, u)
	if err != nil {
		return User{}, fmt.Errorf("userpool: creating user: %w", err)
	}
	u.Version = 1
	if n.Invite {
		return u, p.invite(ctx, u, n.Password)
	}
	return u, nil
}

// newUser applies every rule that needs neither hash nor store.
func (r rules) newUser(n NewUser) (User, error) {
	u := User{Sub: n.Sub, Username: n.Username, Status: n.Status, Disabled: n.Disabled}
	err := r.setPasswordState(&u, n)
	if err != nil {
		return User{}, err
	}
	u.Created = r.now()
	u.Modified = u.Created
	if u.Sub == "" {
		u.Sub = NewUUID()
	}
	if !validName(u.Sub) {
		return User{}, invalid("a sub has 1 to 128 characters and no space")
	}
	u.Attributes, err = r.settings.cleanAttributes(n.Attributes)
	if err != nil {
		return User{}, err
	}
	u.Groups, err = cleanGroups(n.Groups)
	if err != nil {
		return User{}, err
	}
	err = r.setUserNames(&u)
	if err != nil {
		return User{}, err
	}
	return u, setFactors(&u, n)
}

// setPasswordState says how far a new user is.
func (r rules) setPasswordState(u *User, n NewUser) error {
	if u.Status == "" {
		u.Status = UserConfirmed
	}
	if n.Temporary {
		r.passwordSet(u, true)
	}
	without := u.Status == UserResetRequired || u.Status == UserUnconfirmed || u.Status == UserExternal
	known := without || u.Status == UserConfirmed || u.Status == UserForceChange
	switch {
	case !known:
		return invalid(fmt.Sprintf("the status %q is unknown", text.Clip(string(u.Status))))
	case n.Password == "" && !without, len(n.Password) > maxPassword:
		return invalid("a password has 1 to 256 bytes")
	}
	return nil
}

// foldLogin maps the spellings of one name to one: a phone's keyboard adds a
// space, and user names are not case sensitive.
func foldLogin(name string) string { return strings.ToLower(strings.TrimSpace(name)) }

func invalid(text string) error { return &Error{Code: CodeInvalidParameter, Description: text} }

// validName holds a name to Cognito's [\p{L}\p{M}\p{S}\p{N}\p{P}]{1,128}.
func validName(s string) bool {
	n := utf8.RuneCountInString(s)
	return n >= 1 && n <= 128 && utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool {
		return !unicode.In(r, unicode.L, unicode.M, unicode.S, unicode.N, unicode.P)
	})
}

const maxGroups = 100 // of one user

func cleanGroups(in []string) ([]string, error) {
	if len(in) > maxGroups {
		return nil, invalid("a user is in at most 100 groups")
	}
	for i, g := range in {
		if !validName(g) || slices.Contains(in[:i], g) {
			return nil, invalid("a group name has 1 to 128 characters, no space, and occurs once")
		}
	}
	return slices.Clone(in), nil
}

// errGone says that a user was there a moment ago.
var errGone = errors.New("the user is gone")

// user returns the user with this sub, or errGone.
func (p *Pool) user(ctx context.Context, sub string) (User, error) {
	u, ok, err := p.store.UserBySub(ctx, sub)
	if err != nil {
		return User{}, fmt.Errorf("userpool: reading user: %w", err)
	}
	if !ok {
		return User{}, errGone
	}
	return u, nil
}

// User returns the user with this sub.
func (p *Pool) User(ctx context.Context, sub string) (u User, ok bool, err error) {
	u, err = p.user(ctx, sub)
	if errors.Is(err, errGone) {
		return User{}, false, nil
	}
	return u, err == nil, err
}

// FindUser returns the user who signs in with this name.
func (p *Pool) FindUser(ctx context.Context, login string) (u User, ok bool, err error) {
	u, ok, err = p.store.UserByLogin(ctx, foldLogin(login))
	if err != nil {
		return User{}, false, fmt.Errorf("userpool: reading user: %w", err)
	}
	return u, ok, nil
}
