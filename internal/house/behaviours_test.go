package house_test

import (
	"os"
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
