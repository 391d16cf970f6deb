package main

import (
	"cmp"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"

	"github.com/cognate-auth/cognate"
	"github.com/cognate-auth/cognate/internal/terminal"
	"github.com/cognate-auth/cognate/userpool"
)

// clientFlags describe the pool and its only app client, if nothing else describes pools.
// Empty fields have a default. The defaults are constants, even the secret, so that
// client-secrets prints what cognate pool serves; the secret protects only a pool on the
// same machine.
type clientFlags struct {
	PoolID       string         `name:"pool-id" placeholder:"ID" help:"Pool ID, of the form region_word (default local_Cognate01)."`
	ClientID     string         `name:"client-id" placeholder:"ID" help:"App client ID (default cognatelocalclient00000001)."`
	ClientSecret cognate.Secret `name:"client-secret" placeholder:"SECRET" env:"COGNATE_CLIENT_SECRET" help:"App client secret, 24 to 64 letters, digits, _ or +."`
	RedirectURIs []string       `name:"redirect-uri" sep:"none" placeholder:"URI" env:"COGNATE_REDIRECT_URI" help:"Callback URL of the app; may be repeated (default https://127.0.0.1:5000/oidc_callback and http://localhost:5000/oidc_callback)."`
}

const (
	defaultPoolID       = "local_Cognate01"
	defaultClientID     = "cognatelocalclient00000001"
	defaultClientSecret = "only_for_the_pool_on_this_machine"
	secretVariable      = "COGNATE_CLIENT_SECRET"
	redirectVariable    = "COGNATE_REDIRECT_URI"
)

// given returns a flag of the command line that describes a pool, or "". The environment
// alone describes none: a variable of another project must not hide a file.
func (f *clientFlags) given() string {
	switch {
	case f.PoolID != "":
		return "--pool-id"
	case f.ClientID != "":
		return "--client-id"
	case f.ClientSecret != "" && !f.secretFromEnvironment():
		return "--client-secret"
	case len(f.RedirectURIs) > 0 && !f.redirectFromEnvironment():
		return "--redirect-uri"
	}
	return ""
}

func (f *clientFlags) secretFromEnvironment() bool {
	return f.ClientSecret != "" && string(f.ClientSecret) == os.Getenv(secretVariable)
}

func (f *clientFlags) redirectFromEnvironment() bool {
	return len(f.RedirectURIs) == 1 && f.RedirectURIs[0] == os.Getenv(redirectVariable)
}

// unused says that the environment has a secret or a callback URL for which there is no use
// beside s.
func (f *clientFlags) unused(term terminal.Streams, s source) {
	if f.secretFromEnvironment() {
		terminal.Printf(term.Err, "cognate: %s is set and not used: %s has the secrets of its clients\n",
			secretVariable, s.name)
	}
	if f.redirectFromEnvironment() {
		terminal.Printf(term.Err, "cognate: %s is set and not used: %s has the callback URLs of its clients\n",
			redirectVariable, s.name)
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
		ID: cmp.Or(f.ClientID, defaultClientID), Name: "Local app",
		Secret: userpool.Secret(cmp.Or(f.ClientSecret, defaultClientSecret)), CallbackURLs: f.RedirectURIs,
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
	err := userpool.CheckPoolID(f.poolID())
	if err != nil {
		return userpool.Client{}, fmt.Errorf("--pool-id %w", err)
	}
	err = userpool.CheckClient(c)
	if e, ok := errors.AsType[*userpool.Error](err); ok {
		return userpool.Client{}, fmt.Errorf("the app client of the flags is not valid: %s", e.Description)
	}
	return c, err
}

func (f *clientFlags) poolID() string { return cmp.Or(f.PoolID, defaultPoolID) }

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
