package hosted

import (
	"errors"
	"net/http"
	"strings"

	"github.com/cognate-auth/cognate/userpool"
	"github.com/cognate-auth/cognate/userpool/accounts"
	"github.com/cognate-auth/cognate/userpool/internal/browser"
	"github.com/cognate-auth/cognate/userpool/signin"
)

// attributePrefix is what Cognito's sign-up form calls its fields for attributes:
// requiredAttributes[email].
const attributePrefix = "requiredAttributes["

// A field of a form, for a name or an attribute.
type field struct {
	ID, Name, Label, Type, Autocomplete, Value string
	Required                                   bool
}

// attributeInput returns the field of a form for an attribute, with what was typed.
func attributeInput(v *visit, form, name string) field {
	f, known := attributeFields[name]
	if !known {
		f = field{Label: name, Type: "text", Autocomplete: "off"}
	}
	f.ID, f.Name, f.Required = form+"-"+name, attributePrefix+name+"]", true
	f.Value = shorten(v.form.Get(f.Name))
	return f
}

// attributes are those that were typed.
func (v *visit) attributes() map[string]string {
	out := map[string]string{}
	for name, values := range v.form {
		name, ok := strings.CutPrefix(name, attributePrefix)
		if ok {
			out[strings.TrimSuffix(name, "]")] = strings.TrimSpace(values[0])
		}
	}
	return out
}

// signUpView is what the sign-up page shows.
type signUpView struct {
	view
	User   field
	Fields []field
	Rules  rules
}

// viewSignUp is the view of the page at /signup. The password is never written back.
func viewSignUp(v *visit) (writable, error) {
	settings := v.h.Pool.Settings()
	err := signin.CheckSignUp(settings, v.auth.Request())
	if err != nil {
		return nil, err
	}
	page := signUpView{view: newView(v, "Sign up with a new account"), Rules: rulesOf(v, "password")}
	names := settings.UsernameAttributes
	page.User = newName(names, v.flow.Username)
	for _, name := range settings.SignUpAttributes() {
		f := attributeInput(v, "signUpForm", name)
		f.Required = len(names) < 2 || name != "email" && name != "phone_number" // one of them is the name
		page.Fields = append(page.Fields, f)
	}
	return page, nil
}

// newName is the field for the name that a new user signs in with: one of the attributes
// that serve as names, or a user name where there are none.
func newName(attributes []string, typed string) field {
	if len(attributes) == 0 {
		attributes = []string{"username"}
	}
	return nameInput("signUpForm-username", attributes, typed)
}

// nameInput is the field for one of several kinds of names.
func nameInput(id string, kinds []string, typed string) field {
	f := field{ID: id, Required: true}
	f.Label, f.Type = nameField(kinds)
	f.Name, f.Autocomplete, f.Value = "username", "username", shorten(typed)
	return f
}

// signUp is POST /signup.
func (v *visit) signUp() error {
	v.flow.Username = v.typedName()
	return v.badInput(v.h.Pool.Steps.SignUp(v.r.Context(), v.auth.Request(), v.flow, accounts.SignUpRequest{
		Username: v.flow.Username, Password: userpool.Secret(v.form.Get("password")), Attributes: v.attributes(),
	}))
}

// sentView is what the pages show that wait for a code that was sent.
type sentView struct {
	view
	Lead   string
	Link   bool // a link is waited for, not a code
	Resend string
	Rules  rules
}

// viewConfirm is the view of the page at /confirm.
func viewConfirm(v *visit) (writable, error) {
	page := sentView{view: newView(v, "Confirm your account"), Link: v.h.Pool.Settings().ByLink(v.flow)}
	page.Resend = v.address("/resendcode")
	t := v.locale.T
	switch {
	case page.Link:
		const text = "We have sent a link by email to %s. Follow it to confirm your account, then continue here."
		page.Lead = t(text, v.flow.Hint)
	case v.flow.Factor == userpool.FactorSMS:
		page.Lead = t("We have sent a code by text message to %s. Enter it below to confirm your account.", v.flow.Hint)
	default:
		page.Lead = t("We have sent a code by email to %s. Enter it below to confirm your account.", v.flow.Hint)
	}
	return page, nil
}

// confirm is POST /confirm.
func (v *visit) confirm() error {
	code := userpool.Secret(v.form.Get("code"))
	return v.badInput(v.h.Pool.Steps.Confirm(v.r.Context(), v.auth.Request(), v.flow, code))
}

// resend is POST /resendcode, from the page at /confirm.
func (v *visit) resend() error {
	return v.badInput(v.h.Pool.Steps.ResendConfirmation(v.r.Context(), v.auth.Request(), v.flow))
}

// mountSignUp registers what is no step of its own.
func (h *Handler) mountSignUp(mux *http.ServeMux) {
	mux.HandleFunc("POST /resendcode", func(w http.ResponseWriter, r *http.Request) {
		h.act(w, r, userpool.StepConfirm, (*visit).resend)
	})
	// A link sends no code: whoever looks at it, or goes back to it, would.
	mux.HandleFunc(
		"GET /resendcode", func(w http.ResponseWriter, r *http.Request) { h.open(w, r, userpool.StepConfirm) },
	)
	mux.HandleFunc("GET /confirmUser", h.confirmUser)
}

// resultView is what the page after a link shows.
type resultView struct {
	view
	Text string
}

// confirmUser is the link of a mail. As at Cognito it confirms at once and
// signs nobody in. Browsers that fetch links ahead of a click, and programs that
// ask for the header alone, get nothing and change nothing; a program that
// follows the link in earnest confirms the account, and the person who comes
// after it sees that all is well.
func (h *Handler) confirmUser(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	if r.Method == http.MethodHead {
		w.Header().Set("Allow", http.MethodGet)
		w.WriteHeader(http.StatusMethodNotAllowed)
		return
	}
	if fetchedAhead(r) {
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	q, err := browser.Query(r)
	if name, repeated := browser.Repeated(q, "client_id", "user_name", "confirmation_code"); err == nil && repeated {
		err = errors.New(name + " is repeated")
	}
	if err != nil {
		h.refuser().Refuse(w, r, nil, browser.Malformed(err))
		return
	}
	code := userpool.Secret(q.Get("confirmation_code"))
	client, err := h.Pool.Registration.ConfirmLink(r.Context(), q.Get("client_id"), q.Get("user_name"), code)
	h.showResult(w, r, client, err)
}

// fetchedAhead reports whether nobody has clicked yet.
func fetchedAhead(r *http.Request) bool {
	for _, name := range []string{"Sec-Purpose", "Purpose", "X-Moz"} {
		if strings.Contains(strings.ToLower(r.Header.Get(name)), "prefetch") {
			return true
		}
	}
	return false
}

func (h *Handler) showResult(w http.ResponseWriter, r *http.Request, client userpool.Client, err error) {
	page := resultView{view: h.own(w, r, "Your account is confirmed"), Text: "You can close this page and sign in."}
	page.App = client.Name
	status := http.StatusOK
	refusal, refused := asRefusal(err)
	switch {
	case refused:
		status, page.Failed = http.StatusBadRequest, true
		page.Title, page.Message = page.T("Your account could not be confirmed"), page.T(refusal.Description)
		page.Text = "Sign in with your password to get a new link."
	case err != nil:
		h.refuser().Refuse(w, r, nil, err)
		return
	}
	page.Text = page.T(page.Text)
	h.write(w, r, status, "result", page)
}
