package cognate

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"golang.org/x/oauth2"
)

// client is this app client at its provider.
type client struct {
	id          string
	secret      Secret
	method      AuthMethod
	redirectURL string
	scopes      []string
}

// authorizationURL is where the browser goes to sign in: an authorization request with
// state, nonce and PKCE (OpenID Connect Core 1.0, 3.1.2.1; RFC 7636, 4.3), always.
func (c *client) authorizationURL(endpoint string, t *transaction) string {
	cfg := c.oauth2(Endpoints{Authorization: endpoint})
	return cfg.AuthCodeURL(t.state, oauth2.SetAuthURLParam("nonce", t.nonce), oauth2.S256ChallengeOption(t.verifier))
}

func (c *client) oauth2(e Endpoints) *oauth2.Config {
	// The style is explicit: probing for it would spend the code (Cognito takes a
	// code that came with a wrong client authentication as used).
	style := oauth2.AuthStyleInParams
	if c.method == ClientSecretBasic {
		style = oauth2.AuthStyleInHeader
	}
	return &oauth2.Config{
		ClientID: c.id, ClientSecret: string(c.secret), RedirectURL: c.redirectURL, Scopes: c.scopes,
		Endpoint: oauth2.Endpoint{AuthURL: e.Authorization, TokenURL: e.Token, AuthStyle: style},
	}
}

// tokens are what a code was exchanged for.
type tokens struct {
	id     string
	access string
}

// exchange redeems the authorization code, with one request.
func (c *client) exchange(ctx context.Context, hc *http.Client, e Endpoints, code, verifier string) (tokens, error) {
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	ctx = context.WithValue(ctx, oauth2.HTTPClient, hc)
	t, err := c.oauth2(e).Exchange(ctx, code, oauth2.VerifierOption(verifier))
	if err != nil {
		return tokens{}, exchangeError(err)
	}
	if !strings.EqualFold(t.Type(), "bearer") {
		return tokens{}, refuse(ReasonTokenEndpoint, "the token response's type is not Bearer")
	}
	id, ok := t.Extra("id_token").(string)
	if !ok || id == "" {
		return tokens{}, refuse(ReasonNoIDToken, "the token response has no ID token; is openid among the scopes?")
	}
	return tokens{id: id, access: t.AccessToken}, nil
}

// exchangeError says what went wrong without oauth2's own text, which quotes the
// response body: that can hold tokens.
func exchangeError(err error) *Error {
	re, ok := errors.AsType[*oauth2.RetrieveError](err)
	if !ok {
		return refuse(ReasonTokenEndpoint, "the token endpoint gave no answer that can be read: %w", withoutBody(err))
	}
	status := 0
	if re.Response != nil {
		status = re.Response.StatusCode
	}
	reason := ReasonTokenEndpoint
	code := errorCode(re.ErrorCode)
	switch {
	case status >= 500 || code == "":
	case code == "invalid_grant":
		reason = ReasonCodeRefused
	case slices.Contains([]string{"invalid_client", "unauthorized_client", "invalid_request", "unsupported_grant_type", "invalid_scope"}, code):
		reason = ReasonClientRefused
	}
	e := refuse(reason, "the token endpoint answered with status %d", status)
	e.ProviderCode = code
	return e
}

// withoutBody keeps the cause of a failed connection and drops every other text: what
// is wrong with a body is explained by quoting it.
func withoutBody(err error) error {
	for _, known := range []error{context.DeadlineExceeded, context.Canceled} {
		if errors.Is(err, known) {
			return known
		}
	}
	if ne, ok := errors.AsType[interface {
		error
		Timeout() bool
	}](err); ok {
		return fmt.Errorf("no connection: %w", ne)
	}
	return errors.New("it is no token response")
}

// oauthCode is what error codes are made of: RFC 6749, 5.2 allows more, which nobody
// uses for a word.
var oauthCode = regexp.MustCompile(`^[A-Za-z0-9_.:/-]{1,64}$`)

// errorCode returns an OAuth error code as the provider sent it, if it is one.
func errorCode(s string) string {
	if !oauthCode.MatchString(s) {
		return ""
	}
	return s
}
