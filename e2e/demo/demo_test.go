package demo

import (
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const announcement = `
Cognate demo

  The app   https://127.0.0.1:41233
  The pool  http://localhost:9229
  Developer http://localhost:9229/_cognate/?token=VIV4UZ3G5T2JXY6PMQ7RNA

  ann@example.com   correct-horse-1   verified e-mail
  bob@example.com   battery-staple-2  unverified e-mail

Press Ctrl-C to stop.
`

func TestParse(t *testing.T) {
	got, ok := parse(announcement)
	if !ok {
		t.Fatal("the announcement is not complete")
	}
	want := Announcement{
		AppURL:  "https://127.0.0.1:41233",
		PoolURL: "http://localhost:9229",
		Users:   []User{{"ann@example.com", "correct-horse-1"}, {"bob@example.com", "battery-staple-2"}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("announcement (-want +got):\n%s", diff)
	}
}

func TestParseIncomplete(t *testing.T) {
	for end := range strings.Index(announcement, "to stop.\n") + len("to stop.") {
		if a, ok := parse(announcement[:end]); ok {
			t.Fatalf("complete after %q: %+v", announcement[:end], a)
		}
	}
	if _, ok := parse("Press Ctrl-C to stop.\n"); ok {
		t.Error("complete without an address")
	}
}

// With this variable, the test binary plays the program.
const roleVariable = "COGNATE_DEMO_ROLE"

func TestMain(m *testing.M) {
	switch os.Getenv(roleVariable) {
	case "":
		os.Exit(Main(m))
	case "good":
		interrupted := make(chan os.Signal, 1)
		signal.Notify(interrupted, os.Interrupt)
		fmt.Print(announcement)
		<-interrupted
		fmt.Println("stopped")
	case "bad end":
		interrupted := make(chan os.Signal, 1)
		signal.Notify(interrupted, os.Interrupt)
		fmt.Print(announcement)
		<-interrupted
		os.Exit(3)
	case "taken port":
		fmt.Fprintln(os.Stderr, "port 5000 is taken")
		os.Exit(1)
	}
}

// play starts this binary in a role, with a test whose failures are only recorded.
func play(t *testing.T, role string) (*Demo, *recorder) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), roleVariable+"="+role)
	r := &recorder{TB: t}
	var d *Demo
	done := make(chan struct{})
	go func() {
		defer close(done)
		d = Run(r, cmd)
	}()
	<-done
	return d, r
}

// recorder is a test that records its failures and clean-ups.
type recorder struct {
	testing.TB

	failures []string
}

func (r *recorder) Fatalf(format string, args ...any) {
	r.Errorf(format, args...)
	runtime.Goexit()
}

func (r *recorder) Errorf(format string, args ...any) {
	r.failures = append(r.failures, fmt.Sprintf(format, args...))
}

func TestRun(t *testing.T) {
	d, r := play(t, "good")
	if d == nil {
		t.Fatal(r.failures)
	}
	if got, want := d.AppURL, "https://127.0.0.1:41233"; got != want {
		t.Errorf("AppURL = %q, want %q", got, want)
	}
	d.Stop()
	d.Stop()
	if len(r.failures) > 0 {
		t.Errorf("failures: %q", r.failures)
	}
	if got := d.Output(); !strings.HasSuffix(got, "stopped\n") {
		t.Errorf("output = %q", got)
	}
}

func TestRunNoticesABadEnd(t *testing.T) {
	d, r := play(t, "bad end")
	if d == nil {
		t.Fatal(r.failures)
	}
	d.Stop()
	if len(r.failures) != 1 || !strings.Contains(r.failures[0], "exit status 3") {
		t.Errorf("failures: %q, want one with the exit status", r.failures)
	}
}

func TestRunNoticesAFailedStart(t *testing.T) {
	_, r := play(t, "taken port")
	if len(r.failures) == 0 || !strings.Contains(r.failures[0], "port 5000 is taken") {
		t.Errorf("failures: %q, want the program's own words", r.failures)
	}
}
