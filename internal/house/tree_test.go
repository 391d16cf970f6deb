package house_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// module is the path of the root module. The paths of the other modules are this path and
// their folder.
const module = "github.com/cognate-auth/cognate"

// A folder is a folder with Go files: a package and its tests.
type folder struct {
	name  string // relative to the top, with slashes; that of the root package is "."
	files []source
	tests []source // files whose names end in _test.go
}

// A source is a Go file.
type source struct {
	name string // with its folder
	text string
	*ast.File
}

// fset has the positions of all sources.
var fset = token.NewFileSet()

// tree returns every folder with Go files, by name, in all modules and with all build tags.
func tree(t *testing.T) map[string]*folder {
	t.Helper()
	folders, err := parseTree()
	if err != nil {
		t.Fatal(err)
	}
	return folders
}

var parseTree = sync.OnceValues(func() (map[string]*folder, error) {
	folders := map[string]*folder{}
	err := filepath.WalkDir(".", func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && file != "." && skipped(d.Name()) {
			return filepath.SkipDir
		}
		if d.IsDir() || !strings.HasSuffix(file, ".go") {
			return nil
		}
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		syntax, err := parser.ParseFile(fset, file, text, parser.ParseComments)
		if err != nil {
			return err
		}
		name := filepath.ToSlash(file)
		dir := path.Dir(name)
		if folders[dir] == nil {
			folders[dir] = &folder{name: dir}
		}
		into := &folders[dir].files
		if strings.HasSuffix(name, "_test.go") {
			into = &folders[dir].tests
		}
		*into = append(*into, source{name, string(text), syntax})
		return nil
	})
	return folders, err
})

// skipped reports whether the go command ignores folders with that name, or whether they
// contain other people's code.
func skipped(name string) bool {
	return strings.HasPrefix(name, ".") || strings.HasPrefix(name, "_") || name == "testdata" || name == "node_modules"
}

// imports maps every folder with a package to the folders of this repository that it imports,
// tests aside.
func imports(t *testing.T) map[string][]string {
	t.Helper()
	all := map[string][]string{}
	for name, f := range tree(t) {
		if len(f.files) == 0 {
			continue
		}
		found := map[string]bool{}
		for _, file := range f.files {
			for _, spec := range file.Imports {
				imported, err := strconv.Unquote(spec.Path.Value)
				if err != nil {
					t.Fatalf("%s: %v", file.name, err)
				}
				if dir, ours := ourFolder(imported); ours {
					found[dir] = true
				}
			}
		}
		all[name] = slices.Sorted(maps.Keys(found))
	}
	return all
}

// ourFolder returns the folder of the package with an import path, if it is in this
// repository.
func ourFolder(importPath string) (string, bool) {
	if importPath == module {
		return ".", true
	}
	return strings.CutPrefix(importPath, module+"/")
}
