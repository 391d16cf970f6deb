package main

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"fmt"

	"github.com/cognate-auth/cognate/cmd/cognate/internal/saml"
	"github.com/cognate-auth/cognate/userpool"
	"github.com/cognate-auth/cognate/userpool/store"
)

// samlKey names the record of the key that signs messages to SAML providers. They have
// its certificate, so the key must not change.
var samlKey = store.Record{Kind: "config", ID: "saml key"}

// signsSAML reports whether a pool with these settings signs its messages to a SAML
// provider. The error names the provider whose metadata can't be used, and says why.
func signsSAML(s userpool.Settings) (bool, error) {
	all := false
	for _, p := range s.IdentityProviders {
		if p.Type != userpool.ProviderSAML {
			continue
		}
		one, err := saml.Signs(p)
		if err != nil {
			return false, fmt.Errorf("the identity provider %s can't be used: %w", p.Name, err)
		}
		all = all || one
	}
	return all, nil
}

// serviceProvider returns the SAML service provider of a pool. It needs a key only if
// signing is true.
func serviceProvider(ctx context.Context, s store.Store, pool string, signing bool) (*saml.SP, error) {
	if !signing {
		return saml.New(nil)
	}
	for range 3 {
		r, ok, err := s.Get(ctx, pool, samlKey.Kind, samlKey.ID)
		if err != nil {
			return nil, err
		}
		if ok {
			return signingProvider(r.Body)
		}
		err = putSAMLKey(ctx, s, pool)
		if err != nil && !errors.Is(err, store.ErrExists) { // another process stored its key first
			return nil, err
		}
	}
	return nil, errors.New("the key for SAML can't be kept in the store")
}

func signingProvider(der []byte) (*saml.SP, error) {
	parsed, err := x509.ParsePKCS8PrivateKey(der)
	key, ok := parsed.(*rsa.PrivateKey)
	if err != nil || !ok {
		return nil, errors.New("the store's key for SAML is not an RSA key") // the parser's error might repeat the key
	}
	return saml.New(key)
}

func putSAMLKey(ctx context.Context, s store.Store, pool string) error {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return fmt.Errorf("generating a key for SAML: %w", err)
	}
	r := samlKey
	r.Body, err = x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return fmt.Errorf("encoding the key for SAML: %w", err)
	}
	return s.Apply(ctx, pool, store.Change{Op: store.Create, Record: r})
}
