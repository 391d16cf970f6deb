//go:build unix

package clients

import (
	"os/exec"
	"syscall"
)

// attributes let terminate and kill reach a program's children too.
var attributes = syscall.SysProcAttr{Setpgid: true}

func ownGroup(cmd *exec.Cmd) {
	own := attributes
	cmd.SysProcAttr = &own
}

func terminate(cmd *exec.Cmd) { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) }

func kill(cmd *exec.Cmd) { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
