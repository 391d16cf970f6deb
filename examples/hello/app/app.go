// Package app is the tutorial's web app: a public page, a private page and a logout. It
// uses only the library's public API.
package app

import (
	"embed"
	"html/template"
	"net/http"

	"github.com/cognate-auth/cognate"
)

//go:embed page.html style.css
var files embed.FS

var page = template.Must(template.ParseFS(files, "page.html"))

// New returns the app. auth answers /oidc_callback, /login and /logout for it.
func New(auth *cognate.Auth) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) {
		user := auth.User(r)
		if user != nil {
			w.Header().Set("Cache-Control", "private, no-cache") // the page shows who is signed in
		}
		show(w, http.StatusOK, view{Text: "Everyone may read this page.", User: user})
	})
	mux.Handle("GET /hello", auth.RequireLogin(http.HandlerFunc(hello)))
	mux.Handle("GET /style.css", http.FileServerFS(files))
	return auth.Handler(mux)
}

// hello is the private page. The sign-in says who a person is; the app decides what
// they may do.
func hello(w http.ResponseWriter, r *http.Request) {
	user := cognate.UserFrom(r.Context())
	if !hasPermission(user.Email) {
		show(w, http.StatusForbidden, view{Text: "This page is not for your account.", User: user})
		return
	}
	show(w, http.StatusOK, view{Text: "This page is for you, " + user.Email + ".", User: user})
}

// hasPermission decides who may see the private page: here, everybody with an address.
// Ask your own database instead.
func hasPermission(email string) bool {
	return email != ""
}

type view struct {
	Text string
	User *cognate.User
}

func show(w http.ResponseWriter, status int, v view) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy",
		"default-src 'none'; style-src 'self'; base-uri 'none'; frame-ancestors 'none'")
	w.WriteHeader(status)
	_ = page.Execute(w, v) // if this fails, the visitor has left
}
