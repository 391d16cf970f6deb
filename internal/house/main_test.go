package house_test

import (
	"fmt"
	"os"
	"testing"
)

// TestMain runs the tests at the top of the repository. They read every Go file there
// themselves, so that go test takes no older result for one of them: it does not see what a
// command has read.
func TestMain(m *testing.M) {
	err := os.Chdir("../..")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	m.Run()
}
