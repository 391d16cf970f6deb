package main

import (
	"bytes"
	"context"
	"net"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cognate-auth/cognate/internal/interrupt"
	"github.com/cognate-auth/cognate/internal/terminal"
)

// TestInterruptedStart presses Ctrl-C before anything is served.
func TestInterruptedStart(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for name, args := range map[string][]string{
		"pool":           {"pool", "--addr", "localhost:0", "--store", filepath.Join(t.TempDir(), "pool.db")},
		"pool in memory": {"pool", "--addr", "localhost:0", "--store", "memory"},
		"demo":           {"demo", "--addr", "localhost:0", "--pool-addr", "localhost:0"},
	} {
		var out, wrong bytes.Buffer
		status := run(ctx, args, terminal.Streams{Out: &out, Err: &wrong})
		if status != 0 || !strings.HasSuffix(out.String(), "Stopped.\n") || wrong.Len() != 0 {
			t.Errorf("%s: status %d, it says %q and %q", name, status, &out, &wrong)
		}
	}
}

// TestInterruptedPool presses Ctrl-C at moments of the start of cognate pool, with a
// database: at all of the first ones, when the file is opened and its tables are made,
// and at fewer of those that follow, which are many alike.
func TestInterruptedPool(t *testing.T) {
	t.Parallel()
	moments, served := 0, false
	for ; !served && moments < 100_000; moments += 1 + moments/8 {
		ctx, press := interrupt.After(t.Context(), moments)
		out := interrupt.Output{Press: press}
		var wrong bytes.Buffer
		status := run(ctx,
			[]string{"pool", "--addr", "localhost:0", "--store", filepath.Join(t.TempDir(), "pool.db")},
			terminal.Streams{Out: &out, Err: &wrong})
		press()
		if status != 0 || !strings.HasSuffix(out.String(), "Stopped.\n") || wrong.Len() > 0 {
			t.Fatalf("moment %d: status %d, it says %q and %q", moments, status, &out, &wrong)
		}
		served = strings.Contains(out.String(), "Ctrl-C")
	}
	if !served || moments < 20 {
		t.Errorf("after %d moments the pool has started: %t", moments, served)
	}
}

// TestInterruptedWait presses Ctrl-C while PostgreSQL accepts a connection and says
// nothing.
func TestInterruptedWait(t *testing.T) {
	t.Parallel()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		conn, err := l.Accept()
		if err == nil {
			defer func() { _ = conn.Close() }() // nothing was said
			cancel()
			<-t.Context().Done()
		}
	}()
	var out, wrong bytes.Buffer
	status := run(ctx, []string{"pool", "--addr", "localhost:0", "--store", "postgres://" + l.Addr().String() + "/x"},
		terminal.Streams{Out: &out, Err: &wrong})
	if status != 0 || out.String() != "Stopped.\n" || wrong.Len() > 0 {
		t.Errorf("status %d, it says %q and %q", status, &out, &wrong)
	}
}
