// Package hosted serves the pages that people see: to sign in, to sign up and
// confirm that, to choose a new password, and the error page. They need no
// script, work with a keyboard, a screen reader and a phone, and follow the
// browser's light or dark theme.
//
// # The flow
//
// Signing in is a state machine with one dispatcher, [Handler.next]. Each step
// handles its own form, records in the flow what happened, and returns to the
// dispatcher, which alone decides what comes next. Steps do not know one
// another.
//
//	state of the flow          next
//	prompt=none                to the app: login_required
//	nobody signed in           the sign-in page, with the last attempt's message
//	someone signed in          to the app, with a code
//
// A step that is added to sign-in, such as a second factor, is a row here and a
// case in the dispatcher.
//
// Between requests the flow lives in the query: every page carries all of the
// authorization request's parameters, as Cognito's pages do, and every request
// checks them again. Nothing a browser sends is trusted for having been checked
// when the page was made.
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
package hosted
