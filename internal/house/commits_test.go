package house_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// A history is a repository made for a test, with the script that checks commits.
type history struct {
	*testing.T
	dir string
}

func newHistory(t *testing.T) *history {
	t.Helper()
	h := &history{t, t.TempDir()}
	h.git("init", "-q", "-b", "main")
	h.write("userpool/oauth/token.go", "package oauth\n")
	h.commit("all: begin")
	for _, name := range []string{"tools/commits.sh", "tools/common.sh"} {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		h.write(name, string(text))
	}
	h.commit("bring the rule, which does not count for itself")
	return h
}

// run runs a program in the repository, without the Git configuration of the machine. It drops
// Git's environment variables, which are set if Git itself runs the tests, as in a rebase, and
// would make the program work on another repository.
func (h *history) run(name string, args ...string) (string, error) {
	cmd := exec.CommandContext(h.Context(), name, args...)
	cmd.Dir = h.dir
	own := func(variable string) bool { return strings.HasPrefix(variable, "GIT_") }
	cmd.Env = append(slices.DeleteFunc(os.Environ(), own), "GIT_CONFIG_GLOBAL="+os.DevNull, "GIT_CONFIG_NOSYSTEM=1",
		"GIT_CEILING_DIRECTORIES="+filepath.Dir(h.dir),
		"GIT_AUTHOR_NAME=Ann", "GIT_AUTHOR_EMAIL=ann@example.com",
		"GIT_COMMITTER_NAME=Ann", "GIT_COMMITTER_EMAIL=ann@example.com")
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func (h *history) git(args ...string) {
	h.Helper()
	out, err := h.run("git", args...)
	if err != nil {
		h.Fatalf("git %s: %v\n%s", args[0], err, out)
	}
}

func (h *history) write(name, text string) {
	h.Helper()
	file := filepath.Join(h.dir, name)
	err := os.MkdirAll(filepath.Dir(file), 0o700)
	if err != nil {
		h.Fatal(err)
	}
	err = os.WriteFile(file, []byte(text), 0o700)
	if err != nil {
		h.Fatal(err)
	}
}

func (h *history) commit(message string) {
	h.Helper()
	h.git("add", "-A")
	h.git("commit", "-q", "--allow-empty", "-m", message)
}

// check runs the script, and checks whether it passes, and its output.
func (h *history) check(pass bool, output string) {
	h.Helper()
	out, err := h.run("sh", "tools/commits.sh")
	if (err == nil) != pass || !strings.Contains(out, output) {
		h.Errorf("%v, want pass: %v and output %q; got:\n%s", err, pass, output, out)
	}
}

// TestCommits runs the script on good and bad commits.
func TestCommits(t *testing.T) {
	long := strings.Repeat("// a line\n", 30)
	for _, tt := range []struct {
		name    string
		message string
		lines   string // added to a file
		want    string // "": nothing is wrong
	}{
		{"a folder", "userpool/oauth: take tokens", "", ""},
		{"two folders", "userpool/oauth, tools: take tokens", "", ""},
		{"the root package", "cognate: take tokens", "", ""},
		{"all folders", "all: take tokens", "", ""},
		{"long, and why", "all: take tokens\n\nThey were left.", long, ""},
		{"no folder", "take tokens", "", "begins with no folder"},
		{"a folder of another name", "oauth: take tokens", "", "there is no folder oauth"},
		{"one of two", "tools, oauth: take tokens", "", "there is no folder oauth"},
		{"a file", "userpool/oauth/token.go: take tokens", "", "there is no folder"},
		{"a full stop", "all: take tokens.", "", "full stop"},
		{"too long", "all: " + strings.Repeat("t", 72), "", "76 characters"},
		{"long, and not why", "all: take tokens", long, "no body says why"},
		{"long, and only by whom", "all: take tokens\n\nSigned-off-by: Ann", long, "no body says why"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			h := newHistory(t)
			h.write("userpool/oauth/token.go", "package oauth\n"+tt.lines)
			h.commit(tt.message)
			if tt.want == "" {
				h.check(true, "commits looked at: 1")
			} else {
				h.check(false, tt.want)
			}
		})
	}
}

// TestCommitsOfMovedFolders has commits that move a folder, with its old or its new name in
// the subject.
func TestCommitsOfMovedFolders(t *testing.T) {
	t.Parallel()
	for _, folder := range []string{"userpool/oauth", "userpool/tokens"} {
		h := newHistory(t)
		h.git("mv", "userpool/oauth", "userpool/tokens")
		h.commit(folder + ": move")
		h.check(true, "commits looked at: 1")
	}
}

// TestCommitsWithoutMerges checks that the script refuses a merge, whatever its message.
func TestCommitsWithoutMerges(t *testing.T) {
	t.Parallel()
	h := newHistory(t)
	h.git("checkout", "-q", "-b", "side")
	h.commit("all: go")
	h.git("checkout", "-q", "main")
	h.git("merge", "-q", "--no-ff", "-m", "all: merge side", "side")
	h.check(false, "it is a merge")
}

// TestCommitsOutOfSight checks that the script says which commits it could not check.
func TestCommitsOutOfSight(t *testing.T) {
	t.Parallel()
	h := newHistory(t)
	for range 3 {
		h.commit("badly said")
	}
	h.commit("all: good")
	from := h.dir
	h.dir = filepath.Join(t.TempDir(), "shallow")
	err := os.Mkdir(h.dir, 0o700)
	if err != nil {
		t.Fatal(err)
	}
	h.git("clone", "-q", "--depth", "2", "file://"+filepath.ToSlash(from), ".")
	h.check(true, "this clone is shallow: it shows the newest commits only\ncommits looked at: 1")
	err = os.RemoveAll(filepath.Join(h.dir, ".git"))
	if err != nil {
		t.Fatal(err)
	}
	h.check(true, "this is no checkout of git")
}
