package clients

import (
	"encoding/json"
	"net"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/cognate-auth/cognate/cognatetest"
	chromium "github.com/cognate-auth/cognate/e2e/browser"
	"github.com/cognate-auth/cognate/e2e/demo"
	"github.com/cognate-auth/cognate/userpool"
	"github.com/cognate-auth/cognate/userpool/server"
)

// TestOIDCClientTS uses oidc-client-ts. It checks only the nonce of an ID token.
func TestOIDCClientTS(t *testing.T) {
	t.Parallel()
	pool, addr := newPool(t), demo.FreeAddr(t)
	base := "http://" + addr
	client := pool.AddPublicClient(userpool.Client{
		CallbackURLs: []string{base + "/callback", base + "/popup"}, LogoutURLs: []string{base + "/"},
	})
	serveBrowserApp(t, addr, "oidc-client-ts", map[string]string{"issuer": pool.Issuer, "clientID": client.ID})
	w := webApp{
		pool: pool, domain: pool.URL, url: base, pkce: true, nonce: true,
		signIn: []string{"Sign in"}, signOut: []string{"Sign out"},
		forgeries: []string{anotherNonce}, refused: "Refused: nonce",
	}
	b := chromium.Start(t)
	w.journey(t, b)
	t.Run("popup", func(t *testing.T) { w.popup(t, b.NewVisitor(t)) })
	t.Run("revocation", func(t *testing.T) { w.revokes(t, b.NewVisitor(t)) })
}

// popup signs in in a separate window.
func (w webApp) popup(t *testing.T, tab *chromium.Tab) {
	t.Helper()
	tab.Visit(w.url + "/")
	popup := tab.Popup(func() { tab.Click("Sign in with a popup") })
	popup.WaitForURL(w.domain + "/login*")
	w.password(popup) // the app then closes it
	w.wantClaims(t, tab)
}

// revokes revokes the refresh token: the next refresh must fail.
func (w webApp) revokes(t *testing.T, tab *chromium.Tab) {
	t.Helper()
	tab.Visit(w.url + "/")
	w.toPool(t, tab)
	w.password(tab)
	w.wantClaims(t, tab)
	tab.Click("Revoke")
	tab.WaitForText("Revoked.")
	tab.Click("Refresh")
	tab.WaitForText("Refused: invalid_grant")
}

// serveBrowserApp serves an app of the folder node/browser.
func serveBrowserApp(t *testing.T, addr, script string, settings map[string]string) {
	t.Helper()
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(settings)
	if err != nil {
		t.Fatal(err)
	}
	cmd := node(t, "browser.mjs", script)
	cmd.Env = append(os.Environ(), "PORT="+port, "SETTINGS="+string(text))
	serve(t, addr, cmd)
}

// TestAmplify uses Amplify, which reads ID tokens and does not verify them. It
// refreshes and revokes through Cognito's API, which the pool does not have.
func TestAmplify(t *testing.T) {
	t.Parallel()
	pool, addr := newPool(t), demo.FreeAddr(t)
	front, base := overTLS(t, pool), "http://"+addr
	client := pool.AddPublicClient(userpool.Client{
		CallbackURLs: []string{base + "/"}, LogoutURLs: []string{base + "/"},
	})
	serveBrowserApp(t, addr, "amplify", map[string]string{
		"poolID": pool.UserPool().ID(), "clientID": client.ID, "domain": strings.TrimPrefix(front, "https://"),
	})
	webApp{
		pool: pool, domain: front, url: base, pkce: true,
		signIn: []string{"Sign in"}, signOut: []string{"Sign out"}, cannotRefresh: true, lacks: front + "/",
	}.journey(t, chromium.Start(t))
}

// overTLS also serves a pool at a domain with TLS, and returns its address.
func overTLS(t *testing.T, pool *cognatetest.Pool) string {
	t.Helper()
	srv := httptest.NewUnstartedServer(nil)
	base := "https://" + srv.Listener.Addr().String()
	handler, err := server.New(server.Config{Pool: pool.UserPool(), BaseURL: base})
	if err != nil {
		t.Fatal(err)
	}
	srv.Config.Handler = handler
	srv.StartTLS()
	t.Cleanup(srv.Close)
	return base
}
