package userpool

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/cognate-auth/cognate/userpool/internal/text"
)

// Scopes of the pool itself. Every other scope has the form
// <resource server>/<name>.
const (
	scopeOpenID  = "openid"
	scopeEmail   = "email"
	scopePhone   = "phone"
	scopeProfile = "profile"
	scopeAdmin   = "aws.cognito.signin.user.admin"
)

const (
	maxResourceServers = 1000
	maxServerScopes    = 100
)

var (
	// scopeToken is the scope-token of RFC 6749 section 3.3.
	scopeToken = regexp.MustCompile(`^[\x21\x23-\x5B\x5D-\x7E]{1,256}$`)
	// scopeName is the same without a slash (API reference, ResourceServerScopeType).
	scopeName = regexp.MustCompile(`^[\x21\x23-\x2E\x30-\x5B\x5D-\x7E]{1,256}$`)
	// serverName is that of the API reference, ResourceServerType.
	serverName = regexp.MustCompile(`^[\w\s+=,.@-]{0,256}$`)
)

// validScopeToken reports whether s can be a scope, of whatever form.
func validScopeToken(s string) bool { return scopeToken.MatchString(s) }

func systemScope(s string) bool {
	switch s {
	case scopeOpenID, scopeEmail, scopePhone, scopeProfile, scopeAdmin:
		return true
	}
	return false
}

func validScope(s string) bool {
	if systemScope(s) {
		return true
	}
	slash := strings.LastIndexByte(s, '/')
	return slash > 0 && slash < len(s)-1 && scopeToken.MatchString(s)
}

// openIDComplete reports whether the scopes that only make sense for an ID
// token come with openid.
func openIDComplete(scopes []string) bool {
	return slices.Contains(scopes, scopeOpenID) || !slices.ContainsFunc(scopes, func(s string) bool {
		return s == scopeEmail || s == scopePhone || s == scopeProfile
	})
}

// hasScope reports whether the scope is the pool's own or one of its resource
// servers'.
func (s *Settings) hasScope(scope string) bool {
	if systemScope(scope) {
		return true
	}
	slash := strings.LastIndexByte(scope, '/') // an identifier may hold slashes, a name none
	if slash < 0 {
		return false
	}
	server, name := scope[:slash], scope[slash+1:]
	return slices.ContainsFunc(s.ResourceServers, func(r ResourceServer) bool {
		return r.Identifier == server && slices.ContainsFunc(r.Scopes, func(v ResourceServerScope) bool {
			return v.Name == name
		})
	})
}

// liveScopes leaves out the scopes whose resource server does not have them any
// more (developer guide, page "cognito-user-pools-define-resource-servers").
func (p *Pool) liveScopes(scopes []string) []string {
	s := p.Settings()
	if !slices.ContainsFunc(scopes, func(v string) bool { return !s.hasScope(v) }) {
		return scopes
	}
	return slices.DeleteFunc(slices.Clone(scopes), func(v string) bool { return !s.hasScope(v) })
}

// spaced returns the values of a list that has spaces in between, such as prompt. No other
// blank separates values (RFC 6749 section 3.3; OpenID Connect Core section 3.1.2.1).
func spaced(list string) []string {
	return strings.FieldsFunc(list, func(r rune) bool { return r == ' ' })
}

// splitScopes returns the scopes of a request, each once.
func splitScopes(requested string) []string {
	var scopes []string
	for s := range strings.SplitSeq(requested, " ") {
		if s != "" && !slices.Contains(scopes, s) {
			scopes = append(scopes, s)
			if len(scopes) > maxScopes {
				break // more than any client has: one of them will be refused
			}
		}
	}
	return scopes
}

// grantScopes decides which scopes a request gets. None asked for means all of
// the client's; one that the client may not have refuses the whole request, as
// Cognito was seen to do (its guide says otherwise on two pages).
func grantScopes(c Client, requested string) ([]string, error) {
	scopes := splitScopes(requested)
	for _, s := range scopes {
		if !slices.Contains(c.AllowedOAuthScopes, s) {
			return nil, &Error{Code: CodeInvalidRequest, Description: CodeInvalidScope}
		}
	}
	if len(scopes) == 0 {
		return slices.Clone(c.AllowedOAuthScopes), nil
	}
	if !openIDComplete(scopes) {
		return nil, &Error{Code: CodeInvalidRequest, Description: CodeInvalidScope}
	}
	return scopes, nil
}

// grantMachineScopes is grantScopes for client_credentials. The guide of today
// says that scopes which the client may not have are ignored, older ones that
// they are an error; Settings.IgnoreUnknownScopes chooses.
func (p *Pool) grantMachineScopes(c Client, requested string) ([]string, error) {
	scopes := splitScopes(requested)
	if len(scopes) == 0 {
		return c.AllowedOAuthScopes, nil
	}
	foreign := func(s string) bool { return !slices.Contains(c.AllowedOAuthScopes, s) }
	if p.Settings().IgnoreUnknownScopes {
		scopes = slices.DeleteFunc(scopes, foreign)
	}
	if len(scopes) == 0 || slices.ContainsFunc(scopes, foreign) {
		return nil, &Error{Code: CodeInvalidScope}
	}
	return scopes, nil
}

func checkResourceServers(s Settings) error {
	if len(s.ResourceServers) > maxResourceServers {
		return fmt.Errorf("ResourceServers: at most %d", maxResourceServers)
	}
	seen := map[string]bool{}
	for i, r := range s.ResourceServers {
		twice := seen[r.Identifier]
		seen[r.Identifier] = true
		switch {
		case !scopeToken.MatchString(r.Identifier):
			return fmt.Errorf("ResourceServers[%d].Identifier: %q: expected 1 to 256 characters without "+
				"space, quote and backslash, such as https://api.example.com", i, text.Clip(r.Identifier))
		case twice:
			return fmt.Errorf("ResourceServers[%d].Identifier: %q is there already", i, text.Clip(r.Identifier))
		case !serverName.MatchString(r.Name):
			return fmt.Errorf("ResourceServers[%d].Name: expected at most 256 letters, digits, spaces or +=,.@-", i)
		}
		err := checkServerScopes(r)
		if err != nil {
			return fmt.Errorf("ResourceServers[%d].%w", i, err)
		}
	}
	return nil
}

func checkServerScopes(r ResourceServer) error {
	if len(r.Scopes) > maxServerScopes {
		return fmt.Errorf("%s: at most %d", "Scopes", maxServerScopes)
	}
	seen := map[string]bool{}
	for i, v := range r.Scopes {
		twice := seen[v.Name]
		seen[v.Name] = true
		switch {
		case !scopeName.MatchString(v.Name):
			return fmt.Errorf("Scopes[%d].Name: %q: expected 1 to 256 characters without space, slash, quote and backslash",
				i, text.Clip(v.Name))
		case twice:
			return fmt.Errorf("Scopes[%d].Name: %q is there already", i, text.Clip(v.Name))
		case len(r.Identifier)+1+len(v.Name) > 256:
			return fmt.Errorf("Scopes[%d].Name: with its resource server it has more than 256 characters", i)
		case len(v.Description) > 256:
			return fmt.Errorf("Scopes[%d].Description: expected at most 256 bytes", i)
		}
	}
	return nil
}
