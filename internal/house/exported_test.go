package house_test

import (
	"flag"
	"fmt"
	"go/types"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "have TestExported write its files, not compare them")

// apiFolder has a file for each public package that lists what it exports.
const apiFolder = "internal/house/testdata/api"

// TestExported compares what the public packages export with the files in apiFolder, so that
// each change of the API is visible in review.
func TestExported(t *testing.T) {
	stale := map[string]bool{}
	old, err := filepath.Glob(apiFolder + "/*.txt")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range old {
		stale[filepath.ToSlash(file)] = true
	}
	for _, pkg := range checkedTree(t) {
		if !public(pkg) {
			continue
		}
		file := apiFolder + "/" + apiName(pkg) + ".txt"
		delete(stale, file)
		want, err := os.ReadFile(file)
		if err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
		got := exported(pkg.Package)
		if *update {
			err := os.WriteFile(file, []byte(strings.Join(got, "\n")+"\n"), 0o644)
			if err != nil {
				t.Fatal(err)
			}
		} else if diff := difference(strings.Split(strings.TrimSuffix(string(want), "\n"), "\n"), got); diff != "" {
			t.Errorf("%s differs from %s:\n%s", pkg.Path(), file, diff)
		}
	}
	for file := range stale {
		if !*update {
			t.Errorf("%s is of no public package", file)
			continue
		}
		err := os.Remove(file)
		if err != nil {
			t.Fatal(err)
		}
	}
	if t.Failed() {
		t.Log("If that is meant: go test ./internal/house -run TestExported -update")
	}
}

// public reports whether other people's programs can import a package, and are meant to.
func public(pkg *checked) bool {
	name := "/" + pkg.folder + "/"
	return pkg.Name() != "main" && !strings.Contains(name, "/internal/") &&
		!slices.ContainsFunc([]string{"/bench/", "/cmd/", "/e2e/", "/examples/"}, func(apart string) bool {
			return strings.HasPrefix(name, apart)
		})
}

// apiName names a package's file: userpool.oauth for userpool/oauth.
func apiName(pkg *checked) string {
	if pkg.folder == "." {
		return pkg.Name()
	}
	return strings.ReplaceAll(pkg.folder, "/", ".")
}

// difference lists the lines that only one side has.
func difference(want, got []string) string {
	var b strings.Builder
	for _, line := range want {
		if !slices.Contains(got, line) {
			fmt.Fprintf(&b, "\t- %s\n", line)
		}
	}
	for _, line := range got {
		if !slices.Contains(want, line) {
			fmt.Fprintf(&b, "\t+ %s\n", line)
		}
	}
	return b.String()
}

// exported returns a line for everything that a package exports, sorted.
func exported(pkg *types.Package) (lines []string) {
	qualify := func(other *types.Package) string {
		if other == pkg {
			return ""
		}
		return other.Name()
	}
	for _, name := range pkg.Scope().Names() {
		obj := pkg.Scope().Lookup(name)
		if !obj.Exported() {
			continue
		}
		line := types.ObjectString(obj, qualify)
		switch obj := obj.(type) {
		case *types.Const:
			line += " = " + obj.Val().ExactString()
		case *types.TypeName:
			if !obj.IsAlias() {
				lines = append(lines, typeLines(obj, qualify)...)
				continue
			}
		}
		lines = append(lines, line)
	}
	slices.Sort(lines)
	return lines
}

// typeLines returns the lines of a type: its kind, its fields and its methods, promoted ones
// included.
func typeLines(obj *types.TypeName, qualify types.Qualifier) (lines []string) {
	name := obj.Name()
	switch under := obj.Type().Underlying().(type) {
	case *types.Struct:
		lines = append(lines, "type "+name+" struct")
		for i := range under.NumFields() {
			if field := under.Field(i); field.Exported() {
				lines = append(lines, fieldLine(name, field, under.Tag(i), qualify))
			}
		}
	case *types.Interface:
		lines = append(lines, "type "+name+" interface")
	default:
		lines = append(lines, "type "+name+" "+types.TypeString(under, qualify))
	}
	return append(lines, methodLines(obj, qualify)...)
}

func fieldLine(of string, field *types.Var, tag string, qualify types.Qualifier) string {
	line := "field " + of + "." + field.Name() + " " + types.TypeString(field.Type(), qualify)
	if field.Embedded() {
		line += " embedded"
	}
	if tag != "" {
		line += " `" + tag + "`"
	}
	return line
}

func methodLines(obj *types.TypeName, qualify types.Qualifier) (lines []string) {
	name := obj.Name()
	receiver, byValue := obj.Type(), types.NewMethodSet(obj.Type())
	if !types.IsInterface(receiver) {
		receiver = types.NewPointer(receiver)
	}
	for method := range types.NewMethodSet(receiver).Methods() {
		f := method.Obj()
		if !f.Exported() {
			continue
		}
		of := name
		if byValue.Lookup(f.Pkg(), f.Name()) == nil {
			of = "(*" + name + ")"
		}
		signature := strings.TrimPrefix(types.TypeString(f.Type(), qualify), "func")
		lines = append(lines, "method "+of+"."+f.Name()+signature)
	}
	return lines
}
