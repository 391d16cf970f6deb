package hosted

import (
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"strings"

	"github.com/cognate-auth/cognate/userpool"
	"github.com/cognate-auth/cognate/userpool/internal/browser"
)

// Handler serves the pages. All fields are required; it is safe for concurrent
// use once they are set.
type Handler struct {
	Pool    *userpool.Pool
	BaseURL string // the domain, such as http://localhost:9229, without trailing slash
	Logger  *slog.Logger
}

// Mount registers the pages.
func (h *Handler) Mount(mux *http.ServeMux) {
	mux.HandleFunc("GET /login", h.loginPage)
	mux.HandleFunc("POST /login", h.signIn)
	mux.HandleFunc("GET /error", h.errorPage)
	mux.HandleFunc("GET /{$}", h.indexPage)
}

// flow is one browser's way through the pages, as far as this request knows it.
type flow struct {
	query   url.Values // the whole authorization request
	auth    *userpool.Authorization
	session *userpool.Session // of who has just signed in; nil: nobody has

	// The last attempt, for the page that is shown again.
	username string
	message  string // one of the fixed texts; empty: first visit
	status   int    // zero means 200
}

// start checks the authorization request that the page was opened with.
func (h *Handler) start(r *http.Request) (flow, error) {
	q, err := browser.Query(r)
	if err != nil {
		return flow{}, browser.Malformed(err)
	}
	a, err := h.Pool.ParseAuthorization(r.Context(), q)
	return flow{query: q, auth: a}, err
}

// next is the dispatcher: it looks at what is known and takes the browser one
// step on.
func (h *Handler) next(w http.ResponseWriter, r *http.Request, f flow) {
	switch {
	case f.auth.NoPrompt:
		h.refuser().Refuse(w, r, f.auth, f.auth.LoginRequired())
	case f.session == nil:
		h.showLogin(w, r, f)
	default:
		h.finish(w, r, f)
	}
}

// finish takes the person to the app with a code.
func (h *Handler) finish(w http.ResponseWriter, r *http.Request, f flow) {
	location, err := h.Pool.Authorize(r.Context(), f.auth, *f.session)
	if err != nil {
		h.refuser().Refuse(w, r, f.auth, err)
		return
	}
	browser.Redirect(w, location)
}

// loginPage is GET /login.
func (h *Handler) loginPage(w http.ResponseWriter, r *http.Request) {
	f, err := h.start(r)
	if err != nil {
		h.refuser().Refuse(w, r, nil, err)
		return
	}
	f.username = f.auth.LoginHint
	if f.auth.ProviderMissing {
		f.message, f.status = userpool.TextNoSuchLogin, http.StatusUnauthorized
	}
	h.next(w, r, f)
}

var crossOrigin = http.NewCrossOriginProtection()

// signIn is POST /login, the step that asks for a password.
func (h *Handler) signIn(w http.ResponseWriter, r *http.Request) {
	form, ok := h.ownForm(w, r)
	if !ok {
		return
	}
	f, err := h.start(r)
	if err != nil {
		h.refuser().Refuse(w, r, nil, err)
		return
	}
	if !f.auth.NoPrompt {
		err = h.tryPassword(w, r, &f, form.Get("username"), userpool.Secret(form.Get("password")))
	}
	if err != nil {
		h.refuser().Refuse(w, r, f.auth, err)
		return
	}
	h.next(w, r, f)
}

// tryPassword records in the flow how the attempt went. The error is the
// pool's own failure.
func (h *Handler) tryPassword(
	w http.ResponseWriter, r *http.Request, f *flow, username string, password userpool.Secret,
) error {
	user, err := h.Pool.SignIn(r.Context(), username, password)
	refusal, refused := errors.AsType[*userpool.Error](err)
	switch {
	case refused:
		f.message, f.status = refusal.Description, http.StatusUnauthorized
	case errors.Is(err, userpool.ErrBusy):
		f.message, f.status = textBusy, http.StatusServiceUnavailable
	case err != nil:
		return err
	default:
		return h.startSession(w, r, f, user)
	}
	f.username = username
	return nil
}

func (h *Handler) startSession(w http.ResponseWriter, r *http.Request, f *flow, u userpool.User) error {
	previous := browser.ReadCookie(r, browser.SessionCookie)
	id, session, err := h.Pool.StartSession(r.Context(), u, previous)
	if err != nil {
		return err
	}
	http.SetCookie(w, browser.Cookie(browser.SessionCookie, id, userpool.SessionLifetime, h.secure()))
	f.session = &session
	return nil
}

// ownForm reads a form that came from one of our own pages in this browser, or
// answers the request itself. What it refuses has no effect at all.
func (h *Handler) ownForm(w http.ResponseWriter, r *http.Request) (url.Values, bool) {
	err := crossOrigin.Check(r)
	if err != nil {
		h.refuseForm(w, r, http.StatusForbidden, codeForged, "the form came from another origin")
		return nil, false
	}
	form, err := browser.Form(w, r)
	if _, long := errors.AsType[*http.MaxBytesError](err); long {
		h.refuseForm(w, r, http.StatusRequestEntityTooLarge, userpool.CodeInvalidRequest, "the form is too large")
		return nil, false
	}
	if err != nil {
		h.refuseForm(w, r, http.StatusBadRequest, userpool.CodeInvalidRequest, err.Error())
		return nil, false
	}
	if name, ok := browser.Repeated(form, "_csrf", "username", "password"); ok {
		h.refuseForm(w, r, http.StatusBadRequest, userpool.CodeInvalidRequest, name+" is repeated")
		return nil, false
	}
	token := userpool.Secret(form.Get("_csrf"))
	if !token.Equal(browser.ReadCookie(r, browser.CSRFCookie)) {
		h.refuseForm(w, r, http.StatusForbidden, codeForged, "the form's token is not the browser's")
		return nil, false
	}
	return form, true
}

func (h *Handler) refuseForm(w http.ResponseWriter, r *http.Request, status int, code, reason string) {
	h.Logger.InfoContext(r.Context(), "form refused", "path", r.URL.Path, "error", code, "reason", reason,
		"request_id", w.Header().Get(browser.RequestIDHeader))
	h.showError(w, r, status, code)
}

const csrfLength = 36 // of a UUID

// csrfToken returns the browser's token and sets one if there is none. It is
// not replaced while it lasts: a second tab would void the first one's form.
func (h *Handler) csrfToken(w http.ResponseWriter, r *http.Request) userpool.Secret {
	token := browser.ReadCookie(r, browser.CSRFCookie)
	if len(token) != csrfLength {
		token = userpool.Secret(userpool.NewUUID())
		http.SetCookie(w, browser.Cookie(browser.CSRFCookie, token, 0, h.secure()))
	}
	return token
}

func (h *Handler) refuser() browser.Refuser {
	return browser.Refuser{BaseURL: h.BaseURL, Logger: h.Logger}
}

func (h *Handler) secure() bool { return strings.HasPrefix(h.BaseURL, "https:") }
