package hosted

import (
	"cmp"
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/cognate-auth/cognate/userpool"
	"github.com/cognate-auth/cognate/userpool/accounts"
	"github.com/cognate-auth/cognate/userpool/internal/browser"
	"github.com/cognate-auth/cognate/userpool/internal/decision"
	"github.com/cognate-auth/cognate/userpool/signin"
)

// Developer is what the pages show in the browser of whoever develops an app with the
// pool, and in no other: a line for strangers would be an invitation.
type Developer struct {
	// Here reports whether a request comes from such a browser. Nil: none does.
	Here func(*http.Request) bool
	// Outbox is the address of the messages that the pool sent. The pages that ask for
	// a code, or wait for a link, lead there.
	Outbox string

	// OneClick lists users on the sign-in page, each of whom is signed in with one click
	// and without a password.
	OneClick bool
	// Proven reports whether who asks for that, at [browser.OneClickPath], may do it.
	// Required with OneClick. It may be stricter than Here, which only shows something.
	Proven func(*http.Request) bool
}

// here is Here, which may be nil.
func (d Developer) here(r *http.Request) bool { return d.Here != nil && d.Here(r) }

func (h *Handler) mountDeveloper(mux *http.ServeMux) {
	if h.Developer.OneClick {
		mux.HandleFunc("POST "+browser.OneClickPath, h.oneClick)
	}
}

// searchParam is the query parameter for a part of the name of somebody to sign in with
// one click. Like the flow's id it is no part of the authorization request.
const (
	searchParam = "developer_search"
	maxSearch   = 128 // bytes
)

// oneClick is POST of the list of users.
func (h *Handler) oneClick(w http.ResponseWriter, r *http.Request) {
	if !h.Developer.Proven(r) {
		h.refuseForm(w, r, http.StatusForbidden, userpool.PageForgedForm, decision.FormOfNoDeveloper)
		return
	}
	h.act(w, r, userpool.StepSignIn, (*visit).signInAs)
}

// signInAs signs in who was clicked.
func (v *visit) signInAs() error {
	err := v.h.Pool.Steps.SignInAs(v.r.Context(), v.auth.Request(), v.flow, v.form.Get("sub"))
	if err != nil {
		v.status = http.StatusUnauthorized
	}
	return v.refused(err)
}

// oneClick is the list of users on the sign-in page.
type oneClick struct {
	Action string // empty: there is no list
	Search string // part of a name; empty: everybody
	Users  []oneClickUser
	More   bool // there are others

	// Page and Query are the address of the page, for the form that searches.
	Page  string
	Query []queryValue
}

type oneClickUser struct{ Sub, Name, Groups string }

type queryValue struct{ Name, Value string }

const (
	maxOneClick = 10
	maxGroups   = 3 // that are shown of a user
)

// oneClickOf returns the list, if the browser is a developer's and people can sign in to
// the client here.
func oneClickOf(v *visit) (list oneClick, err error) {
	d := v.h.Developer
	if !d.OneClick || !d.here(v.r) || !v.auth.Client.Supports(userpool.ProviderCognito) {
		return list, nil
	}
	list = oneClick{
		Action: v.address(browser.OneClickPath), Search: v.search, Page: pages[userpool.StepSignIn].path,
	}
	search := accounts.UserSearch{Text: v.search, Only: signin.CanSignInAs, Limit: maxOneClick}
	users, next, err := search.In(v.r.Context(), v.h.Pool.Users)
	if err != nil {
		return list, err
	}
	list.More = next != ""
	for _, u := range users {
		list.Users = append(list.Users, oneClickUser{u.Sub, calledName(u), groupNames(u.Groups)})
	}
	slices.SortFunc(list.Users, func(a, b oneClickUser) int { return cmp.Compare(a.Name, b.Name) })
	for name, values := range v.query {
		for _, value := range values {
			list.Query = append(list.Query, queryValue{name, value})
		}
	}
	if v.flow.Version > 0 {
		list.Query = append(list.Query, queryValue{flowParam, string(v.id)})
	}
	slices.SortStableFunc(list.Query, func(a, b queryValue) int { return cmp.Compare(a.Name, b.Name) })
	return list, nil
}

// calledName is what a developer knows a user by: a user name that is a sub says nothing.
func calledName(u userpool.User) string {
	if u.Username == u.Sub {
		return shorten(cmp.Or(u.Attributes["email"], u.Attributes["phone_number"], u.Username))
	}
	return shorten(u.Username)
}

func groupNames(groups []string) string {
	names := strings.Join(groups[:min(len(groups), maxGroups)], ", ")
	if len(groups) > maxGroups {
		names += ", …"
	}
	return names
}

// takeSearch takes the search out of the query.
func (v *visit) takeSearch() error {
	v.search = v.query.Get(searchParam)
	if len(v.query[searchParam]) > 1 || len(v.search) > maxSearch {
		return browser.Malformed(errors.New(searchParam + " is repeated or too long"))
	}
	v.query.Del(searchParam)
	return nil
}
