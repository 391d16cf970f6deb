// Package trust adds a local certificate authority to the lists of authorities that
// this machine's programs trust, and removes it. It uses the system's own programs, and
// changes nothing unless asked. It knows the authority's certificate file and nothing
// of pools.
package trust

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// Name is the authority's name in the lists.
const Name = "Cognate local authority"

// A Step adds the authority to one list.
type Step struct {
	Where    string     // a description of the list, for people
	Browsers bool       // browsers use it
	Install  [][]string // commands, with their arguments
	Undo     [][]string
	// Missing says why the step can't be taken, and what would help. Empty: it can be
	// taken.
	Missing string
}

// System describes the machine: it decides which lists there are. [This] returns the
// present machine's.
type System struct {
	OS     string // as runtime.GOOS
	Home   string
	Root   bool
	Have   func(program string) bool
	Exists func(path string) bool
	Glob   func(pattern string) []string
	Run    func(ctx context.Context, command []string) error
}

// This returns the system that the program runs on.
func This(goos string) (System, error) {
	home, err := os.UserHomeDir()
	if err != nil {
		return System{}, fmt.Errorf("finding your home folder: %w", err)
	}
	return System{
		OS: goos, Home: home, Root: os.Getuid() == 0,
		Have:   func(program string) bool { _, err := exec.LookPath(program); return err == nil },
		Exists: func(path string) bool { _, err := os.Stat(path); return err == nil },
		Glob: func(pattern string) []string {
			found, _ := filepath.Glob(pattern) // the pattern is right
			return found
		},
		Run: run,
	}, nil
}

// run runs one command. If it fails, its output becomes the error.
func run(ctx context.Context, command []string) error {
	var words bytes.Buffer
	cmd := exec.CommandContext(ctx, command[0], command[1:]...) //nolint:gosec // commands and paths of our own
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, &words, &words
	err := cmd.Run()
	if err != nil {
		text := strings.TrimSpace(words.String())
		return fmt.Errorf("%s: %w: %s", strings.Join(command, " "), err, text[:min(len(text), 500)])
	}
	return nil
}

// Steps returns the steps for the authority whose certificate is in the file ca. Some
// systems name certificates by their SHA-1 fingerprint, sha1.
func (s System) Steps(ca, sha1 string) []Step {
	switch s.OS {
	case "darwin":
		keychain := filepath.Join(s.Home, "Library/Keychains/login.keychain-db")
		return append([]Step{{
			Where: "your login keychain, which Safari and Chrome use", Browsers: true,
			Install: [][]string{{"security", "add-trusted-cert", "-r", "trustRoot", "-p", "ssl", "-k", keychain, ca}},
			Undo: [][]string{
				{"security", "remove-trusted-cert", ca},
				{"security", "delete-certificate", "-Z", sha1, keychain},
			},
		}}, s.databases(ca)...)
	case "windows":
		return []Step{{
			Where: "your user's root certificates, which Edge and Chrome use", Browsers: true,
			Install: [][]string{{"certutil", "-user", "-addstore", "Root", ca}},
			Undo:    [][]string{{"certutil", "-user", "-delstore", "Root", sha1}},
		}}
	}
	return append([]Step{s.systemList(ca)}, s.databases(ca)...)
}

// systemList returns the step for a Linux system's list, which programs such as curl
// use.
func (s System) systemList(ca string) Step {
	step := Step{Where: "the system's list, which curl, Python and Go programs use"}
	for _, way := range []struct{ folder, update string }{
		{"/usr/local/share/ca-certificates", "update-ca-certificates"}, // Debian, Ubuntu, Alpine
		{"/etc/pki/ca-trust/source/anchors", "update-ca-trust"},        // Fedora
		{"/etc/ca-certificates/trust-source/anchors", "update-ca-trust"},
	} {
		if !s.Exists(way.folder) || !s.Have(way.update) {
			continue
		}
		file := filepath.Join(way.folder, "cognate-local-authority.crt")
		step.Install = [][]string{{"install", "-m", "0644", ca, file}, {way.update}}
		step.Undo = [][]string{{"rm", "-f", file}, {way.update}}
		if !s.Root {
			step.Missing = "only the administrator can change it: run these commands with sudo"
		}
		return step
	}
	step.Missing = "neither update-ca-certificates nor update-ca-trust is installed"
	return step
}

// databases returns the steps for the databases of NSS: Chromium's, and one per profile
// of Firefox.
func (s System) databases(ca string) []Step {
	var steps []Step
	for _, place := range []struct{ where, pattern string }{
		{"the list of Chromium and Chrome", ".pki/nssdb"},
		{"the list of Chromium from a snap", "snap/chromium/current/.pki/nssdb"},
		{"the list of Firefox", ".mozilla/firefox/*"},
		{"the list of Firefox from a snap", "snap/firefox/common/.mozilla/firefox/*"},
		{"the list of Firefox", "Library/Application Support/Firefox/Profiles/*"},
	} {
		for _, folder := range s.Glob(filepath.Join(s.Home, place.pattern)) {
			if s.Exists(filepath.Join(folder, "cert9.db")) {
				steps = append(steps, s.database(place.where, folder, ca))
			}
		}
	}
	if len(steps) > 0 || s.OS != "linux" {
		return steps
	}
	// Chromium creates its list when it first needs it; this step creates it too.
	step := s.database("the list of Chromium and Chrome", filepath.Join(s.Home, ".pki/nssdb"), ca)
	folder := filepath.Join(s.Home, ".pki/nssdb")
	step.Install = slices.Insert(step.Install, 0,
		[]string{"mkdir", "-p", "-m", "0700", folder},
		[]string{"certutil", "-d", "sql:" + folder, "-N", "--empty-password"})
	return []Step{step}
}

func (s System) database(where, folder, ca string) Step {
	step := Step{
		Where: where + ", " + folder, Browsers: true,
		Install: [][]string{{"certutil", "-d", "sql:" + folder, "-A", "-t", "C,,", "-n", Name, "-i", ca}},
		Undo:    [][]string{{"certutil", "-d", "sql:" + folder, "-D", "-n", Name}},
	}
	if !s.Have("certutil") {
		step.Missing = "certutil is not installed: install libnss3-tools (Debian, Ubuntu), nss-tools (Fedora) or nss " +
			"(Homebrew)"
	}
	return step
}

// Do takes all steps that can be taken, or undoes them, and reports the result of each.
// It returns all errors joined.
func (s System) Do(ctx context.Context, steps []Step, undo bool, report func(step Step, err error)) error {
	var failed []error
	for _, step := range steps {
		if step.Missing != "" {
			report(step, errors.New(step.Missing))
			continue
		}
		err := s.all(ctx, step, undo)
		report(step, err)
		if err != nil {
			failed = append(failed, err)
		}
	}
	return errors.Join(failed...)
}

func (s System) all(ctx context.Context, step Step, undo bool) error {
	commands := step.Install
	if undo {
		commands = step.Undo
	}
	for _, command := range commands {
		err := s.Run(ctx, command)
		if err != nil {
			return err
		}
	}
	return nil
}

// Line formats a command so that it can be pasted into a shell.
func Line(command []string) string {
	words := slices.Clone(command)
	for i, w := range words {
		if w == "" || strings.ContainsAny(w, " \t'\"\\$`&|;<>()*?[]{}~#") {
			words[i] = "'" + strings.ReplaceAll(w, "'", `'\''`) + "'"
		}
	}
	return strings.Join(words, " ")
}
