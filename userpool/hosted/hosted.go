package hosted

import (
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"strings"

	"github.com/cognate-auth/cognate/userpool"
	"github.com/cognate-auth/cognate/userpool/internal/browser"
	"github.com/cognate-auth/cognate/userpool/internal/decision"
	"github.com/cognate-auth/cognate/userpool/pool"
)

// Handler serves the pages. All fields but Developer are required; it is safe for
// concurrent use once they are set.
type Handler struct {
	Pool    *pool.Pool
	BaseURL string // the domain, such as http://localhost:9229, without trailing slash
	Logger  *slog.Logger

	Developer Developer // what a developer sees beside; empty: nothing
}

// Mount registers the pages.
func (h *Handler) Mount(mux *http.ServeMux) {
	templates()
	locales()
	for step, page := range pages {
		mux.HandleFunc("GET "+page.path, func(w http.ResponseWriter, r *http.Request) { h.open(w, r, step) })
		mux.HandleFunc("POST "+page.path, func(w http.ResponseWriter, r *http.Request) { h.post(w, r, step) })
	}
	h.mountSignUp(mux)
	h.mountRecovery(mux)
	h.mountDeveloper(mux)
	mux.HandleFunc("GET /error", h.errorPage)
	mux.HandleFunc("GET /{$}", h.indexPage)
}

var crossOrigin = http.NewCrossOriginProtection()

// ownForm reads a form that came from one of our own pages in this browser, or
// answers the request itself. What it refuses has no effect at all.
func (h *Handler) ownForm(w http.ResponseWriter, r *http.Request) (url.Values, bool) {
	err := crossOrigin.Check(r)
	if err != nil {
		h.refuseForm(w, r, http.StatusForbidden, userpool.PageForgedForm, decision.FormFromElsewhere)
		return nil, false
	}
	form, err := browser.Form(w, r)
	if isTooLong(err) {
		h.refuseForm(w, r, http.StatusRequestEntityTooLarge, userpool.CodeInvalidRequest, decision.FormTooLarge)
		return nil, false
	}
	if err != nil {
		h.refuseForm(w, r, http.StatusBadRequest, userpool.CodeInvalidRequest, err.Error())
		return nil, false
	}
	for name, values := range form {
		if len(values) > 1 {
			h.refuseForm(w, r, http.StatusBadRequest, userpool.CodeInvalidRequest, name+" is repeated")
			return nil, false
		}
	}
	token := userpool.Secret(form.Get("_csrf"))
	if !token.Equal(browser.ReadCookie(r, browser.CSRFCookie)) {
		h.refuseForm(w, r, http.StatusForbidden, userpool.PageForgedForm, decision.FormOfAnotherBrowser)
		return nil, false
	}
	return form, true
}

func isTooLong(err error) bool {
	_, long := errors.AsType[*http.MaxBytesError](err)
	return long
}

func (h *Handler) refuseForm(w http.ResponseWriter, r *http.Request, status int, code, reason string) {
	h.Logger.InfoContext(r.Context(), decision.FormRefused, "path", r.URL.Path, "error", code, "reason", reason,
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
