package cognate

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/cognate-auth/cognate/internal/loopback"
	"github.com/cognate-auth/cognate/internal/refusal"
)

// discoveryMaxAge is how long a discovery document is used before it is fetched anew.
const discoveryMaxAge = 24 * time.Hour

// AuthMethod is how the app client proves itself at the token endpoint.
type AuthMethod string

// The methods of OpenID Connect Core 1.0, section 9, but for client_secret_jwt.
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

// Endpoints are the URLs of a provider. Empty ones come from its discovery document,
// which is not asked for when Authorization, Token and JWKS are all there: some
// providers have none.
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

// A Dialect is what a kind of provider does in its own way, as data. [New] picks one
// by the issuer; set Config.Dialect for a provider that needs another.
type Dialect struct {
	// Name is for logs: "cognito" or "standard".
	Name string
	// LogoutParam is the parameter of the end-session endpoint that says where to go
	// afterwards.
	LogoutParam string
	// LogoutHint tells that the end-session endpoint takes id_token_hint and state.
	LogoutHint bool
	// LogoutPath, if not empty, is the end-session endpoint's path on the
	// authorization endpoint's host, for a provider whose discovery lacks it.
	LogoutPath string
	// UsernameClaim and GroupsClaim fill User.Username and User.Groups.
	UsernameClaim, GroupsClaim string
	// TokenUseClaim, if not empty, must be "id" in an ID token and "access" in an access
	// token.
	TokenUseClaim string
	// LangParam and ProviderParam are the parameters of [Lang] and [IdentityProvider];
	// empty for a provider that has none.
	LangParam, ProviderParam string
	// ClientAuth is how a client with a secret authenticates, unless Config says.
	ClientAuth AuthMethod
	// ClientBound tells that an access token names the client it was issued to
	// (client_id), and an audience only if it is bound to a resource.
	ClientBound bool
}

// CognitoDialect is Amazon Cognito's: sign-out wants client_id and logout_uri
// (developer guide, "The managed login sign-out endpoint"), groups are in
// cognito:groups, and token_use tells ID tokens from access tokens. The secret goes
// into the body: Cognito allows a "+" in custom secrets, which the encoding of HTTP
// Basic credentials (RFC 6749, 2.3.1) would change.
func CognitoDialect() *Dialect {
	return &Dialect{
		Name: "cognito", LogoutParam: "logout_uri", LogoutPath: "/logout",
		UsernameClaim: "cognito:username", GroupsClaim: "cognito:groups", TokenUseClaim: "token_use",
		LangParam: "lang", ProviderParam: "identity_provider", ClientAuth: ClientSecretPost, ClientBound: true,
	}
}

// StandardDialect is plain OpenID Connect with RP-Initiated Logout 1.0.
func StandardDialect() *Dialect {
	return &Dialect{
		Name: "standard", LogoutParam: "post_logout_redirect_uri", LogoutHint: true,
		UsernameClaim: "preferred_username", GroupsClaim: "groups",
		LangParam: "ui_locales", ClientAuth: ClientSecretBasic,
	}
}

// What Cognito's addresses look like in the partitions of AWS: issuers, which have one of
// two hosts, and the domains of the pages that people see. The suffixes are those of the
// commercial, Chinese, European Sovereign and isolated partitions.
const awsSuffix = `(?:amazonaws\.com(?:\.cn)?|amazonaws\.eu|c2s\.ic\.gov|sc2s\.sgov\.gov|cloud\.adc-e\.uk|csp\.hci\.ic\.gov)`

// poolID is the pattern of the last path segment of Cognito's issuers (API reference,
// UserPoolType).
var (
	cognitoHost   = regexp.MustCompile(`(?i)^(?:issuer-)?cognito-idp(?:-fips)?\.[a-z0-9-]+\.` + awsSuffix + `$`)
	cognitoDomain = regexp.MustCompile(`(?i)\.amazoncognito(?:\.[a-z]+)+$`)
	poolID        = regexp.MustCompile(`^[\w-]{1,45}_[0-9a-zA-Z]{1,45}$`)
)

// dialectOf picks the dialect by the issuer: Cognito's own hosts, or a pool on this machine,
// which is recognised by the pool ID at the end of its issuer; and by endpoints that are at
// a pool's domain.
func dialectOf(issuer string, endpoints ...string) *Dialect {
	u, err := url.Parse(issuer)
	if err != nil {
		return StandardDialect()
	}
	id := strings.Trim(u.Path, "/")
	if cognitoHost.MatchString(u.Hostname()) || isLoopback(u.Hostname()) && poolID.MatchString(id) ||
		slices.ContainsFunc(endpoints, atPoolDomain) {
		return CognitoDialect()
	}
	return StandardDialect()
}

