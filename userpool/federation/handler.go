package federation

import (
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/cognate-auth/cognate/userpool"
	"github.com/cognate-auth/cognate/userpool/grants"
	"github.com/cognate-auth/cognate/userpool/internal/browser"
	"github.com/cognate-auth/cognate/userpool/internal/decision"
	"github.com/cognate-auth/cognate/userpool/pool"
)

// Handler serves the ways back from identity providers, and opens those there.
// It is safe for concurrent use once its fields are set.
type Handler struct {
	Pool    *pool.Pool   // required
	BaseURL string       // the domain, such as http://localhost:9229, without trailing slash; required
	Logger  *slog.Logger // required

	// SAML speaks with SAML providers. Nil: sign-in there is refused.
	SAML userpool.SAML
	// Patience is how long a provider may take for one answer. Zero: 5 s.
	Patience time.Duration

	mu        sync.Mutex
	upstreams map[string]*upstream // :: issuer and endpoints → what is known of them; guarded by mu
}

// stateCookie ties a round trip to the browser, under Cognito's name.
const stateCookie = "csrf-state"

const stateLength = 36 // of a UUID

// Mount registers the endpoints.
func (h *Handler) Mount(mux *http.ServeMux) {
	mux.HandleFunc("GET /oauth2/idpresponse", h.oidcResponse)
	mux.HandleFunc("HEAD /oauth2/idpresponse", getOnly) // it would use up the state
	mux.HandleFunc("GET /saml2/idpresponse", h.samlReturn)
	mux.HandleFunc("HEAD /saml2/idpresponse", getOnly)
	mux.HandleFunc("POST /saml2/idpresponse", h.samlResponse)
	mux.HandleFunc("POST /saml2/logout", h.samlLoggedOut)
	mux.HandleFunc("GET /saml2/metadata", h.samlMetadata)
}

func getOnly(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Allow", "GET")
	w.WriteHeader(http.StatusMethodNotAllowed)
}

// Start sends the browser to the identity provider that the checked request a
// asks for, a.Provider; q is its query.
func (h *Handler) Start(w http.ResponseWriter, r *http.Request, a *grants.Authorization, q url.Values) {
	ip, ok := h.Pool.Settings().IdentityProvider(a.Client, a.Provider)
	if !ok {
		h.refuse(w, r, a, failed(userpool.TextNoSuchLogin))
		return
	}
	token := h.browserToken(w, r)
	var location string
	var err error
	if ip.Type == userpool.ProviderSAML {
		location, err = h.samlLocation(r.Context(), ip, q, token)
	} else {
		location, err = h.oidcLocation(r.Context(), ip, q, token)
	}
	if err != nil {
		h.refuse(w, r, a, err)
		return
	}
	browser.Redirect(w, location)
}

// browserToken returns the browser's token and sets one if there is none. It is
// not replaced while it lasts, so that several tabs can be under way.
func (h *Handler) browserToken(w http.ResponseWriter, r *http.Request) userpool.Secret {
	token := browser.ReadCookie(r, stateCookie)
	if len(token) != stateLength {
		token = userpool.Secret(userpool.NewUUID())
		http.SetCookie(w, browser.Cookie(stateCookie, token, 0, h.secure()))
	}
	return token
}

// finish signs the person of the profile in and takes the browser to the app.
func (h *Handler) finish(
	w http.ResponseWriter, r *http.Request, a *grants.Authorization, provider string, profile userpool.Profile,
) {
	location, err := h.signIn(w, r, a, provider, profile)
	if err != nil {
		h.refuse(w, r, a, err)
		return
	}
	browser.Redirect(w, location)
}

func (h *Handler) signIn(
	w http.ResponseWriter, r *http.Request, a *grants.Authorization, provider string, profile userpool.Profile,
) (location string, err error) {
	ctx := r.Context()
	u, err := h.Pool.Federation.SignIn(ctx, a.Client, provider, profile)
	if err != nil {
		return "", a.Refusal(err)
	}
	previous := browser.ReadCookie(r, browser.SessionCookie)
	id, session, err := h.Pool.Sessions.StartFederated(ctx, u.Sub, provider, profile.Session, previous)
	if err != nil {
		return "", err
	}
	http.SetCookie(w, browser.Cookie(browser.SessionCookie, id, grants.SessionLifetime, h.secure()))
	return h.Pool.Grants.Authorize(ctx, a, session)
}

// failed is what the app hears of a sign-in that failed at a provider.
func failed(text string) error {
	return &userpool.Error{Code: userpool.CodeInvalidRequest, Description: text}
}

// refuse takes the browser to the app, with what went wrong, or to the page
// /error. An error that has a cause is logged with it.
func (h *Handler) refuse(w http.ResponseWriter, r *http.Request, a *grants.Authorization, err error) {
	if f, ok := errors.AsType[*fault](err); ok {
		h.Logger.WarnContext(r.Context(), decision.ProviderFailed, "provider", f.provider, "err", f.cause,
			"request_id", w.Header().Get(browser.RequestIDHeader))
		err = failed(f.text)
	}
	if a != nil {
		err = a.Refusal(err)
	}
	browser.Refuser{BaseURL: h.BaseURL, Logger: h.Logger}.Refuse(w, r, a, err)
}

// A fault is a failure of a provider: what the app hears, and what the log says.
type fault struct {
	provider, text string
	cause          error
}

func (f *fault) Error() string { return f.text + ": " + f.cause.Error() }

func invalidState(hint string) error {
	return &userpool.PageError{Code: userpool.PageInvalidState, Hint: hint}
}

func (h *Handler) secure() bool { return strings.HasPrefix(h.BaseURL, "https:") }

func (h *Handler) patience() time.Duration {
	if h.Patience == 0 {
		return 5 * time.Second
	}
	return h.Patience
}
