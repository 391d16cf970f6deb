package house_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// pages reads the pages of the documentation.
func pages(t *testing.T) map[string]string {
	t.Helper()
	names, err := filepath.Glob("docs/*.md")
	if err != nil || len(names) < 5 {
		t.Fatalf("found pages %q: %v", names, err)
	}
	texts := map[string]string{}
	for _, name := range append(names, "README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "SECURITY.md") {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		texts[name] = string(text)
	}
	return texts
}

// TestDocumentedTestsExist checks that the tests which the pages name exist: the security
// model must not promise something that is no longer tested.
func TestDocumentedTestsExist(t *testing.T) {
	all := readTests(t)
	named := regexp.MustCompile("`(?:([a-z0-9]+)\\.)?((?:Test|Fuzz)[A-Z]\\w*)`")
	found := 0
	for page, text := range pages(t) {
		for _, m := range named.FindAllStringSubmatch(text, -1) {
			found++
			in := m[1]
			if in == "" && page == "docs/cognito-divergences.md" {
				in = "oauth"
			}
			if !all.has(in, m[2], "") {
				t.Errorf("%s names %s, which is not there", page, m[0])
			}
		}
	}
	if found < 100 {
		t.Errorf("the pages name %d tests, want more", found)
	}
}

// TestDocumentedLinks checks that the files and headings which the pages link to exist.
func TestDocumentedLinks(t *testing.T) {
	link := regexp.MustCompile(`\]\(([^)\s]+)\)`)
	all := pages(t)
	for page, text := range all {
		for _, m := range link.FindAllStringSubmatch(text, -1) {
			target, heading, _ := strings.Cut(m[1], "#")
			picture := strings.HasSuffix(target, ".svg") // make bench draws it
			if strings.Contains(target, "://") || picture || !strings.ContainsAny(m[1], "./#") {
				continue // elsewhere, or Go: f[T](u)
			}
			file := page
			if target != "" {
				file = filepath.Join(filepath.Dir(page), target)
			}
			_, err := os.Stat(file)
			if err != nil {
				t.Errorf("%s links to %s: %v", page, m[1], err)
			}
			if other, ok := all[file]; heading != "" && ok && !slices.Contains(headings(other), heading) {
				t.Errorf("%s links to %s, which is no heading of %s", page, m[1], file)
			}
		}
	}
}

// headings returns the link names of a page's headings.
func headings(text string) (names []string) {
	dropped := regexp.MustCompile(`[^\w\- ]`)
	for _, m := range regexp.MustCompile(`(?m)^#+ (.*)$`).FindAllStringSubmatch(text, -1) {
		names = append(names, strings.ReplaceAll(dropped.ReplaceAllString(strings.ToLower(m[1]), ""), " ", "-"))
	}
	return names
}

// guides are the pages whose Go code is built here. The others have tests of their own.
var guides = []string{
	"docs/getting-started.md", "docs/sessions-and-scaling.md", "docs/protecting-apis.md", "docs/security-model.md",
}

// TestDocumentedCode builds the Go code of the guides: whole files as they are, and fragments
// as the body of a function with the variables that they use.
func TestDocumentedCode(t *testing.T) {
	block := regexp.MustCompile("(?s)```go\n(.*?)```")
	all := pages(t)
	var files []string
	for _, page := range guides {
		for _, m := range block.FindAllStringSubmatch(all[page], -1) {
			if strings.HasPrefix(m[1], "package ") {
				vet(t, page, m[1])
				continue
			}
			files = append(files, m[1])
		}
	}
	if len(files) < 10 {
		t.Errorf("%d pieces of Go, want more", len(files))
	}
	vet(t, "the guides", fragments(files))
}

// fragments puts pieces of code into one program.
func fragments(bodies []string) string {
	var b strings.Builder
	b.WriteString("package main\n\nimport (\n")
	code := strings.Join(bodies, "\n")
	for _, path := range []string{
		"context", "crypto/tls", "io", "log", "net/http", "os", "time",
		"github.com/cognate-auth/cognate",
		"github.com/cognate-auth/cognate/redisstore", "github.com/cognate-auth/cognate/sessionstore",
	} {
		always := slices.Contains([]string{"context", "net/http", "github.com/cognate-auth/cognate"}, path)
		if always || strings.Contains(code, path[strings.LastIndex(path, "/")+1:]+".") {
			fmt.Fprintf(&b, "\t%q\n", path)
		}
	}
	b.WriteString(")\n\nfunc main() {}\n\nfunc orders(http.ResponseWriter, *http.Request) {}\n" +
		"\nfunc me(http.ResponseWriter, *http.Request) {}\n")
	for i, body := range bodies {
		fmt.Fprintf(&b, "\nfunc f%d(ctx context.Context, auth *cognate.Auth, cfg cognate.Config, mux "+
			"*http.ServeMux) {\n%s}\n", i, body)
	}
	return b.String()
}

// vet runs go vet on a file.
func vet(t *testing.T, page, source string) {
	t.Helper()
	name := "main.go"
	if strings.Contains(source, "func Test") {
		name = "main_test.go"
	}
	file := filepath.Join(t.TempDir(), name)
	err := os.WriteFile(file, []byte(source), 0o600)
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), "go", "vet", file).CombinedOutput()
	if err != nil {
		t.Errorf("%s: %v\n%s\n%s", page, err, out, source)
	}
}
