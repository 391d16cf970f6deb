package cognate_test

import (
	"os"
	"path/filepath"
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
	named := regexp.MustCompile("`(?:([a-z]+)\\.)?((?:Test|Fuzz)\\w+)(?:/([^`]+))?`")
	sources := map[string]string{}
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
			if sources[m[1]] == "" {
				sources[m[1]] = testSource(t, m[1])
			}
			if !hasBody(sources[m[1]], m[2], m[3]) {
				t.Errorf("%s is not there", m[0])
			}
		}
	}
	if rows < 100 {
		t.Errorf("%d rows, want more", rows)
	}
}

// testSource is the text of a folder's tests.
func testSource(t *testing.T, dir string) string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(".", dir, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	for _, file := range files {
		source, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		all.Write(source)
	}
	return all.String()
}

// hasBody reports whether source has the test, and in its body a name that becomes part.
func hasBody(source, test, part string) bool {
	_, body, ok := strings.Cut(source, "\nfunc "+test+"(")
	if !ok {
		return false
	}
	body, _, _ = strings.Cut(body, "\n}\n")
	return part == "" || strings.Contains(strings.ReplaceAll(body, " ", "_"), `"`+part+`"`)
}
