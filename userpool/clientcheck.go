package userpool

import (
	"fmt"
	"regexp"
	"slices"
	"time"
	"unicode/utf8"

	"github.com/cognate-auth/cognate/userpool/internal/oauthscope"
	"github.com/cognate-auth/cognate/userpool/internal/text"
)

var (
	clientID     = regexp.MustCompile(`^[\w+]{1,128}$`)
	clientSecret = regexp.MustCompile(`^[\w+]{24,64}$`)
	// The length of a name is counted apart, see providerName.
	clientName = regexp.MustCompile(`^[\p{L}\p{M}\p{S}\p{N}\p{P} ]*$`)
)

const (
	maxURLs = 100
	// More attributes than a pool can have.
	maxClientAttributes = 100
)

// explicitAuthFlows are the values of Client.ExplicitAuthFlows (API reference,
// CreateUserPoolClient).
var explicitAuthFlows = []string{
	"ALLOW_ADMIN_USER_PASSWORD_AUTH", "ALLOW_CUSTOM_AUTH", "ALLOW_REFRESH_TOKEN_AUTH", "ALLOW_USER_AUTH",
	"ALLOW_USER_PASSWORD_AUTH", "ALLOW_USER_SRP_AUTH", "ALLOW_CLIENT_TOKEN_AUTH",
}

// CheckClient checks c as accounts.Clients.Create does, as far as that needs no
// pool: what breaks a rule is an [*Error] whose description says what was
// expected.
func CheckClient(c Client) error {
	c = c.Clone().WithDefaults()
	for _, check := range []func(Client) error{
		checkClientNames, checkClientSecrets, checkClientURLs, checkClientFlows, checkClientScopes,
		checkClientLists, checkValidity, checkBranding,
	} {
		err := check(c)
		if err != nil {
			return err
		}
	}
	return nil
}

// CheckClientOf checks c as accounts.Clients.Create of a pool with these settings
// does: scopes, identity providers and attributes must be those of the
// settings. What breaks a rule is an [*Error].
func CheckClientOf(s Settings, c Client) error {
	c = c.Clone().WithDefaults()
	err := CheckClient(c)
	if err != nil {
		return err
	}
	for _, scope := range c.AllowedOAuthScopes {
		if !s.HasScope(scope) {
			return InvalidParameter(
				fmt.Sprintf("the scope %q belongs to no resource server of the pool", text.Clip(scope)),
			)
		}
	}
	for _, name := range c.SupportedIdentityProviders {
		if !s.hasProvider(name) {
			return InvalidParameter(fmt.Sprintf("the pool has no identity provider %q", text.Clip(name)))
		}
	}
	return checkClientAttributes(c, &s)
}

// WithDefaults returns the client with what is empty filled in.
func (c Client) WithDefaults() Client {
	if c.ID == "" {
		c.ID = newClientID()
	}
	if len(c.AllowedOAuthFlows) == 0 {
		c.AllowedOAuthFlows = []string{FlowCode}
	}
	if len(c.AllowedOAuthScopes) == 0 && !c.AllowsFlow(FlowClientCredentials) {
		c.AllowedOAuthScopes = []string{oauthscope.OpenID, oauthscope.Email, oauthscope.Phone, oauthscope.Profile}
	}
	if len(c.SupportedIdentityProviders) == 0 {
		c.SupportedIdentityProviders = []string{ProviderCognito}
	}
	if c.AccessTokenValidity == 0 {
		c.AccessTokenValidity = time.Hour
	}
	if c.IDTokenValidity == 0 {
		c.IDTokenValidity = time.Hour
	}
	if c.RefreshTokenValidity == 0 {
		c.RefreshTokenValidity = 30 * 24 * time.Hour
	}
	return c
}

func checkClientNames(c Client) error {
	switch {
	case !clientID.MatchString(c.ID):
		return InvalidParameter("a client ID has 1 to 128 letters, digits, _ or +")
	case utf8.RuneCountInString(c.Name) > 128 || !clientName.MatchString(c.Name):
		return InvalidParameter("a client name has at most 128 printable characters")
	}
	return nil
}

func checkClientSecrets(c Client) error {
	for _, s := range []Secret{c.Secret, c.SecondSecret} {
		if s != "" && !clientSecret.MatchString(string(s)) {
			return InvalidParameter("a client secret has 24 to 64 letters, digits, _ or +")
		}
	}
	switch {
	case c.Secret != "" && c.GenerateSecret:
		return InvalidParameter("a client has a given or a generated secret, not both")
	case c.SecondSecret != "" && c.Secret == "":
		return InvalidParameter("a client has a second secret only beside a first one")
	case c.SecondSecret.Equal(c.Secret):
		return InvalidParameter("the two secrets of a client must differ")
	}
	return nil
}

func checkClientURLs(c Client) error {
	if len(c.CallbackURLs) > maxURLs || len(c.LogoutURLs) > maxURLs {
		return InvalidParameter("a client has at most 100 callback and 100 logout URLs")
	}
	for _, u := range slices.Concat(c.CallbackURLs, c.LogoutURLs) {
		err := CheckRedirectURI(u)
		if err != nil {
			return err
		}
	}
	if c.DefaultRedirectURI != "" && !slices.Contains(c.CallbackURLs, c.DefaultRedirectURI) {
		return InvalidParameter("the default redirect URI must be one of the callback URLs")
	}
	return nil
}

