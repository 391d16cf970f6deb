// Package hosted serves the pages that people see: to sign in, to sign up and
// confirm that, second factors, passkeys, a new password, and the error page. But
// for passkeys they need no script, and they work with a keyboard, a screen reader
// and a phone, in several languages and in the browser's light or dark theme.
//
// # The flow
//
// Each page is a step of a userpool.Flow and a row of one table: its path, what
// shows it, what its form does. The form's method hands what was typed to the step
// of package signin, which records in the flow what happened and which step is
// next. One dispatcher does the rest: a new step is a redirect to its page, a
// refusal the same page with the reason, the last step the way back to the app.
// Steps do not know one another, and nothing is decided here.
//
//	/login                          name and password, or the name alone
//	/login/factor                   the choice of how to sign in
//	/login/password, /login/code, /login/passkey
//	/changePassword                 a temporary password is replaced
//	/mfa, /mfa/setup, /mfa/code     the second factor
//	/passkeys/add                   a passkey is registered
//
// Every page carries the whole authorization request in its query, as Cognito's
// pages do, and every request checks it again. The flow is in the store; the query
// has its id, which is worth nothing in another browser or with another request.
// Each form counts once: before anything is done, it takes the flow's turn.
//
// # Sign-up and recovery
//
//	/signup                  a new user → /confirm, or on to the app if a trigger confirmed the user
//	/confirm                 the code → what follows the password; /resendcode sends another
//	/login, not confirmed    the right password → /confirm
//	/forgotPassword          a name, whoever has it → /confirmforgotPassword
//	/confirmforgotPassword   the code and a new password → /login
//	/confirmUser             the link of a mail; no part of a flow
//
// # Forged requests
//
// A form is accepted only from a page of the same origin, which the browser
// attests (Sec-Fetch-Site, or else Origin), and only with a token that equals
// the browser's XSRF-TOKEN cookie. The cookie is kept as long as the browser is
// open, so that several tabs can be at the sign-in page at once.
//
// # What it knows
//
// The words (userpool), accounts, signin, grants, pool and browser, and none of the other
// HTTP packages.
package hosted