// atPoolDomain reports whether a URL is one of the pages of a pool at AWS.
func atPoolDomain(raw string) bool {
	u, err := url.Parse(raw)
	return err == nil && cognitoDomain.MatchString(u.Hostname())
}

// looksLikePool reports whether an issuer ends as a pool's ID may, and as the path of another
// provider may, too.
func looksLikePool(issuer string) bool {
	u, err := url.Parse(issuer)
	return err == nil && poolID.MatchString(strings.Trim(u.Path, "/"))
}

// tellDialect writes down that a provider is taken for a standard one, and may be none.
func tellDialect(log *slog.Logger, issuer string) {
	log.Warn("cognate: the provider looks like an Amazon Cognito user pool under a name of its own, and is treated as any other "+
		"provider; set Dialect to cognate.CognitoDialect() if it is one, and to cognate.StandardDialect() if not",
		slog.String("issuer", issuer))
}

// checkIssuer finds what is no issuer identifier although it is a URL (OpenID Connect
// Discovery 1.0, 3): mistakes that otherwise show when the first person signs in, as an
// error about another issuer.
func checkIssuer(issuer string, d *Dialect) error {
	u, err := url.Parse(issuer)
	if err != nil {
		return errors.New("is not an absolute URL")
	}
	const pattern = "https://cognito-idp.<region>.amazonaws.com/<pool id>"
	host, path, id := u.Hostname(), strings.TrimPrefix(u.Path, "/"), strings.Trim(u.Path, "/")
	base, _, isDocument := strings.Cut(issuer, "/.well-known/")
	switch atCognito := cognitoHost.MatchString(host); {
	case isDocument:
		return fmt.Errorf("is the address of a document; the issuer is what comes before: %s", base)
	case u.RawQuery != "" || u.ForceQuery:
		return errors.New("has a query, which no issuer has")
	case cognitoDomain.MatchString(host):
		return errors.New("is the domain of a pool's sign-in pages; the issuer is " + pattern)
	case (atCognito || d.TokenUseClaim != "") && path != id && poolID.MatchString(id):
		return fmt.Errorf("has a slash too many; the issuer is %s://%s/%s, to the letter", u.Scheme, u.Host, id)
	case atCognito && (!poolID.MatchString(path) || u.Host != strings.ToLower(host)):
		return errors.New("is no pool's; expected " + pattern + ", to the letter")
	}
	return nil
}

// A provider is one OpenID provider as this relying party sees it.
type provider struct {
	issuer     string
	dialect    *Dialect
	configured Endpoints
	insecure   bool // Config.InsecureHTTP
	keysOnly   bool // nobody signs in with it: it issues tokens to others
	http       *http.Client
	log        *slog.Logger // nil: nothing is written
	// dialectGuessed tells that nobody said what kind of provider it is.
	dialectGuessed bool
	metadata       *remote[metadata]
	keys           *keySet
	// keysReported is what the log says last of keys that are passed over.
	keysReported string
}

// openDocuments says how the provider's documents are fetched and kept. The discovery
// document is used for as long as there is no newer one: what it says is no secret, and
// every endpoint is checked by TLS. Keys are not, or one that was stolen would be good for
// as long as its thief keeps this process from the provider.
func (p *provider) openDocuments(s *settings) {
	failed := func(what string) func(error) {
		return func(err error) {
			if p.log != nil {
				p.log.LogAttrs(context.Background(), slog.LevelWarn, "cognate: "+what+" can't be fetched anew; the old one stays in use for now",
					slog.String("issuer", p.issuer), slog.String("err", err.Error()))
			}
		}
	}
	p.log, p.dialectGuessed = s.Logger, s.dialectGuessed
	p.metadata = &remote[metadata]{
		fetch: p.discover, now: s.Now, maxAge: discoveryMaxAge, failed: failed("the discovery document"),
	}
	p.keys = &keySet{&remote[[]publicKey]{
		fetch: p.fetchKeys, now: s.Now, maxAge: keysMaxAge, trusted: keysTrusted, grace: keysGrace, failed: failed("the key set"),
	}}
}

// announcedMethods are the methods of client authentication that the provider announced,
// as far as it was asked.
func (p *provider) announcedMethods() []string {
	m, _ := p.metadata.peek()
	return m.authMethods
}

// errOtherIssuer marks a discovery document that belongs to another issuer.
var errOtherIssuer = errors.New("set Issuer to the one whose document it is, to the letter; " +
	"an address that serves the tenants of a provider in common is none")

// metadata is what is used of a discovery document (OpenID Connect Discovery 1.0,
// section 3), with the configured endpoints in the place of the discovered ones.
type metadata struct {
	Endpoints
	responseIssuer bool // RFC 9207: every authorization response has iss
	pushRequired   bool // RFC 9126: authorization requests are pushed
	// authMethods and assertionAlgs are how clients may authenticate; nil if it isn't
	// said.
	authMethods, assertionAlgs []string
	introspection              string // endpoint of RFC 7662, or ""
}

