// Package oauth serves the protocol endpoints of a user pool: discovery and
// keys, /oauth2/authorize, /oauth2/token, /oauth2/userInfo, /oauth2/revoke and
// /logout, wire-compatible with an Amazon Cognito domain.
//
// It reads requests and writes answers; package grants decides. Whoever has to sign
// in is redirected to the page at /login or, where the request names another
// identity provider, handed to a [Federation].
//
// It knows the words (userpool), accounts, grants, pool and, of the internal packages,
// browser and decision. It knows none of the other HTTP packages.
package oauth

import (
	"encoding/json"
	"log/slog"
	"net/http"
	"net/url"
	"strings"

	"github.com/cognate-auth/cognate/userpool"
	"github.com/cognate-auth/cognate/userpool/grants"
	"github.com/cognate-auth/cognate/userpool/internal/browser"
	"github.com/cognate-auth/cognate/userpool/pool"
)

// Handler serves the endpoints. It is safe for concurrent use once its fields
// are set.
type Handler struct {
	Pool    *pool.Pool   // required
	BaseURL string       // the domain, such as http://localhost:9229, without trailing slash; required
	Logger  *slog.Logger // required

	// KeysURL is where clients find the keys. Empty: at the issuer.
	KeysURL string

	// ReportURL is where apps may say how a sign-in ended, for the developer's view. Empty:
	// nowhere, and discovery says nothing of it.
	ReportURL string

	// Federation reaches other identity providers. Nil: there are none.
	Federation Federation
}

// Federation takes browsers to other identity providers.
type Federation interface {
	// Start answers with the way to the provider a.Provider; q is the query of
	// the request.
	Start(w http.ResponseWriter, r *http.Request, a *grants.Authorization, q url.Values)
	// SignOut returns the way by which a browser that was in session s leaves the
	// provider too, before it goes to location. ok is false if there is none.
	SignOut(w http.ResponseWriter, r *http.Request, s userpool.Session, location string) (there string, ok bool)
}

// Mount registers the endpoints.
func (h *Handler) Mount(mux *http.ServeMux) error {
	discovery, err := h.discovery()
	if err != nil {
		return err
	}
	issuer := "/" + h.Pool.ID() + "/.well-known/"
	mountOpen(mux, "GET", issuer+"openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		writePublic(w, discovery)
	})
	mountOpen(mux, "GET", issuer+"jwks.json", h.keys)
	mountOpen(mux, "POST", "/oauth2/token", h.token)
	mountOpen(mux, "POST", "/oauth2/revoke", h.revoke)
	mountOpen(mux, "GET", "/oauth2/userInfo", h.userInfo)
	// What GET shows at / is a page for people, of package hosted.
	mux.HandleFunc("POST /{$}", anyOrigin(h.awsCall))
	mux.HandleFunc("OPTIONS /{$}", preflight("GET, POST"))
	mux.HandleFunc("/{$}", anyOrigin(only("GET, HEAD, OPTIONS")))

	mux.HandleFunc("GET /oauth2/authorize", h.authorize)
	mux.HandleFunc("GET /logout", h.logout)
	// A GET pattern also takes HEAD. These two act, and a program that only
	// looks at a link must not make them.
	for _, path := range []string{"/oauth2/authorize", "/logout"} {
		mux.HandleFunc("HEAD "+path, only("GET"))
		mux.HandleFunc(path, only("GET"))
	}
	return nil
}

// discovery returns the document with Cognito's twelve members: it does not say that S256
// works, nor that public clients use no authentication. With ReportURL it has one more
// (OpenID Connect Discovery 1.0, section 3, allows others), which clients that don't know it
// ignore.
func (h *Handler) discovery() ([]byte, error) {
	keys := h.KeysURL
	if keys == "" {
		keys = h.Pool.Issuer() + "/.well-known/jwks.json"
	}
	document := map[string]any{
		"authorization_endpoint":                h.BaseURL + "/oauth2/authorize",
		"end_session_endpoint":                  h.BaseURL + "/logout",
		"id_token_signing_alg_values_supported": []string{"RS256"},
		"issuer":                                h.Pool.Issuer(),
		"jwks_uri":                              keys,
		"response_types_supported":              []string{"code", "token"},
		"revocation_endpoint":                   h.BaseURL + "/oauth2/revoke",
		"scopes_supported":                      []string{"openid", "email", "phone", "profile"},
		"subject_types_supported":               []string{"public"},
		"token_endpoint":                        h.BaseURL + "/oauth2/token",
		"token_endpoint_auth_methods_supported": []string{"client_secret_basic", "client_secret_post"},
		"userinfo_endpoint":                     h.BaseURL + "/oauth2/userInfo",
	}
	if h.ReportURL != "" {
		document["cognate_sign_in_report_endpoint"] = h.ReportURL
	}
	return json.Marshal(document)
}

// keys serves the key set as it is now: keys are rotated.
func (h *Handler) keys(w http.ResponseWriter, r *http.Request) {
	keys, err := h.Pool.Keys.JWKS(r.Context())
	if err != nil {
		h.serverError(w, r, err)
		return
	}
	writePublic(w, keys)
}

// writePublic writes a document that everyone may read, and keep for five
// minutes: a development pool may come back with other keys soon.
func writePublic(w http.ResponseWriter, document []byte) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "public, max-age=300")
	w.Header().Del("Pragma")
	w.Header().Del("Expires")
	_, _ = w.Write(document)
}

// only refuses what is not one of the methods.
func only(methods string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Allow", methods)
		w.WriteHeader(http.StatusMethodNotAllowed)
	}
}

func (h *Handler) refuser() browser.Refuser {
	return browser.Refuser{BaseURL: h.BaseURL, Logger: h.Logger}
}

func (h *Handler) secure() bool { return strings.HasPrefix(h.BaseURL, "https:") }
