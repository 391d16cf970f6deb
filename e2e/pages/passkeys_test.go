package pages

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/cognate-auth/cognate/e2e/browser"
	"github.com/cognate-auth/cognate/e2e/demo"
)

func TestMain(m *testing.M) { os.Exit(demo.Main(m)) }

// keyPool is the file of a pool in which people can have passkeys.
const keyPool = `pools:
  - id: local_Keys1
    name: Keys
    allowed_first_auth_factors: [PASSWORD, WEB_AUTHN]
    clients:
      - id: keys
        name: Garden planner
        callback_urls: [%q]
        explicit_auth_flows: [ALLOW_USER_AUTH]
    users:
      - username: ann
        password: Correct-Horse-7
`

// keySite runs the program itself, because only the program verifies passkeys.
type keySite struct{ pool, callback string }

func newKeySite(t *testing.T) keySite {
	t.Helper()
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = fmt.Fprintf(w, `<!DOCTYPE html><html lang="en"><title>App</title><main><h1>The app</h1><p>%s</p></main>`,
			map[bool]string{true: "It got a code.", false: "It got none."}[r.FormValue("code") != ""])
	}))
	t.Cleanup(app.Close)
	s := keySite{callback: app.URL + "/callback"}
	file := filepath.Join(t.TempDir(), "pool.yaml")
	err := os.WriteFile(file, fmt.Appendf(nil, keyPool, s.callback), 0o600)
	if err != nil {
		t.Fatal(err)
	}
	addr := demo.FreeAddr(t)
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		t.Fatal(err)
	}
	s.pool = "http://localhost:" + port
	demo.Launch(t, exec.Command(demo.Program(t), "pool", "--addr", addr, "--config", file, "--store", "memory"))
	demo.Await(t, addr)
	return s
}

func (s keySite) address(path string) string {
	return s.pool + path + "?" + url.Values{
		"response_type": {"code"}, "client_id": {"keys"}, "redirect_uri": {s.callback}, "scope": {"openid"},
		"state": {"af0ifjsldkj"},
	}.Encode()
}

// TestPasskeys registers a passkey and signs in with it, with and without the user
// name.
func TestPasskeys(t *testing.T) {
	t.Parallel()
	b := browser.Start(t)
	for _, way := range []string{withMouse, withTheKeyboard} {
		t.Run(way, func(t *testing.T) {
			t.Parallel()
			s, p := newKeySite(t), newPerson(t, b, way)
			p.tab.Passkeys()

			p.tab.Visit(s.pool + "/passkeys/add?client_id=keys&redirect_uri=" + url.QueryEscape(s.callback))
			p.sees("Sign in")
			p.fills("Username", "ann")
			p.presses("Next")
			p.sees("Enter your password")
			p.fills("Password", "Correct-Horse-7")
			p.presses("Sign in")
			p.sees("Add a passkey")
			p.presses("Create a passkey")
			p.tab.WaitForText("It got none.")

			p.tab.Visit(s.address("/oauth2/authorize") + "&prompt=login")
			p.sees("Sign in")
			p.fills("Username", "ann")
			p.presses("Next")
			p.sees("Choose how to sign in")
			p.presses("Passkey")
			p.sees("Sign in with your passkey")
			p.presses("Use a passkey")
			p.tab.WaitForText("It got a code.")

			p.tab.Visit(s.address("/oauth2/authorize") + "&prompt=login")
			p.sees("Sign in")
			p.presses("Sign in with a passkey")
			p.sees("Sign in with your passkey")
			p.presses("Use a passkey")
			p.tab.WaitForText("It got a code.")
		})
	}
}

// TestNoPasskeyOnThisDevice has a device without a passkey, and a browser without
// scripts: both get a message, and can sign in in another way.
func TestNoPasskeyOnThisDevice(t *testing.T) {
	t.Parallel()
	b := browser.Start(t)
	for way, says := range map[string]string{
		withMouse:      "That passkey did not work.",
		withoutScripts: "Passkeys need JavaScript",
	} {
		t.Run(way, func(t *testing.T) {
			t.Parallel()
			s, p := newKeySite(t), newPerson(t, b, way)
			p.tab.Passkeys()
			p.tab.Visit(s.address("/oauth2/authorize"))
			p.sees("Sign in")
			p.presses("Sign in with a passkey")
			p.sees("Sign in with your passkey")
			if way == withMouse {
				p.presses("Use a passkey")
			}
			p.tab.WaitForText(says)
			p.sees("Sign in with your passkey")
			p.presses("Choose another way")
			p.tab.WaitForText("Username")
			p.sees("Sign in")
			p.fills("Username", "ann")
			p.presses("Next")
			p.sees("Enter your password")
			p.fills("Password", "Correct-Horse-7")
			p.presses("Sign in")
			p.tab.WaitForText("It got a code.")
		})
	}
}
