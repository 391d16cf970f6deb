// Package app is the tutorial's app with a has_permissions that asks a database.
package app

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/cognate-auth/cognate"
	"github.com/cognate-auth/cognate/examples/internal/page"
)

// New returns the app. A person who signs in with the address firstAdmin becomes admin
// while there is none. An empty firstAdmin means nobody.
func New(cfg cognate.Config, roles *Roles, firstAdmin string) (http.Handler, error) {
	cfg.RequireVerifiedEmail = true // otherwise anybody could claim to be firstAdmin
	cfg.Hooks.OnLogin = func(ctx context.Context, e cognate.LoginEvent) error {
		first := firstAdmin != "" && strings.EqualFold(e.User.Email, firstAdmin)
		return undecided(roles.SignedIn(ctx, e.User, first))
	}
	auth, err := cognate.New(cfg)
	if err != nil {
		return nil, err
	}
	readers := auth.Require(hasPermission(roles, Reader, Admin))
	admins := auth.Require(hasPermission(roles, Admin))
	panel := &adminPanel{auth, roles}

	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) {
		show(w, auth.User(r), "Open to everyone", "You need no account to read this page.")
	})
	mux.Handle("GET /hello", readers(http.HandlerFunc(hello)))
	mux.Handle("GET /admin", admins(http.HandlerFunc(panel.show)))
	mux.Handle("POST /admin/grant", admins(http.HandlerFunc(panel.grant)))
	mux.Handle("POST /admin/revoke", admins(http.HandlerFunc(panel.revoke)))
	// A browser sends an admin's cookie with other sites' forms too.
	return auth.Handler(http.NewCrossOriginProtection().Handler(mux)), nil
}

// hasPermission returns a rule that asks the database at each request: it accepts
// people who have one of the roles. It asks by Subject, which always is the same
// account; an e-mail address can later be given to another person.
func hasPermission(roles *Roles, oneOf ...string) cognate.Rule {
	return cognate.RuleFunc(func(ctx context.Context, user *cognate.User) error {
		ok, err := roles.Has(ctx, user.Subject, oneOf...)
		if err != nil {
			return undecided(err)
		}
		if !ok {
			return fmt.Errorf("%s has none of the roles %q", user.Subject, oneOf) // 403; the text is for the log
		}
		return nil
	})
}

// undecided marks an error of the database, so that it is answered with 503: that the
// app can't check a permission does not mean that a person does not have it.
func undecided(err error) error {
	if err == nil {
		return nil
	}
	return &cognate.Error{
		Reason: cognate.ReasonRuleFailed, Status: http.StatusServiceUnavailable, RetryAfter: 5 * time.Second, Err: err,
	}
}

func hello(w http.ResponseWriter, r *http.Request) {
	user := cognate.UserFrom(r.Context())
	show(w, user, "For readers", "Signed in as "+user.Email)
}

var links = []page.Link{{Name: "Public", URL: "/"}, {Name: "Private", URL: "/hello"}, {Name: "Admins", URL: "/admin"}}

func show(w http.ResponseWriter, user *cognate.User, title, text string) {
	p := page.Page{Title: title, Text: text, User: user, Links: links}
	if user != nil {
		p.Facts = []page.Fact{{Name: "Email", Value: user.Email}, {Name: "Subject", Value: user.Subject}}
	}
	page.Write(w, http.StatusOK, p)
}
