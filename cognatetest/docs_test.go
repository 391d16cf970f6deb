package cognatetest_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"
)

// TestDocumentedTests runs the test file that docs/testing-your-app.md shows.
func TestDocumentedTests(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../docs/testing-your-app.md")
	if err != nil {
		t.Fatal(err)
	}
	source := regexp.MustCompile("(?s)```go\n(package app_test.*?)```").FindSubmatch(page)
	if source == nil {
		t.Fatal("the page shows no test file")
	}
	file := filepath.Join(t.TempDir(), "app_test.go")
	err = os.WriteFile(file, source[1], 0o600)
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), "go", "test", "-count=1", "-v", file).CombinedOutput()
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	if n := len(regexp.MustCompile(`(?m)^--- PASS`).FindAll(out, -1)); n != 3 {
		t.Errorf("%d tests passed, want 3\n%s", n, out)
	}
}
