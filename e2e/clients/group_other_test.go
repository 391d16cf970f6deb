//go:build !unix

package clients

import "os/exec"

// ownGroup does nothing here; what a program starts is left to it.
func ownGroup(*exec.Cmd) {}

func terminate(cmd *exec.Cmd) { _ = cmd.Process.Kill() }

func kill(*exec.Cmd) {}
