package hosted

import (
	"net/http"
	"strings"

	"github.com/cognate-auth/cognate/userpool"
	"github.com/cognate-auth/cognate/userpool/internal/browser"
)

// attributePrefix is what Cognito's form calls its fields for attributes:
// requiredAttributes[email].
const attributePrefix = "requiredAttributes["

// A field of a form, for an attribute or a name.
type field struct {
	ID, Name, Label string
	Type            string // of the input element
	Autocomplete    string
	InputMode       string
	Value           string
	Required        bool
}

// attributeFields says how each standard attribute is asked for. The names of
// autocomplete are those of HTML.
var attributeFields = map[string]field{
	"address":            {Label: "Address", Autocomplete: "street-address"},
	"birthdate":          {Label: "Birth date", Type: "date", Autocomplete: "bday"},
	"email":              {Label: "Email", Type: "email", Autocomplete: "email"},
	"family_name":        {Label: "Family name", Autocomplete: "family-name"},
	"gender":             {Label: "Gender", Autocomplete: "sex"},
	"given_name":         {Label: "Given name", Autocomplete: "given-name"},
	"locale":             {Label: "Locale", Autocomplete: "language"},
	"middle_name":        {Label: "Middle name", Autocomplete: "additional-name"},
	"name":               {Label: "Name", Autocomplete: "name"},
	"nickname":           {Label: "Nickname", Autocomplete: "nickname"},
	"phone_number":       {Label: "Phone number", Type: "tel", Autocomplete: "tel"},
	"picture":            {Label: "Picture (address of an image)", Type: "url", Autocomplete: "photo"},
	"preferred_username": {Label: "Preferred username", Autocomplete: "off"},
	"profile":            {Label: "Profile page (address)", Type: "url", Autocomplete: "off"},
	"updated_at":         {Label: "Last updated", InputMode: "numeric", Autocomplete: "off"},
	"website":            {Label: "Website", Type: "url", Autocomplete: "url"},
	"zoneinfo":           {Label: "Time zone", Autocomplete: "off"},
}

// attributeField returns the field for an attribute, with what was typed.
func (v *visit) attributeField(name string) field {
	f := attributeFields[name]
	f.ID, f.Name, f.Value = "signUpForm-"+name, attributePrefix+name+"]", shorten(v.form.Get(attributePrefix+name+"]"))
	f.Required = true
	if f.Type == "" {
		f.Type = "text"
	}
	if f.Label == "" {
		f.Label = name
	}
	f.Label = v.locale.T(f.Label)
	return f
}

// passwordRules says what a password must have, a sentence each.
func (v *visit) passwordRules() []string {
	p, t := v.h.Pool.Settings().Passwords, v.locale.T
	var out []string
	if p.MinimumLength > 1 {
		out = append(out, t("At least %d characters", p.MinimumLength))
	}
	for _, rule := range []struct {
		on   bool
		text string
	}{
		{p.RequireUppercase, "An uppercase letter"}, {p.RequireLowercase, "A lowercase letter"},
		{p.RequireNumbers, "A number"}, {p.RequireSymbols, "A symbol or a space"},
	} {
		if rule.on {
			out = append(out, t(rule.text))
		}
	}
	return out
}

// signUpView is what the sign-up page shows.
type signUpView struct {
	view
	User   field
	Fields []field
	Rules  []string
}

// refuseSignUp answers where nobody can register.
func (v *visit) refuseSignUp() bool {
	if v.h.Pool.Settings().SelfSignUp && v.auth.Client.Supports(userpool.ProviderCognito) {
		return false
	}
	v.h.refuser().Refuse(v.w, v.r, v.auth, &userpool.PageError{
		Code: userpool.PageNoSignUp, ClientID: v.auth.Client.ID,
		Mend: "Settings.SelfSignUp is off, or the client has no identity provider COGNITO",
	})
	return true
}

// showSignUp writes the page at /signup. The password is never written back.
func (v *visit) showSignUp() {
	if v.refuseSignUp() {
		return
	}
	page := signUpView{view: v.view("Sign up with a new account", v.auth.Client.Name), Rules: v.passwordRules()}
	page.User = v.nameField()
	names := v.h.Pool.Settings().UsernameAttributes
	for _, name := range v.h.Pool.SignUpAttributes() {
		f := v.attributeField(name)
		f.Required = len(names) < 2 || name != "email" && name != "phone_number" // one of them is the name
		page.Fields = append(page.Fields, f)
	}
	v.write("sign-up", page)
}

