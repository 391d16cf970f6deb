package cognate

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"

	"github.com/cognate-auth/cognate/internal/page"
)

// maxProviders bounds how many providers one app has: a request may read a session of
// each.
const maxProviders = 16

// Providers combines the Auths of one app that has several providers, or several
// clients of one provider: visitors choose which to sign in with. Each [Auth] keeps its
// own cookies, its own callback, login and logout paths and its own sessions; a person
// who signs in with another provider is another user. Make it with [NewProviders]. It
// is safe for concurrent use.
type Providers struct {
	// Choose writes the page on which a person chooses the provider to sign in with,
	// instead of the built-in page. Set it before the first request. It must answer
	// with an error status, such as 401.
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

// NewProviders combines several Auths. Their order is the order of the choices; of a
// visitor who is signed in with several, the first session counts. All must be on one
// origin, and have different cookie names, paths, display names, and pairs of issuer
// and client ID; the error says which don't.
func NewProviders(auths ...*Auth) (*Providers, error) {
	if len(auths) == 0 || len(auths) > maxProviders || slices.Contains(auths, nil) {
		return nil, fmt.Errorf("cognate: several providers: %d given, or one of them nil; expected 1 to %d",
			len(auths), maxProviders)
	}
	var problems []error
	taken := map[string]int{} // value that must be unique → index of its Auth
	for i, a := range auths {
		if a.paths.origin != auths[0].paths.origin {
			problems = append(problems, fmt.Errorf("the RedirectURLs of 0 and %d are on %s and %s; expected one origin",
				i, auths[0].paths.origin, a.paths.origin))
		}
		for _, value := range uniqueValues(a) {
			if other, ok := taken[value]; ok {
				problems = append(problems, fmt.Errorf("%d and %d have the same %s", other, i, value))
			}
			taken[value] = i
		}
		for j, b := range auths {
			// Such a cookie would be taken for one of the other Auth's sign-ins.
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

// uniqueValues returns what no other Auth of the same app may have.
func uniqueValues(a *Auth) []string {
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

// RequireLogin is [Auth.RequireLogin] for a session with any of them. A person without
// a session gets a page with the choices; a script gets 401 with all login URLs.
func (p *Providers) RequireLogin(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var down *Auth // its store can't be reached
		var cause error
		var unusable []*Auth
		for _, a := range p.auths {
			now := a.now()
			s, present, err := a.sessions.Read(r, now)
			switch {
			case err != nil:
				down, cause = a, err
			case s != nil && a.serve(w, r, s, now, next):
				return
			case present:
				unusable = append(unusable, a)
			}
		}
		if down != nil {
			down.fail(w, r, asError(cause, ReasonStoreDown), down.paths.returnPage(r))
			return
		}
		for _, a := range unusable {
			a.dropUnusableCookies(w, r)
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

// Auth returns the Auth whose session a request has, for [Auth.AccessToken] and similar
// methods. It is nil if ctx is not of a request behind [Providers.RequireLogin].
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

// Logout is [Auth.Logout] for the sessions with all of them. The browser is sent to the
// provider of the first session; open sessions at other providers stay open.
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
		_, err := a.endBrowserSession(w, r)
		if err != nil {
			a.fail(w, r, asError(err, ReasonStoreDown), a.paths.home)
			return
		}
	}
	first.Logout(w, r, opts...)
}

// Choices returns the ways to sign in and come back to the page returnTo of this site,
// for a menu or page of the app.
func (p *Providers) Choices(returnTo string) []ProviderChoice {
	choices := make([]ProviderChoice, len(p.auths))
	for i, a := range p.auths {
		choices[i] = ProviderChoice{a.displayName, a.paths.loginURL(a.paths.target(returnTo))}
	}
	return choices
}

// challenge answers a request that has no session but needs one.
func (p *Providers) challenge(w http.ResponseWriter, r *http.Request) {
	for _, a := range p.auths {
		if len(p.auths) == 1 || r.URL.Path == a.paths.callback {
			a.challenge(w, r, false)
			return
		}
	}
	choices := p.Choices(p.auths[0].paths.returnPage(r))
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
