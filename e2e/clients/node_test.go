package clients

import (
	"net"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"testing"

	chromium "github.com/cognate-auth/cognate/e2e/browser"
	"github.com/cognate-auth/cognate/e2e/demo"
)

// TestOpenIDClient uses openid-client.
func TestOpenIDClient(t *testing.T) {
	t.Parallel()
	nodeApp(t, "openid-client.mjs", "/callback").journey(t)
}

// TestExpressOpenIDConnect uses express-openid-connect. It does not verify the
// signature of ID tokens: OpenID Connect Core section 3.1.3.7, item 6, allows that for
// tokens from the token endpoint.
func TestExpressOpenIDConnect(t *testing.T) {
	t.Parallel()
	a := nodeApp(t, "express.mjs", "/callback")
	a.trusting = true
	a.journey(t)
}

// nodeApp starts an app of the folder node.
func nodeApp(t *testing.T, script, callback string) app {
	t.Helper()
	pool, addr := newPool(t), demo.FreeAddr(t)
	base := "http://" + addr
	client := register(pool, base, callback)
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		t.Fatal(err)
	}
	cmd := node(t, script)
	cmd.Env = append(os.Environ(), "PORT="+port, "BASE_URL="+base,
		"ISSUER="+pool.Issuer, "CLIENT_ID="+client.ID, "CLIENT_SECRET="+string(client.Secret))
	serve(t, addr, cmd)
	return app{pool: pool, url: base, pkce: true, nonce: true}
}

// TestNextAuth uses next-auth 4.
func TestNextAuth(t *testing.T) {
	t.Parallel()
	a := nodeApp(t, "next-auth.mjs", "/api/auth/callback/cognito")
	webApp{
		pool: a.pool, domain: a.pool.URL, url: a.url, pkce: true, nonce: true,
		signIn: []string{"Sign in", "Sign in with Cognito"}, signOut: []string{"Sign out", "Sign out"},
		forgeries: []string{anotherKey, anotherNonce, anotherAudience, anotherIssuer, over},
		refused:   "Try signing in with a different account.",
	}.journey(t, chromium.Start(t))
}

// TestAuthExpress uses @auth/express. Like [TestExpressOpenIDConnect], it verifies no
// signature.
func TestAuthExpress(t *testing.T) {
	t.Parallel()
	a := nodeApp(t, "auth-express.mjs", "/auth/callback/cognito")
	webApp{
		pool: a.pool, domain: a.pool.URL, url: a.url, pkce: true, nonce: true,
		signIn: []string{"Sign in", "Sign in with Cognito"}, signOut: []string{"Sign out", "Sign out"},
		forgeries: []string{anotherNonce, anotherAudience, anotherIssuer, over},
		refused:   "Server error",
	}.journey(t, chromium.Start(t))
}

// node returns a command for a script in the folder node.
func node(t *testing.T, script string, args ...string) *exec.Cmd {
	t.Helper()
	program := os.Getenv("NODE")
	if program == "" {
		program = "node"
	}
	_, err := exec.LookPath(program)
	if err != nil {
		t.Fatalf("%v; install Node.js 18 or newer, or set NODE to its path", err)
	}
	// npm writes this file last.
	_, err = os.Stat(filepath.Join("node", "node_modules", ".package-lock.json"))
	if err != nil {
		t.Fatalf("the packages are not installed; make e2e does that, as does npm ci in e2e/clients/node: %v", err)
	}
	return exec.Command(program, append([]string{filepath.Join("node", script)}, args...)...)
}

// TestAmplifyAPI has Amplify call an operation of the user pools API. Its error is the
// pool's, and not that an answer could not be read.
func TestAmplifyAPI(t *testing.T) {
	t.Parallel()
	pool := newPool(t)
	client := register(pool, "http://localhost", "/")
	cmd := node(t, "amplify-api.mjs")
	cmd.Env = append(os.Environ(),
		"POOL_ID="+path.Base(pool.Issuer), "POOL_URL="+pool.URL+"/", "CLIENT_ID="+client.ID)
	out, err := cmd.Output()
	const want = "UnknownOperationException: SignUp is not there yet: the user pools API is not part of this local "
	if err != nil || !strings.HasPrefix(string(out), want) {
		t.Errorf("got %q, %v", out, err)
	}
}
