package cognate

import (
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/cognate-auth/cognate/internal/loopback"
	"github.com/cognate-auth/cognate/internal/oidc"
)

// AuthMethod is how the app client authenticates at the token endpoint.
type AuthMethod string

// The methods of OpenID Connect Core 1.0, section 9, except client_secret_jwt.
const (
	// ClientSecretBasic sends the secret in the Authorization header.
	ClientSecretBasic AuthMethod = "client_secret_basic"
	// ClientSecretPost sends the secret in the request body.
	ClientSecretPost AuthMethod = "client_secret_post"
	// ClientAuthNone is for a public client: it has no secret.
	ClientAuthNone AuthMethod = "none"
	// PrivateKeyJWT sends an assertion that Config.ClientKey signs; no secret is shared.
	PrivateKeyJWT AuthMethod = "private_key_jwt"
)

// Endpoints are the URLs of a provider. Empty ones come from its discovery document. If
// Authorization, Token and JWKS are all set the document is not fetched: some providers
// don't have one.
type Endpoints struct {
	Authorization string
	Token         string
	UserInfo      string
	EndSession    string
	Revocation    string
	JWKS          string
	// PushedAuthorization is the pushed authorization request endpoint (RFC 9126).
	PushedAuthorization string
}

// A Dialect describes where providers of one kind differ from others. [New] picks one
// by the issuer; set Config.Dialect for a provider that needs another.
type Dialect struct {
	// Name is for logs: "cognito" or "standard".
	Name string
	// LogoutParam is the parameter of the end-session endpoint that names the URL to
	// return to.
	LogoutParam string
	// LogoutHint says that the end-session endpoint takes id_token_hint and state.
	LogoutHint bool
	// LogoutPath, if not empty, is the end-session endpoint's path on the
	// authorization endpoint's host, for a provider whose discovery lacks it.
	LogoutPath string
	// UsernameClaim and GroupsClaim fill User.Username and User.Groups.
	UsernameClaim, GroupsClaim string
	// TokenUseClaim, if not empty, must be "id" in an ID token and "access" in an access
	// token.
	TokenUseClaim string
	// LangParam and ProviderParam are the parameters for [Lang] and [IdentityProvider];
	// empty if the provider has no such parameter.
	LangParam, ProviderParam string
	// ClientAuth is how a client with a secret authenticates, unless Config.ClientAuth
	// is set.
	ClientAuth AuthMethod
	// ClientBound says that an access token names the client it was issued to
	// (client_id), and has an audience only if it is bound to a resource.
	ClientBound bool
}

// CognitoDialect returns the dialect of Amazon Cognito: sign-out needs client_id and
// logout_uri (developer guide, "The managed login sign-out endpoint"), groups are in
// cognito:groups, and token_use distinguishes ID tokens from access tokens. The secret
// is sent in the body: Cognito allows a "+" in custom secrets, which the encoding of
// HTTP Basic credentials (RFC 6749, 2.3.1) would change.
func CognitoDialect() *Dialect {
	return &Dialect{
		Name: "cognito", LogoutParam: "logout_uri", LogoutPath: "/logout",
		UsernameClaim: "cognito:username", GroupsClaim: "cognito:groups", TokenUseClaim: "token_use",
		LangParam: "lang", ProviderParam: "identity_provider", ClientAuth: ClientSecretPost, ClientBound: true,
	}
}

// StandardDialect returns the dialect of plain OpenID Connect with RP-Initiated Logout
// 1.0.
func StandardDialect() *Dialect {
	return &Dialect{
		Name: "standard", LogoutParam: "post_logout_redirect_uri", LogoutHint: true,
		UsernameClaim: "preferred_username", GroupsClaim: "groups",
		LangParam: "ui_locales", ClientAuth: ClientSecretBasic,
	}
}

// awsSuffix matches the host suffixes of the partitions of AWS: commercial, Chinese,
// European Sovereign and isolated.
const awsSuffix = `(?:amazonaws\.com(?:\.cn)?|amazonaws\.eu|` +
	`c2s\.ic\.gov|sc2s\.sgov\.gov|cloud\.adc-e\.uk|csp\.hci\.ic\.gov)`

// cognitoHost matches the hosts of Cognito's issuers, cognitoDomain the user pool
// domains with the sign-in pages, and poolID the last path segment of issuers (API
// reference, UserPoolType).
var (
	cognitoHost   = regexp.MustCompile(`(?i)^(?:issuer-)?cognito-idp(?:-fips)?\.[a-z0-9-]+\.` + awsSuffix + `$`)
	cognitoDomain = regexp.MustCompile(`(?i)\.amazoncognito(?:\.[a-z]+)+$`)
	poolID        = regexp.MustCompile(`^[\w-]{1,45}_[0-9a-zA-Z]{1,45}$`)
)

