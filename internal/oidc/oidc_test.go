package oidc_test

import (
	"net/http"
	"time"

	"github.com/cognate-auth/cognate/internal/fakeprovider"
	"github.com/cognate-auth/cognate/internal/gate"
	"github.com/cognate-auth/cognate/internal/oidc"
)

const (
	issuer   = "https://provider.test"
	audience = "https://api.test"
)

// patience is how long a document that is old is waited for.
const patience = time.Minute

// newProvider is the fake provider, as its relying parties see it.
func newProvider(p *fakeprovider.Provider) *oidc.Provider {
	provider := oidc.NewProvider(oidc.ProviderConfig{Issuer: p.Issuer, HTTPClient: p.HTTPClient, Now: p.Now})
	provider.SetGrace(patience)
	return provider
}

// newClient is the one client that the fake provider knows.
func newClient(p *fakeprovider.Provider) *oidc.Client {
	provider := newProvider(p)
	rules := oidc.TokenRules{Provider: provider, Algorithms: []string{"RS256"}, Skew: time.Minute, Now: p.Now}
	return &oidc.Client{
		Provider: provider, Verifier: oidc.NewVerifier(rules, fakeprovider.ClientID),
		ID: fakeprovider.ClientID, RedirectURL: "https://app.test/oidc_callback", Scopes: []string{"openid", "email"},
		Proofs: []*oidc.Proof{oidc.SecretInHeader(fakeprovider.ClientID, fakeprovider.ClientSecret)},
		Gate:   gate.New(p.Now), Now: p.Now,
	}
}

// newRules are those of a provider that is no more than a key set.
func newRules(now func() time.Time, algorithm string, set ...any) oidc.TokenRules {
	provider := oidc.NewProvider(oidc.ProviderConfig{
		Issuer: issuer, Endpoints: oidc.Endpoints{JWKS: issuer + "/keys"}, KeysOnly: true, Now: now,
		HTTPClient: &http.Client{Transport: fakeprovider.RoundTripFunc(func(*http.Request) (*http.Response, error) {
			return fakeprovider.JSONResponse(map[string]any{"keys": set}), nil
		})},
	})
	return oidc.TokenRules{Provider: provider, Algorithms: []string{algorithm}, Skew: time.Minute, Now: now}
}

// newVerifier verifies ID tokens that are signed with RS256 by one of a set of keys.
func newVerifier(now func() time.Time, set ...any) *oidc.Verifier {
	return oidc.NewVerifier(newRules(now, "RS256", set...), fakeprovider.ClientID)
}

// newAccessTokens accepts access tokens that are signed with one algorithm by one of a set of
// keys.
func newAccessTokens(now func() time.Time, algorithm string, set ...any) *oidc.AccessTokens {
	return oidc.NewAccessTokens(&oidc.AccessTokenIssuer{
		TokenRules: newRules(now, algorithm, set...), Audiences: []string{audience}, RememberFor: time.Minute,
	})
}
