package cognate_test

import (
	"os/exec"
	"strings"
	"testing"
)

// TestArrows holds the house together: which package may know which.
func TestArrows(t *testing.T) {
	const module = "github.com/cognate-auth/cognate"
	for _, tt := range []struct {
		pkg       string
		forbidden []string // packages below module that pkg must not reach
	}{
		{"", []string{"/"}},
		{"/devtls", []string{"", "/userpool"}},
		{"/userpool", []string{"", "/userpool/", "/cognatetest"}},
		{"/userpool/memstore", []string{"", "/userpool/oauth", "/userpool/hosted"}},
		{"/userpool/oauth", []string{"", "/userpool/hosted", "/userpool/server", "/userpool/memstore"}},
		{"/userpool/hosted", []string{"", "/userpool/oauth", "/userpool/server", "/userpool/memstore"}},
		{"/userpool/server", []string{"", "/userpool/memstore", "/cognatetest"}},
		{"/cognatetest", []string{""}},
		{"/examples/hello/app", []string{"/userpool", "/cognatetest"}},
	} {
		out, err := exec.CommandContext(t.Context(), "go", "list", "-deps", module+tt.pkg).Output()
		if err != nil {
			t.Fatalf("go list %s: %v", tt.pkg, err)
		}
		for _, dep := range strings.Fields(string(out)) {
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
