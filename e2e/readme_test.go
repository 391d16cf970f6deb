package e2e

import (
	"crypto/tls"
	"errors"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/cognate-auth/cognate/e2e/browser"
	"github.com/cognate-auth/cognate/e2e/demo"
)

// section returns a section of the README.
func section(t *testing.T, heading string) string {
	t.Helper()
	readme, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, found := strings.Cut(string(readme), "\n## "+heading+"\n")
	if !found {
		t.Fatalf("the README has no section %q", heading)
	}
	text, _, _ := strings.Cut(rest, "\n## ")
	return text
}

// commandsOf returns the commands of a section of the README, for each block that shows some.
func commandsOf(t *testing.T, heading string) (blocks [][]string) {
	t.Helper()
	for _, m := range regexp.MustCompile("(?s)```console\n(.*?)\n```").FindAllStringSubmatch(section(t, heading), -1) {
		blocks = append(blocks, strings.Split(m[1], "\n"))
	}
	if len(blocks) == 0 {
		t.Fatalf("the README's section %q shows no commands", heading)
	}
	return blocks
}

// TestReadmeCommands runs the README's first command unchanged except for the ports,
// and checks that the second one is there.
func TestReadmeCommands(t *testing.T) {
	commands := commandsOf(t, "Try it")[0]
	if len(commands) != 2 || commands[1] != "make test" {
		t.Fatalf("the README's first commands are %q, want the demo and make test", commands)
	}
	words := strings.Fields(commands[0])
	// This compiles first, without a time limit; afterwards the start has a short one.
	build := exec.Command("go", "build", "-o", os.DevNull, words[2])
	build.Dir = ".."
	out, err := build.CombinedOutput()
	if err != nil {
		t.Fatalf("building %s: %v\n%s", words[2], err, out)
	}
	cmd := exec.Command(words[0], append(words[1:], "--addr", "127.0.0.1:0", "--pool-addr", "127.0.0.1:0")...)
	cmd.Dir = ".."
	d := demo.Run(t, cmd)

	client := &http.Client{Timeout: time.Minute, Transport: &http.Transport{
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, // the certificate is the demo's own
	}}
	for _, address := range []string{d.AppURL, d.PoolURL + "/login"} {
		resp, err := client.Get(address)
		if err != nil {
			t.Fatal(err)
		}
		page, _ := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if !strings.Contains(string(page), "<h1>") {
			t.Errorf("%s: status %d and no page", address, resp.StatusCode)
		}
	}
}

// checkout is what an empty folder stands in for: a module that uses this checkout, and asks no
// other machine for one.
var checkout = []string{"GOWORK=off", "GOPROXY=off", "GOSUMDB=off", "GOFLAGS="}

// A stranger follows the README in a folder of their own.
type stranger struct {
	folder string
	env    []string
}

// command returns a command line of the README, without its redirection.
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

// run runs a command line to its end, and writes its output where a redirection says.
func (s *stranger) run(t *testing.T, line string) {
	t.Helper()
	line, file, redirected := strings.Cut(line, " > ")
	out, err := s.command(t, line).Output()
	if e, ok := errors.AsType[*exec.ExitError](err); ok {
		t.Fatalf("%s: %v\n%s", line, err, e.Stderr)
	}
	if err == nil && redirected {
		err = os.WriteFile(filepath.Join(s.folder, file), out, 0o600)
	}
	if err != nil {
		t.Fatalf("%s: %v", line, err)
	}
}

// TestReadmeApp does what the README says, in an empty folder and with the ports that it names:
// it runs the commands and the program as they stand there, and signs in with a browser. Only
// what a release is downloaded for comes from this checkout.
func TestReadmeApp(t *testing.T) {
	if !inOwnNetwork(t) {
		return
	}
	const heading = "Protect a page"
	blocks := commandsOf(t, heading)
	if len(blocks) != 3 || len(blocks[0]) != 3 || len(blocks[1]) != 1 || len(blocks[2]) != 2 {
		t.Fatalf("the commands are %q; want those that install, the pool, and those that run the app", blocks)
	}
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	me := &stranger{t.TempDir(), append(os.Environ(), checkout...)}
	me.run(t, blocks[0][0])
	me.run(t, "go mod edit -replace github.com/cognate-auth/cognate="+root)
	me.run(t, blocks[0][1])
	if want := "go install github.com/cognate-auth/cognate/cmd/cognate@latest"; blocks[0][2] != want {
		t.Errorf("the program is installed with %q, want %q", blocks[0][2], want)
	}

	program := regexp.MustCompile("(?s)```go\n(.*?)```").FindStringSubmatch(section(t, heading))
	err = os.WriteFile(filepath.Join(me.folder, "main.go"), []byte(program[1]), 0o600)
	if err != nil {
		t.Fatal(err)
	}
	me.run(t, "go build -o "+os.DevNull+" .") // compiling has no time limit; the start has one
	demo.Launch(t, me.command(t, blocks[1][0]))
	demo.Await(t, "localhost:9229")
	me.run(t, blocks[2][0])
	demo.LaunchAsGroup(t, me.command(t, blocks[2][1]))
	demo.Await(t, "localhost:5000")

	const home = "http://localhost:5000"
	tab := browser.Start(t).NewVisitor(t)
	tab.Visit(home)
	tab.WaitForText("Everybody sees this.")
	tab.Visit(home + "/hello")
	signIn(tab, demo.User{Username: "ann@example.com", Password: "Correct-Horse-7"})
	tab.WaitForURL(home + "/hello")
	tab.WaitForText("Signed in as ann@example.com")
	tab.Visit(home + "/admin")
	tab.WaitForText("This page isn’t for you") // ann is in no group
}
