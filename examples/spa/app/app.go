// Package app is a shopping list as a single-page app.
package app

import (
	"embed"
	"encoding/json"
	"io/fs"
	"net/http"

	"github.com/cognate-auth/cognate"
)

//go:embed static
var files embed.FS

// policy allows the app's own files and its own API. Forms are sent by the script, so none
// may be sent by the browser; what gets into the page as text stays text.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'"

// New returns the app: the static files for everybody, the API for who is signed in.
func New(cfg cognate.Config) (http.Handler, error) {
	auth, err := cognate.New(cfg)
	if err != nil {
		return nil, err
	}
	static, err := fs.Sub(files, "static")
	if err != nil {
		return nil, err
	}
	lists := newLists()
	api := http.NewServeMux()
	api.HandleFunc("GET /api/me", me)
	api.HandleFunc("GET /api/items", lists.show)
	api.HandleFunc("POST /api/items", lists.add)
	api.HandleFunc("DELETE /api/items/{id}", lists.remove)

	mux := http.NewServeMux()
	mux.Handle("/", secure(http.FileServerFS(static)))
	mux.Handle("/api/", http.NewCrossOriginProtection().Handler(auth.RequireLogin(api)))
	return auth.Handler(mux), nil
}

func secure(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		// The sign-in returns to the page that a script's request came from.
		h.Set("Referrer-Policy", "same-origin")
		h.Set("Cache-Control", "no-cache")
		next.ServeHTTP(w, r)
	})
}

// me tells the script whom to greet. It is all the browser learns of the sign-in.
func me(w http.ResponseWriter, r *http.Request) {
	reply(w, http.StatusOK, map[string]string{"email": cognate.UserFrom(r.Context()).Email})
}

func reply(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // the script has left if this fails
}
