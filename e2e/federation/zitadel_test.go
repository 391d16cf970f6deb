package federation_test

import (
	"encoding/base64"
	"encoding/json"
	"html"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/zitadel/oidc/v3/example/server/exampleop"
	"github.com/zitadel/oidc/v3/example/server/storage"

	"github.com/cognate-auth/cognate/cognatetest"
	"github.com/cognate-auth/cognate/userpool"
)

const (
	callback = "https://app.test/callback"
	secret   = "of_the_pool_at_zitadel"
)

// startZitadel starts the example provider of zitadel/oidc with the pool as a client.
func startZitadel(t *testing.T, pool *cognatetest.Pool) (issuer string) {
	t.Helper()
	var handler http.Handler
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		handler.ServeHTTP(w, r)
	}))
	t.Cleanup(srv.Close)
	storage.RegisterClients(storage.WebClient("pool", secret, pool.URL+"/oauth2/idpresponse"))
	// The provider logs requests to the process's default logger, which this sets.
	silent := slog.New(slog.DiscardHandler)
	handler = exampleop.SetupServer(srv.URL, storage.NewStorage(storage.NewUserStore(srv.URL)), silent, false)
	return srv.URL
}

// TestZitadel signs in at the provider and returns to the app as a user of the pool.
func TestZitadel(t *testing.T) {
	pool := cognatetest.New(t)
	issuer := startZitadel(t, pool)
	err := pool.UserPool().Configure(t.Context(), userpool.Settings{IdentityProviders: []userpool.IdentityProvider{{
		Name: "Zitadel", Type: userpool.ProviderOIDC, Identifiers: []string{"zitadel.example"},
		ClientID: "pool", ClientSecret: secret, Issuer: issuer, Scopes: "openid profile email",
		AttributeMapping: map[string]string{
			"username": "sub", "email": "email", "email_verified": "email_verified",
			"given_name": "given_name", "family_name": "family_name", "locale": "locale",
		},
	}}})
	if err != nil {
		t.Fatal(err)
	}
	app := pool.AddClient(userpool.Client{
		CallbackURLs: []string{callback}, SupportedIdentityProviders: []string{"COGNITO", "Zitadel"},
	})
	query := url.Values{
		"client_id": {app.ID}, "redirect_uri": {callback}, "response_type": {"code"}, "state": {"S"}, "nonce": {"N"},
		"idp_identifier": {"zitadel.example"},
	}
	for i := range 2 {
		location := signIn(t, newBrowser(t), pool.URL+"/oauth2/authorize?"+query.Encode())
		claims := redeem(t, pool, app, location)
		for name, want := range map[string]any{
			"cognito:username": "zitadel_id1", "email": "test-user@zitadel.ch", "email_verified": true,
			"given_name": "Test", "family_name": "User", "locale": "de", "nonce": "N",
		} {
			if claims[name] != want {
				t.Errorf("sign-in %d: %s: got %v, want %v", i+1, name, claims[name], want)
			}
		}
		identities, _ := claims["identities"].([]any)
		if len(identities) != 1 {
			t.Fatalf("got identities %v", claims["identities"])
		}
		identity, _ := identities[0].(map[string]any)
		if identity["userId"] != "id1" || identity["providerName"] != "Zitadel" || identity["providerType"] != "OIDC" ||
			identity["primary"] != "true" {
			t.Errorf("got identity %v", identity)
		}
	}
}

// newBrowser returns a client that follows redirects until one leads to the app.
func newBrowser(t *testing.T) *http.Client {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &http.Client{Jar: jar, CheckRedirect: func(r *http.Request, _ []*http.Request) error {
		if r.URL.Host == "app.test" {
			return http.ErrUseLastResponse
		}
		return nil
	}}
}

var requestID = regexp.MustCompile(`name="id" value="([^"]*)"`)

// signIn opens the address, which leads to the provider, fills in its form, and returns
// the last address to which the browser is redirected.
func signIn(t *testing.T, browser *http.Client, address string) *url.URL {
	t.Helper()
	resp, err := browser.Get(address)
	if err != nil {
		t.Fatal(err)
	}
	page, err := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	id := requestID.FindSubmatch(page)
	if err != nil || id == nil {
		t.Fatalf("%s answers %d and shows no form of the provider", resp.Request.URL, resp.StatusCode)
	}
	form := url.Values{
		"id": {html.UnescapeString(string(id[1]))}, "username": {"test-user@127.0.0.1"}, "password": {"verysecure"},
	}
	resp, err = browser.PostForm(resp.Request.URL.String(), form)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	location, err := resp.Location()
	if err != nil {
		t.Fatalf("%s answers %d and leads nowhere", resp.Request.URL, resp.StatusCode)
	}
	return location
}

// redeem exchanges the code and returns the claims of the ID token.
func redeem(t *testing.T, pool *cognatetest.Pool, app userpool.Client, location *url.URL) map[string]any {
	t.Helper()
	q := location.Query()
	if !strings.HasPrefix(location.String(), callback+"?") || q.Get("state") != "S" || q.Get("code") == "" {
		t.Fatalf("the browser is sent to %s", location)
	}
	resp, err := http.PostForm(pool.URL+"/oauth2/token", url.Values{
		"grant_type": {"authorization_code"}, "code": {q.Get("code")}, "redirect_uri": {callback},
		"client_id": {app.ID}, "client_secret": {string(app.Secret)},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	var body struct {
		ID string `json:"id_token"`
	}
	err = json.NewDecoder(resp.Body).Decode(&body)
	if err != nil || strings.Count(body.ID, ".") != 2 {
		t.Fatalf("the token endpoint answers %d, %v", resp.StatusCode, err)
	}
	raw, err := base64.RawURLEncoding.DecodeString(strings.Split(body.ID, ".")[1])
	if err != nil {
		t.Fatal(err)
	}
	var claims map[string]any
	err = json.Unmarshal(raw, &claims)
	if err != nil {
		t.Fatal(err)
	}
	return claims
}
