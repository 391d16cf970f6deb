// Package chi is the app with github.com/go-chi/chi. chi uses net/http's middleware
// unchanged.
package chi

import (
	"net/http"

	"github.com/cognate-auth/cognate"
	"github.com/cognate-auth/cognate/examples/routers/internal/pages"
	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"
)

// New returns the app.
func New(auth *cognate.Auth) http.Handler {
	r := chi.NewRouter()
	r.Use(middleware.Recoverer)
	r.Get("/", func(w http.ResponseWriter, r *http.Request) {
		pages.Home(w, "chi", auth.User(r))
	})
	r.Group(func(r chi.Router) { // everything in this group is private
		r.Use(auth.RequireLogin)
		r.Get("/hello/{name}", func(w http.ResponseWriter, r *http.Request) {
			pages.Hello(w, chi.URLParam(r, "name"), cognate.UserFrom(r.Context()))
		})
	})
	r.With(auth.Require(cognate.Group("admins"))).Get("/admin", func(w http.ResponseWriter, r *http.Request) {
		pages.Admin(w, cognate.UserFrom(r.Context()))
	})
	return auth.Handler(r) // answers /oidc_callback, /login and /logout
}
