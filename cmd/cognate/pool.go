package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"

	"github.com/cognate-auth/cognate"
	"github.com/cognate-auth/cognate/userpool"
	"github.com/cognate-auth/cognate/userpool/memstore"
	"github.com/cognate-auth/cognate/userpool/pool"
	"github.com/cognate-auth/cognate/userpool/server"
	"github.com/cognate-auth/cognate/userpool/trace"
)

// clientFlags describe the pool and its only app client. The defaults are constants,
// even the secret, so that client-secrets prints what cognate pool serves; the secret
// protects only a pool on the same machine.
type clientFlags struct {
	PoolID       string         `name:"pool-id" default:"local_Cognate01" placeholder:"ID" help:"Pool ID, of the form region_word (default ${default})."`
	ClientID     string         `name:"client-id" default:"cognatelocalclient00000001" placeholder:"ID" help:"App client ID (default ${default})."`
	ClientSecret cognate.Secret `name:"client-secret" default:"only_for_the_pool_on_this_machine" placeholder:"SECRET" env:"COGNATE_CLIENT_SECRET" help:"App client secret, 24 to 64 letters, digits, _ or +."`
	RedirectURIs []string       `name:"redirect-uri" default:"https://127.0.0.1:5000/oidc_callback" sep:"none" placeholder:"URI" help:"Callback URL of the app; may be repeated (default ${default})."`
}

// defaultClientFlags returns the values of a command line without flags.
func defaultClientFlags() clientFlags {
	return clientFlags{
		PoolID: "local_Cognate01", ClientID: "cognatelocalclient00000001",
		ClientSecret: "only_for_the_pool_on_this_machine",
		RedirectURIs: []string{"https://127.0.0.1:5000/oidc_callback"},
	}
}

// seedUsers are in every pool that the program starts.
var seedUsers = []struct {
	email, password, verified, note string
}{
	{"ann@example.com", "Correct-Horse-7", "true", "the e-mail address is verified"},
	{"bob@example.com", "Battery-Staple-7", "false", "unverified: the app refuses this user"},
}

// localPool is the demo's pool: it is in memory, with its client and users.
type localPool struct {
	pool    *pool.Pool
	client  userpool.Client
	handler http.Handler
}

// newLocalPool returns a pool that is served at base. People sign in with their e-mail
// address, as in most Cognito pools.
func newLocalPool(
	ctx context.Context, base string, client userpool.Client, view view, log *slog.Logger,
) (*localPool, error) {
	p, err := pool.New(ctx, pool.Config{
		Issuer: base + "/", Store: memstore.New(), Logger: log, Trace: trace.New(nil),
		Settings: userpool.Settings{UsernameAttributes: []string{"email"}},
	})
	if err != nil {
		return nil, err
	}
	client, err = p.Clients.Create(ctx, client)
	if err != nil {
		return nil, err
	}
	for _, u := range seedUsers {
		_, err = p.Users.Create(ctx, userpool.NewUser{
			Username: u.email, Password: userpool.Secret(u.password),
			Attributes: map[string]string{"email": u.email, "email_verified": u.verified},
		})
		if err != nil {
			return nil, fmt.Errorf("adding %s: %w", u.email, err)
		}
	}
	handler, err := server.New(server.Config{
		Pool: p, BaseURL: base, Logger: log,
		DevView: true, DevViewToken: view.token, InsecureDevViewAnywhere: view.anywhere,
	})
	if err != nil {
		return nil, err
	}
	return &localPool{p, client, handler}, nil
}

// clientSecrets describes the pool's app client to an app.
func clientSecrets(base, issuer string, c userpool.Client) *cognate.ClientSecrets {
	return &cognate.ClientSecrets{
		Issuer: issuer, ClientID: c.ID, ClientSecret: cognate.Secret(c.Secret), RedirectURIs: c.CallbackURLs,
		AuthURI: base + "/oauth2/authorize", TokenURI: base + "/oauth2/token", UserInfoURI: base + "/oauth2/userInfo",
	}
}

// client returns the app client that the flags describe, after the pool's rules have
// accepted the client and the pool's ID.
func (f *clientFlags) client() (userpool.Client, error) {
	c := userpool.Client{
		ID: f.ClientID, Name: "Local app", Secret: userpool.Secret(f.ClientSecret), CallbackURLs: f.RedirectURIs,
	}
	for _, uri := range f.RedirectURIs {
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
