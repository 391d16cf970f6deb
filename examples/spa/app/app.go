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

// policy allows the app's own files and its own API. The script sends the forms, so the
// browser itself must not send any. Text that gets into the page can't become markup.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'"

// New returns the app: the static files for everybody, and the API for people who are
// signed in.
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
		// After the sign-in, people return to the page that the script's request came
		// from.
		h.Set("Referrer-Policy", "same-origin")
		h.Set("Cache-Control", "no-cache")
		next.ServeHTTP(w, r)
	})
}

// me tells the script the name to show. The browser gets nothing else about the
// sign-in.
func me(w http.ResponseWriter, r *http.Request) {
	reply(w, http.StatusOK, map[string]string{"email": cognate.UserFrom(r.Context()).Email})
}

func reply(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // if this fails, the script has left
}
