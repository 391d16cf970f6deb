package federation_test

import (
	"strings"
	"testing"

	"github.com/cognate-auth/cognate/userpool"
)

// TestProviderBelowLocalhost signs in at a provider of this machine that has a name
// of its own, such as a second local pool: not every resolver knows it.
func TestProviderBelowLocalhost(t *testing.T) {
	t.Parallel()
	e := newEnv(t, func(s *userpool.Settings, p *rogue) {
		p.url = strings.Replace(p.url, "127.0.0.1", "corp.localhost", 1)
		p.claims["iss"] = p.url
		s.IdentityProviders[0].Issuer = p.url
	})
	if to := e.signIn(t); to.Query().Get("code") == "" {
		t.Errorf("the app gets %s; log:\n%s", to.RawQuery, e.logs)
	}
}
