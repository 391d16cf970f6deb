package oidc

import (
	"context"
	"errors"
	"net/url"

	"github.com/cognate-auth/cognate/internal/flight"
	"github.com/cognate-auth/cognate/internal/refusal"
)

// maxIntrospections bounds how many tokens are asked about at the same time. Tokens that
// are made up cost their sender nothing; further ones wait.
const maxIntrospections = 64

// IntrospectorConfig says where tokens are asked about, and by whom.
type IntrospectorConfig struct {
	// Provider is who judges.
	Provider *Provider
	// Endpoint is the introspection endpoint; empty means that the discovery document says.
	Endpoint string
	// Proof is how this program proves itself there.
	Proof *Proof
	// TokenTypeHint is sent as token_type_hint, unless it is empty.
	TokenTypeHint string
}

// An Introspector asks a provider about tokens (RFC 7662). It is safe for concurrent use.
type Introspector struct {
	config IntrospectorConfig
	flight flight.Group
	slots  flight.Slots
}

// NewIntrospector makes an Introspector.
func NewIntrospector(c IntrospectorConfig) *Introspector {
	return &Introspector{config: c, slots: flight.NewSlots(maxIntrospections)}
}

// Ask returns what the provider says of a token, with one request for all callers that have
// the same key for it at the same time.
func (in *Introspector) Ask(ctx context.Context, raw, key string) (Claims, error) {
	c, err := flight.Do(ctx, &in.flight, key, RequestTimeout, func(ctx context.Context) (Claims, error) {
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

// fetch makes the request of RFC 7662, section 2.1.
func (in *Introspector) fetch(ctx context.Context, raw string) (Claims, error) {
	endpoint, err := in.endpoint(ctx)
	if err != nil {
		return nil, err
	}
	form := url.Values{"token": {raw}}
	if in.config.TokenTypeHint != "" {
		form.Set("token_type_hint", in.config.TokenTypeHint)
	}
	req, err := in.config.Proof.request(ctx, endpoint, form)
	if err != nil {
		return nil, err
	}
	var c Claims
	err = getJSON(in.config.Provider.http, req, &c)
	if err != nil {
		return nil, err
	}
	return c, nil
}

// endpoint returns where to ask. The discovery document may be wrong about it in a way
// that would send a secret in the clear.
func (in *Introspector) endpoint(ctx context.Context) (string, error) {
	if in.config.Endpoint != "" {
		return in.config.Endpoint, nil
	}
	p := in.config.Provider
	m, err := p.metadata.get(ctx)
	if err != nil {
		return "", err
	}
	if m.introspection == "" {
		return "", errors.New("the provider announces no introspection endpoint: set Introspection.Endpoint, " +
			"or leave Introspection out and have tokens verified here")
	}
	if CheckURL(m.introspection, p.config.InsecureHTTP) != nil {
		return "", errors.New("the introspection endpoint that the provider announces is not an https URL")
	}
	return m.introspection, nil
}
