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
	// discoveryMaxAge is how long a discovery document is used before it is fetched anew.
	discoveryMaxAge = 24 * time.Hour
	// RequestTimeout bounds one request to the provider.
	RequestTimeout = 10 * time.Second
)

// Endpoints are the URLs of a provider, field by field those of cognate.Endpoints.
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

// ProviderConfig says which provider it is, and how it is asked.
type ProviderConfig struct {
	// Issuer is its issuer identifier, to the letter.
	Issuer string
	// Endpoints are those that the discovery document need not name. It is not asked for
	// when Authorization, Token and JWKS are all there.
	Endpoints Endpoints
	// KeysOnly says that nobody signs in with it: it issues tokens to others, and needs no
	// endpoint but that of its keys.
	KeysOnly bool
	// InsecureHTTP allows plain http to other hosts than this machine.
	InsecureHTTP bool
	// HTTPClient makes the requests; nil means one of ours. No redirect is followed.
	HTTPClient *http.Client
	// Now is the clock.
	Now func() time.Time
	// Logger, if not nil, gets what is wrong with the provider's documents.
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
	// keysReported is what the log says last of keys that are passed over.
	keysReported string
}

// NewProvider makes a Provider. It uses no network: documents are fetched when they are
// needed.
//
// The discovery document is used for as long as there is no newer one: what it says is no
// secret, and every endpoint is checked by TLS. Keys are not, or one that was stolen would be
// good for as long as its thief keeps this process from the provider.
func NewProvider(c ProviderConfig) *Provider {
	p := &Provider{config: c, http: withoutRedirects(c.HTTPClient)}
	p.metadata = &remote[Metadata]{
		fetch: p.discover, now: c.Now, maxAge: discoveryMaxAge, failed: p.stale("the discovery document"),
	}
	p.keys = &keySet{&remote[[]publicKey]{
		fetch: p.fetchKeys, now: c.Now, maxAge: keysMaxAge, trusted: keysTrusted, grace: keysGrace,
		failed: p.stale("the key set"),
	}}
	return p
}

// stale returns what writes down that an old document stays in use.
func (p *Provider) stale(what string) func(error) {
	return func(err error) {
		p.warn(context.Background(), what+" can't be fetched anew; the old one stays in use for now",
			slog.String("err", err.Error()))
	}
}

func (p *Provider) warn(ctx context.Context, message string, attr slog.Attr) {
	if p.config.Logger != nil {
		p.config.Logger.LogAttrs(ctx, slog.LevelWarn, "cognate: "+message, slog.String("issuer", p.config.Issuer), attr)
	}
}

// SetGrace changes how long a request that finds an old document waits for the new one:
// in tests, so long that nothing depends on how busy the machine is. It has to come before
// the first request.
func (p *Provider) SetGrace(grace time.Duration) { p.metadata.grace, p.keys.set.grace = grace, grace }

// Issuer returns the provider's issuer identifier.
func (p *Provider) Issuer() string { return p.config.Issuer }

// Metadata is what is used of a discovery document (OpenID Connect Discovery 1.0,
// section 3), with the configured endpoints in the place of the discovered ones.
type Metadata struct {
	Endpoints

	responseIssuer bool // RFC 9207: every authorization response has iss
	pushRequired   bool // RFC 9126: authorization requests are pushed
	// authMethods and assertionAlgs are how clients may authenticate; nil if it isn't
	// said.
	authMethods, assertionAlgs []string
	introspection              string // endpoint of RFC 7662, or ""
}

// Ready returns the metadata, or says why there is none.
func (p *Provider) Ready(ctx context.Context) (Metadata, error) {
	m, err := p.metadata.get(ctx)
	if err != nil {
		return Metadata{}, unavailable(err, p.metadata.retryAfter())
	}
	return m, nil
}

// EndSession returns the end-session endpoint, or "" if the provider has none. It works
// without the discovery document where fallbackPath is the endpoint's path on the
// authorization endpoint's host.
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
	}
	address := strings.TrimSuffix(p.config.Issuer, "/") + "/.well-known/openid-configuration"
	err := p.getJSON(ctx, address, &doc)
	if err != nil {
		return Metadata{}, fmt.Errorf("fetching the discovery document: %w", err)
	}
	if doc.Issuer != p.config.Issuer {
		return Metadata{}, fmt.Errorf("the discovery document is of issuer %.200q, configured is %q: %w",
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
	if p.config.Discovered != nil {
		p.config.Discovered(m.Endpoints)
	}
	return m, p.checkEndpoints(m.Endpoints)
}

// checkEndpoints refuses a provider that lacks what a sign-in needs, or that would
// have secrets sent in the clear.
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

// fetchKeys fetches the key set from the address that discovery or the configuration
// names.
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
	keys, passedOver := usableKeys(doc.Keys)
	p.reportKeys(ctx, passedOver)
	if len(keys) == 0 {
		// It must not take the place of a good set.
		return nil, errors.New("the provider's key set has no key for signatures")
	}
	return keys, nil
}

// maxKeysReported bounds how many keys of one set are written down.
const maxKeysReported = 8

// reportKeys writes down which keys of a set are passed over, and why, unless it did for a
// set that was the same in this. Fetches come one after the other, so that keysReported
// needs no lock.
func (p *Provider) reportKeys(ctx context.Context, passedOver []string) {
	text := strings.Join(passedOver[:min(len(passedOver), maxKeysReported)], "; ")
	if text == p.keysReported {
		return
	}
	p.keysReported = text
	if text != "" {
		p.warn(ctx, "keys of the provider are passed over", slog.String("keys", text))
	}
}

// getJSON fetches a JSON document of the provider's.
func (p *Provider) getJSON(ctx context.Context, address string, v any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return err
	}
	return getJSON(p.http, req, v)
}

// announces reports whether the provider announced a method of client authentication, as far
// as it was asked.
func (p *Provider) announces(method string) bool {
	m, _ := p.metadata.peek()
	return slices.Contains(m.authMethods, method)
}

// AddQuery adds parameters to an endpoint, which may have some of its own (RFC 6749,
// 3.1): those stay, but for names that are ours.
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

// CheckURL accepts an absolute https URL, or an http one on a loopback address: that
// never leaves the machine. insecure allows plain http everywhere.
func CheckURL(raw string, insecure bool) error {
	u, err := url.Parse(raw)
	switch {
	case err != nil || u.Host == "" || u.Hostname() == "":
		return errors.New("is not an absolute URL")
	case u.User != nil:
		return errors.New("holds a user name")
	case strings.Contains(raw, "#"):
		return errors.New("holds a fragment")
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

// withoutRedirects is a copy of client that follows no redirect: one would carry a code, a
// secret or a token to another place than the one configured.
func withoutRedirects(client *http.Client) *http.Client {
	c := http.Client{Timeout: RequestTimeout, Transport: loopback.RoundTripper{}}
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
