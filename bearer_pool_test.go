package cognate_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/cognate-auth/cognate"
	"github.com/cognate-auth/cognate/cognatetest"
	"github.com/cognate-auth/cognate/internal/fakeprovider"
	"github.com/cognate-auth/cognate/userpool"
)

// TestTokensOfLocalPool uses the pool's own tokens: the access token opens an API, the ID
// token of the same sign-in does not.
func TestTokensOfLocalPool(t *testing.T) {
	pool := cognatetest.New(t)
	client := pool.AddClient(userpool.Client{CallbackURLs: []string{appOrigin + "/oidc_callback"}})
	pool.AddUser(userpool.NewUser{Username: "ann", Password: "Correct-Horse-7", Attributes: map[string]string{"email": "ann@example.com"}})
	var tokens struct {
		ID     string `json:"id_token"`
		Access string `json:"access_token"`
	}
	x := newApp(t, fakeprovider.New(t), func(c *cognate.Config) {
		c.Issuer, c.ClientID, c.ClientSecret, c.Now = pool.Issuer, client.ID, cognate.Secret(client.Secret), nil
		// The tokens are caught on their way to the app.
		c.HTTPClient = &http.Client{Transport: fakeprovider.RoundTripFunc(func(r *http.Request) (*http.Response, error) {
			resp, err := http.DefaultTransport.RoundTrip(r)
			if err == nil && strings.HasSuffix(r.URL.Path, "/token") {
				data, _ := io.ReadAll(resp.Body)
				_ = resp.Body.Close()
				resp.Body = io.NopCloser(bytes.NewReader(data))
				err = json.Unmarshal(data, &tokens)
			}
			return resp, err
		})}
	})
	b := x.browser(t)
	resp := b.get("/private/")
	b.get(pool.Authorize(t, atPool(b), resp.Header.Get("Location"), "ann", "Correct-Horse-7").RequestURI())
	u, err := x.auth.VerifyAccessToken(t.Context(), tokens.Access, "openid", "email")
	if err != nil || u.Username != "ann" || u.Subject != b.user().Subject || u.Claim("client_id") != client.ID {
		t.Errorf("user %+v, error %v", u, err)
	}
	_, err = x.auth.VerifyAccessToken(t.Context(), tokens.ID)
	if reasonOf(err) == "" {
		t.Error("the ID token passed as an access token")
	}
	_, err = x.auth.VerifyAccessToken(t.Context(), tokens.Access, "aws.cognito.signin.user.admin")
	if reasonOf(err) != cognate.ReasonInsufficientScope {
		t.Errorf("a scope that was not asked for: error %v", err)
	}
	other, err := cognate.NewBearer(cognate.BearerConfig{Issuers: []cognate.BearerIssuer{{Issuer: pool.Issuer, Clients: []string{"another-client"}}}})
	if err != nil {
		t.Fatal(err)
	}
	_, err = other.Verify(t.Context(), tokens.Access)
	if reasonOf(err) != cognate.ReasonTokenClient {
		t.Errorf("at an API of another client: error %v", err)
	}
}
