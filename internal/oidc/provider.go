package oidc

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/cognate-auth/cognate/internal/loopback"
)

const (
	// discoveryMaxAge is how long a discovery document is used before it is fetched again.
	discoveryMaxAge = 24 * time.Hour
	// RequestTimeout bounds one request to the provider.
	RequestTimeout = 10 * time.Second
)

// Endpoints are the URLs of a provider, with the same fields as cognate.Endpoints.
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

// override replaces discovered endpoints by the configured ones.
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

// ProviderConfig identifies a provider and configures the requests to it.
type ProviderConfig struct {
	// Issuer is its exact issuer identifier.
	Issuer string
	// Endpoints take precedence over those in the discovery document. If Authorization,
	// Token and JWKS are all set, the document is not fetched.
	Endpoints Endpoints
	// KeysOnly is for a provider with which nobody signs in here: only its key set is
	// needed, to verify tokens that it issued to others.
	KeysOnly bool
	// InsecureHTTP allows plain http to hosts other than this machine, and lets the
	// resolver say where names below localhost are.
	InsecureHTTP bool
	// HTTPClient makes the requests; nil means a default client. Redirects are not followed.
	HTTPClient *http.Client
	// Now is the clock.
	Now func() time.Time
	// Logger, if not nil, logs what is wrong with the provider's documents.
	Logger *slog.Logger
	// Discovered, if not nil, is called with the endpoints of each discovery document.
	Discovered func(Endpoints)
}

// A Provider is one OpenID provider as this relying party sees it. It is safe for concurrent
// use.
type Provider struct {
	config   ProviderConfig
	http     *http.Client
	metadata *remote[Metadata]
	keys     *keySet
	// reportedKeys is the last report of skipped keys in the log.
	reportedKeys string
}

// NewProvider returns a Provider. It does not use the network: documents are fetched when
// they are needed.
//
// An old discovery document is used until a newer one can be fetched: it holds no secrets,
// and TLS authenticates every endpoint. Old keys are not used without limit. Otherwise a
// thief could use a stolen key for as long as they keep this process from the provider.
func NewProvider(c ProviderConfig) *Provider {
	p := &Provider{config: c, http: withoutRedirects(c.HTTPClient, c.InsecureHTTP)}
	p.metadata = &remote[Metadata]{
		fetch: p.discover, now: c.Now, maxAge: discoveryMaxAge, failed: p.warnStale("the discovery document"),
	}
	p.keys = &keySet{&remote[[]publicKey]{
		fetch: p.fetchKeys, now: c.Now, maxAge: keysMaxAge, trusted: keysTrusted, grace: keysGrace,
		failed: p.warnStale("the key set"),
	}}
	return p
}

// warnStale returns a function that logs that an old document stays in use.
func (p *Provider) warnStale(document string) func(error) {
	return func(err error) {
		p.warn(context.Background(), document+" can't be fetched again; the old one stays in use for now",
			slog.String("err", err.Error()))
	}
}

func (p *Provider) warn(ctx context.Context, message string, attr slog.Attr) {
	if p.config.Logger != nil {
		p.config.Logger.LogAttrs(ctx, slog.LevelWarn, "cognate: "+message, slog.String("issuer", p.config.Issuer), attr)
	}
}

// SetGrace changes how long a request that finds an old document waits for the new one.
// Tests set it so long that they don't depend on how busy the machine is. It must be called
// before the first request.
func (p *Provider) SetGrace(grace time.Duration) { p.metadata.grace, p.keys.set.grace = grace, grace }

// Issuer returns the provider's issuer identifier.
func (p *Provider) Issuer() string { return p.config.Issuer }

// Metadata holds what this package uses of a discovery document (OpenID Connect Discovery
// 1.0, section 3), with configured endpoints instead of the discovered ones.
type Metadata struct {
	Endpoints

	responseIssuer bool // RFC 9207: every authorization response has iss
	pushRequired   bool // RFC 9126: authorization requests are pushed
	// authMethods and assertionAlgs say how clients may authenticate; nil if the document
	// does not say.
	authMethods, assertionAlgs []string
	introspection              string // endpoint of RFC 7662, or ""
	report                     string // see Provider.ReportsTo
}

// Ready returns the metadata, or an error that says why it is not available.
func (p *Provider) Ready(ctx context.Context) (Metadata, error) {
	m, err := p.metadata.get(ctx)
	if err != nil {
		return Metadata{}, unavailable(err, p.metadata.retryAfter())
	}
	return m, nil
}

// EndSession returns the end-session endpoint, or "" if the provider has none. If
// fallbackPath is not empty, it is the endpoint's path on the host of the authorization
// endpoint, and is used where the discovery document names no endpoint or is not available.
func (p *Provider) EndSession(ctx context.Context, fallbackPath string) string {
	m, err := p.metadata.get(ctx)
	if err != nil {
		m = Metadata{Endpoints: p.config.Endpoints}
	}
	if m.EndSession != "" || fallbackPath == "" || m.Authorization == "" {
		return m.EndSession
	}
	u, err := url.Parse(m.Authorization)
	if err != nil { // endpoints are checked before
		return ""
	}
	return (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: fallbackPath}).String()
}

