package clients

import (
	"bytes"
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

// patience is how long a program may take to listen, and to answer: fifty times as long as
// the slowest takes on an idle machine. That takes two seconds, because it is bundled or
// creates a database first.
const patience = 100 * time.Second

// transport accepts every certificate, because an app with TLS makes its own.
var transport = &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}

// output keeps what a program prints.
type output struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

// Write implements io.Writer.
func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}

// serve starts a program that listens on addr, waits until it does, and stops it and
// its children when the test ends.
func serve(t *testing.T, addr string, cmd *exec.Cmd) {
	t.Helper()
	out := &output{}
	cmd.Stdout, cmd.Stderr = out, out
	cmd.WaitDelay = patience
	ownGroup(cmd)
	err := cmd.Start()
	if err != nil {
		t.Fatal(err)
	}
	exited := make(chan error, 1)
	go func() { exited <- cmd.Wait() }()
	t.Cleanup(func() {
		stop(cmd, exited)
		if t.Failed() {
			t.Logf("%s printed:\n%s", filepath.Base(cmd.Path), out)
		}
	})
	await(t, addr, exited)
}

// stop asks a program to end, and kills it if it does not.
func stop(cmd *exec.Cmd, exited <-chan error) {
	terminate(cmd)
	select {
	case <-exited:
	case <-time.After(5 * time.Second):
	}
	kill(cmd) // the children that it left behind, or the program itself
}

// await waits until something listens on addr.
func await(t *testing.T, addr string, exited chan error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for {
		conn, err := new(net.Dialer).DialContext(ctx, "tcp", addr)
		if err == nil {
			_ = conn.Close()
			return
		}
		select {
		case err = <-exited:
			exited <- err // for stop
			t.Fatalf("it ended before it was ready: %v", err)
		case <-ctx.Done():
			t.Fatalf("nothing listens on %s: %v", addr, err)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func write(t *testing.T, file, text string) {
	t.Helper()
	err := os.WriteFile(file, []byte(text), 0o600)
	if err != nil {
		t.Fatal(err)
	}
}
