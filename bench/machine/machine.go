// Package machine starts servers on their own processor and measures what they use of
// it. On systems other than Linux the system chooses the processor, and [Process.CPU]
// and [SelfCPU] return [ErrUnmeasured]. It knows nothing of what the servers do.
package machine

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"time"
)

// ErrUnmeasured says that this system does not report the CPU time of another process.
var ErrUnmeasured = errors.New("the CPU time of a process is read on Linux only")

// grace is how long a process may take to end after it is asked to.
const grace = 3 * time.Second

// A Process is a started server with all its descendants.
type Process struct {
	cmd    *exec.Cmd
	output *tail
	done   chan struct{}
	err    error // of Wait; set before done is closed
}

// Start starts cmd on the given processor, or on any if it is negative.
// [Process.Output] returns the last few kilobytes of its output.
func Start(cmd *exec.Cmd, cpu int) (*Process, error) {
	p := &Process{cmd: cmd, output: &tail{}, done: make(chan struct{})}
	cmd.Stdout, cmd.Stderr = p.output, p.output
	cmd.WaitDelay = grace
	err := startOn(cmd, cpu)
	if err != nil {
		return nil, fmt.Errorf("starting %s: %w", cmd.Path, err)
	}
	go func() {
		defer close(p.done)
		p.err = cmd.Wait()
	}()
	return p, nil
}

// Ready waits until check returns nil. It gives up if the process ends, or after the
// given time.
func (p *Process) Ready(ctx context.Context, most time.Duration, check func(context.Context) error) error {
	return p.ReadyEvery(ctx, most, 20*time.Millisecond, check)
}

// ReadyEvery is Ready with a given time between two checks.
func (p *Process) ReadyEvery(ctx context.Context, most, every time.Duration, check func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, most)
	defer cancel()
	for {
		err := check(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-p.done:
			return fmt.Errorf("%s ended: %w: %s", p.cmd.Path, p.err, p.Output())
		case <-ctx.Done():
			return fmt.Errorf("%s did not answer: %w: %s", p.cmd.Path, err, p.Output())
		case <-time.After(every):
		}
	}
}

// Output returns the end of what the process wrote, on one line.
func (p *Process) Output() string { return strings.Join(strings.Fields(p.output.String()), " ") }

// Stop ends the process and its descendants, and waits for it.
func (p *Process) Stop() {
	interrupt(p.cmd)
	select {
	case <-p.done:
	case <-time.After(grace):
	}
	kill(p.cmd)
	<-p.done
}

// tail keeps the end of what is written to it.
type tail struct {
	mu sync.Mutex
	b  []byte
}

const tailSize = 2 << 10

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.b = append(t.b, p...)
	if len(t.b) > tailSize {
		t.b = append([]byte(nil), t.b[len(t.b)-tailSize:]...)
	}
	return len(p), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(t.b)
}

// Describe describes this machine in one line.
func Describe() string {
	return fmt.Sprintf("%s, %d processors, %s on %s/%s", cpuModel(), runtime.NumCPU(), runtime.Version(),
		runtime.GOOS, runtime.GOARCH)
}

// cpuModel returns the name in /proc/cpuinfo, which only Linux has.
func cpuModel() string {
	f, err := os.Open("/proc/cpuinfo")
	if err != nil {
		return "processor of unknown make"
	}
	defer f.Close() //nolint:errcheck // only read
	lines := bufio.NewScanner(io.LimitReader(f, 1<<20))
	for lines.Scan() {
		name, value, _ := strings.Cut(lines.Text(), ":")
		if strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return "processor of unknown make"
}
