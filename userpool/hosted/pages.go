package hosted

import "github.com/cognate-auth/cognate/userpool"

// A page is how one step of a flow looks and what its form does.
type page struct {
	path     string
	template string
	// open says that the page needs no flow: it may be the first one. The flow
	// of its form begins with the form.
	open bool
	// opened is what a GET does before the page is shown; it reports whether it
	// has answered the request itself. nil: nothing.
	opened func(*visit) bool
	// view gathers what the page shows. It changes nothing; its error is the
	// pool's own failure, or a refusal of the whole request.
	view func(*visit) (writable, error)
	// submit does what the form asks. It records in v.flow what happened: the
	// next step, or why the step is the same. Its error is of the same two kinds.
	submit func(*visit) error
}

// pages has the page of every step that has one.
var pages map[userpool.Step]page

func init() {
	pages = map[userpool.Step]page{
		userpool.StepSignIn: {
			path: "/login", template: "sign-in", open: true, opened: (*visit).openedSignIn,
			view: viewSignIn, submit: (*visit).signIn,
		},
		userpool.StepNewPassword: {
			path: "/changePassword", template: "new-password",
			view: viewNewPassword, submit: (*visit).newPassword,
		},
		userpool.StepFactor: {
			path: "/login/factor", template: "factor",
			view: viewFactor, submit: (*visit).chooseFactor,
		},
		userpool.StepPassword: {
			path: "/login/password", template: "password",
			view: viewPassword, submit: (*visit).password,
		},
		userpool.StepCode: {
			path: "/login/code", template: "code",
			view: viewCode, submit: (*visit).code,
		},
		userpool.StepPasskey: {
			path: "/login/passkey", template: "passkey",
			view: viewPasskey, submit: (*visit).passkey,
		},
		userpool.StepMFAChoice: {
			path: "/mfa", template: "factor",
			view: viewMFAChoice, submit: (*visit).chooseMFA,
		},
		userpool.StepMFASetup: {
			path: "/mfa/setup", template: "mfa-setup",
			view: viewMFASetup, submit: (*visit).setUpMFA,
		},
		userpool.StepMFACode: {
			path: "/mfa/code", template: "code",
			view: viewMFACode, submit: (*visit).code,
		},
		userpool.StepAddPasskey: {
			path: "/passkeys/add", template: "add-passkey", open: true, opened: (*visit).openedAddPasskey,
			view: viewAddPasskey, submit: (*visit).addPasskey,
		},
		userpool.StepSignUp: {
			path: "/signup", template: "sign-up", open: true,
			view: viewSignUp, submit: (*visit).signUp,
		},
		userpool.StepConfirm: {
			path: "/confirm", template: "confirm",
			view: viewConfirm, submit: (*visit).confirm,
		},
		userpool.StepForgot: {
			path: "/forgotPassword", template: "forgot", open: true,
			view: viewForgot, submit: (*visit).forgot,
		},
		userpool.StepReset: {
			path: "/confirmforgotPassword", template: "reset",
			view: viewReset, submit: (*visit).reset,
		},
	}
}
