package hosted

import (
	"html/template"

	"github.com/cognate-auth/cognate/userpool"
)

// showMFAChoice writes the choice among several second factors.
func (v *visit) showMFAChoice() {
	page, ok := v.stepView("Choose a multi-factor authentication (MFA) method", secondFactorTexts)
	if ok {
		v.write("factor", page)
	}
}

func (v *visit) chooseMFA() error {
	return v.refused(v.h.Pool.Steps.MFAChoice(v.r.Context(), v.auth.Request(), v.flow, v.form.Get("factor")))
}

// showMFACode writes the page that asks for the code of the second factor.
func (v *visit) showMFACode() {
	page, ok := v.codeView("Enter your code", secondFactorTexts)
	page.Other = page.Other || v.flow.Address != ""
	if ok {
		v.write("code", page)
	}
}

// setupView is what the page shows that registers a second factor.
type setupView struct {
	stepView
	TOTP, Email, SMS bool // what can be registered
	Secret           string
	QR               template.HTML
}

// showMFASetup writes the page that registers an authenticator app, or an
// address for codes.
func (v *visit) showMFASetup() {
	step, ok := v.stepView("Set up multi-factor authentication (MFA)", secondFactorTexts)
	if !ok {
		return
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
	if err != nil {
		v.h.refuser().Refuse(v.w, v.r, v.auth, err)
		return
	}
	v.write("mfa-setup", page)
}

func (v *visit) setUpMFA() error {
	ctx := v.r.Context()
	if factor := v.form.Get("factor"); factor != userpool.FactorTOTP {
		return v.badInput(v.h.Pool.Steps.SetUpAddress(ctx, v.auth.Request(), v.flow, factor, v.form.Get("address")))
	}
	return v.refused(v.h.Pool.Steps.SetUpTOTP(ctx, v.auth.Request(), v.flow, userpool.Secret(v.form.Get("code"))))
}