// discover fetches and checks the discovery document, if it is needed.
func (p *provider) discover(ctx context.Context) (metadata, error) {
	if c := p.configured; c.Authorization != "" && c.Token != "" && c.JWKS != "" {
		return metadata{Endpoints: c}, nil
	}
	var doc struct {
		Issuer         string `json:"issuer"`
		Authorization  string `json:"authorization_endpoint"`
		Token          string `json:"token_endpoint"`
		UserInfo       string `json:"userinfo_endpoint"`
		EndSession     string `json:"end_session_endpoint"`
		Revocation     string `json:"revocation_endpoint"`
		JWKS           string `json:"jwks_uri"`
		Push           string `json:"pushed_authorization_request_endpoint"`
		ResponseIssuer bool   `json:"authorization_response_iss_parameter_supported"`
		PushRequired   bool   `json:"require_pushed_authorization_requests"`

		AuthMethods   []string `json:"token_endpoint_auth_methods_supported"`
		AssertionAlgs []string `json:"token_endpoint_auth_signing_alg_values_supported"`
		Introspection string   `json:"introspection_endpoint"`
	}
	address := strings.TrimSuffix(p.issuer, "/") + "/.well-known/openid-configuration"
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return metadata{}, fmt.Errorf("fetching the discovery document: %w", err)
	}
	err = getJSON(p.http, req, &doc)
	if err != nil {
		return metadata{}, fmt.Errorf("fetching the discovery document: %w", err)
	}
	if doc.Issuer != p.issuer {
		return metadata{}, fmt.Errorf("the discovery document is of issuer %.200q, configured is %q: %w", doc.Issuer, p.issuer, errOtherIssuer)
	}
	m := metadata{Endpoints: Endpoints{
		Authorization: doc.Authorization, Token: doc.Token, UserInfo: doc.UserInfo,
		EndSession: doc.EndSession, Revocation: doc.Revocation, JWKS: doc.JWKS, PushedAuthorization: doc.Push,
	}, responseIssuer: doc.ResponseIssuer, pushRequired: doc.PushRequired, authMethods: doc.AuthMethods, assertionAlgs: doc.AssertionAlgs, introspection: doc.Introspection}
	m.override(p.configured)
	if p.dialectGuessed && (atPoolDomain(m.Authorization) || atPoolDomain(m.Token)) {
		tellDialect(p.log, p.issuer)
	}
	return m, p.checkEndpoints(m.Endpoints)
}

// override puts the endpoints that are configured over the discovered ones.
func (e *Endpoints) override(by Endpoints) {
	for _, f := range []struct {
		into *string
		from string
	}{
		{&e.Authorization, by.Authorization},
		{&e.Token, by.Token},
		{&e.UserInfo, by.UserInfo},
		{&e.EndSession, by.EndSession},
		{&e.Revocation, by.Revocation},
		{&e.JWKS, by.JWKS},
		{&e.PushedAuthorization, by.PushedAuthorization},
	} {
		if f.from != "" {
			*f.into = f.from
		}
	}
}

// checkEndpoints refuses a provider that lacks what a sign-in needs, or that would
// have secrets sent in the clear.
func (p *provider) checkEndpoints(e Endpoints) error {
	for _, endpoint := range []struct {
		name, url string
		required  bool
	}{
		{"authorization endpoint", e.Authorization, true},
		{"token endpoint", e.Token, true},
		{"key set", e.JWKS, true},
		{"userInfo endpoint", e.UserInfo, false},
		{"end-session endpoint", e.EndSession, false},
		{"revocation endpoint", e.Revocation, false},
		{"pushed authorization request endpoint", e.PushedAuthorization, false},
	} {
		if endpoint.url == "" && !endpoint.required || p.keysOnly && endpoint.url != e.JWKS {
			continue
		}
		err := checkURL(endpoint.url, p.insecure)
		if err != nil {
			return fmt.Errorf("the %s %.200q %w", endpoint.name, endpoint.url, err)
		}
	}
	return nil
}

// unavailable is the error of a document of the provider's that can't be had, or is not
// the provider's at all.
func unavailable(err error, retryAfter time.Duration) *refusal.Error {
	if errors.Is(err, errOtherIssuer) {
		return refusal.New(refusal.ProviderIssuer, "%w", err)
	}
	e := refusal.New(refusal.ProviderDown, "%w", err)
	e.RetryAfter = retryAfter
	return e
}

