// Package textfile reads the text files that a user gives to the program: of limited
// size, and in UTF-8 or UTF-16, as programs on any system write them. It knows nothing
// of what the files say.
package textfile

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/cognate-auth/cognate/internal/utf8text"
)

// ErrTooLarge says that a file is larger than the limit.
var ErrTooLarge = errors.New("the file is too large")

// Read returns the text of a file of at most limit bytes, without its byte order mark,
// and converted to UTF-8 from UTF-16. A file that is not text, such as an image, is
// returned unchanged. A file of more than limit bytes is [ErrTooLarge].
func Read(path string, limit int64) ([]byte, error) {
	f, err := os.Open(path)
	return read(f, err, limit)
}

// ReadBelow is [Read] for a file in the folder or below it. Any other name is an error,
// and so is a link that leads out of the folder, a pipe or a device: the person who
// wrote the name into a file may not know that nothing is written to the pipe.
func ReadBelow(folder, name string, limit int64) ([]byte, error) {
	if !filepath.IsLocal(name) {
		return nil, fmt.Errorf("%.100q is not below the folder of this file; put it there and name it from there", name)
	}
	root, err := os.OpenRoot(folder)
	if err != nil {
		return nil, err
	}
	defer func() { _ = root.Close() }() // only read
	info, err := root.Stat(name)
	_, elsewhere := os.Stat(filepath.Join(folder, name))
	if err != nil && elsewhere == nil {
		return nil, fmt.Errorf("%.100q leads out of the folder of this file by a link, or by an absolute path in one; "+
			"put the file itself there", name)
	}
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%.100q is not a regular file", name)
	}
	f, err := root.Open(name)
	return read(f, err, limit)
}

func read(f *os.File, err error, limit int64) ([]byte, error) {
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // only read
	var text bytes.Buffer
	info, err := f.Stat()
	if err == nil && info.Size() <= limit { // the size of a pipe is zero
		text.Grow(int(info.Size()) + bytes.MinRead)
	}
	_, err = text.ReadFrom(io.LimitReader(f, limit+1))
	if err != nil {
		return nil, err
	}
	return Decode(text.Bytes(), limit)
}

// Explain adds to the error of a file that can't be opened or read what a person can do
// about it. missing says it for a file that is not there.
func Explain(err error, missing string) error {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%w; %s", err, missing)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%w; let this user read it", err)
	case errors.Is(err, syscall.EISDIR):
		return fmt.Errorf("%w; name a file in it", err)
	}
	return err
}

// Decode does with text what [Read] does with the bytes of a file.
func Decode(text []byte, limit int64) ([]byte, error) {
	if int64(len(text)) > limit {
		return nil, ErrTooLarge
	}
	return utf8text.Decode(text)
}
