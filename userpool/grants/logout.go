package grants

import (
	"context"
	"net/url"
	"slices"
	"strings"

	"github.com/cognate-auth/cognate/userpool"
)

// CheckLogout checks a request to leave: the client's id and one of its
// registered logout URLs, exactly. The error is a [*userpool.PageError].
func (g *Grants) CheckLogout(ctx context.Context, q url.Values) (logoutURI string, err error) {
	c, err := g.requestClient(ctx, q)
	if err != nil {
		return "", err
	}
	uri := q.Get("logout_uri")
	switch {
	case len(q["logout_uri"]) > 1:
		return "", &userpool.PageError{Code: userpool.CodeInvalidRequest, ClientID: c.ID, Hint: "send logout_uri once"}
	case !slices.Contains(c.LogoutURLs, uri):
		return "", mismatch("logout_uri", uri, c.ID, c.LogoutURLs)
	}
	return uri, nil
}

// CheckSwitch checks a request to leave and to sign in again, and returns the
// parameters for the sign-in page: those of q, with all scopes of the client
// where q names none. The error is a [*userpool.PageError]; what else may be wrong with
// the request is for the sign-in page to find.
func (g *Grants) CheckSwitch(ctx context.Context, q url.Values) (url.Values, error) {
	c, err := g.requestClient(ctx, q)
	if err != nil {
		return nil, err
	}
	// Leaving has no default redirect URI: without one, logout_uri was forgotten.
	if q.Get("redirect_uri") == "" {
		const hint = "send logout_uri or redirect_uri"
		return nil, &userpool.PageError{Code: userpool.PageRedirectURIMissing, ClientID: c.ID, Hint: hint}
	}
	err = (&Authorization{Client: c}).setRedirectURI(q, false)
	if err != nil {
		return nil, err
	}
	out := url.Values{}
	for name, values := range q {
		out[name] = slices.Clone(values)
	}
	if out.Get("scope") == "" && len(out["scope"]) <= 1 {
		out.Set("scope", strings.Join(c.AllowedOAuthScopes, " "))
	}
	return out, nil
}
