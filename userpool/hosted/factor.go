package hosted

import "github.com/cognate-auth/cognate/userpool"

// option is a factor that can be chosen.
type option struct{ Factor, Text string }

// The names of factors, for people.
var (
	firstFactorTexts = map[string]string{
		userpool.FactorPassword: "Password",
		userpool.FactorPasskey:  "Passkey",
		userpool.FactorEmail:    "Code by email",
		userpool.FactorSMS:      "Code by text message",
	}
	secondFactorTexts = map[string]string{
		userpool.FactorTOTP:  "Authenticator app",
		userpool.FactorEmail: "Code by email",
		userpool.FactorSMS:   "Code by text message",
	}
)

func options(factors []string, texts map[string]string) []option {
	out := make([]option, 0, len(factors))
	for _, f := range factors {
		out = append(out, option{f, texts[f]})
	}
	return out
}

// stepView is what the pages after the sign-in page show.
type stepView struct {
	view
	Username string // who is signing in; empty: not known yet
	Options  []option
	Other    bool   // there is another way to go on
	Restart  string // address of a fresh sign-in page
}

// newStepView gathers what these pages have in common, and the factors to choose from.
func newStepView(v *visit, title string, texts map[string]string) (stepView, error) {
	factors, err := v.h.Pool.Steps.Factors(v.r.Context(), v.auth.Request(), v.flow)
	if err != nil {
		return stepView{}, err
	}
	return stepView{
		view: newView(v, title), Username: shorten(v.flow.Username),
		Options: options(factors, texts), Other: len(factors) > 1 || !v.flow.Named,
		Restart: "/login?" + v.query.Encode(),
	}, nil
}

// viewFactor is the view of the choice of how to sign in.
func viewFactor(v *visit) (writable, error) {
	return newStepView(v, "Choose how to sign in", firstFactorTexts)
}

func (v *visit) chooseFactor() error {
	return v.refused(v.h.Pool.Steps.Factor(v.r.Context(), v.auth.Request(), v.flow, v.form.Get("factor")))
}

// viewPassword is the view of the page that asks for the password alone.
func viewPassword(v *visit) (writable, error) {
	return newStepView(v, "Enter your password", firstFactorTexts)
}

func (v *visit) password() error {
	if v.form.Has("other") {
		return v.refused(v.h.Pool.Steps.OtherFactor(v.r.Context(), v.flow))
	}
	err := v.h.Pool.Steps.Password(v.r.Context(), v.auth.Request(), v.flow, userpool.Secret(v.form.Get("password")))
	return v.refused(err)
}

// codeView is what the pages that ask for a code show.
type codeView struct {
	stepView
	App2FA bool   // the code is of an authenticator app
	Hint   string // where the code went
	Resend bool
}

func newCodeView(v *visit, texts map[string]string) (codeView, error) {
	step, err := newStepView(v, "Enter your code", texts)
	app := v.flow.Factor == userpool.FactorTOTP
	return codeView{stepView: step, App2FA: app, Hint: v.flow.Hint, Resend: !app}, err
}

// viewCode is the view of the page that asks for the code which is the first factor.
func viewCode(v *visit) (writable, error) {
	return newCodeView(v, firstFactorTexts)
}

func (v *visit) code() error {
	ctx := v.r.Context()
	switch {
	case v.form.Has("other") && v.flow.Step == userpool.StepCode:
		return v.refused(v.h.Pool.Steps.OtherFactor(ctx, v.flow))
	case v.form.Has("other"):
		return v.refused(v.h.Pool.Steps.OtherMFA(ctx, v.auth.Request(), v.flow))
	case v.form.Has("resend"):
		return v.refused(v.h.Pool.Steps.Resend(ctx, v.auth.Request(), v.flow))
	default:
		return v.refused(v.h.Pool.Steps.Code(ctx, v.auth.Request(), v.flow, userpool.Secret(v.form.Get("code"))))
	}
}
