package clients

import (
	"compress/zlib"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/cognate-auth/cognate/cognatetest"
	chromium "github.com/cognate-auth/cognate/e2e/browser"
	"github.com/cognate-auth/cognate/e2e/demo"
	"github.com/cognate-auth/cognate/userpool"
)

// TestAuthlib uses Authlib's client for Flask, in the version of Debian's
// python3-authlib.
func TestAuthlib(t *testing.T) {
	t.Parallel()
	pool, addr := newPool(t), demo.FreeAddr(t)
	base := "http://" + addr
	client := register(pool, base, "/callback")
	serve(t, addr, flask(t, systemPython(t), addr, "python/authlib_app.py",
		"BASE_URL="+base, "ISSUER="+pool.Issuer, "CLIENT_ID="+client.ID, "CLIENT_SECRET="+string(client.Secret)))
	app{pool: pool, url: base, pkce: true, nonce: true}.journey(t)
}

// systemPython returns the Python for which the distribution has Authlib.
func systemPython(t *testing.T) string {
	t.Helper()
	candidates := []string{"/usr/bin/python3", "python3"}
	if python := os.Getenv("PYTHON_AUTHLIB"); python != "" {
		candidates = []string{python}
	}
	for _, python := range candidates {
		if exec.Command(python, "-c", "import authlib, flask, requests").Run() == nil {
			return python
		}
	}
	t.Fatal("no Python has authlib, flask and requests; on Debian: apt-get install python3-authlib python3-flask" +
		" python3-requests; elsewhere set PYTHON_AUTHLIB to the path of one that has")
	return ""
}

// flask runs an app with Flask's own server.
func flask(t *testing.T, python, addr, file string, env ...string) *exec.Cmd {
	t.Helper()
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(python, "-m", "flask", "run", "--host", host, "--port", port)
	cmd.Env = slices.Concat(os.Environ(), []string{"FLASK_APP=" + file, "PYTHONDONTWRITEBYTECODE=1"}, env)
	return cmd
}

const (
	tutorialPublic  = "Everybody may read this."
	tutorialPrivate = "Only " + email + " may read this."
)

// tutorial is the tutorial's app on the real flask-oidc, with a clock that the test can
// move.
type tutorial struct {
	app
	client userpool.Client
	clock  string
}

func newTutorial(t *testing.T) tutorial {
	t.Helper()
	pool, addr := newPool(t), demo.FreeAddr(t)
	base := "https://" + addr
	client := register(pool, base, "/oidc_callback")
	dir := t.TempDir()
	secrets := filepath.Join(dir, "client_secrets.json")
	write(t, secrets, clientSecrets(t, pool, client))
	x := tutorial{app{pool: pool, url: base, nonce: true}, client, filepath.Join(dir, "clock")}
	write(t, x.clock, "0")
	turning, err := filepath.Abs("python/clock")
	if err != nil {
		t.Fatal(err)
	}
	cmd := flask(t, venvPython(t), addr, "python/tutorial/app.py", "FLASK_RUN_CERT=adhoc", "PYTHONPATH="+turning,
		"CLOCK="+x.clock, "CLIENT_SECRETS="+secrets, "SECRET_KEY="+rand.Text(),
		"BASE_URL="+base, "DOMAIN="+pool.URL, "CLIENT_ID="+client.ID)
	serve(t, addr, cmd)
	return x
}

