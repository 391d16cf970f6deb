package oauth_test

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/cognate-auth/cognate/userpool"
	"github.com/cognate-auth/cognate/userpool/internal/pooltest"
)

// BenchmarkToken measures the token endpoint next to the bare signatures that
// its answer holds, which are the greatest part of its work: one of RSA-2048 for
// a machine, two for a person.
func BenchmarkToken(b *testing.B) {
	e := pooltest.New(b)
	c := e.AddClient(b, userpool.Client{
		ID: "machine", GenerateSecret: true, AllowedOAuthFlows: []string{"client_credentials"},
		AllowedOAuthScopes: []string{"https://api.test/read"},
	})
	a := e.Redeem(b, e.Code(b)).JSON(b)
	token, _ := a["refresh_token"].(string)
	b.Run("client_credentials", func(b *testing.B) {
		benchmarkGrant(b, e, pooltest.Basic(c.ID, c.Secret), url.Values{"grant_type": {"client_credentials"}})
	})
	b.Run("refresh_token", func(b *testing.B) {
		form := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {token}}
		benchmarkGrant(b, e, pooltest.Basic("app", e.App.Secret), form)
	})
	b.Run("one signature", func(b *testing.B) { benchmarkSignatures(b, 1) })
	b.Run("two signatures", func(b *testing.B) { benchmarkSignatures(b, 2) })
}

func benchmarkGrant(b *testing.B, e *pooltest.Env, header http.Header, form url.Values) {
	header = header.Clone()
	header.Set("Content-Type", "application/x-www-form-urlencoded")
	body := form.Encode()
	b.ReportAllocs()
	for b.Loop() {
		r := httptest.NewRequest(http.MethodPost, "/oauth2/token", strings.NewReader(body))
		r.Header = header
		w := httptest.NewRecorder()
		e.Handler.ServeHTTP(w, r)
		if w.Code != http.StatusOK {
			b.Fatal(w.Code, w.Body)
		}
	}
}

func benchmarkSignatures(b *testing.B, n int) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		b.Fatal(err)
	}
	sum := sha256.Sum256([]byte("claims"))
	b.ReportAllocs()
	for b.Loop() {
		for range n {
			_, err := rsa.SignPKCS1v15(nil, key, crypto.SHA256, sum[:])
			if err != nil {
				b.Fatal(err)
			}
		}
	}
}
