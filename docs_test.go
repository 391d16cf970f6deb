package cognate_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/golang-jwt/jwt/v5"
)

// pages reads the pages of the documentation.
func pages(t *testing.T) map[string]string {
	t.Helper()
	names, err := filepath.Glob("docs/*.md")
	if err != nil || len(names) < 5 {
		t.Fatalf("found pages %q: %v", names, err)
	}
	texts := map[string]string{}
	for _, name := range append(names, "README.md", "ARCHITECTURE.md", "SECURITY.md") {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		texts[name] = string(text)
	}
	return texts
}

// testedDirs finds the folders in which a page's test may be: the package's before the dot,
// or without one the page's own.
func testedDirs(t *testing.T) map[string][]string {
	t.Helper()
	dirs := map[string][]string{}
	err := filepath.WalkDir(".", func(path string, d os.DirEntry, err error) error {
		if err == nil && d.IsDir() && path != "." && strings.HasPrefix(d.Name(), ".") {
			return filepath.SkipDir
		}
		if err == nil && d.IsDir() {
			dirs[d.Name()] = append(dirs[d.Name()], path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return dirs
}

// TestDocumentedTestsExist looks for the tests that the pages name: a check that lost its
// test must not stay in the security model.
func TestDocumentedTestsExist(t *testing.T) {
	dirs := testedDirs(t)
	named := regexp.MustCompile("`(?:([a-z]+)\\.)?((?:Test|Fuzz)[A-Z]\\w*)`")
	sources := map[string]string{}
	found := 0
	for page, text := range pages(t) {
		for _, m := range named.FindAllStringSubmatch(text, -1) {
			found++
			in := dirs[m[1]]
			switch {
			case m[1] == "" && page == "docs/cognito-divergences.md":
				in = []string{"userpool/oauth"}
			case m[1] == "":
				in = []string{"."}
			}
			isThere := func(dir string) bool {
				if sources[dir] == "" {
					sources[dir] = testSource(t, dir)
				}
				return hasBody(sources[dir], m[2], "")
			}
			if !slices.ContainsFunc(in, isThere) {
				t.Errorf("%s names %s, which is not there", page, m[0])
			}
		}
	}
	if found < 100 {
		t.Errorf("the pages name %d tests, want more", found)
	}
}

// TestDocumentedLinks looks for the files and headings that the pages link to.
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

// headings are the names by which a page's headings are linked to.
func headings(text string) (names []string) {
	unsaid := regexp.MustCompile(`[^\w\- ]`)
	for _, m := range regexp.MustCompile(`(?m)^#+ (.*)$`).FindAllStringSubmatch(text, -1) {
		names = append(names, strings.ReplaceAll(unsaid.ReplaceAllString(strings.ToLower(m[1]), ""), " ", "-"))
	}
	return names
}

// guides are the pages whose Go is built here. The others have tests of their own.
var guides = []string{
	"docs/getting-started.md", "docs/sessions-and-scaling.md", "docs/protecting-apis.md", "docs/security-model.md",
}

// TestDocumentedCode builds the Go of the guides: whole files as they are, the others as
// the body of a function that has what they speak of.
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
		"github.com/cognate-auth/cognate", "github.com/cognate-auth/cognate/redisstore",
	} {
		always := slices.Contains([]string{"context", "net/http", "github.com/cognate-auth/cognate"}, path)
		if always || strings.Contains(code, path[strings.LastIndex(path, "/")+1:]+".") {
			fmt.Fprintf(&b, "\t%q\n", path)
		}
	}
	b.WriteString(")\n\nfunc main() {}\n\nfunc orders(http.ResponseWriter, *http.Request) {}\n\nfunc me(http.ResponseWriter, *http.Request) {}\n")
	for i, body := range bodies {
		fmt.Fprintf(&b, "\nfunc f%d(ctx context.Context, auth *cognate.Auth, cfg cognate.Config, mux *http.ServeMux) {\n%s}\n", i, body)
	}
	return b.String()
}

// vet builds a file, and has it looked at by go vet.
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

// TestDocumentedAnswers compares the answers that the page shows with the real ones.
func TestDocumentedAnswers(t *testing.T) {
	page := pages(t)["docs/protecting-apis.md"]
	p := newFakeProvider(t)
	x := newApp(t, p, nil)
	handler := x.auth.RequireBearer("shop/orders.read")(http.NotFoundHandler())
	lacking := p.userClaims("")
	delete(lacking, "at_hash")
	lacking["scope"] = "openid"
	forged := signWith(jwt.SigningMethodRS256, testKeys()[1], p.kid, lacking)

	for name, tt := range map[string]struct {
		handler http.Handler
		headers []string
	}{
		"no token":       {handler, nil},
		"a forged token": {handler, []string{"Bearer " + forged}},
		"no scope":       {handler, []string{"Bearer " + p.signed(lacking)}},
		"two tokens":     {handler, []string{"Bearer a.b.c", "Bearer d.e.f"}},
		"no session":     {x.auth.RequireLoginOrBearer()(http.NotFoundHandler()), nil},
	} {
		t.Run(name, func(t *testing.T) {
			r := httptest.NewRequest(http.MethodGet, appOrigin+"/api/orders", nil)
			r.Header["Authorization"] = tt.headers
			r.Header.Set("Sec-Fetch-Mode", "cors")
			w := httptest.NewRecorder()
			tt.handler.ServeHTTP(w, r)
			if got := "```http\n" + dump(w.Result()) + "```\n"; !strings.Contains(page, got) {
				t.Errorf("the page has not:\n%s", got)
			}
		})
	}
}

// dump writes an answer as it is on the wire, but for the dates and what gets it there.
func dump(resp *http.Response) string {
	var b strings.Builder
	fmt.Fprintf(&b, "HTTP/1.1 %d %s\n", resp.StatusCode, http.StatusText(resp.StatusCode))
	_ = resp.Header.Write(&b)
	body, _ := io.ReadAll(resp.Body)
	return strings.ReplaceAll(b.String(), "\r", "") + "\n" + string(body)
}
