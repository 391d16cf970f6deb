package accounts

import (
	"cmp"
	"encoding/base32"
	"fmt"
	"maps"
	"slices"
	"strings"
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

// Rules returns the rules as the pool's settings are now.
func (a *Users) Rules() Rules { return Rules{a.core.Settings(), a.names, a.core.Now} }

// signInNames says which names a person may type.
type signInNames struct {
	email, phone           bool // the address is the user name
	aliasEmail, aliasPhone bool // a verified address stands in for the user name
	aliasName              bool // so does preferred_username
}

func newSignInNames(s userpool.Settings) signInNames {
	return signInNames{
		email:      slices.Contains(s.UsernameAttributes, "email"),
		phone:      slices.Contains(s.UsernameAttributes, "phone_number"),
		aliasEmail: slices.Contains(s.AliasAttributes, "email"),
		aliasPhone: slices.Contains(s.AliasAttributes, "phone_number"),
		aliasName:  slices.Contains(s.AliasAttributes, "preferred_username"),
	}
}

// replaced reports whether an address takes the place of the user name.
func (n signInNames) replaced() bool { return n.email || n.phone }

// SetNames decides what the user is called and what signs the user in
// (developer guide, page "user-pool-settings-attributes"). u.Username is what was
// typed, or what it is; u.Logins are those so far.
func (r Rules) SetNames(u *userpool.User) error {
	if u.Status == userpool.UserExternal {
		return nil // named after the identity provider, whatever the attributes say
	}
	if r.names.replaced() {
		return r.setAddressName(u)
	}
	if !naming.ValidName(u.Username) {
		return userpool.InvalidParameter("a user name has 1 to 128 characters and no space")
	}
	err := r.names.apart(u.Username)
	if err != nil {
		return err
	}
	u.Logins = []string{naming.Fold(u.Username)}
	for _, alias := range r.names.aliases(u) {
		if login := naming.Fold(alias); !slices.Contains(u.Logins, login) {
			u.Logins = append(u.Logins, login)
		}
	}
	// A name of one's own choice must not stand where an address belongs, before
	// its owner comes and proves it.
	if r.names.aliasName && u.Attributes["preferred_username"] != "" {
		if !naming.ValidName(u.Attributes["preferred_username"]) {
			return userpool.InvalidParameter("a preferred_username has 1 to 128 characters and no space in this pool")
		}
		return r.names.apart(u.Attributes["preferred_username"])
	}
	return nil
}

// aliases returns what signs u in beside the user name: addresses only once they
// are known to be the user's own.
func (n signInNames) aliases(u *userpool.User) []string {
	var out []string
	if n.aliasEmail && u.Verified("email") {
		out = append(out, u.Attributes["email"])
	}
	if n.aliasPhone && u.Verified("phone_number") {
		out = append(out, u.Attributes["phone_number"])
	}
	if n.aliasName && u.Attributes["preferred_username"] != "" {
		out = append(out, u.Attributes["preferred_username"])
	}
	return out
}

// apart refuses a name that looks like an address that signs somebody in.
func (n signInNames) apart(name string) error {
	switch {
	case n.aliasEmail && strings.Contains(name, "@"):
		return userpool.InvalidParameter(
			"Username cannot be of email format, since user pool is configured for email alias.",
		)
	case n.aliasPhone && naming.ValidPhone(name):
		return userpool.InvalidParameter(
			"Username cannot be of phone number format, since user pool is configured for phone number alias.",
		)
	}
	return nil
}

// setAddressName is setUserNames where an address takes the place of the user name:
// the one that was typed at first, or that signed in before, verified or not;
// another one when it is verified.
func (r Rules) setAddressName(u *userpool.User) error {
	if u.Username != u.Sub && u.Username != "" {
		err := r.typedAddress(u)
		if err != nil {
			return err
		}
	}
	before := u.Logins
	u.Username, u.Logins = u.Sub, nil
	for name, on := range map[string]bool{"email": r.names.email, "phone_number": r.names.phone} {
		was := slices.ContainsFunc(before, func(l string) bool { return strings.Contains(l, "@") == (name == "email") })
		value := u.Attributes[name]
		if on && value != "" && (was || u.Attributes[name+"_verified"] == "true") {
			u.Logins = append(u.Logins, naming.Fold(value))
		}
	}
	if len(u.Logins) == 0 {
		return r.firstAddress(u)
	}
	slices.Sort(u.Logins)
	return nil
}

// typedAddress puts the address that was given as the user name into its
// attribute.
func (r Rules) typedAddress(u *userpool.User) error {
	name := "email"
	if r.names.phone && (!r.names.email || !strings.Contains(u.Username, "@")) {
		name = "phone_number"
	}
	if own := u.Attributes[name]; own != "" && naming.Fold(own) != naming.Fold(u.Username) {
		return userpool.InvalidParameter("the user name and the " + name + " attribute differ")
	}
	if name == "email" && !naming.ValidEmail(u.Username) || name == "phone_number" && !naming.ValidPhone(u.Username) {
		return r.noAddress()
	}
	if u.Attributes[name] == "" {
		u.Attributes[name] = u.Username
	}
	u.Logins = []string{naming.Fold(u.Username)}
	return nil
}

// firstAddress takes the first of the addresses that can be a user name.
func (r Rules) firstAddress(u *userpool.User) error {
	switch {
	case r.names.email && u.Attributes["email"] != "":
		u.Logins = []string{naming.Fold(u.Attributes["email"])}
	case r.names.phone && u.Attributes["phone_number"] != "":
		u.Logins = []string{naming.Fold(u.Attributes["phone_number"])}
	default:
		return r.noAddress()
	}
	return nil
}

func (r Rules) noAddress() error {
	switch {
	case !r.names.phone:
		return userpool.InvalidParameter("Username should be an email.")
	case !r.names.email:
		return userpool.InvalidParameter("Username should be a phone number.")
	default:
		return userpool.InvalidParameter("Username should be either an email or a phone number.")
	}
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

const (
	leastTOTPSecret = 16 // bytes: RFC 4226 section 4, R6
	mostTOTPSecret  = 128
)

// setFactors gives u the second factors that n names. What n does not name
// stays as it is.
func setFactors(u *userpool.User, n userpool.NewUser) error {
	if n.TOTPSecret != "" && !n.TOTPSecret.Equal(u.TOTPSecret) {
		secret := strings.ToUpper(strings.TrimRight(string(n.TOTPSecret), "="))
		raw, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(secret)
		if err != nil || len(raw) < leastTOTPSecret || len(raw) > mostTOTPSecret {
			return userpool.InvalidParameter("a secret of an authenticator app is 16 to 128 bytes in base32")
		}
		u.TOTPSecret, u.TOTPStep, u.TOTPBefore = userpool.Secret(secret), 0, nil
	}
	if n.MFA != nil {
		u.MFA = slices.Clone(n.MFA)
	}
	if n.PreferredMFA != "" {
		u.PreferredMFA = n.PreferredMFA
	}
	for i, factor := range u.MFA {
		problem := factorProblem(*u, factor)
		if problem != "" || slices.Contains(u.MFA[:i], factor) {
			return userpool.InvalidParameter("the second factor " + text.Clip(factor) + " " +
				cmp.Or(problem, "is repeated"))
		}
	}
	if u.PreferredMFA != "" && !slices.Contains(u.MFA, u.PreferredMFA) {
		return userpool.InvalidParameter("the preferred second factor is not one of the user's")
	}
	return nil
}

// factorProblem says why a user cannot have a second factor.
func factorProblem(u userpool.User, factor string) string {
	switch factor {
	case userpool.FactorTOTP:
		if u.TOTPSecret == "" {
			return "needs the secret of an authenticator app"
		}
	case userpool.FactorSMS:
		if u.Attributes["phone_number"] == "" {
			return "needs a phone_number"
		}
	case userpool.FactorEmail:
		if u.Attributes["email"] == "" {
			return "needs an email"
		}
	default:
		return "is unknown"
	}
	return ""
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

// passwordSet says how far a user is who was given a password.
func (r Rules) passwordSet(u *userpool.User, temporary bool) {
	switch {
	case temporary:
		u.Status, u.TemporaryUntil = userpool.UserForceChange, r.now().Add(r.settings.Passwords.TemporaryValidity)
	case u.Status != userpool.UserExternal:
		u.Status = userpool.UserConfirmed
	}
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

// IsLogin reports whether a local user, who is linked to a provider, signs in
// with this attribute: then no provider may change it.
func (r Rules) IsLogin(u userpool.User, name string) bool {
	if u.Status == userpool.UserExternal {
		return false
	}
	n := r.names
	return n.email && (name == "email" || name == "email_verified") ||
		n.phone && (name == "phone_number" || name == "phone_number_verified")
}

// VerifyAddress marks an address as verified: the user may then sign in with it,
// where addresses are names.
func (r Rules) VerifyAddress(u *userpool.User, name string) error {
	u.Attributes[name+"_verified"] = "true"
	return r.SetNames(u)
}

// DisplayName is what the user knows the account by.
func (r Rules) DisplayName(u userpool.User) string {
	if !r.names.replaced() {
		return u.Username
	}
	for _, name := range []string{"email", "phone_number"} {
		if u.Attributes[name] != "" {
			return u.Attributes[name]
		}
	}
	return u.Username
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
