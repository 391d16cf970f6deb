package house_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/importer"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path"
	"slices"
	"strings"
	"sync"
	"testing"
)

// A checked package is a package that has been type-checked.
type checked struct {
	*types.Package
	folder string
	files  []source // those that are built on this system
	uses   map[*ast.Ident]types.Object
}

// checkedTree returns every package of the workspace, by its folder.
func checkedTree(t *testing.T) map[string]*checked {
	t.Helper()
	packages, err := checkTree()
	if err != nil {
		t.Fatal(err)
	}
	return packages
}

// checkTree type-checks the packages of the workspace, with the compiler's export data of the
// packages that they import.
var checkTree = sync.OnceValues(func() (map[string]*checked, error) {
	folders, err := parseTree()
	if err != nil {
		return nil, err
	}
	list, err := listPackages()
	if err != nil {
		return nil, err
	}
	exports := map[string]string{}
	for _, p := range list {
		exports[p.ImportPath] = p.Export
	}
	config := types.Config{Importer: importer.ForCompiler(fset, "gc", func(path string) (io.ReadCloser, error) {
		return os.Open(exports[path])
	})}
	packages := map[string]*checked{}
	for _, p := range list {
		dir, ours := ourFolder(p.ImportPath)
		if !ours {
			continue
		}
		c := &checked{folder: dir, uses: map[*ast.Ident]types.Object{}}
		var files []*ast.File
		for _, file := range folders[dir].files {
			if slices.Contains(p.GoFiles, path.Base(file.name)) {
				c.files = append(c.files, file)
				files = append(files, file.File)
			}
		}
		c.Package, err = config.Check(p.ImportPath, fset, files, &types.Info{Uses: c.uses})
		if err != nil {
			return nil, err
		}
		packages[dir] = c
	}
	return packages, nil
})

// A listed package is the output of go list for a package.
type listed struct {
	ImportPath string
	Export     string // the file with the compiler's export data
	GoFiles    []string
}

// listPackages lists the packages of every module of go.work, and all that they import.
func listPackages() ([]listed, error) {
	modules, err := goCommand("list", "-m", "-f", "{{.Dir}}/...")
	if err != nil {
		return nil, err
	}
	args := append([]string{"list", "-export", "-deps", "-json=ImportPath,Export,GoFiles"},
		strings.Fields(string(modules))...)
	out, err := goCommand(args...)
	if err != nil {
		return nil, err
	}
	var list []listed
	for decoder := json.NewDecoder(bytes.NewReader(out)); ; {
		var p listed
		err := decoder.Decode(&p)
		if errors.Is(err, io.EOF) {
			return list, nil
		}
		if err != nil {
			return nil, err
		}
		list = append(list, p)
	}
}

// goCommand runs the go command, and returns its output.
func goCommand(args ...string) ([]byte, error) {
	out, err := exec.Command("go", args...).Output()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return nil, fmt.Errorf("go %s: %w\n%s", args[0], err, exit.Stderr)
	}
	return out, err
}
