package e2e

import (
	"crypto/tls"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/cognate-auth/cognate/e2e/demo"
)

// section returns a section of a page: the text below a heading, up to the next one.
func section(t *testing.T, page, heading string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", page))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, found := strings.Cut(string(text), "\n## "+heading+"\n")
	if !found {
		t.Fatalf("%s has no section %q", page, heading)
	}
	part, _, _ := strings.Cut(rest, "\n## ")
	return part
}

// blocks returns the blocks of a language in a section.
func blocks(t *testing.T, page, heading, language string) (found []string) {
	t.Helper()
	for _, m := range regexp.MustCompile("(?s)```"+language+"\n(.*?)```").
		FindAllStringSubmatch(section(t, page, heading), -1) {
		found = append(found, m[1])
	}
	if len(found) == 0 {
		t.Fatalf("%s shows no %s in its section %q", page, language, heading)
	}
	return found
}

// commandsOf returns the commands of a section of the README, for each block that shows some.
func commandsOf(t *testing.T, heading string) (commands [][]string) {
	t.Helper()
	for _, block := range blocks(t, "README.md", heading, "console") {
		commands = append(commands, strings.Split(strings.TrimSpace(block), "\n"))
	}
	return commands
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
