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

// TestOIDCClientTS is oidc-client-ts. Of an ID token it looks at the nonce alone.
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

// popup signs in with a window of its own.
func (w webApp) popup(t *testing.T, tab *chromium.Tab) {
	t.Helper()
	tab.Visit(w.url + "/")
	popup := tab.Popup(func() { tab.Click("Sign in with a popup") })
	popup.WaitForURL(w.domain + "/login*")
	w.password(popup) // which then closes
	w.wantClaims(t, tab)
}

// revokes revokes the refresh token: the next refresh is refused.
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

// TestAmplify is Amplify, which looks at no ID token but to read it. It refreshes, and at
// sign-out revokes, by Cognito's API, which the pool has not.
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

// overTLS serves a pool at a domain with TLS, too, and returns its address.
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
