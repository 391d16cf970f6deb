package completion_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/alecthomas/kong"

	"github.com/cognate-auth/cognate/cmd/cognate/internal/completion"
)

// command is a program with all that can be completed.
type command struct {
	Run struct {
		Serve struct {
			Addr  string `default:"x" placeholder:"HOST:PORT" help:"It's where to listen: $HOME or \"x\" or \\n."`
			Level string `default:"warn" enum:"debug,warn" help:"Level."`
			File  string `placeholder:"FILE" help:"A file."`
			TLS   bool   `help:"Serve https."`
			Inner string `hidden:"" help:"Nobody's business."`
		} `cmd:"" default:"withargs" help:"Serve."`
		Import struct {
			File string `arg:"" help:"CSV file."`
			Fast bool   `help:"Fast."`
		} `cmd:"" help:"Import."`
	} `cmd:"" help:"Run it."`
	Ask struct {
		Shell string `arg:"" enum:"one,two" help:"Which."`
	} `cmd:"" help:"Ask."`
	Secret struct{} `cmd:"" hidden:""`
}

// script writes the script of a shell into a file, and returns its path.
func script(t *testing.T, shell string) string {
	t.Helper()
	parser, err := kong.New(&command{}, kong.Name("prog"))
	if err != nil {
		t.Fatal(err)
	}
	text, err := completion.Script(shell, parser.Model)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "script")
	err = os.WriteFile(path, []byte(text), 0o600)
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// lines are command lines up to the word that is completed, and what completes it.
var lines = map[string]string{
	"":                          "run ask --help",
	"r":                         "run",
	"--":                        "--help",
	"run ":                      "import --help --addr --level --file --tls",
	"run --l":                   "--level",
	"run --level ":              "debug warn",
	"run --level w":             "warn",
	"run --addr ":               "",
	"run --addr x --t":          "--tls",
	"run --tls --file a":        "apple",
	"run import --":             "--help --fast",
	"run import a":              "apple",
	"ask ":                      "one two --help",
	"ask t":                     "two",
	"run import b":              "",
	"nonsense ":                 "run ask --help", // as if it were not there
	"run --level warn import -": "--help --fast",
}

// run has a shell complete each line, in a folder with the file apple.
func run(t *testing.T, shell string, command func(words []string) []string, fits func(line, got, want string) bool) {
	t.Helper()
	folder := t.TempDir()
	err := os.WriteFile(filepath.Join(folder, "apple"), nil, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	for line, want := range lines {
		words := append([]string{"prog"}, strings.Split(line, " ")...)
		args := command(words)
		cmd := exec.CommandContext(t.Context(), args[0], args[1:]...)
		cmd.Dir, cmd.Env = folder, append(os.Environ(), "HOME="+folder, "XDG_CONFIG_HOME="+folder, "COMP_WORDBREAKS= =")
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%s: %q: %v\n%s", shell, line, err, out)
		}
		if got := strings.TrimSpace(strings.ReplaceAll(string(out), "\n", " ")); !fits(line, got, want) {
			t.Errorf("%s: %q is completed with %q, want %q", shell, line, got, want)
		}
	}
}

// TestBash completes command lines in bash.
func TestBash(t *testing.T) {
	path := script(t, "bash")
	run(t, "bash", func(words []string) []string {
		const do = `source "$1" || exit 1; shift
			COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _prog; echo "${COMPREPLY[@]}"`
		return append([]string{"bash", "--norc", "-c", do, "bash", path}, words...)
	}, func(_, got, want string) bool { return got == want })
}

// TestFish completes command lines in fish, if it is installed: it is on few machines.
// It orders what it finds, and offers flags only after a dash.
func TestFish(t *testing.T) {
	path := script(t, "fish")
	program, err := exec.LookPath("fish")
	if err != nil {
		checkWords(t, path)
		return
	}
	run(t, "fish", func(words []string) []string {
		line := strings.Join(words, " ")
		do := "source " + path + "; complete -C '" + line + "' | string split -f 1 \\t; true"
		return []string{program, "--no-config", "-c", do}
	}, func(line, got, want string) bool {
		words := strings.Fields(want)
		if !strings.HasPrefix(line[strings.LastIndex(line, " ")+1:], "-") {
			words = slices.DeleteFunc(words, func(w string) bool { return strings.HasPrefix(w, "-") })
		}
		found := strings.Fields(got)
		slices.Sort(words)
		slices.Sort(found)
		return slices.Equal(words, found)
	})
}

// TestZsh has zsh read the script, if it is installed; completing a line takes a terminal.
func TestZsh(t *testing.T) {
	path := script(t, "zsh")
	checkWords(t, path)
	program, err := exec.LookPath("zsh")
	if err != nil {
		return
	}
	out, err := exec.CommandContext(t.Context(), program, "-n", path).CombinedOutput()
	if err != nil {
		t.Errorf("zsh: %v\n%s", err, out)
	}
}

// checkWords looks for all words in a script, and for none that is hidden.
func checkWords(t *testing.T, path string) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, word := range strings.Fields("run import ask addr level debug tls fast one https.") {
		if !strings.Contains(string(text), word) {
			t.Errorf("the script lacks %s", word)
		}
	}
	for _, word := range []string{"inner", "secret", "serve"} {
		if strings.Contains(string(text), word) {
			t.Errorf("the script has %s", word)
		}
	}
}

// TestOtherShell asks for a shell that there is no script for.
func TestOtherShell(t *testing.T) {
	parser, err := kong.New(&command{}, kong.Name("prog"))
	if err != nil {
		t.Fatal(err)
	}
	_, err = completion.Script("tcsh", parser.Model)
	if err == nil || !strings.Contains(err.Error(), "bash, fish, zsh") {
		t.Errorf("error = %v", err)
	}
}
