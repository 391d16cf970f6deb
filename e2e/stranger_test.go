package e2e

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cognate-auth/cognate/e2e/browser"
	"github.com/cognate-auth/cognate/e2e/demo"
)

// A stranger follows a page of the docs in an empty folder of their own, without a checkout. What
// a release is downloaded for comes from this checkout, and no other machine is asked for anything.
type stranger struct {
	folder string
	env    []string
}

func newStranger(t *testing.T) *stranger {
	t.Helper()
	return &stranger{t.TempDir(), append(os.Environ(), "GOWORK=off", "GOPROXY=off", "GOSUMDB=off", "GOFLAGS=")}
}

// command returns the command of a line of a page, without its redirection.
func (s *stranger) command(t *testing.T, line string) *exec.Cmd {
	t.Helper()
	words := strings.Fields(line)
	if words[0] == "cognate" {
		words[0] = demo.Program(t)
	}
	cmd := exec.Command(words[0], words[1:]...)
	cmd.Dir, cmd.Env = s.folder, s.env
	return cmd
}

// run runs a line to its end. It returns the output, or writes it where the redirection says.
func (s *stranger) run(t *testing.T, line string) string {
	t.Helper()
	line, file, redirected := strings.Cut(line, " > ")
	out, err := s.command(t, line).Output()
	if e, ok := errors.AsType[*exec.ExitError](err); ok {
		t.Fatalf("%s: %v\n%s", line, err, e.Stderr)
	}
	if err != nil {
		t.Fatalf("%s: %v", line, err)
	}
	if redirected {
		s.write(t, file, string(out))
	}
	return string(out)
}

func (s *stranger) write(t *testing.T, file, text string) {
	t.Helper()
	err := os.WriteFile(filepath.Join(s.folder, file), []byte(text), 0o600)
	if err != nil {
		t.Fatal(err)
	}
}

// module makes the folder a module that uses the library, by the README's commands.
func (s *stranger) module(t *testing.T, initialize, get string) {
	t.Helper()
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	s.run(t, initialize)
	s.run(t, "go mod edit -replace github.com/cognate-auth/cognate="+root)
	s.run(t, get)
}

// startApp writes a program and starts it by a command. It serves at the address.
func (s *stranger) startApp(t *testing.T, program, command, addr string) {
	t.Helper()
	s.write(t, "main.go", program)
	s.run(t, "go build -o "+os.DevNull+" .") // compiling has no time limit; the start has one
	demo.LaunchAsGroup(t, s.command(t, command))
	demo.Await(t, addr)
}

var ann = demo.User{Username: "ann@example.com", Password: "Correct-Horse-7"}

// TestReadmeApp does what the README says, with the ports that it names: it runs the commands and
// the program as they stand there, and signs in with a browser.
func TestReadmeApp(t *testing.T) {
	if !inOwnNetwork(t) {
		return
	}
	const heading = "Protect a page"
	commands := commandsOf(t, heading)
	if len(commands) != 3 || len(commands[0]) != 3 || len(commands[1]) != 1 || len(commands[2]) != 2 {
		t.Fatalf("the commands are %q; want those that install, the pool, and those that run the app", commands)
	}
	me := newStranger(t)
	me.module(t, commands[0][0], commands[0][1])
	if want := "go install github.com/cognate-auth/cognate/cmd/cognate@latest"; commands[0][2] != want {
		t.Errorf("the program is installed with %q, want %q", commands[0][2], want)
	}
	demo.Launch(t, me.command(t, commands[1][0]))
	demo.Await(t, "localhost:9229")
	me.run(t, commands[2][0])
	me.startApp(t, blocks(t, "README.md", heading, "go")[0], commands[2][1], "localhost:5000")

	const home = "http://localhost:5000"
	tab := browser.Start(t).NewVisitor(t)
	tab.Visit(home)
	tab.WaitForText("Everybody sees this.")
	tab.Visit(home + "/hello")
	signIn(tab, ann)
	tab.WaitForURL(home + "/hello")
	tab.WaitForText("Signed in as ann@example.com")
	tab.Visit(home + "/admin")
	tab.WaitForText("This page isn’t for you") // ann is in no group
}

// TestGettingStarted takes the file, the key and the program of the tutorial as they stand there,
// but for what identifies the pool: it has a local one. It signs in, and out as the page says.
func TestGettingStarted(t *testing.T) {
	if !inOwnNetwork(t) {
		return
	}
	const page, home = "docs/getting-started.md", "http://localhost:8080"
	me := newStranger(t)
	me.module(t, "go mod init hello", "go get github.com/cognate-auth/cognate")
	demo.Launch(t, me.command(t, "cognate pool --store memory --redirect-uri "+home+"/oidc_callback"))
	demo.Await(t, "localhost:9229")

	var theirs, ours struct {
		Web map[string]any `json:"web"`
	}
	decode(t, blocks(t, page, "3. Write client_secrets.json", "json")[0], &theirs)
	decode(t, me.run(t, "cognate client-secrets --redirect-uri "+home+"/oidc_callback"), &ours)
	for name := range theirs.Web {
		theirs.Web[name] = ours.Web[name]
	}
	file, err := json.Marshal(theirs)
	if err != nil {
		t.Fatal(err)
	}
	me.write(t, "client_secrets.json", string(file))
	key := me.run(t, strings.TrimSpace(blocks(t, page, "4. Make a key", "console")[0]))
	me.env = append(me.env, "COOKIE_KEY="+strings.TrimSpace(key))
	me.startApp(t, blocks(t, page, "5. Write the app", "go")[0], "go run .", "localhost:8080")

	tab := browser.Start(t).NewVisitor(t)
	tab.Visit(home)
	tab.Click("Sign in")
	signIn(tab, ann)
	tab.WaitForText("Signed in as ann@example.com")
	tab.Visit(home)
	tab.Click("Sign out")
	tab.WaitForURL(home + "/")
	tab.Click("Sign in")
	tab.WaitForText("Password") // of the pool too, they are signed out
}

// decode reads JSON that has no other members than those of its type.
func decode(t *testing.T, text string, to any) {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader([]byte(text)))
	d.DisallowUnknownFields()
	err := d.Decode(to)
	if err != nil {
		t.Fatalf("%v in %s", err, text)
	}
}
