// Package app is an app that can run as several processes.
package app

import (
	"net/http"
	"sync/atomic"

	"github.com/cognate-auth/cognate"
	"github.com/cognate-auth/cognate/examples/internal/page"
	"github.com/cognate-auth/cognate/sessionstore"
)

// New returns one process's app. Every process has the same cfg, with the same Keys,
// and a store on the same server; name is the name of the process.
func New(cfg cognate.Config, store sessionstore.Store, name string) (http.Handler, error) {
	cfg.Session.Store = store
	auth, err := cognate.New(cfg)
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) {
		show(w, name, auth.User(r), "Public page", "Load it a few times to see both processes at work.")
	})
	// This page calls APIs as the user: its access token is valid, whichever process
	// refreshed it.
	mux.Handle("GET /hello", auth.RequireAccessToken(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user := cognate.UserFrom(r.Context())
		show(w, name, user, "Private page", "Signed in as "+user.Email)
	})))
	mux.Handle("POST /logout-everywhere",
		auth.RequireLogin(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, err := auth.LogoutEverywhere(r.Context(), cognate.UserFrom(r.Context()).Subject)
			if err != nil {
				auth.Fail(w, r, err)
				return
			}
			auth.Logout(w, r) // here, this also ends the provider's session
		})))
	return auth.Handler(http.NewCrossOriginProtection().Handler(mux)), nil
}

func show(w http.ResponseWriter, name string, user *cognate.User, title, text string) {
	p := page.Page{
		Title: title, Text: text, User: user,
		Links: []page.Link{{Name: "Public", URL: "/"}, {Name: "Private", URL: "/hello"}},
		Facts: []page.Fact{{Name: "Answered by", Value: name}},
	}
	if user != nil {
		p.Body = `<form method="post" action="/logout-everywhere">` +
			`<button class="second">Sign out everywhere</button></form>`
	}
	page.Write(w, http.StatusOK, p)
}

// RoundRobin sends each request to the next backend.
func RoundRobin(backends ...http.Handler) http.Handler {
	var n atomic.Uint64
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		backends[n.Add(1)%uint64(len(backends))].ServeHTTP(w, r)
	})
}
