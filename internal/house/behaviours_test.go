package house_test

import (
	"os"
	"path"
	"regexp"
	"strings"
	"testing"
)

// TestBehavioursAreTested: every row of the page names a test, and what it names is there,
// with its part after the slash.
func TestBehavioursAreTested(t *testing.T) {
	page, err := os.ReadFile("docs/behaviours.md")
	if err != nil {
		t.Fatal(err)
	}
	named := regexp.MustCompile("`(?:([a-z0-9]+)\\.)?((?:Test|Fuzz)\\w+)(?:/([^`]+))?`")
	all := readTests(t)
	rows := 0
	for line := range strings.Lines(string(page)) {
		if !strings.HasPrefix(line, "| ") || strings.HasPrefix(line, "| Behaviour") || strings.HasPrefix(line, "| ---") {
			continue
		}
		rows++
		cells := strings.Split(strings.Trim(line, "| \n"), " | ")
		tests := named.FindAllStringSubmatch(cells[len(cells)-1], -1)
		if len(cells) != 2 || len(tests) == 0 || strings.Count(cells[1], "`") != 2*len(tests) {
			t.Errorf("no behaviour with its tests: %s", line)
		}
		for _, m := range tests {
			if !all.has(m[1], m[2], m[3]) {
				t.Errorf("%s is not there", m[0])
			}
		}
	}
	if rows < 100 {
		t.Errorf("%d rows, want more", rows)
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