// discover fetches and checks the discovery document, if it is needed.
func (p *Provider) discover(ctx context.Context) (Metadata, error) {
	if e := p.config.Endpoints; e.Authorization != "" && e.Token != "" && e.JWKS != "" {
		return Metadata{Endpoints: e}, nil
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

		Report json.RawMessage `json:"cognate_sign_in_report_endpoint"`
	}
	address := strings.TrimSuffix(p.config.Issuer, "/") + "/.well-known/openid-configuration"
	err := p.getJSON(ctx, address, &doc)
	if err != nil {
		return Metadata{}, fmt.Errorf("fetching the discovery document: %w", err)
	}
	if doc.Issuer != p.config.Issuer {
		return Metadata{}, fmt.Errorf("the discovery document belongs to issuer %.200q, configured is %q: %w",
			doc.Issuer, p.config.Issuer, errOtherIssuer)
	}
	m := Metadata{
		Endpoints: Endpoints{
			Authorization: doc.Authorization, Token: doc.Token, UserInfo: doc.UserInfo, EndSession: doc.EndSession,
			Revocation: doc.Revocation, JWKS: doc.JWKS, PushedAuthorization: doc.Push,
		},
		responseIssuer: doc.ResponseIssuer, pushRequired: doc.PushRequired,
		authMethods: doc.AuthMethods, assertionAlgs: doc.AssertionAlgs, introspection: doc.Introspection,
	}
	m.override(p.config.Endpoints)
	m.report = reportEndpoint(doc.Report, p.config.Issuer, m.Endpoints)
	if p.config.Discovered != nil {
		p.config.Discovered(m.Endpoints)
	}
	return m, p.checkEndpoints(m.Endpoints)
}

// checkEndpoints returns an error for a provider that lacks an endpoint that a sign-in
// needs, or for an endpoint to which secrets would be sent in the clear.
func (p *Provider) checkEndpoints(e Endpoints) error {
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
		if endpoint.url == "" && !endpoint.required || p.config.KeysOnly && endpoint.url != e.JWKS {
			continue
		}
		err := CheckURL(endpoint.url, p.config.InsecureHTTP)
		if err != nil {
			return fmt.Errorf("the %s %.200q %w", endpoint.name, endpoint.url, err)
		}
	}
	return nil
}

// fetchKeys fetches the key set from its configured or discovered address.
func (p *Provider) fetchKeys(ctx context.Context) ([]publicKey, error) {
	address := p.config.Endpoints.JWKS
	if address == "" {
		m, err := p.metadata.get(ctx)
		if err != nil {
			return nil, err
		}
		address = m.JWKS
	}
	var doc struct {
		Keys []json.RawMessage `json:"keys"`
	}
	err := p.getJSON(ctx, address, &doc)
	if err != nil {
		return nil, fmt.Errorf("fetching the provider's keys: %w", err)
	}
	keys, skipped := usableKeys(doc.Keys)
	p.reportKeys(ctx, skipped)
	if len(keys) == 0 {
		// It must not replace a good set.
		return nil, errors.New("the provider's key set has no key for signatures")
	}
	return keys, nil
}

// maxKeysReported bounds how many skipped keys of one set are logged.
const maxKeysReported = 8

// reportKeys logs which keys of a set are skipped, and why, unless the last report said the
// same. Fetches never run at the same time, so reportedKeys needs no lock.
func (p *Provider) reportKeys(ctx context.Context, skipped []string) {
	text := strings.Join(skipped[:min(len(skipped), maxKeysReported)], "; ")
	if text == p.reportedKeys {
		return
	}
	p.reportedKeys = text
	if text != "" {
		p.warn(ctx, "keys of the provider are skipped, because they can't be used", slog.String("keys", text))
	}
}

// getJSON fetches a JSON document from the provider. Its error says what to do.
func (p *Provider) getJSON(ctx context.Context, address string, v any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return err
	}
	err = getJSON(p.http, req, v)
	if todo := advice(err, req.URL); todo != "" {
		return fmt.Errorf("%w; %s", err, todo)
	}
	return err
}

// announces reports whether the last discovery document, if there is one, announces a method
// of client authentication.
func (p *Provider) announces(method string) bool {
	m, _ := p.metadata.peek()
	return slices.Contains(m.authMethods, method)
}

// AddQuery adds parameters to the URL of an endpoint. Parameters that the URL already has
// (RFC 6749, 3.1) stay, unless params has the same name.
func AddQuery(endpoint string, params url.Values) string {
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

// CheckURL accepts an absolute https URL, and an http URL on a loopback address, because
// such a request never leaves the machine. insecure allows plain http everywhere.
func CheckURL(raw string, insecure bool) error {
	u, err := url.Parse(raw)
	switch {
	case err != nil || u.Host == "" || u.Hostname() == "":
		return errors.New("is not an absolute URL")
	case u.User != nil:
		return errors.New("contains a user name")
	case strings.Contains(raw, "#"):
		return errors.New("contains a fragment")
	case u.Scheme == "https", u.Scheme == "http" && (insecure || onThisMachine(u)):
		return nil
	case u.Scheme == "http":
		return errors.New("is not https; plain http is for loopback addresses, or with InsecureHTTP")
	}
	return errors.New("is not an https URL")
}

func onThisMachine(u *url.URL) bool {
	_, _, ok := loopback.Host(u.Hostname())
	return ok
}

// withoutRedirects returns a copy of client that follows no redirects: a redirect would send
// a code, a secret or a token to an address other than the configured one. Without a client
// it returns one that connects to names below localhost on this machine, and with insecure to
// whatever the resolver knows by such a name.
func withoutRedirects(client *http.Client, insecure bool) *http.Client {
	c := http.Client{Timeout: RequestTimeout, Transport: loopback.RoundTripper{AskResolver: insecure}}
	if client != nil {
		c = *client
		if c.Timeout == 0 {
			c.Timeout = RequestTimeout
		}
	}
	c.Jar = nil
	c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &c
}
