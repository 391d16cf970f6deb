package machine

import (
	"context"
	"errors"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// patience limits what takes some milliseconds. A busy machine may need a thousand
// times as long.
const patience = time.Minute

// TestCPU runs a grandchild process for a while: the group's time must include it.
func TestCPU(t *testing.T) {
	t.Parallel()
	cpus := CPUs()
	if len(cpus) == 0 {
		t.Fatal("no processor to run on")
	}
	script := `sh -c 'echo busy; while :; do :; done' & wait`
	p, err := Start(exec.CommandContext(t.Context(), "sh", "-c", script), cpus[0])
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Stop)
	err = p.Ready(t.Context(), patience, func(context.Context) error {
		if p.Output() != "busy" {
			return errors.New("not yet")
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	before, err := p.CPU()
	if err != nil {
		t.Fatal(err)
	}
	deadline := time.Now().Add(patience)
	for used := time.Duration(0); used < 20*time.Millisecond; {
		if time.Now().After(deadline) {
			t.Fatalf("used %s after a minute of work", used)
		}
		time.Sleep(10 * time.Millisecond)
		after, err := p.CPU()
		if err != nil {
			t.Fatal(err)
		}
		used = after.Since(before)
	}
	p.Stop()
	_, err = p.CPU()
	if err == nil {
		t.Error("after Stop: got no error, want one")
	}
}

// TestReadyExplains has a program that ends instead of serving.
func TestReadyExplains(t *testing.T) {
	t.Parallel()
	p, err := Start(exec.CommandContext(t.Context(), "sh", "-c", "echo no such option; exit 3"), -1)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Stop)
	err = p.Ready(t.Context(), patience, func(context.Context) error { return errors.New("not yet") })
	if err == nil || !strings.Contains(err.Error(), "exit status 3: no such option") {
		t.Errorf("got %v, want the status and what the program said", err)
	}
}

func TestGroupOf(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		stat string
		want int
	}{
		"plain":       {"12 (sh) S 1 34 34 0 -1", 34},
		"parentheses": {"12 (a) b) (c) R 1 56 0", 56},
		"cut":         {"12 (sh) S", 0},
		"no number":   {"12 (sh) S 1 x", 0},
		"empty":       {"", 0},
	} {
		if got := groupOf(tt.stat); got != tt.want {
			t.Errorf("%s: got %d, want %d", name, got, tt.want)
		}
	}
}
