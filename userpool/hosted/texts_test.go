package hosted_test

import (
	"go/ast"
	"go/constant"
	"go/parser"
	"go/token"
	"go/types"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"text/template/parse"
)

// The texts of the pages are found by following what becomes the first argument
// of locale.T or locale.Rich back to the constants that it can be: through
// parameters, fields, variables and results, in this package and, where a page
// can reach it, in the packages of the rules. A text that is put together becomes one
// with a verb in place of each part: "Invalid: %s".

// pageTexts returns every English text that a page can show.
var pageTexts = sync.OnceValues(func() ([]string, error) {
	src, err := loadSources(
		"..", "../internal/core", "../internal/lockout", "../internal/triggers", "../internal/codes",
		"../internal/totp", "../accounts", "../signin", "../grants", "../pool", ".")
	if err != nil {
		return nil, err
	}
	fields, err := src.readTemplates("templates/*.html")
	if err != nil {
		return nil, err
	}
	src.seed(fields)
	for src.grown = true; src.grown; {
		src.grown = false
		src.follow()
	}
	return slices.Sorted(maps.Keys(src.texts)), nil
})

// result is one of a function's results.
type result struct {
	fn    types.Object
	index int
}

type sources struct {
	fset  *token.FileSet
	info  *types.Info
	pkgs  []*types.Package
	files map[*types.Package][]*ast.File

	texts   map[string]bool
	flows   map[any]bool // types.Object or result: its value becomes a text
	grown   bool
	reached map[types.Object]bool // declarations that a page can reach
}

// elsewhere are functions of the rules whose texts no page shows: protocol errors
// go to the app, and the rest is refused to administrators and identity
// providers alone.
var elsewhere = []string{
	"InvalidRequest", "NewUser", "checkVerified", "cleanGroups", "factorProblem", "setFactors", "setPasswordState",
}

// loadSources parses and type-checks packages; the later ones import the
// earlier ones. What else is imported stays unknown, which does no harm: no
// text goes through it.
func loadSources(dirs ...string) (*sources, error) {
	s := &sources{
		fset: token.NewFileSet(), files: map[*types.Package][]*ast.File{},
		texts: map[string]bool{}, flows: map[any]bool{}, reached: map[types.Object]bool{},
		info: &types.Info{
			Types: map[ast.Expr]types.TypeAndValue{}, Defs: map[*ast.Ident]types.Object{},
			Uses: map[*ast.Ident]types.Object{},
		},
	}
	for _, dir := range dirs {
		names, err := filepath.Glob(filepath.Join(dir, "*.go"))
		if err != nil {
			return nil, err
		}
		var files []*ast.File
		for _, name := range names {
			if strings.HasSuffix(name, "_test.go") {
				continue
			}
			f, err := parser.ParseFile(s.fset, name, nil, parser.SkipObjectResolution)
			if err != nil {
				return nil, err
			}
			files = append(files, f)
		}
		config := types.Config{Importer: s, Error: func(error) {}}
		pkg, _ := config.Check(files[0].Name.Name, s.fset, files, s.info) // its errors are of the unknown imports
		s.pkgs, s.files[pkg] = append(s.pkgs, pkg), files
	}
	s.reach()
	return s, nil
}

// Import finds the packages that were loaded; any other one is empty.
func (s *sources) Import(path string) (*types.Package, error) {
	name := path[strings.LastIndex(path, "/")+1:]
	for _, p := range s.pkgs {
		if p.Path() == name {
			return p, nil
		}
	}
	p := types.NewPackage(path, name)
	p.MarkComplete()
	return p, nil
}

// declarations calls f with every declaration at the top of a file, and with
// what it declares.
func (s *sources) declarations(f func(pkg *types.Package, n ast.Node, names []*ast.Ident)) {
	for _, pkg := range s.pkgs {
		for _, file := range s.files[pkg] {
			for _, d := range file.Decls {
				switch d := d.(type) {
				case *ast.FuncDecl:
					f(pkg, d, []*ast.Ident{d.Name})
				case *ast.GenDecl:
					for _, spec := range d.Specs {
						if v, ok := spec.(*ast.ValueSpec); ok {
							f(pkg, v, v.Names)
						}
					}
				}
			}
		}
	}
}

