package cases

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestEveryCaseIsTested checks that a test in the repository reads each input.
func TestEveryCaseIsTested(t *testing.T) {
	top, err := exec.CommandContext(t.Context(), "git", "rev-parse", "--show-toplevel").Output()
	if err != nil {
		t.Fatalf("git rev-parse: %v", err)
	}
	var tests strings.Builder
	err = filepath.WalkDir(strings.TrimSpace(string(top)), func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (d.Name() == "node_modules" || d.Name() == ".git" || d.Name() == ".venv") {
			return filepath.SkipDir
		}
		if strings.HasSuffix(path, "_test.go") {
			data, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			tests.Write(data)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	files, err := copies.ReadDir("testdata")
	if err != nil || len(files) == 0 {
		t.Fatalf("%d cases, %v", len(files), err)
	}
	for _, f := range files {
		if !strings.Contains(tests.String(), `"`+f.Name()+`"`) {
			t.Errorf("no test reads %s", f.Name())
		}
		if len(Read(t, f.Name())) == 0 {
			t.Errorf("%s is empty", f.Name())
		}
	}
}
