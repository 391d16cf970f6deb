//go:build !unix

package clients

import "os/exec"

// ownGroup does nothing here. A program must end its own children.
func ownGroup(*exec.Cmd) {}

func terminate(cmd *exec.Cmd) { _ = cmd.Process.Kill() }

func kill(*exec.Cmd) {}
