package grants

import (
	"fmt"
	"slices"
	"strings"

	"github.com/cognate-auth/cognate/userpool"
	"github.com/cognate-auth/cognate/userpool/internal/oauthscope"
	"github.com/cognate-auth/cognate/userpool/internal/text"
)

// liveScopes leaves out the scopes whose resource server does not have them any
// more (developer guide, page "cognito-user-pools-define-resource-servers").
func (g *Grants) liveScopes(scopes []string) []string {
	s := g.core.Settings()
	if !slices.ContainsFunc(scopes, func(v string) bool { return !s.HasScope(v) }) {
		return scopes
	}
	return slices.DeleteFunc(slices.Clone(scopes), func(v string) bool { return !s.HasScope(v) })
}

// splitScopes returns the scopes of a request, each once.
func splitScopes(requested string) []string {
	var scopes []string
	for s := range strings.SplitSeq(requested, " ") {
		if s != "" && !slices.Contains(scopes, s) {
			scopes = append(scopes, s)
			if len(scopes) > oauthscope.Max {
				break // more than any client has: one of them will be refused
			}
		}
	}
	return scopes
}

// grantScopes decides which scopes a request gets. None asked for means all of
// the client's; one that the client may not have refuses the whole request, as
// Cognito was seen to do (its guide says otherwise on two pages).
func grantScopes(c userpool.Client, requested string) ([]string, error) {
	scopes := splitScopes(requested)
	for _, s := range scopes {
		if !slices.Contains(c.AllowedOAuthScopes, s) {
			return nil, &userpool.Error{
				Code: userpool.CodeInvalidRequest, Description: userpool.CodeInvalidScope, Hint: scopeHint(c, s),
			}
		}
	}
	if len(scopes) == 0 {
		return slices.Clone(c.AllowedOAuthScopes), nil
	}
	if !oauthscope.Complete(scopes) {
		return nil, &userpool.Error{
			Code: userpool.CodeInvalidRequest, Description: userpool.CodeInvalidScope,
			Hint: "the scopes email, phone and profile need openid: ask for it too",
		}
	}
	return scopes, nil
}

// scopeHint says what a client asked for, and what it may have.
func scopeHint(c userpool.Client, scope string) string {
	return fmt.Sprintf("scope %q is not among the allowed_oauth_scopes of client %q: %s; ask for less, or allow it",
		text.Clip(scope), c.ID, text.Clip(strings.Join(c.AllowedOAuthScopes, " ")))
}

// flowHint says which flow a client would need.
func flowHint(c userpool.Client, flow string) string {
	return fmt.Sprintf("flow %q is not among the allowed_oauth_flows of client %q: %s; allow it, or use one of these",
		flow, c.ID, strings.Join(c.AllowedOAuthFlows, " "))
}

// grantMachineScopes is grantScopes for client_credentials. The guide of today
// says that scopes which the client may not have are ignored, older ones that
// they are an error; Settings.IgnoreUnknownScopes chooses.
func (g *Grants) grantMachineScopes(c userpool.Client, requested string) ([]string, *userpool.Error) {
	scopes := splitScopes(requested)
	if len(scopes) == 0 {
		return c.AllowedOAuthScopes, nil
	}
	foreign := func(s string) bool { return !slices.Contains(c.AllowedOAuthScopes, s) }
	if g.core.Settings().IgnoreUnknownScopes {
		scopes = slices.DeleteFunc(scopes, foreign)
	}
	if i := slices.IndexFunc(scopes, foreign); i >= 0 {
		return nil, &userpool.Error{Code: userpool.CodeInvalidScope, Hint: scopeHint(c, scopes[i])}
	}
	if len(scopes) == 0 {
		return nil, &userpool.Error{Code: userpool.CodeInvalidScope, Hint: scopeHint(c, requested)}
	}
	return scopes, nil
}
