package federation_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/cognate-auth/cognate/userpool"
	"github.com/cognate-auth/cognate/userpool/federation"
	"github.com/cognate-auth/cognate/userpool/internal/pooltest"
)

// leaving signs people out at every SAML provider, and can do nothing else.
type leaving struct{ userpool.SAML }

func (leaving) SignOut(
	context.Context, userpool.ServiceProvider, userpool.IdentityProvider, string, string, string,
) (string, error) {
	return "https://idp.test/logout", nil
}

// TestSignOutWhileProvidersChange has providers that come and go while people leave one.
func TestSignOutWhileProvidersChange(t *testing.T) {
	t.Parallel()
	e := pooltest.New(t)
	h := &federation.Handler{
		Pool: e.Pool, BaseURL: pooltest.BaseURL, Logger: slog.New(slog.DiscardHandler), SAML: leaving{},
	}
	without := *e.Pool.Settings()
	with := without
	for i := range 10 {
		with.IdentityProviders = append(with.IdentityProviders, userpool.IdentityProvider{
			Name: fmt.Sprint("Idp", i), Type: userpool.ProviderSAML, Metadata: "<x/>", SignOut: true,
		})
	}
	changed := make(chan error)
	go func() {
		defer close(changed)
		for range 3000 {
			for _, s := range []userpool.Settings{with, without} {
				err := e.Pool.Configure(t.Context(), s)
				if err != nil {
					changed <- err
					return
				}
			}
		}
	}()
	session := userpool.Session{Provider: "Idp9", ProviderSession: "session"}
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/logout", nil)
	for {
		select {
		case err := <-changed:
			if err != nil {
				t.Fatal(err)
			}
			return
		default:
		}
		there, ok := h.SignOut(httptest.NewRecorder(), r, session, pooltest.Bye)
		if ok && there != "https://idp.test/logout" {
			t.Fatalf("got %q", there)
		}
	}
}