func checkClientFlows(c Client) error {
	if s, ok := stray(c.AllowedOAuthFlows, FlowCode, FlowImplicit, FlowClientCredentials); ok {
		return InvalidParameter(fmt.Sprintf("the OAuth flow %q is unknown or repeated; known are code, implicit and "+
			"client_credentials", text.Clip(s)))
	}
	switch {
	case !c.AllowsFlow(FlowClientCredentials):
		return nil
	case len(c.AllowedOAuthFlows) > 1:
		return InvalidParameter(
			"the OAuth flow client_credentials stands alone: the client is a program, not a person's app",
		)
	case c.Secret == "" && !c.GenerateSecret:
		return InvalidParameter("the OAuth flow client_credentials needs a client secret")
	}
	return nil
}

// stray returns the first word of the list that is not known, or comes twice.
func stray(list []string, known ...string) (word string, ok bool) {
	for i, s := range list {
		if !slices.Contains(known, s) || slices.Contains(list[:i], s) {
			return s, true
		}
	}
	return "", false
}

func checkClientScopes(c Client) error {
	if len(c.AllowedOAuthScopes) > oauthscope.Max {
		return InvalidParameter("a client has at most 50 scopes")
	}
	for i, s := range c.AllowedOAuthScopes {
		if !oauthscope.Valid(s) || slices.Contains(c.AllowedOAuthScopes[:i], s) {
			return InvalidParameter(fmt.Sprintf("the scope %q is unknown or repeated", text.Clip(s)))
		}
	}
	if c.AllowsFlow(FlowClientCredentials) {
		return checkMachineScopes(c.AllowedOAuthScopes)
	}
	if !oauthscope.Complete(c.AllowedOAuthScopes) {
		return InvalidParameter("the scopes email, phone and profile need openid")
	}
	return nil
}

// checkMachineScopes leaves out what is about a person.
func checkMachineScopes(scopes []string) error {
	if len(scopes) == 0 || slices.ContainsFunc(scopes, oauthscope.System) {
		return InvalidParameter("the OAuth flow client_credentials needs scopes of resource servers, and no others")
	}
	return nil
}

func checkClientLists(c Client) error {
	if s, ok := stray(c.ExplicitAuthFlows, explicitAuthFlows...); ok {
		return InvalidParameter(fmt.Sprintf("the authentication flow %q is unknown or repeated", text.Clip(s)))
	}
	if len(c.SupportedIdentityProviders) > maxProviders+1 {
		return InvalidParameter(fmt.Sprintf("a client has at most %d identity providers", maxProviders+1))
	}
	for i, s := range c.SupportedIdentityProviders {
		if s == "" || len(s) > 128 || slices.Contains(c.SupportedIdentityProviders[:i], s) {
			return InvalidParameter(fmt.Sprintf("the identity provider %q is no name or repeated", text.Clip(s)))
		}
	}
	for _, list := range [][]string{c.ReadAttributes, c.WriteAttributes} {
		if len(list) > maxClientAttributes {
			return InvalidParameter(fmt.Sprintf("a client reads or writes at most %d attributes", maxClientAttributes))
		}
		for i, name := range list {
			if !knownAttribute(name) || slices.Contains(list[:i], name) {
				return InvalidParameter(fmt.Sprintf("the attribute %q is unknown or repeated", text.Clip(name)))
			}
		}
	}
	if slices.ContainsFunc(c.WriteAttributes, IsVerifiedFlag) {
		return InvalidParameter("email_verified and phone_number_verified cannot be written by a client")
	}
	return nil
}

func knownAttribute(name string) bool {
	return name == "identities" || isStandard(name) || isCustom(name)
}

// checkClientAttributes holds the client's attributes to the pool's schema.
func checkClientAttributes(c Client, s *Settings) error {
	for _, name := range slices.Concat(c.ReadAttributes, c.WriteAttributes) {
		if _, known := s.Attribute(name); !known && name != "identities" {
			return InvalidParameter(fmt.Sprintf("the pool has no attribute %q", text.Clip(name)))
		}
	}
	for _, name := range s.Required() {
		if !c.CanWrite(name) {
			return InvalidParameter(fmt.Sprintf(
				"the attribute %q is required at sign-up, so the client must be able to write it", text.Clip(name)))
		}
	}
	return nil
}

// hasProvider reports whether people can sign in with the provider of this name.
func (s *Settings) hasProvider(name string) bool {
	_, other := s.Provider(name)
	return other || name == ProviderCognito
}

func checkValidity(c Client) error {
	const day = 24 * time.Hour
	between := func(d, least, most time.Duration) bool {
		return d >= least && d <= most && d%time.Second == 0
	}
	switch {
	case !between(c.AccessTokenValidity, 5*time.Minute, day), !between(c.IDTokenValidity, 5*time.Minute, day):
		return InvalidParameter("access and ID tokens are valid for 5 minutes to 24 hours, in whole seconds")
	case !between(c.RefreshTokenValidity, time.Hour, 3650*day):
		return InvalidParameter("refresh tokens are valid for 1 hour to 3650 days, in whole seconds")
	case !between(c.RefreshTokenRotation.RetryGracePeriod, 0, MaxGrace):
		return InvalidParameter("the retry grace period of rotated refresh tokens is 0 to 60 seconds, in whole seconds")
	}
	return nil
}

// MaxGrace is the longest grace period of a client (API reference,
// RefreshTokenRotationType).
const MaxGrace = time.Minute
