package cognatetest_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/cognate-auth/cognate/cognatetest"
	"github.com/cognate-auth/cognate/userpool"
)

// TestMessages reads what the pool sent.
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
		_, _, err := pool.UserPool().SignUp(t.Context(), userpool.SignUpRequest{
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
		t.Errorf("got %v, want Ann's message alone", got)
	}
}

// TestDevView serves the developer's view to this machine, if told so.
func TestDevView(t *testing.T) {
	t.Parallel()
	for _, on := range []bool{true, false} {
		pool := cognatetest.New(t, cognatetest.Options{DevView: on})
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, pool.URL+"/_cognate/", nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if err != nil || (resp.StatusCode == http.StatusOK) != on || strings.Contains(string(body), "Nobody has signed in yet") != on {
			t.Errorf("on %t: got %d, %v", on, resp.StatusCode, err)
		}
	}
}
