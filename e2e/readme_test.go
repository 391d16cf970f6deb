package e2e

import (
	"crypto/tls"
	"io"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/cognate-auth/cognate/e2e/demo"
)

// TestReadmeCommands runs the README's first command unchanged except for the ports,
// and checks that the second one is there.
func TestReadmeCommands(t *testing.T) {
	readme, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	block := regexp.MustCompile("(?s)```console\n(.*?)```").FindSubmatch(readme)
	if block == nil {
		t.Fatal("the README shows no commands")
	}
	commands := strings.Split(strings.TrimSpace(string(block[1])), "\n")
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
