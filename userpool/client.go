package userpool

import (
	"slices"
	"time"
)

// Client is an app client. The fields have Cognito's names (CreateUserPoolClient).
type Client struct {
	ID   string // 1 to 128 of [A-Za-z0-9_+]; empty: Clients.Create picks 26 alphanumerics
	Name string // at most 128 characters; people see it on the sign-in page

	// Secret makes the client confidential: 24 to 64 of [A-Za-z0-9_+]. Empty
	// makes it public, unless GenerateSecret is set.
	Secret Secret
	// SecondSecret works as well as Secret, so that secrets can be replaced
	// without a gap. Only beside Secret, and different.
	SecondSecret Secret
	// GenerateSecret asks Clients.Create for a fresh Secret. It is not stored.
	GenerateSecret bool

	// CallbackURLs and LogoutURLs are at most 100 each and match exactly; see
	// [CheckRedirectURI] for their form.
	CallbackURLs, LogoutURLs []string
	// DefaultRedirectURI is one of CallbackURLs, used when a request names none.
	// Empty: the only callback URL, if there is just one.
	DefaultRedirectURI string

	// AllowedOAuthScopes are at most 50. Empty: openid, email, phone, profile.
	// The last three need openid. A client of FlowClientCredentials has scopes
	// of resource servers alone, and at least one.
	AllowedOAuthScopes []string
	// AllowedOAuthFlows are FlowCode and FlowImplicit, or FlowClientCredentials
	// alone, which needs a secret. Empty: FlowCode.
	AllowedOAuthFlows []string

	// SupportedIdentityProviders are ProviderCognito and names of the pool's
	// identity providers. Empty: ProviderCognito.
	SupportedIdentityProviders []string
	// ExplicitAuthFlows are Cognito's ALLOW_ names; ALLOW_USER_AUTH lets people
	// choose how to sign in (Settings.FirstFactors).
	ExplicitAuthFlows []string
	// ReadAttributes and WriteAttributes are what the client may see and change
	// of its users. Empty: all. Whether an address is verified is never
	// written; what sign-up requires must be.
	ReadAttributes, WriteAttributes []string
	// RevealUserExistence tells apart names that nobody has
	// (PreventUserExistenceErrors LEGACY).
	RevealUserExistence bool
	// DisableRevocation is EnableTokenRevocation, inverted: tokens have neither
	// jti nor origin_jti, and revoking one is invalid_request.
	DisableRevocation bool
	// Branding is how the pages look.
	Branding Branding

	// AccessTokenValidity and IDTokenValidity are 5 minutes to 24 hours. Zero: 1 hour.
	AccessTokenValidity, IDTokenValidity time.Duration
	// RefreshTokenValidity is 1 hour to 3650 days. Zero: 30 days.
	RefreshTokenValidity time.Duration
	// RefreshTokenRotation is off by default: a refresh token stays the same.
	RefreshTokenRotation RefreshTokenRotation

	Version int64 // counted up by the store
}

// The OAuth flows of a client (AllowedOAuthFlows).
const (
	FlowCode              = "code"
	FlowImplicit          = "implicit"
	FlowClientCredentials = "client_credentials"
)

// ProviderCognito is the pool itself, among identity providers.
const ProviderCognito = "COGNITO"

// Branding is how the sign-in pages look for one client.
type Branding struct {
	// Logo is a PNG, JPEG or SVG image of at most 100 KB, and LogoAlt says what
	// it shows; empty: our own mark.
	Logo    []byte
	LogoAlt string
	// Primary is the colour of buttons and links, and Background that of the
	// page, as in #0a6cff; empty: our own. DarkPrimary and DarkBackground are
	// those of the dark theme; without them it has Primary, as light as it takes
	// to read it there, and our own background. [Branding.HardToRead] says which
	// colours the pages can't use for text.
	Primary, Background, DarkPrimary, DarkBackground string
	// CSS is added to the page's style sheet: at most 64 KB.
	CSS string
}

// RefreshTokenRotation says that every refresh brings a new refresh token, which
// ends when the first one would have ended (RefreshTokenRotationType).
type RefreshTokenRotation struct {
	Enabled bool // Cognito's Feature: ENABLED
	// RetryGracePeriod is how long the token before can still be used, for an
	// app that lost the answer: whole seconds, at most 60. Zero: not at all.
	RetryGracePeriod time.Duration
}

// Clone returns a copy that shares no memory with c.
func (c Client) Clone() Client {
	c.CallbackURLs = slices.Clone(c.CallbackURLs)
	c.LogoutURLs = slices.Clone(c.LogoutURLs)
	c.AllowedOAuthScopes = slices.Clone(c.AllowedOAuthScopes)
	c.AllowedOAuthFlows = slices.Clone(c.AllowedOAuthFlows)
	c.SupportedIdentityProviders = slices.Clone(c.SupportedIdentityProviders)
	c.ExplicitAuthFlows = slices.Clone(c.ExplicitAuthFlows)
	c.ReadAttributes = slices.Clone(c.ReadAttributes)
	c.WriteAttributes = slices.Clone(c.WriteAttributes)
	c.Branding.Logo = slices.Clone(c.Branding.Logo)
	return c
}

// AllowsFlow reports whether the client has this one of AllowedOAuthFlows.
func (c Client) AllowsFlow(flow string) bool { return slices.Contains(c.AllowedOAuthFlows, flow) }

// ChoosesFactor reports whether people who sign in at the client give their name
// alone, and then choose how to sign in.
func (c Client) ChoosesFactor() bool { return slices.Contains(c.ExplicitAuthFlows, "ALLOW_USER_AUTH") }

// CanRead reports whether the client may see this attribute of its users.
func (c Client) CanRead(attribute string) bool {
	return len(c.ReadAttributes) == 0 || slices.Contains(c.ReadAttributes, attribute)
}

// CanWrite reports whether people may set this attribute through the client.
func (c Client) CanWrite(attribute string) bool {
	return !IsVerifiedFlag(attribute) && (len(c.WriteAttributes) == 0 || slices.Contains(c.WriteAttributes, attribute))
}

// HasSecret compares with both secrets, whichever it is.
func (c Client) HasSecret(s Secret) bool {
	first, second := c.Secret.Equal(s), c.SecondSecret.Equal(s)
	return first || second
}

// CarriesJTI reports whether tokens can be told apart, which revocation and
// rotation need.
func (c Client) CarriesJTI() bool { return !c.DisableRevocation || c.RefreshTokenRotation.Enabled }
