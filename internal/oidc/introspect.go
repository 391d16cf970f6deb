package oidc

import (
	"context"
	"errors"
	"net/url"

	"github.com/cognate-auth/cognate/internal/flight"
	"github.com/cognate-auth/cognate/internal/refusal"
)

// maxIntrospections bounds how many introspection requests are made at the same time, since
// anyone can send invented tokens. Other tokens wait.
const maxIntrospections = 64

// IntrospectorConfig says where and how tokens are introspected.
type IntrospectorConfig struct {
	// Provider is the issuer of the tokens.
	Provider *Provider
	// Endpoint is the introspection endpoint; empty means the one in the discovery document.
	Endpoint string
	// Proof authenticates this program at the endpoint.
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

// NewIntrospector returns an Introspector.
func NewIntrospector(c IntrospectorConfig) *Introspector {
	return &Introspector{config: c, slots: flight.NewSlots(maxIntrospections)}
}

// Ask returns the provider's answer about a token. Callers with the same key at the same
// time share one request.
func (in *Introspector) Ask(ctx context.Context, raw, key string) (Claims, error) {
	c, err := flight.Do(ctx, &in.flight, key, RequestTimeout, func(ctx context.Context) (Claims, error) {
		if !in.slots.Take(ctx) {
			return nil, errors.New("too many introspection requests are under way")
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

// endpoint returns the introspection endpoint. It checks one from the discovery document, so
// that no secret is sent in the clear.
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
			"or leave Introspection out and have tokens verified locally")
	}
	if CheckURL(m.introspection, p.config.InsecureHTTP) != nil {
		return "", errors.New("the introspection endpoint that the provider announces is not an https URL")
	}
	return m.introspection, nil
}
