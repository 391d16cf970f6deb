package userpool

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Client is an app client. The fields have Cognito's names (CreateUserPoolClient).
type Client struct {
	ID   string // 1 to 128 of [A-Za-z0-9_+]; empty: CreateClient picks 26 alphanumerics
	Name string // at most 128 characters; people see it on the sign-in page

	// Secret makes the client confidential: 24 to 64 of [A-Za-z0-9_+]. Empty
	// makes it public, unless GenerateSecret is set.
	Secret Secret
	// SecondSecret works as well as Secret, so that secrets can be replaced
	// without a gap. Only beside Secret, and different.
	SecondSecret Secret
	// GenerateSecret asks CreateClient for a fresh Secret. It is not stored.
	GenerateSecret bool

	// CallbackURLs and LogoutURLs are at most 100 each and match exactly; see
	// [CheckRedirectURI] for their form.
	CallbackURLs, LogoutURLs []string
	// DefaultRedirectURI is one of CallbackURLs, used when a request names none.
	// Empty: the only callback URL, if there is just one.
	DefaultRedirectURI string

	// AllowedOAuthScopes are at most 50. Empty: openid, email, phone, profile.
	// The last three need openid.
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
	// of its users. Empty: all.
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
	// those of the dark theme.
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

var (
	clientID     = regexp.MustCompile(`^[\w+]{1,128}$`)
	clientSecret = regexp.MustCompile(`^[\w+]{24,64}$`)
	clientName   = regexp.MustCompile(`^[\p{L}\p{M}\p{S}\p{N}\p{P} ]{0,128}$`)
)

const (
	maxURLs   = 100
	maxScopes = 50
)

// CreateClient checks c, fills in what is empty, stores it and returns it, with
// its secret. What breaks a rule is an [*Error]; an ID that is taken is
// [ErrExists].
func (p *Pool) CreateClient(ctx context.Context, c Client) (Client, error) {
	c = withClientDefaults(c.Clone())
	err := CheckClient(c)
	if err != nil {
		return Client{}, err
	}
	if c.GenerateSecret {
		c.Secret, c.GenerateSecret = newClientSecret(), false
	}
	err = p.store.CreateClient(ctx, p.id, c)
	if err != nil {
		return Client{}, fmt.Errorf("userpool: creating client: %w", err)
	}
	c.Version = 1
	return c, nil
}

// CheckClient checks c as [Pool.CreateClient] does: what breaks a rule is an
// [*Error] whose description says what was expected.
func CheckClient(c Client) error {
	c = withClientDefaults(c.Clone())
	for _, check := range []func(Client) error{
		checkClientNames, checkClientURLs, checkClientOAuth, checkValidity, checkBranding,
	} {
		err := check(c)
		if err != nil {
			return err
		}
	}
	return nil
}

func withClientDefaults(c Client) Client {
	if c.ID == "" {
		c.ID = newClientID()
	}
	if len(c.AllowedOAuthScopes) == 0 {
		c.AllowedOAuthScopes = []string{scopeOpenID, scopeEmail, scopePhone, scopeProfile}
	}
	if len(c.AllowedOAuthFlows) == 0 {
		c.AllowedOAuthFlows = []string{FlowCode}
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
		return invalid("a client ID has 1 to 128 letters, digits, _ or +")
	case !clientName.MatchString(c.Name):
		return invalid("a client name has at most 128 printable characters")
	case c.Secret != "" && c.GenerateSecret:
		return invalid("a client has a given or a generated secret, not both")
	case c.Secret != "" && !clientSecret.MatchString(string(c.Secret)):
		return invalid("a client secret has 24 to 64 letters, digits, _ or +")
	}
	return nil
}

func checkClientURLs(c Client) error {
	if len(c.CallbackURLs) > maxURLs || len(c.LogoutURLs) > maxURLs {
		return invalid("a client has at most 100 callback and 100 logout URLs")
	}
	for _, u := range slices.Concat(c.CallbackURLs, c.LogoutURLs) {
		err := CheckRedirectURI(u)
		if err != nil {
			return err
		}
	}
	if c.DefaultRedirectURI != "" && !slices.Contains(c.CallbackURLs, c.DefaultRedirectURI) {
		return invalid("the default redirect URI must be one of the callback URLs")
	}
	return nil
}

func checkClientOAuth(c Client) error {
	if !slices.Equal(c.AllowedOAuthFlows, []string{FlowCode}) {
		return invalid(`the only supported OAuth flow is "code"`)
	}
	if len(c.AllowedOAuthScopes) > maxScopes {
		return invalid("a client has at most 50 scopes")
	}
	for i, s := range c.AllowedOAuthScopes {
		if !validScope(s) || slices.Contains(c.AllowedOAuthScopes[:i], s) {
			return invalid(fmt.Sprintf("the scope %q is unknown or repeated", clip(s)))
		}
	}
	if !openIDComplete(c.AllowedOAuthScopes) {
		return invalid("the scopes email, phone and profile need openid")
	}
	return nil
}

func checkValidity(c Client) error {
	const day = 24 * time.Hour
	between := func(d, least, most time.Duration) bool {
		return d >= least && d <= most && d%time.Second == 0
	}
	switch {
	case !between(c.AccessTokenValidity, 5*time.Minute, day), !between(c.IDTokenValidity, 5*time.Minute, day):
		return invalid("access and ID tokens are valid for 5 minutes to 24 hours, in whole seconds")
	case !between(c.RefreshTokenValidity, time.Hour, 3650*day):
		return invalid("refresh tokens are valid for 1 hour to 3650 days, in whole seconds")
	case !between(c.RefreshTokenRotation.RetryGracePeriod, 0, time.Minute):
		return invalid("the retry grace period of rotated refresh tokens is 0 to 60 seconds, in whole seconds")
	}
	return nil
}

// Scopes of the pool itself. Every other scope has the form
// <resource server>/<name>.
const (
	scopeOpenID  = "openid"
	scopeEmail   = "email"
	scopePhone   = "phone"
	scopeProfile = "profile"
	scopeAdmin   = "aws.cognito.signin.user.admin"
)

// scopeToken is the scope-token of RFC 6749 section 3.3.
var scopeToken = regexp.MustCompile(`^[\x21\x23-\x5B\x5D-\x7E]{1,256}$`)

func validScope(s string) bool {
	switch s {
	case scopeOpenID, scopeEmail, scopePhone, scopeProfile, scopeAdmin:
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

// grantScopes decides which scopes a request gets. None asked for means all of
// the client's; one that the client may not have refuses the whole request, as
// Cognito was seen to do (its guide says otherwise on two pages).
func grantScopes(c Client, requested string) ([]string, error) {
	var scopes []string
	for s := range strings.SplitSeq(requested, " ") {
		if s == "" || slices.Contains(scopes, s) {
			continue
		}
		if !slices.Contains(c.AllowedOAuthScopes, s) {
			return nil, &Error{Code: CodeInvalidRequest, Description: CodeInvalidScope}
		}
		scopes = append(scopes, s)
	}
	if len(scopes) == 0 {
		return slices.Clone(c.AllowedOAuthScopes), nil
	}
	if !openIDComplete(scopes) {
		return nil, &Error{Code: CodeInvalidRequest, Description: CodeInvalidScope}
	}
	return scopes, nil
}

// ClientCredentials is how a request to the token or revocation endpoint says
// which client it comes from.
type ClientCredentials struct {
	ID     string
	Secret Secret // empty: none was sent
	// Basic says that they came in the Authorization header.
	Basic bool
}

var errClient = &Error{Code: CodeInvalidClient}

// AuthenticateClient returns the client with these credentials (RFC 6749
// section 2.3), or invalid_client. A client that has a secret must send it; one
// that has none must send none, and no Basic header.
func (p *Pool) AuthenticateClient(ctx context.Context, cred ClientCredentials) (Client, error) {
	c, ok, err := p.store.Client(ctx, p.id, cred.ID)
	if err != nil {
		return Client{}, fmt.Errorf("userpool: reading client: %w", err)
	}
	reason := ""
	switch {
	case !ok:
		reason = "unknown client"
	case c.Secret == "" && (cred.Secret != "" || cred.Basic):
		reason = "a public client sent a secret or a Basic header"
	case c.Secret != "" && cred.Secret == "":
		reason = "the client secret is missing"
	case c.Secret != "" && !c.Secret.Equal(cred.Secret):
		reason = "the client secret is wrong"
	default:
		return c, nil
	}
	p.audit(ctx, "client refused", clientAttr(cred.ID), reasonAttr(reason))
	return Client{}, errClient
}
