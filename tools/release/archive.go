package main

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"cmp"
	"compress/flate"
	"compress/gzip"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// A file is one that is packed into an archive.
type file struct {
	name       string
	data       []byte
	executable bool
}

func (f file) mode() fs.FileMode {
	if f.executable {
		return 0o755
	}
	return 0o644
}

// sortFiles returns the files by their names, which then stand in one order everywhere.
func sortFiles(files []file) []file {
	return slices.SortedFunc(slices.Values(files), func(a, b file) int { return cmp.Compare(a.name, b.name) })
}

// packTar packs files, in a folder of that name, as they were at one time and are nobody's.
func packTar(folder string, files []file, when time.Time) ([]byte, error) {
	var packed bytes.Buffer
	zipped, err := gzip.NewWriterLevel(&packed, gzip.BestCompression) // its header has no time
	if err != nil {
		return nil, err
	}
	w := tar.NewWriter(zipped)
	for _, f := range sortFiles(files) {
		err = w.WriteHeader(&tar.Header{
			Name: folder + "/" + f.name, Size: int64(len(f.data)), Mode: int64(f.mode()),
			ModTime: when, Format: tar.FormatUSTAR,
		})
		if err != nil {
			return nil, err
		}
		_, err = w.Write(f.data)
		if err != nil {
			return nil, err
		}
	}
	err = errors.Join(w.Close(), zipped.Close())
	return packed.Bytes(), err
}

// packZip does the same for Windows.
func packZip(folder string, files []file, when time.Time) ([]byte, error) {
	var packed bytes.Buffer
	w := zip.NewWriter(&packed)
	w.RegisterCompressor(zip.Deflate, func(out io.Writer) (io.WriteCloser, error) {
		return flate.NewWriter(out, flate.BestCompression)
	})
	for _, f := range sortFiles(files) {
		header := &zip.FileHeader{Name: folder + "/" + f.name, Method: zip.Deflate, Modified: when}
		header.SetMode(f.mode())
		into, err := w.CreateHeader(header)
		if err != nil {
			return nil, err
		}
		_, err = into.Write(f.data)
		if err != nil {
			return nil, err
		}
	}
	err := w.Close()
	return packed.Bytes(), err
}

// writeSums writes the file SHA256SUMS of a folder: sha256sum -c and shasum -a 256 -c read it.
func writeSums(dir string) error {
	entries, err := os.ReadDir(dir) // by name
	if err != nil {
		return err
	}
	var sums bytes.Buffer
	for _, e := range entries {
		data, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			return err
		}
		fmt.Fprintf(&sums, "%x  %s\n", sha256.Sum256(data), e.Name())
	}
	return os.WriteFile(filepath.Join(dir, "SHA256SUMS"), sums.Bytes(), 0o644)
}