// clientSecrets returns the file that flask-oidc reads.
func clientSecrets(t *testing.T, pool *cognatetest.Pool, client userpool.Client) string {
	t.Helper()
	text, err := json.Marshal(map[string]any{"web": map[string]any{
		"issuer":       pool.Issuer,
		"auth_uri":     pool.URL + "/oauth2/authorize",
		"token_uri":    pool.URL + "/oauth2/token",
		"userinfo_uri": pool.URL + "/oauth2/userInfo",
		"client_id":    client.ID, "client_secret": string(client.Secret), "redirect_uris": client.CallbackURLs,
	}})
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// venvPython returns the Python that has the packages of requirements.txt.
func venvPython(t *testing.T) string {
	t.Helper()
	python, err := filepath.Abs("python/.venv/bin/python")
	if err == nil {
		_, err = os.Stat(python)
	}
	if err != nil {
		t.Fatalf("the packages of e2e/clients/python are not installed; make e2e does that: %v", err)
	}
	return python
}

// TestTutorialOnFlaskOIDC runs the tutorial's app on the real flask-oidc, which sends
// no code challenge and revokes nothing.
func TestTutorialOnFlaskOIDC(t *testing.T) {
	t.Parallel()
	x, b := newTutorial(t), newBrowser(t)
	if p := b.get(t, x.url+"/"); p.body != tutorialPublic {
		t.Errorf("the public page: %s", p)
	}
	x.pool.SignIn(t, b.client, x.url+"/hello", name, password)
	x.checkRequest(t, b)
	x.wantPrivate(t, b)
	if got := x.pool.Requests(cognatetest.UserInfoEndpoint); got != 1 {
		t.Errorf("%d requests for userInfo, want 1", got)
	}
	t.Run("refresh", func(t *testing.T) { x.refreshes(t, b) })
	t.Run("sign-out", func(t *testing.T) { x.signOut(t, b) })
	t.Run("forged tokens", x.refusesForgeries)
	t.Run("revoked", x.revoked)
}

func (x tutorial) wantPrivate(t *testing.T, b *browser) {
	t.Helper()
	if p := b.get(t, x.url+"/hello"); p.body != tutorialPrivate {
		t.Errorf("the private page at %s: %s", p.at.Path, p)
	}
}

// refreshes moves the app's clock by an hour, after which its tokens have expired.
func (x tutorial) refreshes(t *testing.T, b *browser) {
	write(t, x.clock, "3590")
	defer write(t, x.clock, "0")
	before := x.pool.Requests(cognatetest.RefreshGrant)
	x.wantPrivate(t, b)
	if got := x.pool.Requests(cognatetest.RefreshGrant) - before; got != 1 {
		t.Errorf("%d refreshes, want 1", got)
	}
}

// revoked revokes the refresh token: at the next refresh the app signs the person out.
func (x tutorial) revoked(t *testing.T) {
	b := newBrowser(t)
	x.pool.SignIn(t, b.client, x.url+"/hello", name, password)
	x.wantPrivate(t, b)
	x.revokeToken(t, x.client, refreshToken(t, b, x.url))
	write(t, x.clock, "3590")
	defer write(t, x.clock, "0")
	if p := b.get(t, x.url+"/hello"); p.body != tutorialPublic {
		t.Errorf("the private page led to %s: %s", p.at.Path, p)
	}
}

// refreshToken reads the app's cookie, which is signed and not encrypted.
func refreshToken(t *testing.T, b *browser, origin string) string {
	t.Helper()
	u, err := url.Parse(origin)
	if err != nil {
		t.Fatal(err)
	}
	var session struct {
		Token struct {
			Refresh string `json:"refresh_token"`
		} `json:"oidc_auth_token"`
	}
	for _, c := range b.client.Jar.Cookies(u) {
		zipped, _, _ := strings.Cut(strings.TrimPrefix(c.Value, "."), ".")
		plain, err := zlib.NewReader(base64.NewDecoder(base64.RawURLEncoding, strings.NewReader(zipped)))
		if err == nil {
			err = json.NewDecoder(plain).Decode(&session)
		}
		if err != nil {
			t.Fatalf("the cookie %s: %v", c.Name, err)
		}
	}
	if session.Token.Refresh == "" {
		t.Fatal("no cookie holds a refresh token")
	}
	return session.Token.Refresh
}

// TestDjangoAllauth uses django-allauth, with the providers openid_connect, which
// verifies no signature, and amazon_cognito, which calls userInfo and does not use the
// ID token.
func TestDjangoAllauth(t *testing.T) {
	t.Parallel()
	w := djangoApp(t, "allauth_app.py", "/accounts/oidc/pool/login/callback/",
		"/accounts/amazon-cognito/login/callback/")
	w.signIn, w.signOut = []string{"Sign in"}, []string{"Sign out"}
	w.pkce, w.cannotRefresh = true, true
	w.forgeries = []string{anotherAudience, anotherIssuer, over}
	w.refused = "Third-Party Login Failure"
	b := chromium.Start(t)
	w.journey(t, b)
	t.Run("amazon_cognito", func(t *testing.T) {
		w.signIn[0] = "Sign in with Amazon Cognito"
		w.pkce, w.forgeries = false, nil
		w.journey(t, b)
	})
}

// TestPythonSocialAuth uses Python Social Auth for Django, with the backends oidc, and
// cognito, which calls userInfo and does not use the ID token.
func TestPythonSocialAuth(t *testing.T) {
	t.Parallel()
	w := djangoApp(t, "social_app.py", "/complete/oidc/", "/complete/cognito/")
	w.signIn, w.signOut = []string{"Sign in"}, []string{"Sign out"}
	w.pkce, w.nonce = true, true
	w.forgeries = []string{anotherKey, anotherNonce, anotherAudience, anotherIssuer, over}
	w.refused = "Refused."
	b := chromium.Start(t)
	w.journey(t, b)
	t.Run("cognito", func(t *testing.T) {
		w.signIn[0] = "Sign in with Amazon Cognito"
		w.pkce, w.nonce, w.cannotRefresh, w.forgeries = false, false, true, nil
		w.journey(t, b)
	})
}

// djangoApp starts a Django app with its callbacks.
func djangoApp(t *testing.T, file string, callbacks ...string) webApp {
	t.Helper()
	pool, addr := newPool(t), demo.FreeAddr(t)
	base := "http://" + addr
	c := userpool.Client{LogoutURLs: []string{base + "/"}}
	for _, callback := range callbacks {
		c.CallbackURLs = append(c.CallbackURLs, base+callback)
	}
	c = pool.AddClient(c)
	cmd := exec.Command(venvPython(t), filepath.Join("python", file), addr)
	cmd.Env = append(os.Environ(), "PYTHONDONTWRITEBYTECODE=1", "DATABASE="+filepath.Join(t.TempDir(), "db"),
		"BASE_URL="+base, "ISSUER="+pool.Issuer, "DOMAIN="+pool.URL, "CLIENT_ID="+c.ID,
		"CLIENT_SECRET="+string(c.Secret))
	serve(t, addr, cmd)
	return webApp{pool: pool, domain: pool.URL, url: base}
}
