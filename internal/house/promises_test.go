package house_test

import (
	"os"
	"path"
	"regexp"
	"strings"
	"testing"
)

// TestBehavioursAreTested checks that every promise of the security model names at least one
// test, that these tests and subtests exist, and that no promise is made twice.
func TestBehavioursAreTested(t *testing.T) {
	page, err := os.ReadFile("docs/security-model.md")
	if err != nil {
		t.Fatal(err)
	}
	named := regexp.MustCompile("`(?:([a-z0-9]+)\\.)?((?:Test|Fuzz)\\w+)(?:/([^`]+))?`")
	all := readTests(t)
	promises := map[string]bool{}
	var header string // of the table that line is in
	for line := range strings.Lines(string(page)) {
		if !strings.HasPrefix(line, "| ") {
			header = ""
			continue
		}
		if header == "" {
			header = line
			continue
		}
		if !strings.HasPrefix(header, "| Promise |") || strings.HasPrefix(line, "| ---") {
			continue
		}
		cells := strings.Split(strings.TrimSuffix(strings.TrimPrefix(line, "| "), " |\n"), " |")
		tests := named.FindAllStringSubmatch(cells[len(cells)-1], -1)
		if len(cells) != 3 || len(tests) == 0 || strings.Count(cells[2], "`") != 2*len(tests) {
			t.Errorf("no promise, attack and tests: %s", line)
			continue
		}
		if promises[cells[0]] {
			t.Errorf("promised twice: %s", cells[0])
		}
		promises[cells[0]] = true
		for _, m := range tests {
			if !all.has(m[1], m[2], m[3]) {
				t.Errorf("%s does not exist", m[0])
			}
		}
	}
	if len(promises) < 100 {
		t.Errorf("%d promises, want more", len(promises))
	}
}

// testSources is the text of all tests, by the name of their folder: the pages write
// oauth.TestX for a test of userpool/oauth. The root's have the name "".
type testSources map[string][]string

func readTests(t *testing.T) testSources {
	t.Helper()
	all := testSources{}
	for dir, f := range tree(t) {
		name := path.Base(dir)
		if dir == "." {
			name = ""
		}
		for _, test := range f.tests {
			all[name] = append(all[name], test.text)
		}
	}
	return all
}

// has reports whether a folder has the test, and the test's body the subtest part.
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
