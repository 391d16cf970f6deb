package trust_test

import (
	"context"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/cognate-auth/cognate/cmd/cognate/internal/trust"
)

// machine returns a System with these files and programs, and the list of commands that
// were run.
func machine(goos string, root bool, has ...string) (s trust.System, ran *[]string) {
	ran = new([]string)
	return trust.System{
		OS: goos, Home: "/home/ann", Root: root,
		Have:   func(program string) bool { return slices.Contains(has, program) },
		Exists: func(path string) bool { return slices.Contains(has, path) },
		Glob: func(pattern string) []string {
			var found []string
			for _, path := range has {
				folder := filepath.Dir(path)
				ok, _ := filepath.Match(pattern, folder)
				if ok {
					found = append(found, folder)
				}
			}
			return found
		},
		Run: func(_ context.Context, command []string) error {
			*ran = append(*ran, trust.Line(command))
			if command[0] == "certutil" && slices.Contains(has, "broken") {
				return errors.New("certutil: broken")
			}
			return nil
		},
	}, ran
}

const certificates = "/usr/local/share/ca-certificates"

func TestInstall(t *testing.T) {
	for _, tt := range []struct {
		name, goos  string
		root        bool
		has         []string
		install     []string
		undo        []string
		says, fails string
	}{
		{
			name: "Debian as root, with browsers", goos: "linux", root: true,
			has: []string{
				certificates, "update-ca-certificates", "certutil", "/home/ann/.pki/nssdb/cert9.db",
				"/home/ann/.mozilla/firefox/a b.default/cert9.db",
			},
			install: []string{
				"install -m 0644 /ca.pem " + certificates + "/cognate-local-authority.crt", "update-ca-certificates",
				"certutil -d sql:/home/ann/.pki/nssdb -A -t C,, -n 'Cognate local authority' -i /ca.pem",
				"certutil -d 'sql:/home/ann/.mozilla/firefox/a b.default' -A -t C,, -n 'Cognate local authority' -i " +
					"/ca.pem",
			},
			undo: []string{
				"rm -f " + certificates + "/cognate-local-authority.crt", "update-ca-certificates",
				"certutil -d sql:/home/ann/.pki/nssdb -D -n 'Cognate local authority'",
				"certutil -d 'sql:/home/ann/.mozilla/firefox/a b.default' -D -n 'Cognate local authority'",
			},
		},
		{
			name: "Fedora as a user, Chromium not started yet", goos: "linux",
			has: []string{"/etc/pki/ca-trust/source/anchors", "update-ca-trust", "certutil"},
			install: []string{
				"mkdir -p -m 0700 /home/ann/.pki/nssdb", "certutil -d sql:/home/ann/.pki/nssdb -N --empty-password",
				"certutil -d sql:/home/ann/.pki/nssdb -A -t C,, -n 'Cognate local authority' -i /ca.pem",
			},
			undo: []string{"certutil -d sql:/home/ann/.pki/nssdb -D -n 'Cognate local authority'"},
			says: "run these commands with sudo",
		},
		{name: "nothing there", goos: "linux", says: "certutil is not installed"},
		{
			name: "a step that fails", goos: "linux",
			has:     []string{"certutil", "broken", "/home/ann/.pki/nssdb/cert9.db"},
			install: []string{"certutil -d sql:/home/ann/.pki/nssdb -A -t C,, -n 'Cognate local authority' -i /ca.pem"},
			undo:    []string{"certutil -d sql:/home/ann/.pki/nssdb -D -n 'Cognate local authority'"},
			fails:   "certutil: broken",
		},
		{
			name: "macOS", goos: "darwin",
			install: []string{"security add-trusted-cert -r trustRoot -p ssl -k " +
				"/home/ann/Library/Keychains/login.keychain-db /ca.pem"},
			undo: []string{
				"security remove-trusted-cert /ca.pem",
				"security delete-certificate -Z ABCD /home/ann/Library/Keychains/login.keychain-db",
			},
		},
		{
			name: "Windows", goos: "windows",
			install: []string{"certutil -user -addstore Root /ca.pem"},
			undo:    []string{"certutil -user -delstore Root ABCD"},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for _, undo := range []bool{false, true} {
				s, ran := machine(tt.goos, tt.root, tt.has...)
				var said strings.Builder
				err := s.Do(t.Context(), s.Steps("/ca.pem", "ABCD"), undo, func(_ trust.Step, err error) {
					if err != nil {
						said.WriteString(err.Error() + "\n")
					}
				})
				want := tt.install
				if undo {
					want = tt.undo
				}
				if !slices.Equal(*ran, want) {
					t.Errorf("undo %v ran\n%s\nwant\n%s", undo, strings.Join(*ran, "\n"), strings.Join(want, "\n"))
				}
				if !strings.Contains(said.String(), tt.says) {
					t.Errorf("said %q, want %q", said.String(), tt.says)
				}
				if (err != nil) != (tt.fails != "") || err != nil && !strings.Contains(err.Error(), tt.fails) {
					t.Errorf("error = %v, want %q", err, tt.fails)
				}
			}
		})
	}
}