// nameField is the field for the name that a new user signs in with.
func (v *visit) nameField() field {
	f := field{ID: "signUpForm-username", Name: "username", Value: shorten(v.flow.Username), Required: true}
	f.Autocomplete = "username"
	label, kind := nameField([]string{"username"})
	if names := v.h.Pool.Settings().UsernameAttributes; len(names) > 0 {
		label, kind = nameField(names)
	}
	f.Label, f.Type = v.locale.T(label), kind
	return f
}

// signUp is POST /signup.
func (v *visit) signUp() error {
	if !v.auth.Client.Supports(userpool.ProviderCognito) {
		v.fail(userpool.TextNoSignUp)
		return nil
	}
	v.flow.Username = strings.TrimSpace(v.form.Get("username"))
	attributes := map[string]string{}
	for name, values := range v.form {
		name, ok := strings.CutPrefix(name, attributePrefix)
		if ok {
			attributes[strings.TrimSuffix(name, "]")] = strings.TrimSpace(values[0])
		}
	}
	return v.answer(v.h.Pool.SignUpStep(v.r.Context(), v.auth, v.flow, userpool.SignUpRequest{
		Username: v.flow.Username, Password: userpool.Secret(v.form.Get("password")), Attributes: attributes,
	}))
}

// answer is refused with status 400, for pages where nobody signs in.
func (v *visit) answer(err error) error {
	if err != nil {
		v.status = http.StatusBadRequest
	}
	return v.refused(err)
}

// codeView is what a page for a code shows.
type codeView struct {
	view
	Lead   string
	Link   bool // a link is waited for, not a code
	Resend string
	Rules  []string
}

// showConfirm writes the page at /confirm.
func (v *visit) showConfirm() {
	page := codeView{view: v.view("Confirm your account", v.auth.Client.Name), Link: v.h.Pool.ByLink(v.flow)}
	page.Resend = v.address("/resendcode")
	t := v.locale.T
	switch {
	case page.Link:
		page.Lead = t("We have sent a link by email to %s. Follow it to confirm your account, then continue here.", v.flow.Hint)
	case v.flow.Factor == userpool.FactorSMS:
		page.Lead = t("We have sent a code by text message to %s. Enter it below to confirm your account.", v.flow.Hint)
	default:
		page.Lead = t("We have sent a code by email to %s. Enter it below to confirm your account.", v.flow.Hint)
	}
	v.write("confirm", page)
}

// confirm is POST /confirm.
func (v *visit) confirm() error {
	code := userpool.Secret(v.form.Get("code"))
	return v.answer(v.h.Pool.ConfirmStep(v.r.Context(), v.auth, v.flow, code))
}

// resend is POST /resendcode, from the page at /confirm.
func (v *visit) resend() error {
	return v.answer(v.h.Pool.ResendConfirmStep(v.r.Context(), v.auth, v.flow))
}

// mountSignUp registers what is no step of its own.
func (h *Handler) mountSignUp(mux *http.ServeMux) {
	mux.HandleFunc("POST /resendcode", func(w http.ResponseWriter, r *http.Request) {
		h.act(w, r, userpool.StepConfirm, (*visit).resend)
	})
	// A link sends no code: whoever looks at it, or goes back to it, would.
	mux.HandleFunc("GET /resendcode", func(w http.ResponseWriter, r *http.Request) { h.open(w, r, userpool.StepConfirm) })
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
	if name, repeated := browser.Repeated(q, "client_id", "user_name", "confirmation_code"); err != nil || repeated {
		h.Logger.InfoContext(r.Context(), "link refused", "repeated", name, "err", err)
		h.showError(w, r, http.StatusBadRequest, userpool.CodeInvalidRequest)
		return
	}
	code := userpool.Secret(q.Get("confirmation_code"))
	client, err := h.Pool.ConfirmLink(r.Context(), q.Get("client_id"), q.Get("user_name"), code)
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
		page.Text = "Sign in with your password: then you can have a new link sent to you."
	case err != nil:
		h.refuser().Refuse(w, r, nil, err)
		return
	}
	page.Text = page.T(page.Text)
	h.write(w, status, "result", page)
}
