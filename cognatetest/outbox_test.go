package cognatetest_test

import (
	"io"
	"net/http"
	"net/http/cookiejar"
	"strings"
	"testing"

	"github.com/cognate-auth/cognate/cognatetest"
	"github.com/cognate-auth/cognate/userpool"
	"github.com/cognate-auth/cognate/userpool/accounts"
)

// TestMessages reads messages of the pool.
func TestMessages(t *testing.T) {
	t.Parallel()
	pool := cognatetest.New(t, cognatetest.Options{Settings: userpool.Settings{
		SelfSignUp: true, AutoVerifiedAttributes: []string{"email"}, ConfirmByLink: true, FixedCode: "424242",
	}})
	client := pool.AddClient(userpool.Client{CallbackURLs: []string{"https://app.test/"}})
	if got := pool.Messages(t, ""); len(got) != 0 {
		t.Errorf("the outbox begins with %v", got)
	}
	for _, name := range []string{"ann", "bob"} {
		_, _, err := pool.UserPool().Registration.SignUp(t.Context(), accounts.SignUpRequest{
			Client: client, Username: name, Password: "Correct-Horse-7",
			Attributes: map[string]string{"email": name + "@example.com"},
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if got := pool.Code(t, "ann@example.com"); got != "424242" {
		t.Errorf("the code is %q, want the fixed one", got)
	}
	if got := pool.Link(t, "ann@example.com"); !strings.HasPrefix(got, pool.URL+"/confirmUser?") {
		t.Errorf("the link is %q", got)
	}
	if got := pool.Messages(t, "ANN@example.com"); len(got) != 1 {
		t.Errorf("got %v, want only Ann's message", got)
	}
}

// TestDevView opens the developer's view as a browser does, if it is enabled. Without
// its access token the view is not shown.
func TestDevView(t *testing.T) {
	t.Parallel()
	for _, on := range []bool{true, false} {
		pool := cognatetest.New(t, cognatetest.Options{DevView: on})
		jar, err := cookiejar.New(nil)
		if err != nil {
			t.Fatal(err)
		}
		get := func(client *http.Client, address string) (status int, body string) {
			r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
			if err != nil {
				t.Fatal(err)
			}
			resp, err := client.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			text, err := io.ReadAll(resp.Body)
			_ = resp.Body.Close()
			if err != nil {
				t.Fatal(err)
			}
			return resp.StatusCode, string(text)
		}
		plain := pool.URL + "/_cognate/"
		want := map[bool]int{true: http.StatusUnauthorized, false: http.StatusNotFound}[on]
		if got, _ := get(http.DefaultClient, plain); got != want {
			t.Errorf("on %t: got %d without the token, want %d", on, got, want)
		}
		if on != strings.HasPrefix(pool.DevViewURL, plain+"?token=") {
			t.Errorf("on %t: the address is %q", on, pool.DevViewURL)
		}
		if !on {
			continue
		}
		status, body := get(&http.Client{Jar: jar}, pool.DevViewURL)
		if status != http.StatusOK || !strings.Contains(body, "Nobody has signed in yet") {
			t.Errorf("got %d: %s", status, body)
		}
	}
}
