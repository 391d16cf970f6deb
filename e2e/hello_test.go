package e2e

import (
	"bytes"
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/cognate-auth/cognate/e2e/browser"
	"github.com/cognate-auth/cognate/e2e/demo"
)

// TestHello runs what the README tells readers of examples/hello to run: the pool alone,
// the file for its client, and the example.
func TestHello(t *testing.T) {
	app := startExample(t, "hello")
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
}

// startExample starts a pool and one of the examples, and returns where the example is.
func startExample(t *testing.T, name string, args ...string) (url string) {
	t.Helper()
	cognate := demo.Program(t)
	poolAddr, appAddr := freeAddr(t), freeAddr(t)
	callback := "https://" + appAddr + "/oidc_callback"
	launch(t, exec.Command(cognate, "pool", "--addr", poolAddr, "--store", "memory", "--redirect-uri", callback))

	file := filepath.Join(t.TempDir(), "client_secrets.json")
	secrets, err := exec.Command(cognate, "client-secrets", "--addr", poolAddr, "--redirect-uri", callback).Output()
	if err != nil {
		t.Fatalf("cognate client-secrets: %v", err)
	}
	if err := os.WriteFile(file, secrets, 0o600); err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(t.TempDir(), name+".exe") // the ending is for Windows
	build := exec.Command("go", "build", "-o", program, "./examples/"+name)
	build.Dir = ".."
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("building examples/%s: %v\n%s", name, err, out)
	}
	launch(t, exec.Command(program, append(args, "-client-secrets", file)...))
	await(t, poolAddr)
	await(t, appAddr)
	return "https://" + appAddr
}

// freeAddr is an address that nobody listens on at the moment.
func freeAddr(t *testing.T) string {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// launch starts a program and stops it, as Ctrl-C does, when the test ends.
func launch(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(os.Interrupt)
		if err := cmd.Wait(); err != nil || t.Failed() {
			t.Errorf("%s: %v, having printed:\n%s", filepath.Base(cmd.Path), err, &out)
		}
	})
}

// await waits until something listens on addr.
func await(t *testing.T, addr string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for {
		conn, err := new(net.Dialer).DialContext(ctx, "tcp", addr)
		if err == nil {
			_ = conn.Close()
			return
		}
		select {
		case <-ctx.Done():
			t.Fatalf("nothing listens on %s: %v", addr, err)
		case <-time.After(50 * time.Millisecond):
		}
	}
}
