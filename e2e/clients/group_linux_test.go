package clients

import "syscall"

// A test that ends by its -timeout cleans up nothing; here the programs end with it.
func init() { attributes.Pdeathsig = syscall.SIGTERM }
