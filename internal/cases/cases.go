// Package cases holds small test inputs modelled on real files and reports: metadata,
// settings, key sets and requests as other programs write them. Tests of every package read
// them. If there is a folder shared/cases beside the repository, its files take precedence,
// so that the same tests can be run on other inputs. It imports nothing else of this module.
package cases

import (
	"embed"
	"os"
	"path/filepath"
	"testing"
)

//go:embed testdata
var copies embed.FS

// Read returns the input of that name. It fails the test if there is none.
func Read(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(beside(t), name))
	if err == nil {
		return data
	}
	data, err = copies.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatalf("there is no case %s: %v", name, err)
	}
	return data
}

// beside returns the folder shared/cases next to the repository that the test runs in.
func beside(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		_, err := os.Stat(filepath.Join(dir, "go.work"))
		if err == nil {
			return filepath.Join(filepath.Dir(dir), "shared", "cases")
		}
		up := filepath.Dir(dir)
		if up == dir {
			return ""
		}
		dir = up
	}
}
