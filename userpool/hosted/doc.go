// Package hosted serves the pages that people see: to sign in, to sign up and
// confirm that, second factors, passkeys, a new password, and the error page. They
// need no script, except for passkeys, and they work with a keyboard, a screen reader
// and a phone, in several languages and in the browser's light or dark theme.
//
// # The flow
//
// Each page is a step of a userpool.Flow and a row of one table (pages.go): its
// path, its template, the view that fills it, and what its form does. A request
// is a visit, which goes one way:
//
//   - It is read and checked: the authorization request, the flow, and the form
//     with its turn (visit.go).
//   - The form's method, such as visit.signIn, hands what was typed to the step of
//     package signin, which records in the flow what happened and which step is next.
//   - The visit goes on (visit.go): a new step is a redirect to its page, a refusal
//     the same page with the reason, the last step the way back to the app.
//   - What is shown is a view, made from the visit by the row's function, such as
//     viewSignIn. It changes nothing, and one place writes it (view.go).
//
// Steps do not know one another, and nothing is decided here. A page's view and its
// form's method stand in the file of its subject: signin.go, signup.go, mfa.go and
// so on.
//
// The pages:
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
// The words (userpool), accounts, signin, grants, pool and, of the internal packages,
// browser and decision. It knows none of the other HTTP packages.
package hosted
