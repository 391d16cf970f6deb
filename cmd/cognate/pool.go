package main

import (
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/cognate-auth/cognate"
	"github.com/cognate-auth/cognate/userpool"
)

// clientFlags describe the pool and its only app client. The defaults are constants,
// even the secret, so that client-secrets prints what cognate pool serves; the secret
// protects only a pool on the same machine.
type clientFlags struct {
	PoolID       string         `name:"pool-id" default:"local_Cognate01" placeholder:"ID" help:"Pool ID, of the form region_word (default ${default})."`
	ClientID     string         `name:"client-id" default:"cognatelocalclient00000001" placeholder:"ID" help:"App client ID (default ${default})."`
	ClientSecret cognate.Secret `name:"client-secret" default:"only_for_the_pool_on_this_machine" placeholder:"SECRET" env:"COGNATE_CLIENT_SECRET" help:"App client secret, 24 to 64 letters, digits, _ or +."`
	RedirectURIs []string       `name:"redirect-uri" sep:"none" placeholder:"URI" help:"Callback URL of the app; may be repeated (default https://127.0.0.1:5000/oidc_callback and http://localhost:5000/oidc_callback)."`
}

// defaultClientFlags returns the values of a command line without flags.
func defaultClientFlags() clientFlags {
	return clientFlags{
		PoolID: "local_Cognate01", ClientID: "cognatelocalclient00000001",
		ClientSecret: "only_for_the_pool_on_this_machine",
	}
}

// defaultRedirectURIs are where an app on this machine listens: with a certificate, or without
// one. Cognito accepts http for localhost too.
var defaultRedirectURIs = []string{
	"https://127.0.0.1:5000/oidc_callback", "http://localhost:5000/oidc_callback",
}

// client returns the app client that the flags describe, after the pool's rules have
// accepted the client and the pool's ID.
func (f *clientFlags) client() (userpool.Client, error) {
	c := userpool.Client{
		ID: f.ClientID, Name: "Local app", Secret: userpool.Secret(f.ClientSecret), CallbackURLs: f.RedirectURIs,
	}
	if len(c.CallbackURLs) == 0 {
		c.CallbackURLs = defaultRedirectURIs
	}
	for _, uri := range c.CallbackURLs {
		if strings.Contains(uri, "*") {
			break // CheckClient explains that wildcards are not accepted
		}
		home, err := homeOf(uri)
		if err != nil {
			return userpool.Client{}, err
		}
		c.LogoutURLs = append(c.LogoutURLs, home)
	}
	err := userpool.CheckPoolID(f.PoolID)
	if err != nil {
		return userpool.Client{}, fmt.Errorf("--pool-id %w", err)
	}
	err = userpool.CheckClient(c)
	if e, ok := errors.AsType[*userpool.Error](err); ok {
		return userpool.Client{}, fmt.Errorf("the app client of the flags is not valid: %s", e.Description)
	}
	return c, err
}

// homeOf returns the home page of the app with this callback URL, where a sign-out
// ends.
func homeOf(callback string) (string, error) {
	u, err := url.Parse(callback)
	if err != nil || u.Host == "" {
		return "", fmt.Errorf("--redirect-uri %q is not an absolute URL, such as "+
			"https://127.0.0.1:5000/oidc_callback", callback)
	}
	return u.Scheme + "://" + u.Host + "/", nil
}