// reach finds what the last package uses, and what that uses in turn.
func (s *sources) reach() {
	pages := s.pkgs[len(s.pkgs)-1]
	for grown := true; grown; {
		grown = false
		s.declarations(func(pkg *types.Package, n ast.Node, names []*ast.Ident) {
			if pkg != pages && !slices.ContainsFunc(
				names, func(id *ast.Ident) bool { return s.reached[s.info.Defs[id]] },
			) {
				return
			}
			ast.Inspect(n, func(n ast.Node) bool {
				if id, ok := n.(*ast.Ident); ok && s.info.Uses[id] != nil && !s.reached[s.info.Uses[id]] {
					s.reached[s.info.Uses[id]], grown = true, true
				}
				return true
			})
			for _, id := range names {
				s.reached[s.info.Defs[id]] = true
			}
		})
	}
}

// readTemplates collects the constants that the templates translate, and the
// names of the fields.
func (s *sources) readTemplates(pattern string) (fields map[string]bool, err error) {
	fields = map[string]bool{}
	trees, err := parseTemplates(pattern)
	for _, tree := range trees {
		walkTemplate(tree.Root, func(n parse.Node) {
			command, ok := n.(*parse.CommandNode)
			if !ok || len(command.Args) < 2 {
				return
			}
			called := command.Args[0].String()
			if name := called[strings.LastIndex(called, ".")+1:]; name != "T" && name != "Rich" {
				return
			}
			switch arg := command.Args[1].(type) {
			case *parse.StringNode:
				s.texts[arg.Text] = true
			case *parse.FieldNode:
				fields[arg.Ident[len(arg.Ident)-1]] = true
			}
		})
	}
	return fields, err
}

// seed marks where texts are used: in T, Rich, the fields that the templates
// translate, and what the rules have for people to read.
func (s *sources) seed(fields map[string]bool) {
	for id, obj := range s.info.Defs {
		switch obj := obj.(type) {
		case *types.Func:
			if sig := obj.Signature(); sig.Recv() != nil && (id.Name == "T" || id.Name == "Rich") {
				s.flows[sig.Params().At(0)] = true
			}
		case *types.Var:
			page := obj.Pkg() == s.pkgs[len(s.pkgs)-1] && fields[id.Name]
			if obj.IsField() && (page || id.Name == "Notice" || id.Name == "Description") {
				s.flows[obj] = true
			}
		}
	}
}

// follow goes once through everything that can be reached.
func (s *sources) follow() {
	s.declarations(func(_ *types.Package, n ast.Node, names []*ast.Ident) {
		if !slices.ContainsFunc(names, func(id *ast.Ident) bool {
			return s.reached[s.info.Defs[id]] && !slices.Contains(elsewhere, id.Name)
		}) {
			return
		}
		ast.Inspect(n, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.CallExpr:
				s.call(n)
			case *ast.CompositeLit:
				s.literal(n)
			case *ast.AssignStmt:
				s.assign(n.Lhs, n.Rhs)
			case *ast.ValueSpec:
				s.assign(exprs(n.Names), n.Values)
			case *ast.RangeStmt:
				if n.Value != nil && s.flows[s.object(n.Value)] {
					s.mark(n.X)
				}
			}
			return true
		})
		if f, ok := n.(*ast.FuncDecl); ok && f.Body != nil {
			s.returns(f)
		}
	})
}

func exprs(names []*ast.Ident) []ast.Expr {
	out := make([]ast.Expr, len(names))
	for i, n := range names {
		out[i] = n
	}
	return out
}

// object is what a name, or a selector's, stands for.
func (s *sources) object(e ast.Expr) types.Object {
	switch e := e.(type) {
	case *ast.Ident:
		if obj := s.info.Uses[e]; obj != nil {
			return obj
		}
		return s.info.Defs[e]
	case *ast.SelectorExpr:
		return s.info.Uses[e.Sel]
	case *ast.IndexExpr:
		return s.object(e.X)
	case *ast.ParenExpr:
		return s.object(e.X)
	}
	return nil
}

func (s *sources) call(c *ast.CallExpr) {
	fun := s.object(c.Fun)
	if fun == nil {
		return
	}
	sig, ok := fun.Type().(*types.Signature)
	if !ok {
		return
	}
	for i, arg := range c.Args {
		if sig.Params().Len() > 0 && s.flows[sig.Params().At(min(i, sig.Params().Len()-1))] {
			s.mark(arg)
		}
	}
}

func (s *sources) literal(c *ast.CompositeLit) {
	typ := s.info.Types[c].Type
	if typ == nil {
		return
	}
	if p, ok := typ.Underlying().(*types.Pointer); ok {
		typ = p.Elem()
	}
	fields, ok := typ.Underlying().(*types.Struct)
	if !ok {
		return
	}
	for i, e := range c.Elts {
		if pair, ok := e.(*ast.KeyValueExpr); ok {
			if s.flows[s.object(pair.Key)] {
				s.mark(pair.Value)
			}
		} else if s.flows[fields.Field(i)] {
			s.mark(e)
		}
	}
}

