package hosted

import (
	"bytes"
	"crypto/sha256"
	_ "embed" // for the style sheet and the templates
	"encoding/base64"
	"html/template"
	"net/http"
	"strings"

	"github.com/cognate-auth/cognate/userpool"
	"github.com/cognate-auth/cognate/userpool/internal/browser"
)

var (
	//go:embed pages.html
	pagesHTML string
	//go:embed style.css
	styleCSS string

	pages = template.Must(template.New("pages").Parse(pagesHTML))
	style = template.CSS(styleCSS) //nolint:gosec // our own file, fixed when the program is built

	// styleSource allows the one style sheet by its hash, so that no other
	// style can be brought into a page.
	styleSource = func() string {
		sum := sha256.Sum256([]byte(styleCSS))
		return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
	}()
)

const (
	textBusy   = "Too many people are signing in just now. Please try again in a moment."
	codeForged = "invalid_csrf_token"
)

// login is what the sign-in page shows.
type login struct {
	Style    template.CSS
	Action   string // the form goes to the address of the page itself
	CSRF     string
	App      string // the app client's name; may be empty
	Kind     string // what to type: username, email or either
	Username string
	Message  string
}

// showLogin writes the sign-in page. The password is never written back.
func (h *Handler) showLogin(w http.ResponseWriter, r *http.Request, f flow) {
	page := login{
		Style: style, Action: "/login?" + f.query.Encode(),
		CSRF: string(h.csrfToken(w, r)), App: f.auth.Client.Name, Kind: h.Pool.SignInName(),
		Username: shorten(f.username), Message: f.message,
	}
	if f.status == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", "5")
	}
	// Browsers hold the redirect that answers a form to form-action as well, so
	// 'self' alone would stop the way back to the app.
	h.write(w, f.status, "login", page, "'self' "+userpool.FormTarget(f.auth.RedirectURI))
}

// shorten bounds a name that is written back. No user name is longer.
func shorten(s string) string {
	const most = 256
	if len(s) > most {
		s = s[:most]
	}
	return strings.ToValidUTF8(s, "")
}

// fault is what the error page says about a code.
type fault struct{ Title, Text string }

const askTheApp = " Trying again will not help; please tell the people who run the app."

// faults are the codes that /error knows. The page repeats no other text from
// its address: anyone can write a link to it.
var faults = map[string]fault{
	userpool.PageRedirectMismatch: {"This app is not set up correctly",
		"The app asked to send you on to an address that is not registered for it, so we stopped." + askTheApp},
	userpool.PageClientIDMissing: {"We don’t know which app sent you",
		"The link that brought you here does not name an app." + askTheApp},
	userpool.PageUnknownClient: {"We don’t know this app",
		"The app that sent you here is not registered with this sign-in service." + askTheApp},
	userpool.PageRedirectURIMissing: {"This app is not set up correctly",
		"The app did not say where you should go after this page." + askTheApp},
	userpool.CodeInvalidRequest: {"That did not work",
		"The request that brought you here is incomplete or damaged. Go back to the app and try again."},
	userpool.CodeServerError: {"Something went wrong on our side",
		"It is not your fault. Please go back to the app and try again in a moment."},
	codeForged: {"This form is no longer valid",
		"It was opened in another browser, or your browser does not accept cookies. Please start again."},
}

var unknownFault = fault{"That did not work", "Go back to the app and try again."}

// indexPage tells who opens the pool's address what is there.
func (h *Handler) indexPage(w http.ResponseWriter, _ *http.Request) {
	h.write(w, http.StatusOK, "index", struct {
		Style  template.CSS
		Issuer string
	}{style, h.Pool.Issuer()}, "'none'")
}

// errorView is what the error page shows.
type errorView struct {
	fault
	Style template.CSS
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

// showError writes the error page.
func (h *Handler) showError(w http.ResponseWriter, r *http.Request, status int, code string) {
	view := errorView{Style: style, Code: code, fault: unknownFault}
	known, ok := faults[code]
	if ok {
		view.fault = known
	} else {
		view.Code = "unknown_error"
	}
	q, err := browser.Query(r)
	if code == codeForged && err == nil {
		view.Retry = "/login?" + q.Encode()
	}
	h.write(w, status, "error", view, "'none'")
}

// write renders a page as a whole before any of it is sent.
func (h *Handler) write(w http.ResponseWriter, status int, name string, data any, formAction string) {
	var body bytes.Buffer
	err := pages.ExecuteTemplate(&body, name, data)
	if err != nil {
		h.Logger.Error("writing a page failed", "page", name, "err", err)
		http.Error(w, "Internal Server Error", http.StatusInternalServerError)
		return
	}
	header := w.Header()
	header.Set("Content-Type", "text/html; charset=utf-8")
	header.Set("Content-Security-Policy", "default-src 'none'; style-src "+styleSource+
		"; form-action "+formAction+"; base-uri 'none'; frame-ancestors 'none'")
	// Not no-referrer: it would make browsers send Origin: null with the form.
	header.Set("Referrer-Policy", "same-origin")
	if status == 0 {
		status = http.StatusOK
	}
	w.WriteHeader(status)
	_, _ = w.Write(body.Bytes())
}
