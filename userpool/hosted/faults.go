package hosted

import (
	"net/http"

	"github.com/cognate-auth/cognate/userpool"
	"github.com/cognate-auth/cognate/userpool/internal/browser"
	"github.com/cognate-auth/cognate/userpool/internal/decision"
)

// fault is what the error page says about a code: to the person who came here, and to
// the one who develops the app, in English. An empty Mend is for what no developer can
// change.
type fault struct{ Title, Text, Mend string }

const (
	askTheApp = "Trying again will not help; please tell the people who run the app."

	seeBoth  = "The pool’s terminal and the developer’s view show what came and what is registered."
	seeWhich = "The pool’s terminal and the developer’s view say which."
)

// faults are the codes that /error knows. The page repeats no other text from
// its address: anyone can write a link to it. So a Mend says what to compare, and the
// terminal and the developer's view have the values.
var faults = map[string]fault{
	userpool.PageRedirectMismatch: {"This app is not set up correctly",
		"The app asked to send you on to an address that is not registered for it, so we stopped. " + askTheApp,
		"The redirect_uri of the request, or at sign-out its logout_uri, must be one of the client’s addresses to " +
			"the letter: scheme, host, port, path, and the slash at the end. Register what came (callback_urls, " +
			"logout_urls), or have the app send a registered one. " + seeBoth},
	userpool.PageClientIDMissing: {"We don’t know which app sent you",
		"The link that brought you here does not name an app. " + askTheApp,
		"The request has no client_id. Open a page of the app that wants a sign-in, and not this address."},
	userpool.PageUnknownClient: {"We don’t know this app",
		"The app that sent you here is not registered with this sign-in service. " + askTheApp,
		"This pool has no client with the client_id of the request. Copy the ID again, or run cognate " +
			"client-secrets for a new client_secrets.json. Perhaps the app means another pool. " + seeBoth},
	userpool.PageRedirectURIMissing: {"This app is not set up correctly",
		"The app did not say where you should go after this page. " + askTheApp,
		"The request has no redirect_uri. Send one, or give the client a default_redirect_uri or just one " +
			"callback URL."},
	userpool.PageInvalidState: {"This sign-in is no longer valid",
		"It was started in another browser, took too long, or was finished already. Go back to the app and try again.",
		"Begin at the app, in one browser and under one host name: localhost and 127.0.0.1 have cookies " +
			"of their own."},
	userpool.CodeInvalidRequest: {"That did not work",
		"The request that brought you here is incomplete or damaged. Go back to the app and try again.",
		"A parameter of the request is missing, sent twice, or malformed. " + seeWhich},
	userpool.CodeServerError: {"Something went wrong on our side",
		"It is not your fault. Please go back to the app and try again in a moment.",
		"The pool itself failed. Its terminal says why."},
	userpool.PageCannotConfirm: {"Your account is waiting to be confirmed",
		"Your account was created, but it has to be confirmed by the people who run the app before you can sign in. " +
			"Please ask them.",
		"The pool sends no codes for sign-ups: set auto_verified_attributes, or give the user the status CONFIRMED."},
	userpool.PageNoSignUp: {"You cannot sign up here",
		"This sign-in service does not let people create an account themselves. " +
			"Please ask the people who run the app.",
		"People may not register in this pool: set self_sign_up, or do not lead them to /signup."},
	userpool.PageNoRecovery: {"You cannot reset your password here",
		"Only the people who run the app can give you a new password. Please ask them.",
		"The pool’s account_recovery is admin_only: set it to verified_email, or do not lead people to " +
			"/forgotPassword."},
	userpool.PageForgedForm: {"This form is no longer valid",
		"It was opened in another browser, or your browser does not accept cookies. Please start again.",
		"The browser did not send the cookie that belongs to the form. Allow cookies, and use one host name: " +
			"localhost and 127.0.0.1 have cookies of their own."},
	userpool.PageFlowOver: {"This page is no longer valid",
		"It was used already, or it was open for too long. Please start again.",
		"A step of a sign-in is good once, in one browser, for five minutes. Begin again at the app."},
}

var unknownFault = fault{Title: "That did not work", Text: "Go back to the app and try again."}

// indexPage tells who opens the pool's address what is there.
func (h *Handler) indexPage(w http.ResponseWriter, r *http.Request) {
	h.write(w, r, http.StatusOK, "index", struct {
		view
		Issuer string
	}{h.own(w, r, "Local user pool"), h.Pool.Issuer()})
}

// errorView is what the error page shows.
type errorView struct {
	view
	Text  string
	Mend  string // for who develops the app
	Code  string
	Retry string // address of the sign-in page; empty: no way back from here
}

// errorPage is GET /error.
func (h *Handler) errorPage(w http.ResponseWriter, r *http.Request) {
	q, _ := browser.Query(r) // malformed: an unknown code
	status, code := http.StatusBadRequest, q.Get("error")
	if code == userpool.CodeServerError {
		status = http.StatusInternalServerError
	}
	h.showError(w, r, status, code)
}

// over tells that the flow is not there any more: it ended, or never was this
// browser's.
func (v *visit) over() {
	v.h.refuseForm(v.w, v.r, http.StatusBadRequest, userpool.PageFlowOver, decision.FlowOver)
}

// showError writes the error page.
func (h *Handler) showError(w http.ResponseWriter, r *http.Request, status int, code string) {
	known, ok := faults[code]
	if !ok {
		known, code = unknownFault, "unknown_error"
	}
	page := errorView{view: h.own(w, r, known.Title), Mend: known.Mend, Code: code}
	page.Text = page.T(known.Text)
	q, err := browser.Query(r)
	if err == nil && (code == userpool.PageForgedForm || code == userpool.PageFlowOver) {
		q.Del(flowParam)
		page.Retry = "/login?" + q.Encode()
	}
	h.write(w, r, status, "error", page)
}
