package cognatetest

import (
	"net/http"
	"net/http/cookiejar"
	"strings"
	"testing"

	"github.com/cognate-auth/cognate/userpool"
)

// TestSignInExplains checks the messages for a test's author when a sign-in fails.
func TestSignInExplains(t *testing.T) {
	t.Parallel()
	pool := New(t)
	pool.AddPublicClient(userpool.Client{ID: "app", CallbackURLs: []string{"https://app.test/"}})
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	authorize := pool.URL + "/oauth2/authorize?response_type=code&client_id="
	for name, tt := range map[string]struct {
		browser       *http.Client
		address, want string
	}{
		"no jar":         {http.DefaultClient, authorize + "app", "needs a cookie jar"},
		"wrong password": {&http.Client{Jar: jar}, authorize + "app", "401: Incorrect username or password."},
		"unknown client": {&http.Client{Jar: jar}, authorize + "nobody", "/error answered 400"},
	} {
		_, err := pool.signIn(t, tt.browser, tt.address, "ann", "wrong")
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got error %v, want %q", name, err, tt.want)
		}
	}
}
