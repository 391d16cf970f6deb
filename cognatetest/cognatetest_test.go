package cognatetest_test

import (
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"testing"

	"github.com/cognate-auth/cognate/cognatetest"
	"github.com/cognate-auth/cognate/userpool"
)

const callback = "http://localhost:8080/callback"

// TestAuthorize signs in on the real pages, and a second time without a form.
func TestAuthorize(t *testing.T) {
	t.Parallel()
	pool := cognatetest.New(t)
	client := pool.AddClient(userpool.Client{CallbackURLs: []string{callback}})
	pool.AddUser(userpool.NewUser{Username: "ann", Password: "correct horse"})
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	browser := &http.Client{Jar: jar}
	q := url.Values{
		"client_id": {client.ID}, "response_type": {"code"}, "redirect_uri": {callback}, "state": {"a&b=c+d"},
	}
	address := pool.URL + "/oauth2/authorize?" + q.Encode()

	first := pool.Authorize(t, browser, address, "ann", "correct horse")
	again := pool.Authorize(t, browser, address, "ann", "not needed")
	for name, got := range map[string]*url.URL{"form": first, "session": again} {
		if got.Scheme+"://"+got.Host+got.Path != callback {
			t.Errorf("%s: redirected to %s, want %s", name, got, callback)
		}
		if got.Query().Get("code") == "" || got.Query().Get("state") != "a&b=c+d" {
			t.Errorf("%s: parameters %s: want a code and the state", name, got.RawQuery)
		}
	}
	if first.Query().Get("code") == again.Query().Get("code") {
		t.Error("two sign-ins got the same code")
	}
}
