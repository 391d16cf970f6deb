package demo

import (
	"bytes"
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// FreeAddr returns an address on which nothing listens at the moment.
func FreeAddr(tb testing.TB) string {
	tb.Helper()
	l, err := (&net.ListenConfig{}).Listen(tb.Context(), "tcp4", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// Launch starts a program, and stops it as Ctrl-C does when the test ends.
func Launch(tb testing.TB, cmd *exec.Cmd) {
	tb.Helper()
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Start()
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		_ = cmd.Process.Signal(os.Interrupt)
		err := cmd.Wait()
		if err != nil || tb.Failed() {
			tb.Errorf("%s: %v, having printed:\n%s", filepath.Base(cmd.Path), err, &out)
		}
	})
}

// LaunchAsGroup starts a command that starts another program, as `go run` does, or ends in no
// particular way. When the test ends, all of its processes are stopped as Ctrl-C does.
func LaunchAsGroup(tb testing.TB, cmd *exec.Cmd) {
	tb.Helper()
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	ownGroup(cmd)
	err := cmd.Start()
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		_ = interrupt(cmd) // it may have ended
		_ = cmd.Wait()
		if tb.Failed() {
			tb.Errorf("%s printed:\n%s", strings.Join(cmd.Args, " "), &out)
		}
	})
}

// Await waits until something listens on addr.
func Await(tb testing.TB, addr string) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), startPatience)
	defer cancel()
	for {
		conn, err := new(net.Dialer).DialContext(ctx, "tcp", addr)
		if err == nil {
			_ = conn.Close()
			return
		}
		select {
		case <-ctx.Done():
			tb.Fatalf("nothing listens on %s: %v", addr, err)
		case <-time.After(50 * time.Millisecond):
		}
	}
}
