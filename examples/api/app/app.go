// Package app is a JSON API for people and programs.
package app

import (
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/cognate-auth/cognate"
	"github.com/cognate-auth/cognate/sessionstore"
)

// New returns the API.
func New(cfg cognate.Config) (http.Handler, error) {
	cfg.Session.Store = sessionstore.NewMemory(0) // it keeps the access tokens, for /token
	cfg.ErrorHandler = jsonError
	auth, err := cognate.New(cfg)
	if err != nil {
		return nil, err
	}
	var notes notebook
	either := auth.RequireLoginOrBearer() // it accepts scopes too, which then apply to both
	// A browser adds the cookie even to requests that another site made it send. A
	// token comes only from a program that has one.
	ownSite := http.NewCrossOriginProtection()

	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		reply(w, http.StatusOK, map[string]string{"notes": "/api/notes", "me": "/api/me", "token": "/token"})
	})
	mux.Handle("GET /api/notes", either(http.HandlerFunc(notes.list)))
	mux.Handle("POST /api/notes", ownSite.Handler(either(http.HandlerFunc(notes.add))))
	mux.Handle("GET /api/me", auth.RequireBearer("email")(http.HandlerFunc(me)))
	mux.Handle("DELETE /api/notes", auth.RequireBearer("notes/admin")(http.HandlerFunc(notes.clear)))
	mux.Handle("GET /token", auth.RequireAccessToken(token(auth)))
	return auth.Handler(mux), nil
}

// me returns the subject of the token. An access token of Amazon Cognito has neither an
// e-mail address nor a name, so use the subject as the key of data.
func me(w http.ResponseWriter, r *http.Request) {
	user := cognate.UserFrom(r.Context())
	reply(w, http.StatusOK, map[string]any{"sub": user.Subject, "username": user.Username, "scopes": user.Scopes})
}

// token shows people their own access token. An API has no such page: it is here so
// that you can try the other routes with curl.
func token(auth *cognate.Auth) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		token, err := auth.AccessToken(r.Context())
		if err != nil {
			auth.Fail(w, r, err)
			return
		}
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		w.Header().Set("Cache-Control", "no-store")
		fmt.Fprintln(w, token)
	})
}

// jsonError answers what the library refuses, in JSON, for programs. Refused tokens
// have their own answers, by RFC 6750.
func jsonError(w http.ResponseWriter, _ *http.Request, e *cognate.Error) {
	reply(w, e.Status, map[string]string{"error": string(e.Reason), "reference": e.Reference})
}

func reply(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // if this fails, the client has left
}
