package devtls_test

import (
	"crypto/tls"
	"crypto/x509"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cognate-auth/cognate/devtls"
)

// configureIn makes a folder the one of the user's configuration, and returns the
// folder of their authority in it.
func configureIn(t *testing.T, folder string) string {
	t.Helper()
	for _, name := range []string{"XDG_CONFIG_HOME", "HOME", "AppData"} { // Linux, macOS, Windows
		t.Setenv(name, folder)
	}
	user, err := devtls.UserFolder()
	if err != nil {
		t.Fatal(err)
	}
	return user
}

// authorityOf returns the authority that signed the certificate of a new listener, or
// nil if it signed itself; and the listener's warning.
func authorityOf(t *testing.T) (*x509.Certificate, string) {
	t.Helper()
	ln, err := devtls.Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	state := handshake(t, ln, "127.0.0.1")
	if len(state.PeerCertificates) == 1 {
		return nil, ln.Warning()
	}
	return state.PeerCertificates[1], ln.Warning()
}

// TestListenUsesTheUsersAuthority makes an authority, has it trusted, and takes it away:
// what Listen serves follows, and so does what it says of the browser's warning.
func TestListenUsesTheUsersAuthority(t *testing.T) {
	folder := configureIn(t, t.TempDir())
	by, warning := authorityOf(t)
	if by != nil || !strings.Contains(warning, "will warn") {
		t.Errorf("without an authority, the certificate is signed by %v; the warning: %q", by, warning)
	}
	_, err := os.Stat(folder)
	if !os.IsNotExist(err) {
		t.Errorf("listening made %s: %v", folder, err)
	}

	a := openAuthority(t, folder)
	by, warning = authorityOf(t)
	if by == nil || !by.Equal(a.Certificate()) || !strings.Contains(warning, "may warn") {
		t.Errorf("with an authority, the certificate is signed by %v; the warning: %q", by, warning)
	}
	err = a.SetTrusted(true)
	if err != nil {
		t.Fatal(err)
	}
	by, warning = authorityOf(t)
	if by == nil || warning != "" {
		t.Errorf("with an authority that is trusted, the certificate is signed by %v; the warning: %q", by, warning)
	}

	// Another authority takes its place, which nobody trusts yet.
	openAuthority(t, folder, "auth.example.net")
	_, warning = authorityOf(t)
	if warning == "" {
		t.Error("a new authority counts as trusted")
	}
	for range 2 { // the second time there is nothing to forget
		err = a.SetTrusted(false)
		if err != nil {
			t.Fatal(err)
		}
	}
	if a.Warning() == "" {
		t.Error("an authority that is no longer trusted has no warning")
	}
}

// TestListenNeedsNoAuthority listens where there is no folder for an authority, or where
// what is in it can't be used: the certificate is made for the occasion, and nothing is
// written.
func TestListenNeedsNoAuthority(t *testing.T) {
	for name, prepare := range map[string]func(t *testing.T){
		"no home": func(t *testing.T) { // as in a container
			for _, name := range []string{"XDG_CONFIG_HOME", "HOME", "AppData"} {
				t.Setenv(name, "")
			}
		},
		"the home is a file": func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "home")
			err := os.WriteFile(file, nil, 0o600)
			if err != nil {
				t.Fatal(err)
			}
			for _, name := range []string{"XDG_CONFIG_HOME", "HOME", "AppData"} {
				t.Setenv(name, file)
			}
		},
		"nonsense": func(t *testing.T) {
			folder := configureIn(t, t.TempDir())
			openAuthority(t, folder)
			err := os.WriteFile(filepath.Join(folder, "ca.pem"), []byte("nonsense"), 0o600)
			if err != nil {
				t.Fatal(err)
			}
		},
		"a folder in the key's place": func(t *testing.T) {
			folder := configureIn(t, t.TempDir())
			a := openAuthority(t, folder)
			key := filepath.Join(filepath.Dir(a.Path()), "ca-key.pem")
			err := os.Remove(key)
			if err == nil {
				err = os.Mkdir(key, 0o700)
			}
			if err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			prepare(t)
			by, warning := authorityOf(t)
			if by != nil || warning == "" {
				t.Errorf("the certificate is signed by %v; the warning: %q", by, warning)
			}
		})
	}
}

// TestListenLeavesAReadOnlyHome has a folder that can't be written.
func TestListenLeavesAReadOnlyHome(t *testing.T) {
	home := t.TempDir()
	folder := configureIn(t, home)
	a := openAuthority(t, folder)
	before := contents(t, home)
	err := os.Chmod(folder, 0o500)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.Chmod(folder, 0o700) })
	by, _ := authorityOf(t)
	if by == nil || !by.Equal(a.Certificate()) {
		t.Errorf("the certificate is signed by %v", by)
	}
	if after := contents(t, home); after != before {
		t.Errorf("there was %q, and now there is %q", before, after)
	}
}

// contents lists the files in a folder and below, with sizes and times.
func contents(t *testing.T, folder string) string {
	t.Helper()
	var all strings.Builder
	err := filepath.WalkDir(folder, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err == nil {
			all.WriteString(path + " " + info.ModTime().String() + "\n")
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all.String()
}

// TestLocalConfigFallsBack asks for a host that the user's authority may not vouch for.
func TestLocalConfigFallsBack(t *testing.T) {
	openAuthority(t, configureIn(t, t.TempDir()))
	for host, want := range map[string]bool{"app.localhost": true, "127.0.0.9": true, "app.example.com": false} {
		config, warning, err := devtls.LocalConfig(host)
		if err != nil {
			t.Fatal(err)
		}
		if used := config.GetCertificate != nil; used != want {
			t.Errorf("%s: the authority is used: %v, want %v; the warning: %q", host, used, want, warning)
			continue
		}
		var chain []*x509.Certificate
		if want {
			chain = issued(t, config)
		} else {
			chain = issued(t, &tls.Config{GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
				return &config.Certificates[0], nil
			}})
		}
		err = chain[0].VerifyHostname(host)
		if err != nil {
			t.Error(err)
		}
	}
}
