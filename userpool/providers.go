package userpool

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/cognate-auth/cognate/userpool/internal/naming"
	"github.com/cognate-auth/cognate/userpool/internal/oauthscope"
	"github.com/cognate-auth/cognate/userpool/internal/redirect"
	"github.com/cognate-auth/cognate/userpool/internal/text"
)

// Limits of the API reference (CreateIdentityProvider) and the page "quotas".
const (
	maxProviders   = 300
	maxIdentifiers = 50
)

// The length is counted apart: of a class with so many letters, a regular expression that
// counts is a megabyte, at each start of a program.
var (
	providerName       = regexp.MustCompile(`^[^_\p{Z}][\p{L}\p{M}\p{S}\p{N}\p{P}]*$`)
	providerIdentifier = regexp.MustCompile(`^[\w\s+=.@-]{1,40}$`)
)

// checkProviders is the part of [CheckSettings] about identity providers.
func checkProviders(s Settings) error {
	if len(s.IdentityProviders) > maxProviders {
		return fmt.Errorf("%s: a pool has at most %d", "IdentityProviders", maxProviders)
	}
	names, identifiers := map[string]bool{}, map[string]bool{}
	for _, ip := range s.IdentityProviders {
		err := s.checkProvider(ip)
		if err != nil {
			return fmt.Errorf("IdentityProviders: %q: %w", text.Clip(ip.Name), err)
		}
		// User names begin with it, and they have no case.
		name := naming.Fold(ip.Name)
		if names[name] {
			return fmt.Errorf(
				"IdentityProviders: the name %q is repeated; upper and lower case are the same", text.Clip(ip.Name),
			)
		}
		names[name] = true
		for _, id := range ip.Identifiers {
			if identifiers[id] {
				return fmt.Errorf("IdentityProviders: %q: the identifier %q is repeated", text.Clip(ip.Name), id)
			}
			identifiers[id] = true
		}
	}
	return nil
}

func (s *Settings) checkProvider(ip IdentityProvider) error {
	switch {
	case utf8.RuneCountInString(ip.Name) > 32 || !providerName.MatchString(ip.Name):
		return errors.New("a name has 1 to 32 characters, no space, and no underscore first")
	case strings.EqualFold(ip.Name, ProviderCognito):
		return errors.New("that name means the pool itself; choose another")
	case len(ip.Identifiers) > maxIdentifiers:
		return fmt.Errorf("it has too many identifiers; expected at most %d", maxIdentifiers)
	}
	for _, id := range ip.Identifiers {
		if !providerIdentifier.MatchString(id) {
			return fmt.Errorf(
				"the identifier %q is not 1 to 40 letters, digits, spaces or one of _+=.@-", text.Clip(id),
			)
		}
	}
	err := s.checkMapping(ip)
	if err != nil {
		return err
	}
	switch ip.Type {
	case ProviderOIDC:
		return checkOIDC(ip)
	case ProviderSAML:
		if strings.TrimSpace(ip.Metadata) == "" {
			return errors.New("a SAML provider needs Metadata, the XML document itself")
		}
		return nil
	default:
		return fmt.Errorf("the type %q is unknown; expected %q or %q", text.Clip(ip.Type), ProviderOIDC, ProviderSAML)
	}
}

// checkMapping looks at the attributes; what claims there are, only the
// provider knows.
func (s *Settings) checkMapping(ip IdentityProvider) error {
	for attribute, claim := range ip.AttributeMapping {
		switch {
		case attribute == "username":
			if claim != "sub" && claim != "NameID" {
				return errors.New("AttributeMapping: username comes from sub (OIDC) or NameID (SAML) and nothing else")
			}
		case attribute == "sub" || !s.knows(attribute):
			return fmt.Errorf("AttributeMapping: there is no attribute %q; "+
				"expected a standard one, such as email, or custom:name", text.Clip(attribute))
		case claim == "" || len(claim) > MaxAttributeBytes:
			return fmt.Errorf("AttributeMapping: %s: the name of a claim has 1 to 2048 bytes", attribute)
		}
	}
	return nil
}

func checkOIDC(ip IdentityProvider) error {
	switch {
	case ip.ClientID == "":
		return errors.New("ClientID is missing: the provider gave it to the pool")
	case ip.ClientSecret == "":
		return errors.New(
			"ClientSecret is missing: the pool authenticates to the provider with it (client_secret_post)",
		)
	case ip.Scopes != "" && !slices.Contains(text.Fields(ip.Scopes), oauthscope.OpenID):
		return errors.New("openid is missing in Scopes: without it there is no ID token")
	}
	err := webURL("Issuer", ip.Issuer)
	if err != nil {
		return err
	}
	endpoints := []struct{ field, url string }{
		{"AuthorizeURL", ip.AuthorizeURL}, {"TokenURL", ip.TokenURL},
		{"UserInfoURL", ip.UserInfoURL}, {"JWKSURL", ip.JWKSURL},
	}
	own := slices.ContainsFunc(endpoints, func(e struct{ field, url string }) bool { return e.url != "" })
	for _, e := range endpoints {
		if own && e.url == "" {
			return fmt.Errorf("%s is missing: give all four endpoints, or none and they are found from Issuer", e.field)
		}
		if own {
			err = webURL(e.field, e.url)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func webURL(field, said string) error {
	u, err := url.Parse(said)
	web := err == nil && (u.Scheme == "https" || u.Scheme == "http") && u.Host != "" && u.User == nil &&
		u.Fragment == ""
	if !web || len(said) > redirect.MaxLength {
		if err == nil && u.User != nil { // there may be a password in it
			return fmt.Errorf("%s has a user name in it; expected an http or https URL without", field)
		}
		return fmt.Errorf("%s: %q is not an http or https URL", field, text.Clip(said))
	}
	return nil
}

// Provider returns the identity provider with this name.
func (s *Settings) Provider(name string) (IdentityProvider, bool) {
	for _, ip := range s.IdentityProviders {
		if ip.Name == name {
			return ip, true
		}
	}
	return IdentityProvider{}, false
}

// Supports reports whether people may sign in to the client at this provider:
// [ProviderCognito], which is the pool itself, or the name of another.
func (c Client) Supports(provider string) bool {
	if len(c.SupportedIdentityProviders) == 0 {
		return provider == ProviderCognito
	}
	return slices.Contains(c.SupportedIdentityProviders, provider)
}

// Providers are the names of the identity providers at which people may sign in
// to the client, in the order of the client's list, without the pool itself.
func (s *Settings) Providers(c Client) []string {
	all := s.ProvidersOf(c)
	return slices.DeleteFunc(all, func(name string) bool { return name == ProviderCognito })
}

// IdentityProvider returns the provider with this name, if people may sign in to
// the client there.
func (s *Settings) IdentityProvider(c Client, name string) (IdentityProvider, bool) {
	ip, ok := s.Provider(name)
	return ip, ok && c.Supports(name)
}

// ProvidersOf returns the client's identity providers that the pool has.
func (s *Settings) ProvidersOf(c Client) []string {
	var out []string
	for _, name := range c.SupportedIdentityProviders {
		if s.hasProvider(name) {
			out = append(out, name)
		}
	}
	return out
}
