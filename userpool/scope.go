package userpool

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/cognate-auth/cognate/userpool/internal/oauthscope"
	"github.com/cognate-auth/cognate/userpool/internal/text"
)

const (
	maxResourceServers = 1000
	maxServerScopes    = 100
)

var (
	// scopeName is the same without a slash (API reference, ResourceServerScopeType).
	scopeName = regexp.MustCompile(`^[\x21\x23-\x2E\x30-\x5B\x5D-\x7E]{1,256}$`)
	// serverName is that of the API reference, ResourceServerType.
	serverName = regexp.MustCompile(`^[\w\s+=,.@-]{0,256}$`)
)

// HasScope reports whether the scope is the pool's own or one of its resource
// servers'.
func (s *Settings) HasScope(scope string) bool {
	if oauthscope.System(scope) {
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

func checkResourceServers(s Settings) error {
	if len(s.ResourceServers) > maxResourceServers {
		return fmt.Errorf("ResourceServers: at most %d", maxResourceServers)
	}
	seen := map[string]bool{}
	for i, r := range s.ResourceServers {
		twice := seen[r.Identifier]
		seen[r.Identifier] = true
		switch {
		case !oauthscope.ValidToken(r.Identifier):
			return fmt.Errorf("ResourceServers[%d].Identifier: %q: expected 1 to 256 characters without "+
				"space, quote and backslash, such as https://api.example.com", i, text.Clip(r.Identifier))
		case twice:
			return fmt.Errorf("ResourceServers[%d].Identifier: %q is repeated", i, text.Clip(r.Identifier))
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
			return fmt.Errorf(
				"Scopes[%d].Name: %q: expected 1 to 256 characters without space, slash, quote and backslash",
				i, text.Clip(v.Name))
		case twice:
			return fmt.Errorf("Scopes[%d].Name: %q is repeated", i, text.Clip(v.Name))
		case len(r.Identifier)+1+len(v.Name) > 256:
			return fmt.Errorf("Scopes[%d].Name: with its resource server it has more than 256 characters", i)
		case len(v.Description) > 256:
			return fmt.Errorf("Scopes[%d].Description: expected at most 256 bytes", i)
		}
	}
	return nil
}
