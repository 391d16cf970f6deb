package house_test

import (
	"fmt"
	"os"
	"testing"
)

// TestMain runs the tests in the top folder of the repository. They read every Go file
// themselves, because go test caches results and does not notice files that only a command
// has read.
func TestMain(m *testing.M) {
	err := os.Chdir("../..")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	m.Run()
}
