package hosted

import (
	"github.com/cognate-auth/cognate/userpool"
	"github.com/cognate-auth/cognate/userpool/signin"
)

// newPasswordView is what the page shows that replaces a temporary password.
type newPasswordView struct {
	stepView
	Missing []field
	Rules   rules
}

// viewNewPassword is the view of the page that asks for a password of one's own and
// for what else the account lacks.
func viewNewPassword(v *visit) (writable, error) {
	missing, err := v.h.Pool.Steps.MissingAttributes(v.r.Context(), v.flow)
	if err != nil {
		return nil, err
	}
	step, err := newStepView(v, "Choose a new password", nil)
	if err != nil {
		return nil, err
	}
	page := newPasswordView{stepView: step, Rules: rulesOf(v, "new_password")}
	for _, name := range missing {
		page.Missing = append(page.Missing, attributeInput(v, "newPasswordForm", name))
	}
	return page, nil
}

func (v *visit) newPassword() error {
	if v.form.Get("new_password") != v.form.Get("new_password_again") {
		v.fail(signin.TextNotRepeated)
		return nil
	}
	password := userpool.Secret(v.form.Get("new_password"))
	return v.badInput(v.h.Pool.Steps.NewPassword(v.r.Context(), v.auth.Request(), v.flow, password, v.attributes()))
}

// attributeFields say how to ask for an attribute.
var attributeFields = map[string]field{
	"address":            {Label: "Address", Type: "text", Autocomplete: "street-address"},
	"birthdate":          {Label: "Date of birth", Type: "date", Autocomplete: "bday"},
	"email":              {Label: "Email", Type: "email", Autocomplete: "email"},
	"family_name":        {Label: "Family name", Type: "text", Autocomplete: "family-name"},
	"gender":             {Label: "Gender", Type: "text", Autocomplete: "sex"},
	"given_name":         {Label: "Given name", Type: "text", Autocomplete: "given-name"},
	"locale":             {Label: "Language", Type: "text", Autocomplete: "language"},
	"middle_name":        {Label: "Middle name", Type: "text", Autocomplete: "additional-name"},
	"name":               {Label: "Name", Type: "text", Autocomplete: "name"},
	"nickname":           {Label: "Nickname", Type: "text", Autocomplete: "nickname"},
	"phone_number":       {Label: "Phone number", Type: "tel", Autocomplete: "tel"},
	"picture":            {Label: "Picture (address)", Type: "url", Autocomplete: "photo"},
	"preferred_username": {Label: "Preferred username", Type: "text", Autocomplete: "nickname"},
	"profile":            {Label: "Profile (address)", Type: "url", Autocomplete: "url"},
	"updated_at":         {Label: "Updated at (seconds since 1970)", Type: "number", Autocomplete: "off"},
	"website":            {Label: "Website", Type: "url", Autocomplete: "url"},
	"zoneinfo":           {Label: "Time zone", Type: "text", Autocomplete: "off"},
}
