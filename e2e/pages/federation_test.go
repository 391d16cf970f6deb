package pages

import (
	"testing"

	"github.com/cognate-auth/cognate/cognatetest"
	"github.com/cognate-auth/cognate/userpool"
)

// otherProvider signs in at another pool, which is the first pool's identity provider.
func otherProvider(t *testing.T) (*site, func(*person)) {
	t.Helper()
	const secret = "of_one_pool_at_the_other_one"
	corp := cognatetest.New(t)
	corp.AddUser(userpool.NewUser{Username: "ann", Password: password})
	s := newSite(t, userpool.Settings{IdentityProviders: []userpool.IdentityProvider{{
		Name: "Corp", Type: userpool.ProviderOIDC, ClientID: "pool", ClientSecret: secret, Issuer: corp.Issuer,
	}}}, userpool.Client{SupportedIdentityProviders: []string{"COGNITO", "Corp"}})
	corp.AddClient(userpool.Client{
		ID: "pool", Name: "the first pool", Secret: secret, CallbackURLs: []string{s.URL + "/oauth2/idpresponse"},
	})
	return s, func(p *person) {
		p.sees("Sign in")
		p.presses("Continue with Corp")
		p.tab.WaitForText("the first pool")
		p.fills("Username", "ann")
		p.fills("Password", password)
		p.presses("Sign in")
		p.tab.WaitForText("It got a code.")
	}
}
