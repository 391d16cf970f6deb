package house_test

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// TestArrows holds the house together: which package may know which.
func TestArrows(t *testing.T) {
	const module = "github.com/cognate-auth/cognate"
	arrows := []struct {
		pkg       string
		forbidden []string // packages below module that pkg must not reach
	}{
		{"", []string{"/userpool", "/userpool/", "/cognatetest", "/devtls"}},
		{"/internal/testhook", []string{"", "/"}},
		{"/internal/refusal", []string{"", "/"}},
		{"/internal/cache", []string{"", "/"}},
		{"/internal/flight", []string{"", "/"}},
		{"/internal/gate", []string{"", "/userpool", "/userpool/", "/cognatetest"}},
		{"/internal/utf8text", []string{"", "/"}},
		{"/internal/freeport", []string{"", "/"}},
		{"/internal/loopback", []string{"", "/"}},
		{"/storetest", []string{"/userpool", "/userpool/", "/cognatetest"}},
		{"/flaskoidc", []string{"/userpool", "/userpool/", "/cognatetest"}},
		{"/redisstore", []string{"/userpool", "/userpool/", "/cognatetest", "/storetest"}},
		{"/devtls", []string{"", "/userpool"}},
		{"/userpool", []string{"", "/userpool/", "/cognatetest", "/internal/testhook"}},
		{"/userpool/memstore", []string{"", "/userpool/"}},
		{"/userpool/oauth", []string{"", "/userpool/hosted", "/userpool/federation", "/userpool/server", "/userpool/memstore"}},
		{"/userpool/hosted", []string{"", "/userpool/oauth", "/userpool/federation", "/userpool/server", "/userpool/memstore"}},
		{"/userpool/federation", []string{"", "/userpool/oauth", "/userpool/hosted", "/userpool/server", "/userpool/memstore"}},
		{"/userpool/trigger", []string{"", "/userpool/"}},
		{"/userpool/devview", []string{
			"", "/userpool/oauth", "/userpool/hosted", "/userpool/federation", "/userpool/server", "/userpool/memstore", "/userpool/internal/",
		}},
		{"/userpool/internal/recorder", []string{"", "/userpool/oauth", "/userpool/hosted", "/userpool/devview", "/userpool/server"}},
		{"/userpool/server", []string{"", "/userpool/memstore", "/cognatetest"}},
		{"/userpool/storetest", []string{"", "/userpool/"}},
		{"/cmd/cognate/internal/sqlstore", []string{"", "/userpool/", "/cognatetest", "/devtls"}},
		{"/cognatetest", []string{"/devtls", "/examples/"}},
		{"/cmd/cognate/internal/poolconfig", []string{"", "/userpool/", "/cognatetest", "/devtls"}},
		{"/cmd/cognate/internal/trust", []string{"", "/userpool", "/devtls"}},
		{"/examples/hello/app", []string{"/userpool", "/cognatetest"}},
		{"/examples/api/app", []string{"/userpool", "/cognatetest"}},
		{"/examples/spa/app", []string{"/userpool", "/cognatetest"}},
	}
	args := []string{"list", "-f", `{{.ImportPath}}{{range .Deps}} {{.}}{{end}}`}
	for _, tt := range arrows {
		args = append(args, module+tt.pkg)
	}
	out, err := exec.CommandContext(t.Context(), "go", args...).Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	deps := map[string][]string{}
	for line := range strings.Lines(string(out)) {
		fields := strings.Fields(line)
		deps[fields[0]] = fields[1:]
	}
	for _, tt := range arrows {
		if len(deps[module+tt.pkg]) == 0 {
			t.Errorf("go list says nothing about %s%s", module, tt.pkg)
		}
		for _, dep := range deps[module+tt.pkg] {
			rest, ours := strings.CutPrefix(dep, module)
			for _, f := range tt.forbidden {
				below := strings.HasSuffix(f, "/") && strings.HasPrefix(rest, f)
				if ours && rest != tt.pkg && (rest == f || below) {
					t.Errorf("%s%s reaches %s", module, tt.pkg, dep)
				}
			}
		}
	}
}

// TestTestsOnly lists who may import what makes somebody signed in without a sign-in: no
// package that is part of a program.
func TestTestsOnly(t *testing.T) {
	const module = "github.com/cognate-auth/cognate"
	may := map[string][]string{
		module + "/internal/testhook": {module, module + "/cognatetest"},
		module + "/cognatetest":       nil,
		module + "/internal/cases":    nil,
	}
	dirs, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}/...").Output()
	if err != nil {
		t.Fatalf("go list -m: %v", err)
	}
	const imports = `{{range .Imports}}{{$.ImportPath}} {{.}}{{"\n"}}{{end}}`
	args := append([]string{"list", "-f", imports}, strings.Fields(string(dirs))...)
	out, err := exec.CommandContext(t.Context(), "go", args...).Output() // .Imports leaves out those of tests
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	found := 0
	for line := range strings.Lines(string(out)) {
		pkg, imported, _ := strings.Cut(strings.TrimSpace(line), " ")
		who, guarded := may[imported]
		if !guarded {
			continue
		}
		found++
		if !slices.Contains(who, pkg) {
			t.Errorf("%s imports %s", pkg, imported)
		}
	}
	if found != 2 {
		t.Errorf("found %d imports of testhook, want those of its two users", found)
	}
}

// TestDependencies pins what of other people's a program that imports the library gets with it.
func TestDependencies(t *testing.T) {
	out, err := exec.CommandContext(t.Context(), "go", "list", "-deps", "-f", "{{if not .Standard}}{{.ImportPath}}{{end}}", ".").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	own := func(pkg string) bool { return strings.HasPrefix(pkg, "github.com/cognate-auth/cognate") }
	got := slices.DeleteFunc(strings.Fields(string(out)), own)
	slices.Sort(got)
	want := []string{
		"golang.org/x/oauth2",
		"golang.org/x/oauth2/internal",
		"golang.org/x/sync/singleflight",
	}
	if !slices.Equal(got, want) {
		t.Errorf("dependencies\n%q, want\n%q", got, want)
	}
}
