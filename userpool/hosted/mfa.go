package hosted

import (
	"html/template"

	"github.com/cognate-auth/cognate/userpool"
)

// viewMFAChoice is the view of the choice among several second factors.
func viewMFAChoice(v *visit) (writable, error) {
	return newStepView(v, "Choose a multi-factor authentication (MFA) method", secondFactorTexts)
}

func (v *visit) chooseMFA() error {
	return v.refused(v.h.Pool.Steps.MFAChoice(v.r.Context(), v.auth.Request(), v.flow, v.form.Get("factor")))
}

// viewMFACode is the view of the page that asks for the code of the second factor.
func viewMFACode(v *visit) (writable, error) {
	page, err := newCodeView(v, secondFactorTexts)
	page.Other = page.Other || v.flow.Address != ""
	return page, err
}

// setupView is what the page shows that registers a second factor.
type setupView struct {
	stepView
	TOTP, Email, SMS bool // what can be registered
	Secret           string
	QR               template.HTML
}

// viewMFASetup is the view of the page that registers an authenticator app, or an
// address for codes.
func viewMFASetup(v *visit) (writable, error) {
	step, err := newStepView(v, "Set up multi-factor authentication (MFA)", secondFactorTexts)
	if err != nil {
		return nil, err
	}
	page := setupView{stepView: step}
	page.Long = !page.Failed
	for _, o := range step.Options {
		page.TOTP = page.TOTP || o.Factor == userpool.FactorTOTP
		page.Email = page.Email || o.Factor == userpool.FactorEmail
		page.SMS = page.SMS || o.Factor == userpool.FactorSMS
	}
	secret, uri, err := v.h.Pool.Steps.TOTPSecret(v.r.Context(), v.flow)
	if err == nil && page.TOTP {
		page.Secret = groups(string(secret))
		page.QR, err = qrSVG(string(uri), page.T("QR code for your authenticator app"))
	}
	return page, err
}

func (v *visit) setUpMFA() error {
	ctx := v.r.Context()
	if factor := v.form.Get("factor"); factor != userpool.FactorTOTP {
		return v.badInput(v.h.Pool.Steps.SetUpAddress(ctx, v.auth.Request(), v.flow, factor, v.form.Get("address")))
	}
	return v.refused(v.h.Pool.Steps.SetUpTOTP(ctx, v.auth.Request(), v.flow, userpool.Secret(v.form.Get("code"))))
}
