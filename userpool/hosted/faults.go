package hosted

import (
	"net/http"

	"github.com/cognate-auth/cognate/userpool"
	"github.com/cognate-auth/cognate/userpool/internal/browser"
	"github.com/cognate-auth/cognate/userpool/internal/decision"
)

// fault is what the error page says about a code.
type fault struct{ Title, Text string }

const askTheApp = "Trying again will not help; please tell the people who run the app."

// faults are the codes that /error knows. The page repeats no other text from
// its address: anyone can write a link to it.
var faults = map[string]fault{
	userpool.PageRedirectMismatch: {"This app is not set up correctly",
		"The app asked to send you on to an address that is not registered for it, so we stopped. " + askTheApp},
	userpool.PageClientIDMissing: {"We don’t know which app sent you",
		"The link that brought you here does not name an app. " + askTheApp},
	userpool.PageUnknownClient: {"We don’t know this app",
		"The app that sent you here is not registered with this sign-in service. " + askTheApp},
	userpool.PageRedirectURIMissing: {"This app is not set up correctly",
		"The app did not say where you should go after this page. " + askTheApp},
	userpool.PageInvalidState: {"This sign-in is no longer valid",
		"It was started in another browser, took too long, or was finished already. Go back to the app and try again."},
	userpool.CodeInvalidRequest: {"That did not work",
		"The request that brought you here is incomplete or damaged. Go back to the app and try again."},
	userpool.CodeServerError: {"Something went wrong on our side",
		"It is not your fault. Please go back to the app and try again in a moment."},
	userpool.PageCannotConfirm: {"Your account is waiting to be confirmed",
		"Your account was created, but it has to be confirmed by the people who run the app before you can sign in. " +
			"Please ask them."},
	userpool.PageNoSignUp: {"You cannot sign up here",
		"This sign-in service does not let people create an account themselves. " +
			"Please ask the people who run the app."},
	userpool.PageNoRecovery: {"You cannot reset your password here",
		"Only the people who run the app can give you a new password. Please ask them."},
	userpool.PageForgedForm: {"This form is no longer valid",
		"It was opened in another browser, or your browser does not accept cookies. Please start again."},
	userpool.PageFlowOver: {"This page is no longer valid",
		"It was used already, or it was open for too long. Please start again."},
}

var unknownFault = fault{"That did not work", "Go back to the app and try again."}

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
	page := errorView{view: h.own(w, r, known.Title), Code: code}
	page.Text = page.T(known.Text)
	q, err := browser.Query(r)
	if err == nil && (code == userpool.PageForgedForm || code == userpool.PageFlowOver) {
		q.Del(flowParam)
		page.Retry = "/login?" + q.Encode()
	}
	h.write(w, r, status, "error", page)
}
