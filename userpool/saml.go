package userpool

import (
	"context"
	"time"
)

// SAML speaks SAML 2.0 (OASIS, "Profiles", section 4.1, web browser SSO, and
// 4.4, single logout) with the identity providers of type [ProviderSAML]. It
// keeps nothing and decides nothing but whether a message is genuine and meant
// for this pool now. Its methods are safe for concurrent use. Their errors are
// for the log: they say what was wrong with a message and repeat none of it.
type SAML interface {
	// CheckProvider reports what is wrong with the metadata of a provider.
	CheckProvider(ip IdentityProvider) error
	// SignIn returns where to send a browser so that its person signs in at the
	// provider, and comes back with this relay state in answer to the message id.
	SignIn(
		ctx context.Context, sp ServiceProvider, ip IdentityProvider, id, relayState string,
	) (location string, err error)
	// Read checks a response, as it was posted, in base64. inResponseTo is the id
	// of the message that it must answer; empty: it must answer none.
	Read(ctx context.Context, sp ServiceProvider, ip IdentityProvider, response, inResponseTo string) (Assertion, error)
	// Issuer returns the entity ID of who claims to have made a response, which
	// proves nothing.
	Issuer(response string) (entityID string, err error)
	// IsIssuer reports whether the provider's metadata has this entity ID.
	IsIssuer(ip IdentityProvider, entityID string) bool
	// SignOut returns where to send a browser so that a session ends at the
	// provider too; empty: the provider has no such address. session is that of
	// a [Profile].
	SignOut(
		ctx context.Context, sp ServiceProvider, ip IdentityProvider, id, relayState, session string,
	) (location string, err error)
	// Metadata describes the service provider to the administrators of others, as XML.
	Metadata(sp ServiceProvider) ([]byte, error)
}

// ServiceProvider is what this pool is to SAML providers.
type ServiceProvider struct {
	EntityID string // urn:amazon:cognito:sp:<poolId>
	ACS      string // where responses are posted: <domain>/saml2/idpresponse
	Logout   string // where answers to a logout are posted: <domain>/saml2/logout
	Now      time.Time
}

// Assertion is what a genuine response says.
type Assertion struct {
	ID      string
	Profile Profile
	Until   time.Time // from when on it would be refused anyway
}

// SAMLProviders are those of the identity providers, in their order.
func (s *Settings) SAMLProviders() []IdentityProvider {
	var out []IdentityProvider
	for _, ip := range s.IdentityProviders {
		if ip.Type == ProviderSAML {
			out = append(out, ip)
		}
	}
	return out
}
