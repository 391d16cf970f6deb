// Package textfile reads the files that the program is given: of bounded size,
// in whatever encoding of Unicode other people's programs wrote them.
package textfile

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/cognate-auth/cognate/internal/utf8text"
)

// ErrTooLarge says that a file has more bytes than it may have.
var ErrTooLarge = errors.New("the file is too large")

// Read returns the text of a file of at most limit bytes without its byte order
// mark, and in UTF-8 if it is in UTF-16. What is no text, such as an image, comes
// back as it is. More than limit bytes are [ErrTooLarge].
func Read(path string, limit int64) ([]byte, error) {
	f, err := os.Open(path)
	return read(f, err, limit)
}

// ReadBelow is [Read] of a file in the folder or below it. Any other name is an
// error, and so is a link that leads out of the folder. A pipe or a device is one
// too: whoever names it in a file may not know that nobody writes to it.
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
		return nil, fmt.Errorf("%.100q leads out of the folder of this file by a link, or by a whole path in one; "+
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
	text, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return nil, err
	}
	return Decode(text, limit)
}

// Decode is what [Read] does with the bytes of a file.
func Decode(text []byte, limit int64) ([]byte, error) {
	if int64(len(text)) > limit {
		return nil, ErrTooLarge
	}
	return utf8text.Decode(text)
}
