package federation_test

import (
	"crypto/ecdsa"
	"crypto/rsa"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/cognate-auth/cognate/userpool/federation"
	"github.com/cognate-auth/cognate/userpool/internal/pooltest"
)

// FuzzKeys checks that a key which is taken is one to rely on.
func FuzzKeys(f *testing.F) {
	f.Add(`{"keys":[{"kty":"RSA","kid":"a","n":"AQAB","e":"AQAB"},{"kty":"EC","crv":"P-256","x":"AA","y":"AA"}]}`)
	f.Add(`{"keys":[null,7,{"kty":"EC","crv":"P-256","x":"` + strings.Repeat("A", 43) + `","y":"` +
		strings.Repeat("A", 43) + `"}]}`)
	f.Add(`{"keys":[{"kty":"RSA","n":"` + strings.Repeat("_", 342) + `","e":"Aw"}]}`)
	f.Fuzz(func(t *testing.T, body string) {
		keys, err := federation.ParseKeys([]byte(body))
		if err != nil {
			return
		}
		for _, key := range keys {
			switch k := key.(type) {
			case *rsa.PublicKey:
				if k.N.BitLen() < 2048 || k.N.BitLen() > 8192 || k.E < 3 || k.E%2 == 0 {
					t.Errorf("took an RSA key of %d bits with exponent %d", k.N.BitLen(), k.E)
				}
			case *ecdsa.PublicKey:
				_, err := k.ECDH()
				if err != nil {
					t.Errorf("took an EC key: %v", err)
				}
			default:
				t.Errorf("took a %T", key)
			}
		}
	})
}

// FuzzWayBack checks that nobody is signed in by a way back that did not begin
// here, whatever is in it.
func FuzzWayBack(f *testing.F) {
	f.Add("state=x&code=y", "csrf-state=z")
	f.Add("state=&code=", "csrf-state=")
	f.Add("state=a&state=b&error=%zz", "cognito=x; csrf-state=y; csrf-state=z")
	e := pooltest.New(f)
	f.Fuzz(func(t *testing.T, query, cookie string) {
		for _, path := range []string{"/oauth2/idpresponse", "/saml2/idpresponse"} {
			r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, pooltest.BaseURL+path, nil)
			r.URL.RawQuery = query
			r.Header.Set("Cookie", cookie)
			w := httptest.NewRecorder()
			e.Handler.ServeHTTP(w, r)
			to, err := url.Parse(w.Header().Get("Location"))
			if w.Code != http.StatusFound || err != nil || to.Path != "/error" || len(w.Result().Cookies()) > 0 {
				t.Errorf("got %d to %q", w.Code, w.Header().Get("Location"))
			}
		}
	})
}
