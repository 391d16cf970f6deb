//go:build unix

package poolconfig_test

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/cognate-auth/cognate/cmd/cognate/internal/poolconfig"
)

// TestPipes names pipes to which nothing is written: reading must not block.
func TestPipes(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	err := syscall.Mkfifo(filepath.Join(dir, "pipe"), 0o600)
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"users":    "    users_csv: pipe\n",
		"logo":     "    clients:\n      - id: a\n        branding: {logo_file: pipe}\n",
		"css":      "    clients:\n      - id: a\n        branding: {css_file: pipe}\n",
		"metadata": "    identity_providers:\n      - {name: x, type: SAML, metadata_file: pipe}\n",
	} {
		path := filepath.Join(dir, name+".yaml")
		err := os.WriteFile(path, []byte("pools:\n  - id: local_A\n"+text), 0o600)
		if err != nil {
			t.Fatal(err)
		}
		loaded := make(chan error, 1)
		go func() {
			_, err := poolconfig.Loader{}.Load(path)
			loaded <- err
		}()
		select {
		case err := <-loaded:
			if err == nil || !strings.Contains(err.Error(), `"pipe" is not a regular file`) {
				t.Errorf("%s: %v", name, err)
			}
		case <-time.After(time.Minute): // a thousand times longer than needed
			t.Fatalf("%s: it waits for the pipe", name)
		}
	}
}
