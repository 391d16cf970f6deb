package userpool

import (
	"maps"
	"slices"
	"time"
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
	TemporaryUntil time.Time // end of a temporary password; zero: the password is not temporary

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
	SignedOut  time.Time // of accounts.Users.GlobalSignOut; zero: never
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

// NewUser is what accounts.Users.Create needs to know.
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
