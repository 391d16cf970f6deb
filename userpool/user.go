package userpool

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
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
	Version    int64 // counted up by the store
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
	u.MFA = slices.Clone(u.MFA)
	u.Identities = slices.Clone(u.Identities)
	return u
}

// NewUser is what [Pool.CreateUser] needs to know.
type NewUser struct {
	// Username has 1 to 128 letters, marks, symbols, digits or punctuation and
	// no space; upper and lower case are the same. In a pool whose user name is
	// the e-mail address it is that address, or empty if Attributes has it.
	Username string
	// Password has 1 to 256 bytes. Required. No password policy applies.
	Password Secret
	// Attributes are the standard attributes of OpenID Connect, email_verified
	// and phone_number_verified ("true" or "false"), and custom ones
	// ("custom:plan"), each at most 2048 bytes. An empty value is left out.
	Attributes map[string]string
	// Groups are at most 100 names, in the order of cognito:groups.
	Groups []string
}

// CreateUser adds a confirmed user with a fresh sub. A name or an alias that is
// taken is [ErrExists]; what breaks a rule is an [*Error] that says which.
func (p *Pool) CreateUser(ctx context.Context, n NewUser) (User, error) {
	u, err := p.newUser(n)
	if err != nil {
		return User{}, err
	}
	u.PasswordHash, err = p.hasher.hash(ctx, n.Password)
	if err != nil {
		return User{}, err
	}
	err = p.store.CreateUser(ctx, p.id, u)
	if err != nil {
		return User{}, fmt.Errorf("userpool: creating user: %w", err)
	}
	u.Version = 1
	return u, nil
}

// newUser applies every rule that needs neither hash nor store.
func (p *Pool) newUser(n NewUser) (User, error) {
	if n.Password == "" || len(n.Password) > 256 {
		return User{}, invalid("a password has 1 to 256 bytes")
	}
	now := p.now()
	u := User{Sub: NewUUID(), Username: n.Username, Status: UserConfirmed, Created: now, Modified: now}
	var err error
	u.Attributes, err = cleanAttributes(n.Attributes)
	if err != nil {
		return User{}, err
	}
	u.Groups, err = cleanGroups(n.Groups)
	if err != nil {
		return User{}, err
	}
	return u, p.setUserNames(&u)
}

// setUserNames decides what the user is called and what signs the user in
// (developer guide, page "user-pool-settings-attributes").
func (p *Pool) setUserNames(u *User) error {
	if p.usernames.email {
		return setEmailName(u)
	}
	if !validName(u.Username) {
		return invalid("a user name has 1 to 128 characters and no space")
	}
	u.Logins = []string{foldLogin(u.Username)}
	if !p.usernames.aliasEmail {
		return nil
	}
	// A user name that looks like an address could take someone's alias.
	if strings.Contains(u.Username, "@") {
		return invalid("a user name cannot look like an e-mail address in this pool")
	}
	// An address signs in only once it is known to be the user's own.
	if u.Attributes["email_verified"] == "true" {
		u.Logins = append(u.Logins, foldLogin(u.Attributes["email"]))
	}
	return nil
}

func setEmailName(u *User) error {
	email := u.Attributes["email"]
	if u.Username != "" {
		if email != "" && email != u.Username {
			return invalid("the user name and the email attribute differ")
		}
		email = u.Username
	}
	if !validEmail(email) {
		return invalid("the user name must be an e-mail address in this pool")
	}
	u.Attributes["email"] = email
	u.Username = u.Sub
	u.Logins = []string{foldLogin(email)}
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

// validEmail asks for one @ with something on both sides and nothing that
// could break a header or a page; who owns the address, only a mail can tell.
func validEmail(s string) bool {
	local, domain, ok := strings.Cut(s, "@")
	return ok && local != "" && domain != "" && !strings.Contains(domain, "@") && validName(s)
}

// The standard attributes of a pool: OpenID Connect Core section 5.1, less sub.
// Those of the profile scope (userInfo page of the developer guide) come first.
var (
	profileAttributes = []string{
		"name", "family_name", "given_name", "middle_name", "nickname", "preferred_username", "profile",
		"picture", "website", "gender", "birthdate", "zoneinfo", "locale", "updated_at",
	}
	otherAttributes = []string{"address", "email", "email_verified", "phone_number", "phone_number_verified"}
	customAttribute = regexp.MustCompile(`^custom:[\w-]{1,20}$`)
)

const (
	maxAttributes     = 100
	maxAttributeBytes = 2048
	maxGroups         = 100
)

func cleanAttributes(in map[string]string) (map[string]string, error) {
	out := make(map[string]string, len(in))
	if len(in) > maxAttributes {
		return nil, invalid("a user has at most 100 attributes")
	}
	for name, value := range in {
		if value == "" {
			continue
		}
		value, err := cleanAttribute(name, value)
		if err != nil {
			return nil, err
		}
		out[name] = value
	}
	for _, name := range []string{"email", "phone_number"} {
		if out[name+"_verified"] != "" && out[name] == "" {
			return nil, invalid(name + "_verified needs " + name)
		}
	}
	return out, nil
}

func cleanAttribute(name, value string) (string, error) {
	switch {
	case !knownAttribute(name):
		return "", invalid(fmt.Sprintf("the attribute %q is unknown", clip(name)))
	case len(value) > maxAttributeBytes || !utf8.ValidString(value):
		return "", invalid("the attribute " + name + " must be UTF-8 and at most 2048 bytes")
	case name == "email" && !validEmail(value):
		return "", invalid("the attribute email is not an e-mail address")
	case !isBoolean(name):
		return value, nil
	}
	value = strings.ToLower(value)
	if value != "true" && value != "false" {
		return "", invalid("the attribute " + name + ` must be "true" or "false"`)
	}
	return value, nil
}

func knownAttribute(name string) bool {
	return slices.Contains(profileAttributes, name) || slices.Contains(otherAttributes, name) ||
		customAttribute.MatchString(name)
}

func isBoolean(name string) bool {
	return name == "email_verified" || name == "phone_number_verified"
}

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
	u, ok, err := p.store.UserBySub(ctx, p.id, sub)
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
	u, ok, err = p.store.UserByLogin(ctx, p.id, foldLogin(login))
	if err != nil {
		return User{}, false, fmt.Errorf("userpool: reading user: %w", err)
	}
	return u, ok, nil
}
