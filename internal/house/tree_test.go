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

// module is the path of the root module. Those of the other modules say their folders.
const module = "github.com/cognate-auth/cognate"

// A folder is one with Go files: a package and its tests.
type folder struct {
	name  string // relative to the top, with slashes; that of the root package is "."
	files []source
	tests []source // those whose names end in _test.go
}

// A source is a Go file.
type source struct {
	name string // with its folder
	text string
	*ast.File
}

// fset has the positions of all sources.
var fset = token.NewFileSet()

// tree is every folder with Go files, by name, whatever module and build tags they have.
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

// skipped reports whether the go command passes over folders of that name, or whether what
// is in there was written elsewhere.
func skipped(name string) bool {
	return strings.HasPrefix(name, ".") || strings.HasPrefix(name, "_") || name == "testdata" || name == "node_modules"
}

// imports maps every folder with a package to those of ours that it imports, tests aside.
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

// ourFolder is the folder of the package with that import path, if it is one of ours.
func ourFolder(importPath string) (string, bool) {
	if importPath == module {
		return ".", true
	}
	return strings.CutPrefix(importPath, module+"/")
}
