package hosted

import (
	"net/http"

	"github.com/cognate-auth/cognate/userpool"
	"github.com/cognate-auth/cognate/userpool/signin"
)

// forgotView is what the page for a forgotten password shows.
type forgotView struct {
	view
	User field
}

// viewForgot is the view of the page at /forgotPassword.
func viewForgot(v *visit) (writable, error) {
	settings := v.h.Pool.Settings()
	err := signin.CheckForgot(settings, v.auth.Request())
	if err != nil {
		return nil, err
	}
	page := forgotView{view: newView(v, "Forgot your password?")}
	page.User = nameInput("forgotPassword-username", settings.SignInNames(), v.flow.Username)
	return page, nil
}

// forgot is POST /forgotPassword.
func (v *visit) forgot() error {
	v.flow.Username = v.typedName()
	return v.badInput(v.h.Pool.Steps.Forgot(v.r.Context(), v.auth.Request(), v.flow))
}

// viewReset is the view of the page at /confirmforgotPassword.
func viewReset(v *visit) (writable, error) {
	page := sentView{view: newView(v, "Change your password"), Rules: rulesOf(v, "password")}
	page.Lead = v.locale.T("We have sent a code by email to %s. Enter it below to choose a new password.", v.flow.Hint)
	if v.flow.Factor == userpool.FactorSMS {
		const text = "We have sent a code by text message to %s. Enter it below to choose a new password."
		page.Lead = v.locale.T(text, v.flow.Hint)
	}
	return page, nil
}

// reset is POST /confirmforgotPassword: the code and the new password or, from
// the other form of the page, the wish for another code.
func (v *visit) reset() error {
	if v.form.Get("resend") != "" {
		return v.badInput(v.h.Pool.Steps.ResendReset(v.r.Context(), v.auth.Request(), v.flow))
	}
	return v.badInput(v.h.Pool.Steps.Reset(v.r.Context(), v.auth.Request(), v.flow, signin.ResetRequest{
		Code:     userpool.Secret(v.form.Get("code")),
		Password: userpool.Secret(v.form.Get("password")),
		Repeated: userpool.Secret(v.form.Get("confirm_password")),
	}))
}

// resetSpellings are other ways in which people write /confirmforgotPassword,
// and Cognito's documentation does.
var resetSpellings = []string{"/confirmForgotPassword", "/confirmforgotpassword", "/ConfirmForgotPassword"}

func (h *Handler) mountRecovery(mux *http.ServeMux) {
	for _, path := range resetSpellings {
		mux.HandleFunc("GET "+path, func(w http.ResponseWriter, r *http.Request) { h.open(w, r, userpool.StepReset) })
		mux.HandleFunc("POST "+path, func(w http.ResponseWriter, r *http.Request) { h.post(w, r, userpool.StepReset) })
	}
}