func (s *sources) assign(to, from []ast.Expr) {
	for i, left := range to {
		if !s.flows[s.object(left)] {
			continue
		}
		switch {
		case len(from) == len(to):
			s.mark(from[i])
		case len(from) == 1:
			s.markResult(from[0], i)
		}
	}
}

// returns follows what a function returns, also by a named result.
func (s *sources) returns(f *ast.FuncDecl) {
	fn, _ := s.info.Defs[f.Name].(*types.Func)
	if fn == nil {
		return
	}
	results := fn.Signature().Results()
	for i := range results.Len() {
		if !s.flows[result{fn, i}] {
			continue
		}
		if results.At(i).Name() != "" {
			s.flow(results.At(i))
		}
		ast.Inspect(f.Body, func(n ast.Node) bool {
			if _, inner := n.(*ast.FuncLit); inner {
				return false
			}
			r, ok := n.(*ast.ReturnStmt)
			switch {
			case ok && len(r.Results) == results.Len():
				s.mark(r.Results[i])
			case ok && len(r.Results) == 1:
				s.markResult(r.Results[0], i)
			}
			return true
		})
	}
}

func (s *sources) flow(to any) {
	if !s.flows[to] {
		s.flows[to], s.grown = true, true
	}
}

func (s *sources) markResult(e ast.Expr, index int) {
	if c, ok := e.(*ast.CallExpr); ok {
		if fn, ok := s.object(c.Fun).(*types.Func); ok {
			s.flow(result{fn.Origin(), index})
		}
	}
}

var verb = regexp.MustCompile(`%[a-z]`)

// mark says that the value of e becomes a text, or a part of one.
func (s *sources) mark(e ast.Expr) {
	text, parts := s.pattern(e)
	if worded(text) && !s.texts[text] {
		s.texts[text], s.grown = true, true
	}
	for _, part := range parts {
		switch part := part.(type) {
		case *ast.CompositeLit:
			s.markElements(part)
		case *ast.CallExpr:
			s.markCall(part)
		case *ast.SliceExpr:
			s.mark(part.X)
		default:
			if obj, ok := s.object(part).(*types.Var); ok {
				s.flow(obj)
			}
		}
	}
}

var words = regexp.MustCompile(`\pL.* .*\pL|^[A-Z][a-z]+$`)

// worded tells a text from a code or the name of an attribute, and from a text
// that consists of its parts alone.
func worded(text string) bool {
	text = verb.ReplaceAllString(text, "")
	return words.MatchString(text)
}

// pattern is the text of e with verbs for what is not constant in it.
func (s *sources) pattern(e ast.Expr) (text string, parts []ast.Expr) {
	if v := s.info.Types[e].Value; v != nil && v.Kind() == constant.String {
		return constant.StringVal(v), nil
	}
	switch e := e.(type) {
	case *ast.ParenExpr:
		return s.pattern(e.X)
	case *ast.BinaryExpr:
		left, some := s.pattern(e.X)
		right, more := s.pattern(e.Y)
		return left + right, append(some, more...)
	case *ast.CallExpr:
		if sel, ok := e.Fun.(*ast.SelectorExpr); ok && sel.Sel.Name == "Sprintf" {
			text, parts = s.pattern(e.Args[0])
			return text, append(parts, e.Args[1:]...)
		}
	}
	return "%s", []ast.Expr{e}
}

func (s *sources) markElements(c *ast.CompositeLit) {
	for _, e := range c.Elts {
		if pair, ok := e.(*ast.KeyValueExpr); ok {
			e = pair.Value
		}
		s.mark(e)
	}
}

// markCall follows a call to what it returns or, if its function is unknown, to
// what it is given, such as that of strings.Join. Where T is called, what it is
// given is followed anyway.
func (s *sources) markCall(c *ast.CallExpr) {
	if fn, ok := s.object(c.Fun).(*types.Func); ok {
		if fn.Name() != "T" && fn.Name() != "Rich" {
			s.flow(result{fn.Origin(), 0})
		}
		return
	}
	for i, arg := range c.Args {
		appended := i > 0 && s.object(c.Fun) == types.Universe.Lookup("append")
		if appended || s.info.Types[arg].Value == nil {
			s.mark(arg)
		}
	}
}
