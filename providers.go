package cognate

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"

	"github.com/cognate-auth/cognate/internal/page"
)

// maxProviders bounds how many providers one app has: a request asks each for its session.
const maxProviders = 16

// Providers are the providers of one app that has several, or several clients of one provider:
// its visitors sign in with one of them. Each [Auth] keeps its own cookies, its own callback,
// login and logout paths and its own sessions; who signs in with another provider is another
// user. Make it with [NewProviders]. It is safe for concurrent use.
type Providers struct {
	// Choose writes the answer to a person who has to sign in and may choose with whom, in
	// the place of the built-in page. Set it before the first request. It must answer with
	// an error status, such as 401.
	Choose func(w http.ResponseWriter, r *http.Request, choices []ProviderChoice)

	auths []*Auth
}

// A ProviderChoice is one way to sign in.
type ProviderChoice struct {
	// Name is Config.DisplayName.
	Name string `json:"name"`
	// URL begins the sign-in: a path on this site, with the page to come back to.
	URL string `json:"login_url"`
}

// NewProviders puts several Auths together. Their order is that of the choices, and decides
// whose user a visitor is who signed in twice. All have to be on one origin, with different cookie
// names, paths, display names, and pairs of issuer and client ID: the error says which are
// not.
func NewProviders(auths ...*Auth) (*Providers, error) {
	if len(auths) == 0 || len(auths) > maxProviders || slices.Contains(auths, nil) {
		return nil, fmt.Errorf("cognate: several providers: %d given, or one of them nil; expected 1 to %d",
			len(auths), maxProviders)
	}
	var problems []error
	taken := map[string]int{} // what has to differ → whose it is
	for i, a := range auths {
		if a.paths.origin != auths[0].paths.origin {
			problems = append(problems, fmt.Errorf("the RedirectURLs of 0 and %d are on %s and %s; expected one origin",
				i, auths[0].paths.origin, a.paths.origin))
		}
		for _, claim := range unshared(a) {
			if other, ok := taken[claim]; ok {
				problems = append(problems, fmt.Errorf("%d and %d have the same %s", other, i, claim))
			}
			taken[claim] = i
		}
		for j, b := range auths {
			// A cookie that begins so would be taken for one of the other's sign-ins.
			if i != j && a.transactions.Names(b.sessions.CookieName()) {
				problems = append(problems, fmt.Errorf("the CookieName of %d begins like the cookies of %d", j, i))
			}
		}
	}
	if len(problems) > 0 {
		return nil, fmt.Errorf("cognate: several providers: %w", errors.Join(problems...))
	}
	return &Providers{auths: slices.Clone(auths)}, nil
}

// unshared is what no other Auth of the same app may have.
func unshared(a *Auth) []string {
	own := []string{
		"CookieName " + a.sessions.CookieName(), "DisplayName " + a.displayName,
		"Issuer and ClientID " + a.client.Provider.Issuer() + " " + a.client.ID,
	}
	for _, p := range []string{a.paths.callback, a.paths.login, a.paths.logout, a.paths.backchannel} {
		if p != "" {
			own = append(own, "path "+p)
		}
	}
	return own
}

// Handler is [Auth.Handler] for all of them.
func (p *Providers) Handler(next http.Handler) http.Handler {
	if next == nil {
		next = http.NotFoundHandler()
	}
	for _, a := range p.auths {
		next = a.Handler(next)
	}
	return next
}

// RequireLogin is [Auth.RequireLogin] for a session with any of them. A person who has none
// gets a page to choose from; a script gets 401 with all login URLs.
func (p *Providers) RequireLogin(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var down *Auth // whose store can't be asked
		var cause error
		var useless []*Auth
		for _, a := range p.auths {
			now := a.now()
			s, present, err := a.sessions.Read(r, now)
			switch {
			case err != nil:
				down, cause = a, err
			case s != nil && a.serve(w, r, s, now, next):
				return
			case present:
				useless = append(useless, a)
			}
		}
		if down != nil {
			down.fail(w, r, asError(cause, ReasonStoreDown), down.paths.wanted(r))
			return
		}
		for _, a := range useless {
			a.dropUseless(w, r)
		}
		p.challenge(w, r)
	})
}

// Require is [Auth.Require] for a session with any of them.
func (p *Providers) Require(rules ...Rule) func(http.Handler) http.Handler {
	for _, a := range p.auths {
		a.admission.claims.add(claimsOf(rules)...)
	}
	return requireRules(rules, p.Auth, p.RequireLogin)
}

// Auth returns the one that signed a request in, for [Auth.AccessToken] and the like; nil if
// ctx is none of a request behind [Providers.RequireLogin].
func (p *Providers) Auth(ctx context.Context) *Auth {
	c, _ := ctx.Value(requestKey{}).(*requestContext)
	if c == nil || !slices.Contains(p.auths, c.auth) {
		return nil
	}
	return c.auth
}

// User is [Auth.User] for a session with any of them.
func (p *Providers) User(r *http.Request) *User {
	for _, a := range p.auths {
		if u := a.User(r); u != nil {
			return u
		}
	}
	return nil
}

// Logout is [Auth.Logout] for the sessions with all of them. The browser goes on to the
// provider whose user it was; sessions that are open at others stay there.
func (p *Providers) Logout(w http.ResponseWriter, r *http.Request, opts ...LogoutOption) {
	first := p.auths[0]
	for _, a := range slices.Backward(p.auths) {
		if a.User(r) != nil {
			first = a
		}
	}
	for _, a := range p.auths {
		if a == first {
			continue
		}
		_, err := a.endHere(w, r)
		if err != nil {
			a.fail(w, r, asError(err, ReasonStoreDown), a.paths.home)
			return
		}
	}
	first.Logout(w, r, opts...)
}

// Choices are the ways to sign in and come back to a page of this site, for a page of the
// app's own.
func (p *Providers) Choices(returnTo string) []ProviderChoice {
	choices := make([]ProviderChoice, len(p.auths))
	for i, a := range p.auths {
		choices[i] = ProviderChoice{a.displayName, a.paths.loginURL(a.paths.target(returnTo))}
	}
	return choices
}

// challenge answers a request that needs a sign-in and has none.
func (p *Providers) challenge(w http.ResponseWriter, r *http.Request) {
	for _, a := range p.auths {
		if len(p.auths) == 1 || r.URL.Path == a.paths.callback {
			a.challenge(w, r, false)
			return
		}
	}
	choices := p.Choices(p.auths[0].paths.wanted(r))
	w.Header().Set("Cache-Control", "no-store")
	for _, c := range choices {
		w.Header().Add("WWW-Authenticate", authenticate(c.URL))
	}
	switch {
	case !isNavigation(r):
		writeJSON(w, http.StatusUnauthorized, map[string]any{"error": "login_required", "logins": choices})
	case p.Choose != nil:
		p.Choose(w, r, choices)
	default:
		m := reasons[ReasonNotSignedIn]
		built := page.Page{Title: m.title, Text: m.text + " How do you want to sign in?", Home: p.auths[0].paths.home}
		for _, c := range choices {
			built.Choices = append(built.Choices, page.Choice(c))
		}
		built.Write(w, m.status)
	}
}