// ready returns the metadata, or the error that the visitor gets when there is none.
func (p *provider) ready(ctx context.Context) (metadata, error) {
	m, err := p.metadata.get(ctx)
	if err != nil {
		return metadata{}, unavailable(err, p.metadata.retryAfter())
	}
	return m, nil
}

// maxLogoutURL bounds the end-session URL with an ID token in it, in bytes: servers refuse
// request lines beyond 8 KiB.
const maxLogoutURL = 8000

// endSession returns where to send the browser to end the provider's own session, or
// "" if the provider has no such place. It works without the provider where the
// dialect knows the path. A discovery document that was never read is waited for only a
// short while: the person is signed out here in any case.
//
// An ID token says whose session it is (OpenID Connect RP-Initiated Logout 1.0, 2); one that
// would make the URL too long is left out. state comes back to a page that needs none: it
// is there for providers that want one.
func (p *provider) endSession(ctx context.Context, clientID, returnTo, idToken string) string {
	ctx, cancel := context.WithTimeout(ctx, revokeTimeout)
	defer cancel()
	m, err := p.metadata.get(ctx)
	if err != nil {
		m = metadata{Endpoints: p.configured}
	}
	endpoint := m.EndSession
	if endpoint == "" && p.dialect.LogoutPath != "" && m.Authorization != "" {
		u, err := url.Parse(m.Authorization)
		if err == nil {
			endpoint = (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: p.dialect.LogoutPath}).String()
		}
	}
	if endpoint == "" {
		return ""
	}
	params := url.Values{"client_id": {clientID}, p.dialect.LogoutParam: {returnTo}}
	if !p.dialect.LogoutHint {
		return addQuery(endpoint, params)
	}
	params.Set("state", rand.Text())
	address := addQuery(endpoint, params)
	if idToken == "" || len(address)+len("&id_token_hint=")+len(idToken) > maxLogoutURL {
		return address
	}
	return addQuery(address, url.Values{"id_token_hint": {idToken}})
}

// addQuery adds parameters to an endpoint, which may have some of its own (RFC 6749,
// 3.1): those stay, but for names that are ours.
func addQuery(endpoint string, params url.Values) string {
	u, err := url.Parse(endpoint)
	if err != nil { // endpoints are checked before
		return endpoint
	}
	q := u.Query()
	for name, values := range params {
		q[name] = values
	}
	u.RawQuery = q.Encode()
	return u.String()
}

// checkURL accepts an absolute https URL, or an http one on a loopback address: that
// never leaves the machine.
func checkURL(raw string, insecure bool) error {
	u, err := url.Parse(raw)
	switch {
	case err != nil || u.Host == "" || u.Hostname() == "":
		return errors.New("is not an absolute URL")
	case u.User != nil:
		return errors.New("holds a user name")
	case strings.Contains(raw, "#"):
		return errors.New("holds a fragment")
	case u.Scheme == "https", u.Scheme == "http" && (insecure || isLoopback(u.Hostname())):
		return nil
	case u.Scheme == "http":
		return errors.New("is not https; plain http is for loopback addresses, or with InsecureHTTP")
	}
	return errors.New("is not an https URL")
}

// shown is a URL as an error may quote it: without a password.
func shown(raw string) string {
	u, err := url.Parse(raw)
	if err == nil && u.User != nil {
		return u.Redacted()
	}
	return raw
}

// isLoopback reports whether a URL's host is this machine: a loopback address, or
// localhost and its subdomains (RFC 6761, 6.3).
func isLoopback(host string) bool {
	if ip := net.ParseIP(host); ip != nil {
		return ip.IsLoopback()
	}
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	return host == "localhost" || strings.HasSuffix(host, ".localhost")
}

// ownTransport makes requests as http.DefaultTransport does, but for names below localhost,
// which are this machine whatever a resolver says (package loopback).
type ownTransport struct{}

// RoundTrip makes one request.
func (ownTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	if loopback.Below(req.URL.Hostname()) {
		return loopbackTransport().RoundTrip(req)
	}
	return http.DefaultTransport.RoundTrip(req)
}

// loopbackTransport is made of http.DefaultTransport as it is at the first use. One of another
// type, which the app has put in its place, is used as it is.
var loopbackTransport = sync.OnceValue(func() http.RoundTripper {
	t, ok := http.DefaultTransport.(*http.Transport)
	if !ok {
		return http.DefaultTransport
	}
	return loopback.Transport(t)
})

// noRedirects is a copy of client that follows no redirect: one would carry a code, a
// secret or a token to another place than the one configured.
func noRedirects(client *http.Client) *http.Client {
	c := http.Client{Timeout: fetchTimeout, Transport: ownTransport{}}
	if client != nil {
		c = *client
		if c.Timeout == 0 {
			c.Timeout = fetchTimeout
		}
	}
	c.Jar = nil
	c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &c
}
