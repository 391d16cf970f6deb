package cognate_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/cognate-auth/cognate"
	"github.com/cognate-auth/cognate/internal/fakeprovider"
)

// answerWith answers with a JSON text.
func answerWith(status int, body string) func(http.ResponseWriter, *http.Request) {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body))
	}
}

func TestDiscoveryOfRevocation(t *testing.T) {
	p := fakeprovider.New(t)
	p.EditDiscovery = func(d map[string]any) { d["revocation_endpoint"] = "http://provider.test/revoke" }
	w := httptest.NewRecorder()
	x := newApp(t, p, nil)
	x.handler.ServeHTTP(w, httptest.NewRequest(http.MethodGet, appOrigin+"/private/", nil))
	if w.Code != http.StatusServiceUnavailable || !strings.Contains(x.log.String(), "revocation endpoint") {
		t.Errorf("status %d; a revocation endpoint in the clear is taken:\n%s", w.Code, x.log)
	}
}

// TestEchoedSecrets is a broken server that sends back what it was sent, where an HTTP answer
// should begin.
func TestEchoedSecrets(t *testing.T) {
	p := fakeprovider.New(t)
	x := newApp(t, p, func(c *cognate.Config) {
		c.ClientAuth, c.UserInfo = cognate.ClientSecretPost, cognate.UserInfoAlways
	})
	echo := func(w http.ResponseWriter, r *http.Request) {
		conn, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		_, _ = conn.Write([]byte(r.PostForm.Encode() + r.Header.Get("Authorization") + "\r\n\r\n"))
	}
	p.ServeUserInfo = echo
	x.browser(t).signIn(p)
	p.ServeToken = echo
	x.browser(t).signIn(p)
	for _, secret := range []string{"s3cret", "code_verifier", "code=", "access-token"} {
		if strings.Contains(x.log.String(), secret) {
			t.Errorf("the log has %q:\n%s", secret, x.log)
		}
	}
	if n := strings.Count(x.log.String(), "it broke off"); n != 2 {
		t.Errorf("%d lines say what happened, want 2:\n%s", n, x.log)
	}
}
