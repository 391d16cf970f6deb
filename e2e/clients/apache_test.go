package clients

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cognate-auth/cognate/cognatetest"
	"github.com/cognate-auth/cognate/e2e/demo"
	"github.com/cognate-auth/cognate/userpool"
)

// apache is Apache with mod_auth_openidc in front of an app. All pages of the module
// are at its redirect URI; a parameter selects one.
type apache struct {
	app
	client userpool.Client
}

// TestApache uses Debian's libapache2-mod-auth-openidc, as a client and as a resource
// server.
func TestApache(t *testing.T) {
	t.Parallel()
	x, b := newApache(t), newBrowser(t)
	t.Run("sign-in", func(t *testing.T) { x.signIn(t, b) })
	t.Run("refresh", func(t *testing.T) { x.refreshes(t, b) })
	t.Run("access tokens", func(t *testing.T) { x.checksBearers(t, b) })
	t.Run("sign-out", func(t *testing.T) { x.leaves(t, b) })
	t.Run("forged tokens", x.refusesForgeries)
}

func newApache(t *testing.T) apache {
	t.Helper()
	program, modules := findApache(t)
	behind := httptest.NewServer(http.HandlerFunc(echo))
	t.Cleanup(behind.Close)
	pool, addr, dir := newPool(t), demo.FreeAddr(t), t.TempDir()
	base := "http://" + addr
	client := register(pool, base, "/callback")
	conf, err := os.ReadFile(filepath.Join("apache", "httpd.conf"))
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "httpd.conf"), strings.NewReplacer(
		"{{Dir}}", dir, "{{Modules}}", modules, "{{Addr}}", addr, "{{BaseURL}}", base, "{{App}}", behind.URL,
		"{{Keys}}", withTLS(t, pool.URL).URL, "{{PoolID}}", pool.UserPool().ID(), "{{Issuer}}", pool.Issuer,
		"{{Domain}}", pool.URL, "{{ClientID}}", client.ID, "{{ClientSecret}}", string(client.Secret),
	).Replace(string(conf)))
	t.Cleanup(func() {
		log, err := os.ReadFile(filepath.Join(dir, "error.log"))
		if err == nil && t.Failed() {
			t.Logf("Apache's log:\n%s", log)
		}
	})
	serve(t, addr, exec.Command(program, "-f", filepath.Join(dir, "httpd.conf"), "-D", "FOREGROUND"))
	return apache{app{pool: pool, url: base, pkce: true, nonce: true}, client}
}

// withTLS returns a server for the same pool at another address.
func withTLS(t *testing.T, address string) *httptest.Server {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewTLSServer(&httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(u) }})
	t.Cleanup(srv.Close)
	return srv
}

// findApache returns the program and the folder of its modules.
func findApache(t *testing.T) (program, modules string) {
	t.Helper()
	program, modules = "/usr/sbin/apache2", "/usr/lib/apache2/modules"
	if p := os.Getenv("APACHE"); p != "" {
		program, modules = p, os.Getenv("APACHE_MODULES")
	}
	for _, file := range []string{program, filepath.Join(modules, "mod_auth_openidc.so")} {
		_, err := os.Stat(file)
		if err != nil {
			t.Fatalf("%v; on Debian: apt-get install apache2-bin libapache2-mod-auth-openidc;"+
				" elsewhere set APACHE to the program and APACHE_MODULES to the folder of its modules", err)
		}
	}
	return program, modules
}

// echo is the app. It shows the claims that it receives with a request.
func echo(w http.ResponseWriter, r *http.Request) {
	header := func(name string) string { return r.Header.Get("OIDC_CLAIM_" + name) }
	_ = json.NewEncoder(w).Encode(map[string]any{
		"sub": header("sub"), "email": header("email"), "cognito:groups": strings.Split(header("cognito-groups"), ","),
	})
}

// info is the module's information about the session.
type info struct {
	Access  string `json:"access_token"`
	Refresh string `json:"refresh_token"`
	ID      struct {
		TokenUse string `json:"token_use"`
	} `json:"id_token"`
	UserInfo struct {
		Email    string `json:"email"`
		Verified string `json:"email_verified"`
	} `json:"userinfo"`
}

func (x apache) info(t *testing.T, b *browser) (i info) {
	t.Helper()
	b.get(t, x.url+"/callback?info=json").decode(t, &i)
	if i.ID.TokenUse != "id" || i.UserInfo.Email != email || i.UserInfo.Verified != "true" {
		t.Errorf("the session is %+v", i)
	}
	return i
}

func (x apache) refreshes(t *testing.T, b *browser) {
	before := x.info(t, b)
	p := b.get(t,
		x.url+"/callback?"+url.Values{"refresh": {x.url + "/hello"}, "access_token": {before.Access}}.Encode())
	checkClaims(t, p)
	if got := x.pool.Requests(cognatetest.RefreshGrant); got != 1 || p.at.RawQuery != "" {
		t.Errorf("%d refreshes, and then %s", got, p.at)
	}
	if after := x.info(t, b); after.Access == before.Access {
		t.Error("the access token is the old one")
	}
}

// checksBearers sends tokens to /api.
func (x apache) checksBearers(t *testing.T, b *browser) {
	session := x.info(t, b)
	head, signature := session.Access[:len(session.Access)-20], session.Access[len(session.Access)-20:]
	other := x.pool.AddClient(userpool.Client{CallbackURLs: []string{x.url + "/callback"}})
	for name, tt := range map[string]struct {
		token string
		want  int
	}{
		"access token":     {session.Access, http.StatusOK},
		"no token":         {"", http.StatusUnauthorized},
		"forged":           {head + strings.ToLower(signature) + "A", http.StatusUnauthorized},
		"refresh token":    {session.Refresh, http.StatusUnauthorized},
		"ID token":         {x.tokens(t, x.client).ID, http.StatusUnauthorized},
		"another client's": {x.tokens(t, other).Access, http.StatusUnauthorized},
	} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, x.url+"/api", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+tt.token)
		if p := newBrowser(t).do(t, req); p.status != tt.want {
			t.Errorf("%s: %s, want %d", name, p, tt.want)
		}
	}
}

// leaves signs out. The module itself revokes the tokens.
func (x apache) leaves(t *testing.T, b *browser) {
	session := x.info(t, b)
	p := b.get(t, x.url+"/callback?"+url.Values{"logout": {x.url + "/"}}.Encode())
	if p.status != http.StatusOK || p.at.String() != x.url+"/" {
		t.Errorf("signing out led to %s: %s", p.at, p)
	}
	x.wantStranger(t, b)
	form := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {session.Refresh}}
	if got := x.token(t, x.client, form).Error; got != "invalid_grant" {
		t.Errorf("the refresh token still works: %q", got)
	}
}
