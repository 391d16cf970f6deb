package house_test

import (
	"fmt"
	"os"
	"testing"
)

// TestMain runs the tests at the top of the repository, whose paths they name. What they
// read there counts for Go's cache of test results; what a command reads that they run
// does not.
func TestMain(m *testing.M) {
	err := os.Chdir("../..")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	m.Run()
}
