package federation_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"

	"github.com/cognate-auth/cognate/e2e/browser"
	"github.com/cognate-auth/cognate/userpool"
	"github.com/cognate-auth/cognate/userpool/memstore"
	"github.com/cognate-auth/cognate/userpool/pool"
	"github.com/cognate-auth/cognate/userpool/server"
)

// believer accepts every response: the test is about the browser.
type believer struct {
	userpool.SAML

	idp string
}

func (b believer) SignIn(
	_ context.Context, _ userpool.ServiceProvider, _ userpool.IdentityProvider, id, relayState string,
) (string, error) {
	return b.idp + "/?" + url.Values{"id": {id}, "RelayState": {relayState}}.Encode(), nil
}

func (b believer) Read(
	_ context.Context, _ userpool.ServiceProvider, _ userpool.IdentityProvider, response, _ string,
) (userpool.Assertion, error) {
	return userpool.Assertion{
		ID: response, Until: time.Now().Add(time.Minute), Profile: userpool.Profile{Subject: "ann"},
	}, nil
}

// TestPostFromAnotherSite returns from a SAML provider as a browser does: with a form
// of another site, so that the browser sends no SameSite=Lax cookies.
func TestPostFromAnotherSite(t *testing.T) {
	t.Parallel()
	var p http.Handler
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { p.ServeHTTP(w, r) }))
	t.Cleanup(srv.Close)
	_, port, err := net.SplitHostPort(srv.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	base := "http://localhost:" + port // a site other than 127.0.0.1
	idp := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		page(w, "The provider", fmt.Sprintf(`<form method="post" action="%s/saml2/idpresponse">`+
			`<input type="hidden" name="SAMLResponse" value="%s"><input type="hidden" name="RelayState" value="%s">`+
			`<button>I am Ann</button></form>`, base, r.FormValue("id"), r.FormValue("RelayState")))
	}))
	t.Cleanup(idp.Close)
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		page(w, "The app", fmt.Sprintf("<p>A code: %v</p>", r.FormValue("code") != ""))
	}))
	t.Cleanup(app.Close)
	rules, err := pool.New(t.Context(), pool.Config{
		Issuer: base + "/", Store: memstore.New(),
		Settings: userpool.Settings{IdentityProviders: []userpool.IdentityProvider{
			{Name: "Corp", Type: userpool.ProviderSAML, Metadata: "<x/>"},
		}},
	})
	if err != nil {
		t.Fatal(err)
	}
	_, err = rules.Clients.Create(t.Context(), userpool.Client{
		ID: "app", CallbackURLs: []string{app.URL + "/callback"},
		SupportedIdentityProviders: []string{"COGNITO", "Corp"},
	})
	if err != nil {
		t.Fatal(err)
	}
	p, err = server.New(server.Config{Pool: rules, BaseURL: base, SAML: believer{idp: idp.URL}})
	if err != nil {
		t.Fatal(err)
	}
	start := base + "/oauth2/authorize?" + url.Values{
		"client_id": {"app"}, "response_type": {"code"}, "redirect_uri": {app.URL + "/callback"}, "state": {"S"},
	}.Encode()
	b := browser.Start(t)
	tab := b.NewVisitor(t)
	tab.Visit(start)
	tab.Click("Continue with Corp")
	tab.WaitForText("The provider")
	tab.Click("I am Ann")
	tab.WaitForText("A code: true")

	// The session does not need the provider any more.
	tab.Visit(start + "&identity_provider=Corp")
	tab.WaitForText("A code: true")

	// This sends a valid form from another browser, which has not been at the pool.
	tab.Visit(start + "&identity_provider=Corp&prompt=login")
	tab.WaitForText("The provider")
	victim := b.NewVisitor(t)
	victim.Visit(tab.URL())
	victim.Click("I am Ann")
	victim.WaitForText("This sign-in is no longer valid")
}

func page(w http.ResponseWriter, title, body string) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = fmt.Fprintf(w, `<!DOCTYPE html><html lang="en"><title>%s</title><h1>%s</h1>%s`, title, title, body)
}
