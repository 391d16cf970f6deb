package cognatetest_test

import (
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"testing"

	"github.com/cognate-auth/cognate/cognatetest"
	"github.com/cognate-auth/cognate/userpool"
)

// TestAuthorizeInSteps signs in to a pool that asks for the user name first, and for a
// code of an authenticator app.
func TestAuthorizeInSteps(t *testing.T) {
	t.Parallel()
	pool := cognatetest.New(t, cognatetest.Options{Settings: userpool.Settings{
		MFA: userpool.MFAOptional, MFATypes: []string{userpool.FactorTOTP},
	}})
	pool.AddUser(userpool.NewUser{Username: "ann", Password: "correct horse"})
	pool.AddUser(userpool.NewUser{Username: "bob", Password: "correct horse"})
	for _, flows := range [][]string{nil, {"ALLOW_USER_AUTH"}} {
		for _, user := range []string{"ann", "bob"} {
			// The codes can be used again.
			err := pool.UserPool().Users.SetTOTP(t.Context(), "bob", "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP")
			if err != nil {
				t.Fatal(err)
			}
			client := pool.AddClient(userpool.Client{
				CallbackURLs: []string{"https://app.example/cb"}, ExplicitAuthFlows: flows,
			})
			jar, err := cookiejar.New(nil)
			if err != nil {
				t.Fatal(err)
			}
			address := pool.URL + "/oauth2/authorize?" + url.Values{
				"client_id": {client.ID}, "redirect_uri": {"https://app.example/cb"}, "response_type": {"code"},
			}.Encode()
			to := pool.Authorize(t, &http.Client{Jar: jar}, address, user, "correct horse")
			if to.Query().Get("code") == "" {
				t.Errorf("%s with %v: got %s", user, flows, to)
			}
		}
	}
}
