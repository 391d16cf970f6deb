// Package cases holds small inputs made after real files and reports: metadata, settings,
// key sets, requests as other people's programs write them. Tests of every package read
// them here. Where a folder shared/cases lies beside the repository its files come first,
// so that the same tests can be run on other inputs.
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
