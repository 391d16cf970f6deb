package demo

import (
	"context"
	"crypto/tls"
	"errors"
	"flag"
	"io"
	"net/http"
	"net/http/cookiejar"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/cognate-auth/cognate/internal/interrupt"
	"github.com/cognate-auth/cognate/internal/terminal"
)

// anyPorts is a command line on which no other test has an influence.
var anyPorts = []string{"--addr", "localhost:0", "--pool-addr", "localhost:0"}

// parse reads a command line as the program does.
func parse(args ...string) (Config, error) {
	fs := flag.NewFlagSet("demo", flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	return ParseFlags(fs, args)
}

// start runs the demo until the test ends, and returns what it announced. It must stop cleanly.
func start(t *testing.T, args ...string) string {
	t.Helper()
	config, err := parse(append(args, anyPorts...)...)
	if err != nil {
		t.Fatal(err)
	}
	ctx, interrupt := context.WithCancel(t.Context())
	said, out := io.Pipe()
	var wrong strings.Builder
	ended := make(chan error, 1)
	go func() {
		err := Run(ctx, config, terminal.Streams{Out: out, Err: &wrong})
		_ = out.Close()
		ended <- err
	}()
	var text strings.Builder
	part := make([]byte, 4096)
	for !strings.Contains(text.String(), "Ctrl-C") {
		n, err := said.Read(part)
		if err != nil {
			t.Fatalf("it says %q, then: %v", &text, errors.Join(err, <-ended))
		}
		text.Write(part[:n])
	}
	t.Cleanup(func() {
		interrupt()
		last, _ := io.ReadAll(said)
		err := <-ended
		if err != nil || !strings.HasSuffix(string(last), "Stopped.\n") || wrong.Len() > 0 {
			t.Errorf("after Ctrl-C: %v, it says %q and %q", err, last, &wrong)
		}
	})
	return text.String()
}

// TestDemo looks at what the demo announces, and opens the developer's view as a browser does:
// without the token or its cookie nobody may see it.
func TestDemo(t *testing.T) {
	t.Parallel()
	said := start(t)
	for line := range strings.Lines(said) {
		if n := len([]rune(strings.TrimRight(line, "\n"))); n > 80 {
			t.Errorf("%d columns: %s", n, line)
		}
	}
	for _, want := range []string{
		"ann@example.com   Correct-Horse-7    the e-mail address is verified\n",
		"bob@example.com   Battery-Staple-7   unverified: the app refuses this user\n",
	} {
		if !strings.Contains(said, want) {
			t.Errorf("it says\n%s\nand lacks %s", said, want)
		}
	}
	m := regexp.MustCompile(`The app +(\S+)[^:]*The pool +(\S+)[^:]*Developer +(\S+)`).FindStringSubmatch(
		strings.ReplaceAll(said, "warn: ", ""))
	if m == nil {
		t.Fatalf("it says\n%s", said)
	}
	jar, _ := cookiejar.New(nil)
	visitor := &http.Client{Jar: jar, Transport: &http.Transport{
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, // the certificate is the demo's own
	}}
	bare, _, _ := strings.Cut(m[3], "?token=")
	for _, step := range []struct {
		address string
		want    int
	}{{m[1], 200}, {m[2] + "/", 200}, {bare, 401}, {m[3], 200}, {bare, 200}} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, step.address, nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := visitor.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if resp.StatusCode != step.want {
			t.Errorf("%s is %d, want %d", step.address, resp.StatusCode, step.want)
		}
	}
}

// TestViewForEverybody shows the developer's view to everybody, for those who say so.
func TestViewForEverybody(t *testing.T) {
	t.Parallel()
	if said := start(t, "-insecure-dev-view-anywhere"); strings.Contains(said, "token=") {
		t.Errorf("it prints a token:\n%s", said)
	}
}

// TestInterruptedStart presses Ctrl-C before the start, at the moments at which the demo looks
// whether it should stop, and right after the start.
func TestInterruptedStart(t *testing.T) {
	t.Parallel()
	config, err := parse(anyPorts...)
	if err != nil {
		t.Fatal(err)
	}
	for moment := range 4 {
		ctx, press := interrupt.After(t.Context(), moment-1)
		if moment == 0 {
			press()
		}
		out := interrupt.Output{Press: press}
		var wrong strings.Builder
		err := Run(ctx, config, terminal.Streams{Out: &out, Err: &wrong})
		press()
		if err != nil || !strings.HasSuffix(out.String(), "Stopped.\n") || wrong.Len() > 0 {
			t.Fatalf("moment %d: %v, it says %q and %q", moment, err, &out, &wrong)
		}
	}
}

// TestFlags reads command lines that can't be used.
func TestFlags(t *testing.T) {
	for _, tt := range []struct {
		args, env, want string // env is COGNATE_DEV_VIEW_TOKEN; "-": not set
	}{
		{"extra", "-", "unexpected argument extra"},
		{"--port 1", "-", "-port"},
		{"--dev-view-token=", "-", "empty"},
		{"", "", "COGNATE_DEV_VIEW_TOKEN is empty"},
		{"--dev-view-token short", "-", "--dev-view-token can't be used"},
		{"--insecure-dev-view-anywhere", strings.Repeat("x", 30), "needs no token"},
		{"--log-level loud", "-", "--log-level loud is not a level"},
		{"--addr 5000", "-", "--addr 5000 is not an address"},
		{"--addr 127.0.0.1:0 --pool-addr 192.0.2.1:0", "-", "not an address of this machine"},
		{"--addr 127.0.0.1:7777 --pool-addr 127.0.0.1:7777", "-", "are both 127.0.0.1:7777"},
	} {
		t.Run(tt.args, func(t *testing.T) {
			if tt.env != "-" {
				t.Setenv(tokenVariable, tt.env)
			}
			config, err := parse(strings.Fields(tt.args)...)
			if err == nil {
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				err = Run(ctx, config, terminal.Streams{Out: io.Discard, Err: io.Discard})
			}
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want one with %q", err, tt.want)
			}
		})
	}
}
