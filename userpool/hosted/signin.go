package hosted

import (
	"net/http"
	"slices"
	"strings"

	"github.com/cognate-auth/cognate/userpool"
)

// signInView is what the sign-in page shows.
type signInView struct {
	view
	providers
	Names    string // what to type: username, email, phone, or a joint word
	Type     string // of the field
	Username string
	NameOnly bool // how to sign in is chosen on the next page
	Passkey  bool // a passkey will do without a name
	OneClick oneClick
}

// openedSignIn says so when the request names an identity provider that the client does
// not have.
func (v *visit) openedSignIn() (answered bool) {
	if v.auth.ProviderMissing {
		v.fail(userpool.TextNoSuchLogin)
	}
	return false
}

// viewSignIn is the view of the page at /login. The password is never written back.
func viewSignIn(v *visit) (writable, error) {
	page := signInView{
		view: newView(v, "Sign in"), providers: providersOf(v), Username: shorten(v.flow.Username),
	}
	if page.Username == "" && v.form == nil {
		page.Username = v.auth.LoginHint
	}
	page.NameOnly = v.auth.Client.ChoosesFactor()
	page.Passkey = page.NameOnly && v.h.Pool.Passkeys.Offered()
	page.Names, page.Type = nameField(v.h.Pool.Settings().SignInNames())
	var err error
	page.OneClick, err = oneClickOf(v)
	return page, err
}

// nameField says what the field for the name is called, and its type.
func nameField(names []string) (label, kind string) {
	has := func(n string) bool { return slices.Contains(names, n) }
	switch {
	case len(names) == 3:
		return "Username, email or phone number", "text"
	case has("username") && has("email"):
		return "Username or email", "text"
	case has("username") && has("phone_number"):
		return "Username or phone number", "text"
	case has("email") && has("phone_number"):
		return "Email or phone number", "text"
	case has("email"):
		return "Email", "email"
	case has("phone_number"):
		return "Phone number", "tel"
	default:
		return "Username", "text"
	}
}

// typedName is the name that was typed, as a flow keeps it: at most 1 KB, which
// no user has, so that anyone's forms fill the store no faster than that.
func (v *visit) typedName() string {
	name := strings.TrimSpace(v.form.Get("username"))
	return name[:min(len(name), 1024)]
}

// signIn is POST /login: a name and a password, a name alone, or neither but a
// passkey.
func (v *visit) signIn() error {
	if v.form.Has("passkey") {
		return v.refused(v.h.Pool.Steps.Discover(v.r.Context(), v.auth.Request(), v.flow))
	}
	v.flow.Username = v.typedName()
	err := v.h.Pool.Steps.SignIn(v.r.Context(), v.auth.Request(), v.flow, userpool.Secret(v.form.Get("password")))
	if err != nil {
		v.status = http.StatusUnauthorized
	}
	return v.refused(err)
}
