package clients

import "syscall"

// A test that ends by its -timeout runs no cleanups, so the kernel ends its programs.
func init() { attributes.Pdeathsig = syscall.SIGTERM }
