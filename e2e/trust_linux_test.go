package e2e

import (
	"bufio"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/cognate-auth/cognate/e2e/browser"
	"github.com/cognate-auth/cognate/e2e/demo"
)

// home is an empty home folder, and programs that can change nothing outside of it.
type home struct {
	program string
	env     []string
}

func newHome(t *testing.T) *home {
	t.Helper()
	folder, programs := t.TempDir(), t.TempDir()
	for _, name := range []string{"certutil", "mkdir"} {
		path, err := exec.LookPath(name)
		if err != nil {
			t.Fatalf("%v; certutil is in the package libnss3-tools", err)
		}
		err = os.Symlink(path, filepath.Join(programs, name))
		if err != nil {
			t.Fatal(err)
		}
	}
	return &home{demo.Program(t), []string{
		"HOME=" + folder, "XDG_CONFIG_HOME=" + filepath.Join(folder, ".config"), "PATH=" + programs, "NO_COLOR=1",
	}}
}

// run runs cognate until it ends.
func (h *home) run(t *testing.T, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), h.program, args...)
	cmd.Env = h.env
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("cognate %q: %v\n%s", args, err, out)
	}
	return string(out)
}

var (
	poolURL = regexp.MustCompile(`Domain\s+(https://localhost:\d+)`)
	appURL  = regexp.MustCompile(`The app\s+(https://127\.0\.0\.1:\d+)`)
)

// start starts a command of cognate, and returns the address that it announces and
// whether it says that a browser warns.
func (h *home) start(t *testing.T, address *regexp.Regexp, args ...string) (url string, warns bool) {
	t.Helper()
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), h.program, args...)
	cmd.Env, cmd.Dir = h.env, t.TempDir()
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	err = cmd.Start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		err := cmd.Wait()
		if err != nil {
			t.Errorf("cognate %q: %v", args, err)
		}
	})
	lines := bufio.NewScanner(stdout)
	for lines.Scan() {
		if m := address.FindStringSubmatch(lines.Text()); m != nil {
			url = m[1]
		}
		warns = warns || strings.Contains(lines.Text(), "warn")
		if strings.Contains(lines.Text(), "Ctrl-C") {
			break
		}
	}
	if url == "" {
		t.Fatalf("cognate %q does not say where it is", args)
	}
	go func() {
		for lines.Scan() { // so that it never waits for a reader
		}
	}()
	return url, warns
}

// page returns what Chromium shows at a URL, while nobody can dismiss a warning.
func (h *home) page(t *testing.T, url string) string {
	t.Helper()
	program, err := browser.Find()
	if err != nil {
		t.Fatal(err)
	}
	// Chromium takes a second. Without this it would show a page that is not loaded
	// yet.
	const patience = time.Minute
	ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, "--headless", "--no-sandbox", "--disable-gpu",
		"--user-data-dir="+t.TempDir(), "--disable-background-networking", "--disable-component-update",
		"--timeout="+strconv.FormatInt(patience.Milliseconds(), 10), "--dump-dom", url)
	cmd.Env = append(os.Environ(), h.env[0], h.env[1])
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("chromium: %v", err)
	}
	return string(out)
}

// TestTrust checks that a page of cognate pool --tls has no warning once its authority
// is trusted, with the limits in its certificate, at each kind of name; nor has the demo's
// app. There is a warning before and afterwards. What the programs say of it is true.
func TestTrust(t *testing.T) {
	h := newHome(t)
	args := []string{"pool", "--tls", "--addr", "127.0.0.1:0", "--store", "memory"}
	url, warns := h.start(t, poolURL, args...)
	const shown = "This is where an app sends people to sign in"
	if page := h.page(t, url); !warns || strings.Contains(page, shown) {
		t.Fatalf("before anybody trusts the authority it warns: %t, and the page is\n%s", warns, page)
	}
	said := h.run(t, "trust", "--install")
	if !strings.Contains(said, "done       the list of Chromium and Chrome") {
		t.Fatalf("cognate trust --install says\n%s", said)
	}
	for _, host := range []string{"localhost", "127.0.0.1", "[::1]"} {
		at := strings.Replace(url, "localhost", host, 1)
		if page := h.page(t, at); !strings.Contains(page, shown) {
			t.Errorf("%s shows\n%s", at, page)
		}
	}
	app, warns := h.start(t, appURL, "demo", "--addr", "127.0.0.1:0", "--pool-addr", "127.0.0.1:0")
	for _, at := range []string{app, strings.Replace(app, "https:", "http:", 1)} {
		if page := h.page(t, at); warns || !strings.Contains(page, "Log in") {
			t.Errorf("the demo warns: %t, and %s shows\n%s", warns, at, page)
		}
	}
	if _, warns = h.start(t, poolURL, args...); warns {
		t.Error("cognate pool --tls warns although its authority is trusted")
	}
	h.run(t, "trust", "--uninstall")
	if page := h.page(t, url); strings.Contains(page, shown) {
		t.Error("the page is still shown after the authority was taken out")
	}
	if _, warns = h.start(t, poolURL, args...); !warns {
		t.Error("cognate pool --tls does not warn although nobody trusts its authority")
	}
}
