// Package localpool has what the demo and `cognate pool` share of a local pool: the two users
// that each of them begins with, who may see the developer's view, and what an app is told of
// the pool. It keeps and serves nothing.
package localpool

import (
	"errors"
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/cognate-auth/cognate"
	"github.com/cognate-auth/cognate/internal/terminal"
	"github.com/cognate-auth/cognate/userpool"
	"github.com/cognate-auth/cognate/userpool/devview"
)

// A User can sign in at a pool that nobody has described. People sign in with their e-mail
// address, as in most Cognito pools.
type User struct {
	Email, Password string
	Verified        bool // whether the e-mail address is
}

// Users returns the users, ann and bob, of a pool that nobody has described. bob's address is
// not verified, so that an app can be tried with both.
func Users() []User {
	return []User{
		{"ann@example.com", "Correct-Horse-7", true},
		{"bob@example.com", "Battery-Staple-7", false},
	}
}

// New returns the user as a pool creates them.
func (u User) New() userpool.NewUser {
	return userpool.NewUser{
		Username: u.Email, Password: userpool.Secret(u.Password),
		Attributes: map[string]string{"email": u.Email, "email_verified": fmt.Sprint(u.Verified)},
	}
}

// AnnounceUsers prints who can sign in, with their passwords. unverified says what it means
// that an address is not verified.
func AnnounceUsers(w io.Writer, unverified string) {
	s := terminal.StyleOf(w)
	terminal.Printf(w, "  Sign in as\n")
	t := tabwriter.NewWriter(w, 0, 0, 3, ' ', 0)
	for _, u := range Users() {
		note := "the e-mail address is verified"
		if !u.Verified {
			note = unverified
		}
		terminal.Printf(t, "    %s\t%s\t%s\n", u.Email, u.Password, s.Dim(note))
	}
	_ = t.Flush() // as Printf
	terminal.Printf(w, "\n")
}

// A View says who may see the developer's view of a pool: browsers with the token, everybody, or
// nobody.
type View struct {
	Token    userpool.Secret
	Anywhere bool
	Off      bool

	OneClick bool // a browser that has opened the view signs in without a password
}

// NewView returns the view that the flags ask for, until the program ends: with the token of
// --dev-view-token or, if that is empty, a new one, or for everybody.
func NewView(token userpool.Secret, anywhere bool) (View, error) {
	switch {
	case anywhere && token != "":
		return View{}, errors.New("--insecure-dev-view-anywhere needs no token; leave out --dev-view-token and " +
			"COGNATE_DEV_VIEW_TOKEN")
	case anywhere:
		return View{Anywhere: true}, nil
	case token == "":
		return View{Token: devview.NewToken()}, nil
	}
	err := devview.CheckToken(token)
	if err != nil {
		return View{}, fmt.Errorf("--dev-view-token can't be used: %w", err)
	}
	return View{Token: token}, nil
}

// URL returns the address at which a browser opens the view of the pool at base.
func (v View) URL(base string) string { return devview.Address(base, v.Token) }

// Bare returns that address without the token.
func (v View) Bare(base string) string { return devview.Address(base, "") }

// ClientSecrets describes an app client of the pool at base to an app.
func ClientSecrets(base, issuer string, c userpool.Client) *cognate.ClientSecrets {
	return &cognate.ClientSecrets{
		Issuer: issuer, ClientID: c.ID, ClientSecret: cognate.Secret(c.Secret), RedirectURIs: c.CallbackURLs,
		AuthURI: base + "/oauth2/authorize", TokenURI: base + "/oauth2/token", UserInfoURI: base + "/oauth2/userInfo",
	}
}
