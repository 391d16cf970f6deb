// Package demo builds the cognate program and starts `cognate demo`, as a person in a
// terminal would.
//
// Tests that use it must run with -count=1, as `make test` does: go test does not know that
// they depend on the program, and would repeat an old result.
package demo

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"syscall"
	"testing"
	"time"
)

const (
	// startPatience is how long the program may take to print its addresses, and
	// stopPatience how long it may take to end after Ctrl-C: fifty times as long as on
	// an idle machine, which is a second.
	startPatience = time.Minute
	stopPatience  = time.Minute
)

// Demo is a running `cognate demo`.
type Demo struct {
	// Announcement is what it printed when it was ready.
	Announcement

	tb     testing.TB
	cmd    *exec.Cmd
	output *output
	exited chan error // receives the result of cmd.Wait once
	once   sync.Once
}

// Start builds the program if this test run has not built it yet, starts `cognate demo`
// on free ports and waits for its announcement. The arguments follow the ones that set
// the ports, so they may override them.
//
// When the test ends, the program is interrupted as by Ctrl-C. The test fails unless
// the program then ends by itself with status 0. The log of a failed test has the
// program's output.
func Start(tb testing.TB, args ...string) *Demo {
	tb.Helper()
	program := Program(tb)
	args = append([]string{"demo", "--addr", "127.0.0.1:0", "--pool-addr", "127.0.0.1:0"}, args...)
	// Stop ends it. The test's own context would kill it earlier.
	return Run(tb, exec.CommandContext(context.WithoutCancel(tb.Context()), program, args...))
}

// Run starts a command that runs the demo and waits for its announcement, as Start
// does. The command gets its own process group, as in a terminal, so that Ctrl-C also
// reaches the program that `go run` started.
func Run(tb testing.TB, cmd *exec.Cmd) *Demo {
	tb.Helper()
	out := &output{ready: make(chan Announcement, 1)}
	cmd.Stdout, cmd.Stderr = out, out
	// A child that keeps the output open must not make Wait hang.
	cmd.WaitDelay = stopPatience
	ownGroup(cmd)
	err := cmd.Start()
	if err != nil {
		tb.Fatalf("starting cognate demo: %v", err)
	}
	d := &Demo{tb: tb, cmd: cmd, output: out, exited: make(chan error, 1)}
	go func() { d.exited <- cmd.Wait() }()
	tb.Cleanup(d.Stop)

	select {
	case d.Announcement = <-out.ready:
	case err := <-d.exited:
		d.exited <- err // for Stop
		tb.Fatalf("cognate demo ended before it was ready (%v), having printed:\n%s", err, out)
	case <-time.After(startPatience):
		tb.Fatalf("cognate demo was not ready within %v, having printed:\n%s", startPatience, out)
	}
	return d
}

// Output returns what the program has printed so far.
func (d *Demo) Output() string { return d.output.String() }

// Stop interrupts the program as Ctrl-C does and waits for its end. The test fails
// unless it ends with status 0 within a minute. Further calls do nothing.
func (d *Demo) Stop() {
	d.tb.Helper()
	d.once.Do(func() {
		err := d.stop()
		if err != nil {
			d.tb.Errorf("stopping cognate demo: %v", err)
		}
		if d.tb.Failed() {
			d.tb.Logf("cognate demo printed:\n%s", d.output)
		}
	})
}

func (d *Demo) stop() error {
	err := interrupt(d.cmd)
	if err != nil && !errors.Is(err, os.ErrProcessDone) && !errors.Is(err, syscall.ESRCH) {
		return err
	}
	select {
	case err := <-d.exited:
		// `go run` ends with status 1 after Ctrl-C, whatever the status of its program.
		if e, ok := errors.AsType[*exec.ExitError](err); ok && e.ExitCode() == 1 && d.cmd.Args[0] == "go" {
			return nil
		}
		return err
	case <-time.After(stopPatience):
		return errors.Join(fmt.Errorf("still running %v after Ctrl-C", stopPatience), d.cmd.Process.Kill())
	}
}

// output keeps what a program prints, and sends the announcement when it is complete.
// It is safe for concurrent use.
type output struct {
	ready chan Announcement // has room for the single announcement

	mu        sync.Mutex
	text      bytes.Buffer
	announced bool
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.text.Write(p)
	if a, ok := parse(o.text.String()); ok && !o.announced {
		o.announced = true
		o.ready <- a
	}
	return len(p), nil
}

// String returns all that was printed.
func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// workspace is the folder of the program that this test run built. Main sets it.
var workspace string

// Main runs the tests of a package whose tests call Start, and removes what was built
// for them. It returns the exit status:
//
//	func TestMain(m *testing.M) { os.Exit(demo.Main(m)) }
func Main(m interface{ Run() int }) int {
	folder, err := os.MkdirTemp("", "cognate-e2e-")
	if err != nil {
		fmt.Fprintln(os.Stderr, "making a folder for the program:", err)
		return 1
	}
	defer func() { _ = os.RemoveAll(folder) }() // the system empties the temporary folder anyway
	workspace = folder
	return m.Run()
}

// built builds the program, once for all tests.
var built = sync.OnceValues(func() (string, error) {
	program := filepath.Join(workspace, "cognate")
	if runtime.GOOS == "windows" {
		program += ".exe"
	}
	args := []string{"build", "-o", program}
	if raceDetector {
		// With this, a data race in the program also gives a status other than 0.
		args = append(args, "-race")
	}
	// Compiling may take long; only the limit of the whole test run applies.
	cmd := exec.CommandContext(context.Background(), "go", append(args, ".")...)
	cmd.Dir = sourceFolder()
	out, err := cmd.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("building cmd/cognate: %w\n%s", err, out)
	}
	return program, nil
})

// Program returns the path of the cognate program. It builds it if this test run has
// not built it yet.
func Program(tb testing.TB) string {
	tb.Helper()
	if workspace == "" {
		tb.Fatal("demo.Program needs a TestMain that calls demo.Main")
	}
	program, err := built()
	if err != nil {
		tb.Fatal(err)
	}
	return program
}

// sourceFolder returns the folder of cmd/cognate, in whichever package's folder the
// tests run.
func sourceFolder() string {
	_, file, _, _ := runtime.Caller(0)
	return filepath.Join(filepath.Dir(file), "..", "..", "cmd", "cognate")
}

var _ io.Writer = (*output)(nil)
