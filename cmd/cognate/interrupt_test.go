package main

import (
	"bytes"
	"context"
	"path/filepath"
	"strings"
	"testing"

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
