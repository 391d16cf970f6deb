package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/cognate-auth/cognate/e2e/browser"
	"github.com/cognate-auth/cognate/e2e/demo"
)

// TestHello runs the README's commands for examples/hello: the pool, the file for its
// client, and the example, with a certificate and, where the callback URL is http, without one.
func TestHello(t *testing.T) {
	for _, scheme := range []string{"https", "http"} {
		t.Run(scheme, func(t *testing.T) {
			app := startExampleAt(t, "hello", scheme)
			tab := browser.Start(t).NewVisitor(t)
			tab.Visit(app + "/")
			tab.WaitForText(publicText)
			tab.Click("Private page")
			signIn(tab, demo.User{Username: "ann@example.com", Password: "Correct-Horse-7"})
			tab.WaitForText(privateText)
			tab.Click("Log out")
			tab.WaitForURL(app + "/")
			tab.Click("Private page")
			tab.WaitForText("Password")
		})
	}
}

// startExample starts a pool and an example, and returns the example's address.
func startExample(t *testing.T, name string, args ...string) (url string) {
	t.Helper()
	return startExampleAt(t, name, "https", args...)
}

// startExampleAt is startExample for a callback URL of this scheme.
func startExampleAt(t *testing.T, name, scheme string, args ...string) (url string) {
	t.Helper()
	cognate := demo.Program(t)
	poolAddr, appAddr := demo.FreeAddr(t), demo.FreeAddr(t)
	callback := scheme + "://" + appAddr + "/oidc_callback"
	demo.Launch(t, exec.Command(cognate, "pool", "--addr", poolAddr, "--store", "memory", "--redirect-uri", callback))

	file := filepath.Join(t.TempDir(), "client_secrets.json")
	secrets, err := exec.Command(cognate, "client-secrets", "--addr", poolAddr, "--redirect-uri", callback).Output()
	if err != nil {
		t.Fatalf("cognate client-secrets: %v", err)
	}
	err = os.WriteFile(file, secrets, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(t.TempDir(), name+".exe") // Windows needs the ending
	build := exec.Command("go", "build", "-o", program, "./examples/"+name)
	build.Dir = ".."
	out, err := build.CombinedOutput()
	if err != nil {
		t.Fatalf("building examples/%s: %v\n%s", name, err, out)
	}
	demo.Launch(t, exec.Command(program, append(args, "-client-secrets", file)...))
	demo.Await(t, poolAddr)
	demo.Await(t, appAddr)
	return scheme + "://" + appAddr
}
