//go:build unix

package sqlstore_test

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/cognate-auth/cognate/cmd/cognate/internal/sqlstore"
)

// TestNoFile opens names of things that are not files and can't become files.
func TestNoFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	pipe, socket, nowhere := filepath.Join(dir, "pipe"), filepath.Join(dir, "s"), filepath.Join(dir, "link")
	err := syscall.Mkfifo(pipe, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	err = os.Symlink(filepath.Join(dir, "nothing"), nowhere)
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		pipe: "not a regular file", socket: "not a regular file", "/dev/null": "not a regular file",
		nowhere: "no such file",
	} {
		_, err := sqlstore.Open(t.Context(), path)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", path, err, want)
		}
	}
}
