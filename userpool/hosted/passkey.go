package hosted

import (
	"crypto/sha256"
	_ "embed" // for the script
	"encoding/base64"
	"html/template"

	"github.com/cognate-auth/cognate/userpool"
	"github.com/cognate-auth/cognate/userpool/internal/browser"
)

// passkeyJS is the one script of the pages: it calls the browser's passkey
// functions, which nothing else can. It is allowed by its hash.
//
//go:embed passkey.js
var passkeyJS string

var passkeySource = scriptSource(passkeyJS)

func scriptSource(script string) string {
	sum := sha256.Sum256([]byte(script))
	return "script-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}

// passkeyView is what the pages with passkeys show.
type passkeyView struct {
	stepView
	Request string // of the browser, as JSON
	Script  template.JS
}

// afterParam names, beside the parameters of an authorization request, the step
// that the person came for.
const afterParam = "after"

// cameFor is that step; empty: the app alone.
func (v *visit) cameFor() userpool.Step {
	if v.query.Get(afterParam) == string(userpool.StepAddPasskey) && v.h.Pool.Passkeys.Offered() {
		return userpool.StepAddPasskey
	}
	return ""
}

func newPasskeyView(v *visit, step stepView) passkeyView {
	step.policy = v.h.brand(v.auth.Client.Branding).policy(true, passkeySource)
	//nolint:gosec // ours, from a file
	return passkeyView{stepView: step, Request: v.flow.Options, Script: template.JS(passkeyJS)}
}

// viewPasskey is the view of the page that signs in with a passkey.
func viewPasskey(v *visit) (writable, error) {
	step, err := newStepView(v, "Sign in with your passkey", firstFactorTexts)
	return newPasskeyView(v, step), err
}

func (v *visit) passkey() error {
	if v.form.Has("other") {
		return v.refused(v.h.Pool.Steps.OtherFactor(v.r.Context(), v.flow))
	}
	return v.refused(v.h.Pool.Steps.Passkey(v.r.Context(), v.auth.Request(), v.flow, []byte(v.form.Get("credential"))))
}

// viewAddPasskey is the view of the page that adds a passkey to an account.
func viewAddPasskey(v *visit) (writable, error) {
	return newPasskeyView(v, stepView{view: newView(v, "Add a passkey")}), nil
}

// openedAddPasskey finds out whose account the page is for. In a flow it is a step after
// signing in. Opened by itself it is for the account of the browser's session; whoever
// has no session signs in first and comes back.
func (v *visit) openedAddPasskey() (answered bool) {
	if v.flow.Version == 0 {
		v.beginAddPasskey()
		return true
	}
	may, err := v.mayAddPasskey()
	switch {
	case err != nil:
		v.refuse(err)
	case !may:
		v.over()
	}
	return err != nil || !may
}

// beginAddPasskey begins a flow in which a passkey is added, and goes on in it.
func (v *visit) beginAddPasskey() {
	ctx := v.r.Context()
	s, ok, err := v.h.Pool.Sessions.Get(ctx, browser.ReadCookie(v.r, browser.SessionCookie))
	switch {
	case !v.h.Pool.Passkeys.Offered():
		const hint = "the pool has no passkeys: WEB_AUTHN is not among Settings.FirstFactors, or Config.Passkeys is nil"
		err = &userpool.PageError{Code: userpool.CodeInvalidRequest, ClientID: v.auth.Client.ID, Hint: hint}
	case err == nil && ok:
		err = v.h.Pool.Passkeys.BeginAdd(ctx, v.flow, s.Sub)
		_, refused := asRefusal(err)
		ok = !refused
	}
	if _, refused := asRefusal(err); !ok && (err == nil || refused) {
		v.query.Set(afterParam, string(userpool.StepAddPasskey))
		v.flow.Version = 0
		browser.Redirect(v.w, v.h.BaseURL+v.address("/login"))
		return
	}
	if err == nil {
		err = v.h.Pool.Flows.Save(ctx, v.flow)
	}
	if err != nil {
		v.refuse(err)
		return
	}
	v.goOn()
}

// mayAddPasskey reports whether the browser is still that of the account: a
// flow that did not sign in itself goes by the session.
func (v *visit) mayAddPasskey() (bool, error) {
	if len(v.flow.Methods) > 0 {
		return true, nil
	}
	s, ok, err := v.h.Pool.Sessions.Get(v.r.Context(), browser.ReadCookie(v.r, browser.SessionCookie))
	return ok && s.Sub == v.flow.Sub, err
}

func (v *visit) addPasskey() error {
	may, err := v.mayAddPasskey()
	if err != nil {
		return err
	}
	if v.flow.Version == 0 || !may {
		v.flow.Step = userpool.StepDone
		return nil
	}
	if v.form.Has("skip") {
		return v.refused(v.h.Pool.Passkeys.Skip(v.r.Context(), v.flow))
	}
	return v.refused(v.h.Pool.Passkeys.Add(v.r.Context(), v.flow, []byte(v.form.Get("credential"))))
}
