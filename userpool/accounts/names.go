package accounts

import (
	"slices"
	"strings"

	"github.com/cognate-auth/cognate/userpool"
	"github.com/cognate-auth/cognate/userpool/internal/naming"
)

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

// VerifyAddress marks an address as verified: the user may then sign in with it,
// where addresses are names.
func (r Rules) VerifyAddress(u *userpool.User, name string) error {
	u.Attributes[name+"_verified"] = "true"
	return r.SetNames(u)
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