// dialectOf picks the dialect. It is Cognito's if the issuer is on one of Cognito's
// hosts, or is on this machine and ends in a pool ID, or if an endpoint is on a user
// pool domain.
func dialectOf(issuer string, endpoints ...string) *Dialect {
	u, err := url.Parse(issuer)
	if err != nil {
		return StandardDialect()
	}
	id := strings.Trim(u.Path, "/")
	_, _, local := loopback.Host(u.Hostname())
	if cognitoHost.MatchString(u.Hostname()) || local && poolID.MatchString(id) ||
		slices.ContainsFunc(endpoints, atPoolDomain) {
		return CognitoDialect()
	}
	return StandardDialect()
}

// atPoolDomain reports whether a URL is on a user pool domain of Cognito.
func atPoolDomain(raw string) bool {
	u, err := url.Parse(raw)
	return err == nil && cognitoDomain.MatchString(u.Hostname())
}

// looksLikePool reports whether an issuer ends in what may be a pool ID. Issuers of
// other providers may do so, too.
func looksLikePool(issuer string) bool {
	u, err := url.Parse(issuer)
	return err == nil && poolID.MatchString(strings.Trim(u.Path, "/"))
}

// warnOfDialect logs that a provider gets the standard dialect, but may be a user pool.
func warnOfDialect(log *slog.Logger, issuer string) {
	log.Warn("cognate: the provider looks like an Amazon Cognito user pool behind another host name, but is treated "+
		"as a standard provider; set Dialect to cognate.CognitoDialect() if it is a user pool, or to "+
		"cognate.StandardDialect() if it is not",
		slog.String("issuer", issuer))
}

// checkIssuer refuses URLs that are not issuer identifiers (OpenID Connect Discovery
// 1.0, 3). Such mistakes would otherwise show only at the first sign-in, as an error
// about another issuer.
func checkIssuer(issuer string, insecure bool, d *Dialect) error {
	if untrimmed(issuer) {
		return errors.New(textUntrimmed)
	}
	err := oidc.CheckURL(issuer, insecure)
	if err != nil {
		return err
	}
	u, err := url.Parse(issuer)
	if err != nil {
		return err
	}
	const pattern = "https://cognito-idp.<region>.amazonaws.com/<pool id>"
	host, path, id := u.Hostname(), strings.TrimPrefix(u.Path, "/"), strings.Trim(u.Path, "/")
	base, _, isDocument := strings.Cut(issuer, "/.well-known/")
	switch atCognito := cognitoHost.MatchString(host); {
	case isDocument:
		return fmt.Errorf("is the address of a discovery document; the issuer is the part before it: %s", base)
	case u.RawQuery != "" || u.ForceQuery:
		return errors.New("has a query; an issuer has none")
	case cognitoDomain.MatchString(host):
		return errors.New("is the domain of a pool's sign-in pages; the issuer is " + pattern)
	case (atCognito || d.TokenUseClaim != "") && path != id && poolID.MatchString(id):
		return fmt.Errorf("has one slash too many; the issuer is exactly %s://%s/%s", u.Scheme, u.Host, id)
	case atCognito && (!poolID.MatchString(path) || u.Host != strings.ToLower(host)):
		return errors.New("is not the issuer of a user pool; expected exactly " + pattern)
	}
	return nil
}

// checkProvider finds what is wrong with a configuration's client and provider.
func (s *settings) checkProvider() (found problems) {
	if s.ClientID == "" {
		found.add("ClientID is missing: set it, or ClientSecretsFile")
	}
	err := checkIssuer(s.Issuer, s.InsecureHTTP, s.Dialect)
	if s.Issuer == "" {
		found.add("Issuer is missing: set it, or issuer in the client secrets")
	} else if err != nil {
		found.add("the Issuer %q %w", redactURL(s.Issuer), err)
	}
	given := ClientSecrets{
		Issuer: s.Issuer, ClientID: s.ClientID, ClientSecret: s.ClientSecret, RedirectURIs: []string{s.RedirectURL},
		AuthURI: s.Endpoints.Authorization, TokenURI: s.Endpoints.Token, UserInfoURI: s.Endpoints.UserInfo,
	}
	err = given.checkPlaceholders()
	if err != nil {
		found = append(found, err)
	}
	if s.Dialect.LogoutParam == "" {
		found.add("the Dialect's LogoutParam is missing")
	}
	for _, e := range []struct{ name, url string }{
		{"Authorization", s.Endpoints.Authorization},
		{"Token", s.Endpoints.Token},
		{"UserInfo", s.Endpoints.UserInfo},
		{"EndSession", s.Endpoints.EndSession},
		{"Revocation", s.Endpoints.Revocation},
		{"JWKS", s.Endpoints.JWKS},
		{"PushedAuthorization", s.Endpoints.PushedAuthorization},
	} {
		if e.url == "" {
			continue
		}
		err := oidc.CheckURL(e.url, s.InsecureHTTP)
		if err != nil {
			found.add("the %s endpoint %q %w", e.name, redactURL(e.url), err)
		}
	}
	return found
}

// redactURL returns a URL without its password, so that an error may quote it.
func redactURL(raw string) string {
	u, err := url.Parse(raw)
	if err == nil && u.User != nil {
		return u.Redacted()
	}
	return raw
}
