package hosted

import (
	"maps"

	"github.com/cognate-auth/cognate/userpool"
)

// providers is what the partial "providers" shows; the view of a page with the
// ways to sign in embeds it.
type providers struct {
	Providers []providerLink
	Local     bool // people can sign in here too
}

// providerLink leads to another identity provider.
type providerLink struct{ Name, URL string }

// providersOf are those of the client, each with the same authorization request,
// straight to it.
func providersOf(v *visit) providers {
	out := providers{Local: v.auth.Client.Supports(userpool.ProviderCognito)}
	q := maps.Clone(v.query)
	q.Del("idp_identifier")
	for _, name := range v.h.Pool.Settings().Providers(v.auth.Client) {
		q.Set("identity_provider", name)
		out.Providers = append(out.Providers, providerLink{name, v.h.BaseURL + "/oauth2/authorize?" + q.Encode()})
	}
	return out
}
