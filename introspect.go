package cognate

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/cognate-auth/cognate/internal/flight"
	"github.com/cognate-auth/cognate/internal/refusal"
)

// maxIntrospections bounds how many tokens are asked about at the same time. Tokens that
// are made up cost their sender nothing; further ones wait.
const maxIntrospections = 64

// An introspector asks a provider about tokens (RFC 7662). It is safe for concurrent use.
type introspector struct {
	config   *Introspection
	provider *provider
	flight   flight.Group
	slots    flight.Slots
}

func newIntrospector(c *Introspection, p *provider) *introspector {
	return &introspector{config: c, provider: p, slots: flight.NewSlots(maxIntrospections)}
}

// introspect has the provider judge a token. What it says is then checked like the claims
// of a token, as far as it says it.
func (i *bearerIssuer) introspect(ctx context.Context, raw, key string) (_ *seenToken, err error) {
	in := i.introspector.config
	defer func() {
		if err != nil {
			err = withoutSecrets(err, append(basicForms(in.ClientID, in.ClientSecret), raw, string(in.Token))...)
		}
	}()
	c, err := i.introspector.ask(ctx, raw, key)
	if err != nil {
		return nil, err
	}
	if string(c["active"]) != "true" {
		return nil, refusal.New(refusal.TokenInactive, "the issuer says that the token is not active")
	}
	iss, err := c.str("iss")
	if err != nil || iss != "" && iss != i.issuer {
		return nil, refusal.New(refusal.TokenIssuer, "iss is %.200q, expected %q", iss, i.issuer)
	}
	for _, check := range []func(claims) error{checkSubject, i.checkGivenDates, i.checkAudience, i.checkClient, i.checkKind} {
		err := check(c)
		if err != nil {
			return nil, err
		}
	}
	return i.seen(c, max(i.introspector.config.CacheFor, 0))
}

// ask sends one request for all callers that have the same token.
func (in *introspector) ask(ctx context.Context, raw, key string) (claims, error) {
	c, err := flight.Do(ctx, &in.flight, key, fetchTimeout, func(ctx context.Context) (claims, error) {
		if !in.slots.Take(ctx) {
			return nil, errors.New("too many tokens are being asked about")
		}
		defer in.slots.Free()
		return in.fetch(ctx, raw)
	})
	if err != nil {
		e := refusal.New(refusal.Introspection, "introspection: %w", err)
		e.RetryAfter = firstPause
		return nil, e
	}
	return c, nil
}

func (in *introspector) fetch(ctx context.Context, raw string) (claims, error) {
	endpoint, err := in.endpoint(ctx)
	if err != nil {
		return nil, err
	}
	req, err := in.request(ctx, endpoint, raw)
	if err != nil {
		return nil, err
	}
	var c claims
	err = getJSON(in.provider.http, req, &c)
	if err != nil {
		return nil, err
	}
	return c, nil
}

// endpoint returns where to ask. The discovery document may be wrong about it in a way
// that would send a secret in the clear.
func (in *introspector) endpoint(ctx context.Context) (string, error) {
	if in.config.Endpoint != "" {
		return in.config.Endpoint, nil
	}
	m, err := in.provider.metadata.get(ctx)
	if err != nil {
		return "", err
	}
	if m.introspection == "" {
		return "", errors.New("the provider announces no introspection endpoint: set Introspection.Endpoint, " +
			"or leave Introspection out and have tokens verified here")
	}
	if checkURL(m.introspection, in.provider.insecure) != nil {
		return "", errors.New("the introspection endpoint that the provider announces is not an https URL")
	}
	return m.introspection, nil
}

// request makes the request of RFC 7662, section 2.1.
func (in *introspector) request(ctx context.Context, endpoint, raw string) (*http.Request, error) {
	form := url.Values{"token": {raw}}
	if in.config.TokenTypeHint != "" {
		form.Set("token_type_hint", in.config.TokenTypeHint)
	}
	if in.config.Auth == ClientSecretPost {
		form.Set("client_id", in.config.ClientID)
		form.Set("client_secret", string(in.config.ClientSecret))
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, endpoint, strings.NewReader(form.Encode()))
	if err != nil {
		return nil, errors.New("the introspection endpoint is no URL")
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	switch in.config.Auth {
	case ClientSecretBasic: // encoded first (RFC 6749, 2.3.1)
		req.SetBasicAuth(url.QueryEscape(in.config.ClientID), url.QueryEscape(string(in.config.ClientSecret)))
	case BearerAuth:
		req.Header.Set("Authorization", "Bearer "+string(in.config.Token))
	}
	return req, nil
}
