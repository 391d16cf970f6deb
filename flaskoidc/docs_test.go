package flaskoidc_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/cognate-auth/cognate/flaskoidc"
)

func guide(t *testing.T) string {
	t.Helper()
	page, err := os.ReadFile("../docs/migrating-from-flask-oidc.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(page)
}

// TestGuideListsEveryKey checks that the guide's tables of settings and the loader have
// the same keys, and agree on which have lost their purpose.
func TestGuideListsEveryKey(t *testing.T) {
	_, settings, _ := strings.Cut(guide(t), "## Every setting")
	settings, _, _ = strings.Cut(settings, "## Every call")
	var listed []string
	for _, row := range regexp.MustCompile("(?m)^\\| `([A-Z_]+)` \\| (.*?) \\|").FindAllStringSubmatch(settings, -1) {
		key, becomes := row[1], row[2]
		listed = append(listed, key)
		if _, ok := flaskoidc.Obsolete[key]; ok != (becomes == "warning") {
			t.Errorf("the guide says that %s becomes: %s; obsolete: %v", key, becomes, ok)
		}
	}
	slices.Sort(listed)
	if !slices.Equal(listed, flaskoidc.Known) {
		t.Errorf("the guide lists\n%q, the loader knows\n%q", listed, flaskoidc.Known)
	}
}

// TestGuideProgram builds the program in the guide.
func TestGuideProgram(t *testing.T) {
	program := regexp.MustCompile("(?s)```go\n(package main.*?)```").FindStringSubmatch(guide(t))
	if program == nil {
		t.Fatal("the guide shows no program")
	}
	file := filepath.Join(t.TempDir(), "main.go")
	err := os.WriteFile(file, []byte(program[1]), 0o600)
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), "go", "vet", file).CombinedOutput()
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
