// Package pages has the content of the pages, which the three apps share.
package pages

import (
	"net/http"

	"github.com/cognate-auth/cognate"
	"github.com/cognate-auth/cognate/examples/internal/page"
)

var links = []page.Link{
	{Name: "Public", URL: "/"}, {Name: "Private", URL: "/hello/world"}, {Name: "Admins", URL: "/admin"},
}

// Home is the public page. user may be nil.
func Home(w http.ResponseWriter, router string, user *cognate.User) {
	page.Write(w, http.StatusOK, page.Page{
		Title: "Public page", Text: "Served with " + router + ". Everyone may read it.", User: user, Links: links,
	})
}

// Hello is the private page.
func Hello(w http.ResponseWriter, name string, user *cognate.User) {
	page.Write(w, http.StatusOK, page.Page{
		Title: "Hello, " + name, Text: "Signed in as " + user.Email, User: user, Links: links,
	})
}

// Admin is the page of the group admins.
func Admin(w http.ResponseWriter, user *cognate.User) {
	page.Write(w, http.StatusOK, page.Page{
		Title: "Admins", Text: user.Email + " is one of them.", User: user, Links: links,
	})
}
