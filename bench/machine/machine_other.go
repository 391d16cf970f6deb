//go:build !linux

package machine

import (
	"os"
	"os/exec"
	"time"
)

// CPUs returns no processors, because none can be chosen.
func CPUs() []int { return nil }

// Pin does nothing here.
func Pin(int) error { return nil }

func startOn(cmd *exec.Cmd, _ int) error { return cmd.Start() }

func interrupt(cmd *exec.Cmd) { _ = cmd.Process.Signal(os.Interrupt) }
func kill(cmd *exec.Cmd)      { _ = cmd.Process.Kill() }

// Usage is the CPU time of each process of a group.
type Usage map[int]time.Duration

// CPU returns ErrUnmeasured.
func (p *Process) CPU() (Usage, error) { return nil, ErrUnmeasured }

// Memory returns ErrUnmeasured.
func (p *Process) Memory() (float64, error) { return 0, ErrUnmeasured }

// Since returns 0.
func (u Usage) Since(Usage) time.Duration { return 0 }

// SelfCPU returns ErrUnmeasured.
func SelfCPU() (time.Duration, error) { return 0, ErrUnmeasured }

// Unprivileged does nothing here.
func Unprivileged(*exec.Cmd, string) error { return nil }
