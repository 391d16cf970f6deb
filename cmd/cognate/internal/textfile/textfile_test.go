package textfile_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/cognate-auth/cognate/cmd/cognate/internal/textfile"
)

func write(t *testing.T, path, text string) {
	t.Helper()
	err := os.MkdirAll(filepath.Dir(path), 0o700)
	if err == nil {
		err = os.WriteFile(path, []byte(text), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// TestRead reads each encoding, and files at and above the limit.
func TestRead(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		text, want string
		err        error
	}{
		"UTF-8":    {"é\r\n", "é\r\n", nil},
		"a mark":   {"\xEF\xBB\xBFé", "é", nil},
		"UTF-16":   {"\xFF\xFEa\x00\xE9\x00", "aé", nil},
		"an image": {"\x89PNG\r\n\x1a\n\x00\xff", "\x89PNG\r\n\x1a\n\x00\xff", nil},
		"full":     {strings.Repeat("x", 20), strings.Repeat("x", 20), nil},
		"too long": {strings.Repeat("x", 21), "", textfile.ErrTooLarge},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			write(t, filepath.Join(dir, "file"), tt.text)
			text, err := textfile.Read(filepath.Join(dir, "file"), 20)
			if string(text) != tt.want || !errors.Is(err, tt.err) {
				t.Errorf("Read: %q, %v", text, err)
			}
			text, err = textfile.ReadBelow(dir, "file", 20)
			if string(text) != tt.want || !errors.Is(err, tt.err) {
				t.Errorf("ReadBelow: %q, %v", text, err)
			}
		})
	}
}

// TestReadBelow tries every kind of name that leaves the folder.
func TestReadBelow(t *testing.T) {
	t.Parallel()
	top := t.TempDir()
	folder := filepath.Join(top, "conf")
	write(t, filepath.Join(top, "secret"), "out")
	write(t, filepath.Join(top, "conf2", "secret"), "out")
	write(t, filepath.Join(folder, "in"), "in")
	write(t, filepath.Join(folder, "sub", "in"), "in")
	for link, to := range map[string]string{
		"link-in": "sub/in", "link-out": "../secret", "link-far": filepath.Join(top, "secret"), "sub/up": "../..",
	} {
		err := os.Symlink(to, filepath.Join(folder, link))
		if err != nil {
			t.Fatal(err)
		}
	}
	for name, want := range map[string]string{
		"in": "in", "sub/in": "in", "./in": "in", "sub/../in": "in", "link-in": "in",
		"../secret": "", "sub/../../secret": "", "../conf2/secret": "", filepath.Join(top, "secret"): "",
		filepath.Join(folder, "in"): "", "link-out": "", "link-far": "", "sub/up/secret": "",
		"": "", ".": "", "sub": "",
	} {
		text, err := textfile.ReadBelow(folder, name, 100)
		if (err == nil) != (want != "") || string(text) != want {
			t.Errorf("%q: %q, %v", name, text, err)
		}
		if (name == "link-out" || name == "link-far" || name == "sub/up/secret") &&
			!strings.Contains(err.Error(), "put the file itself there") {
			t.Errorf("%q: it does not say what to do: %v", name, err)
		}
	}
	_, err := textfile.ReadBelow(folder, "none", 100)
	if !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a file that is not there: %v", err)
	}
}

// TestExplain says what to do about a file that can't be read, and keeps the cause.
func TestExplain(t *testing.T) {
	for cause, want := range map[error]string{
		fs.ErrNotExist: "; make it", fs.ErrPermission: "; let this user read it", syscall.EISDIR: "; name a file in it",
		fs.ErrClosed: "closed",
	} {
		err := textfile.Explain(&fs.PathError{Op: "open", Path: "x", Err: cause}, "make it")
		if !errors.Is(err, cause) || !strings.HasSuffix(err.Error(), want) {
			t.Errorf("%v, want it to end with %q", err, want)
		}
	}
}
