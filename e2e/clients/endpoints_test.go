package clients

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"golang.org/x/oauth2"

	"github.com/cognate-auth/cognate/userpool"
)

// answer is an answer of the token endpoint.
type answer struct {
	Access string `json:"access_token"`
	ID     string `json:"id_token"`
	Error  string `json:"error"`
}

// token calls the pool's token endpoint directly, so that the test need not trust a
// client.
func (a app) token(t *testing.T, client userpool.Client, form url.Values) (got answer) {
	t.Helper()
	resp := a.post(t, "/oauth2/token", client, form)
	defer resp.Body.Close()
	err := json.NewDecoder(resp.Body).Decode(&got)
	if err != nil {
		t.Fatalf("token endpoint: %v", err)
	}
	return got
}

// revokeToken revokes a token as a client.
func (a app) revokeToken(t *testing.T, client userpool.Client, token string) {
	t.Helper()
	resp := a.post(t, "/oauth2/revoke", client, url.Values{"token": {token}})
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("revoking: %s", resp.Status)
	}
}

// tokens signs in to a client.
func (a app) tokens(t *testing.T, client userpool.Client) answer {
	t.Helper()
	config := oauth2.Config{
		ClientID: client.ID, RedirectURL: client.CallbackURLs[0], Scopes: []string{"openid"},
		Endpoint: oauth2.Endpoint{AuthURL: a.pool.URL + "/oauth2/authorize"},
	}
	back := a.pool.Authorize(t, newBrowser(t).client, config.AuthCodeURL("state"), name, password)
	got := a.token(t, client, url.Values{
		"grant_type": {"authorization_code"}, "code": {back.Query().Get("code")},
		"redirect_uri": {client.CallbackURLs[0]},
	})
	if got.Access == "" || got.ID == "" {
		t.Fatalf("no tokens but %q", got.Error)
	}
	return got
}

func (a app) post(t *testing.T, path string, client userpool.Client, form url.Values) *http.Response {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, a.pool.URL+path,
		strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.SetBasicAuth(client.ID, string(client.Secret))
	resp, err := transport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	return resp
}
