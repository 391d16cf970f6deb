package house_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// testSources is the text of all tests, by the name of their folder: the pages write
// oauth.TestX for a test of userpool/oauth. The root's have the name "".
type testSources map[string][]string

// readTests reads the tests of every folder.
func readTests(t *testing.T) testSources {
	t.Helper()
	all := testSources{}
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && path != "." && skipped(d.Name()) {
			return filepath.SkipDir
		}
		if !strings.HasSuffix(path, "_test.go") {
			return nil
		}
		name := ""
		if dir := filepath.Dir(path); dir != "." {
			name = filepath.Base(dir)
		}
		source, err := os.ReadFile(path)
		all[name] = append(all[name], string(source))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// skipped reports whether a folder of that name holds nothing that was written here.
func skipped(name string) bool {
	return strings.HasPrefix(name, ".") || name == "node_modules"
}

// has reports whether a folder has the test, and in its body a name that becomes part.
func (s testSources) has(folder, test, part string) bool {
	for _, source := range s[folder] {
		_, body, ok := strings.Cut(source, "\nfunc "+test+"(")
		if !ok {
			continue
		}
		body, _, _ = strings.Cut(body, "\n}\n")
		if part == "" || strings.Contains(strings.ReplaceAll(body, " ", "_"), `"`+part+`"`) {
			return true
		}
	}
	return false
}
