package house_test

import (
	"cmp"
	"flag"
	"fmt"
	"go/ast"
	"go/token"
	"go/types"
	"io"
	"os"
	"slices"
	"strings"
	"testing"
)

var show = flag.Bool("figures", false, "have TestFigures print what it measures")

// rooms are the measures of size, and the largest value that each may have. Few things come
// near the bounds; whatever reaches one should be split. Functions of tests are not measured,
// because most of their lines are tables.
var rooms = []struct {
	what string
	most int
	all  func(*testing.T) []figure
}{
	{"files in a package", 30, packageFiles},
	{"files that all need one another", 20, knots},
	{"methods of a type", 45, methods},
	{"lines of a file", 500, fileLines},
	{"lines of a test file", 1000, testLines},
	{"lines of a function", 60, functionLines},
	{"ways through a function", 20, functionWays},
}

// A figure is how large a thing of some kind is.
type figure struct {
	name string
	n    int
}

// largest sorts figures, the largest first.
func largest(all []figure) []figure {
	slices.SortFunc(all, func(a, b figure) int { return cmp.Or(b.n-a.n, strings.Compare(a.name, b.name)) })
	return all
}

// TestFigures measures the code: make house prints the results.
func TestFigures(t *testing.T) {
	out := io.Discard
	if *show {
		out = os.Stdout
	}
	for _, room := range rooms {
		all := largest(room.all(t))
		if len(all) < 10 {
			t.Errorf("%s: found %d, want more", room.what, len(all))
		}
		write(out, fmt.Sprintf("%s (%d at most)", room.what, room.most), all)
	}
	write(out, "what the top folder shows", topFolder(t))
	write(out, "exported names of a package, without methods and fields", largest(exportedNames(t)))
}

// write prints a title and the first three figures.
func write(out io.Writer, title string, all []figure) {
	fmt.Fprintln(out, title)
	for _, f := range all[:min(3, len(all))] {
		fmt.Fprintf(out, "\t%4d  %s\n", f.n, f.name)
	}
}

// topFolder counts the entries of the repository's top folder.
func topFolder(t *testing.T) []figure {
	t.Helper()
	entries, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, entry := range entries {
		if !strings.HasPrefix(entry.Name(), ".") && entry.Name() != "bin" { // bin is built
			n++
		}
	}
	root := tree(t)["."]
	return []figure{{"entries", n}, {"Go files", len(root.files)}, {"test files", len(root.tests)}}
}

func exportedNames(t *testing.T) (all []figure) {
	for _, pkg := range checkedTree(t) {
		n := 0
		for _, name := range pkg.Scope().Names() {
			if ast.IsExported(name) {
				n++
			}
		}
		all = append(all, figure{pkg.folder, n})
	}
	return all
}

func packageFiles(t *testing.T) (all []figure) {
	for _, f := range tree(t) {
		all = append(all, figure{f.name, len(f.files)})
	}
	return all
}

func fileLines(t *testing.T) (all []figure) {
	for _, f := range tree(t) {
		for _, file := range f.files {
			all = append(all, figure{file.name, lines(file)})
		}
	}
	return all
}

func testLines(t *testing.T) (all []figure) {
	for _, f := range tree(t) {
		for _, file := range f.tests {
			all = append(all, figure{file.name, lines(file)})
		}
	}
	return all
}

func lines(n ast.Node) int {
	if file, ok := n.(source); ok {
		return fset.File(file.FileStart).LineCount()
	}
	return fset.Position(n.End()).Line - fset.Position(n.Pos()).Line + 1
}

// functions calls f with every function outside of tests, and its name with its folder.
func functions(t *testing.T, f func(name string, decl *ast.FuncDecl)) {
	for _, dir := range tree(t) {
		for _, file := range dir.files {
			for _, decl := range file.Decls {
				decl, ok := decl.(*ast.FuncDecl)
				if !ok {
					continue
				}
				name := dir.name + ": "
				if of := receiver(decl); of != "" {
					name += of + "."
				}
				f(name+decl.Name.Name, decl)
			}
		}
	}
}

// receiver returns the name of a method's receiver type, or "" for a function.
func receiver(decl *ast.FuncDecl) string {
	if decl.Recv == nil {
		return ""
	}
	of := decl.Recv.List[0].Type
	for {
		switch outer := of.(type) {
		case *ast.StarExpr:
			of = outer.X
		case *ast.IndexExpr:
			of = outer.X
		case *ast.IndexListExpr:
			of = outer.X
		default:
			return of.(*ast.Ident).Name
		}
	}
}

func methods(t *testing.T) (all []figure) {
	count := map[string]int{}
	functions(t, func(name string, decl *ast.FuncDecl) {
		if decl.Recv != nil {
			count[strings.TrimSuffix(name, "."+decl.Name.Name)]++
		}
	})
	for name, n := range count {
		all = append(all, figure{name, n})
	}
	return all
}

func functionLines(t *testing.T) (all []figure) {
	functions(t, func(name string, decl *ast.FuncDecl) {
		all = append(all, figure{name, lines(decl)})
	})
	return all
}

// functionWays returns the cyclomatic complexity of each function, including the function
// literals in it.
func functionWays(t *testing.T) (all []figure) {
	functions(t, func(name string, decl *ast.FuncDecl) {
		ways := 1
		ast.Inspect(decl, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.IfStmt, *ast.ForStmt, *ast.RangeStmt:
				ways++
			case *ast.CaseClause:
				if n.List != nil { // not default
					ways++
				}
			case *ast.CommClause:
				if n.Comm != nil {
					ways++
				}
			case *ast.BinaryExpr:
				if n.Op == token.LAND || n.Op == token.LOR {
					ways++
				}
			}
			return true
		})
		all = append(all, figure{name, ways})
	})
	return all
}

// knots returns, for each package, the size of its largest strongly connected group of files:
// each uses something of every other, directly or indirectly, so they can only be read
// together.
func knots(t *testing.T) (all []figure) {
	for _, pkg := range checkedTree(t) {
		reached := map[string]map[string]bool{}
		uses := fileUses(pkg)
		for file := range uses {
			reached[file] = map[string]bool{}
			reach(uses, file, reached[file])
		}
		knot := 0
		for file := range uses {
			n := 0
			for other := range reached[file] {
				if reached[other][file] {
					n++
				}
			}
			knot = max(knot, n)
		}
		all = append(all, figure{pkg.folder, knot})
	}
	return all
}

// fileUses maps each file to the others whose package-level names or methods it uses.
func fileUses(pkg *checked) map[string]map[string]bool {
	uses := map[string]map[string]bool{}
	for ident, obj := range pkg.uses {
		_, function := obj.(*types.Func)
		if obj.Pkg() != pkg.Package || obj.Parent() != pkg.Scope() && !function {
			continue
		}
		from, to := fset.Position(ident.Pos()).Filename, fset.Position(obj.Pos()).Filename
		if uses[from] == nil {
			uses[from] = map[string]bool{}
		}
		if from != to {
			uses[from][to] = true
		}
	}
	return uses
}

// reach adds what can be reached from a file.
func reach(uses map[string]map[string]bool, from string, found map[string]bool) {
	for to := range uses[from] {
		if !found[to] {
			found[to] = true
			reach(uses, to, found)
		}
	}
}
