package poolconfig

import (
	"errors"
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"

	"github.com/cognate-auth/cognate/cmd/cognate/internal/textfile"
)

// Limits of a file. They are far above what a person writes. They protect the parser,
// which is recursive and takes quadratic time for mappings.
const (
	maxFile   = 1 << 20
	maxColumn = 4096
	maxDepth  = 64      // of nested brackets
	maxEmpty  = 100     // in a row: the lexer copies the text before it for each of them
	maxKeys   = 2000    // of each mapping
	maxNodes  = 200_000 // after aliases are followed
	// maxWork limits how many nodes are decoded to find the places of a file's
	// mistakes. For a file of some hundred lines a hundredth of it is enough.
	maxWork = 1_000_000
)

// parse reads the YAML of a file. The result is nil for an empty file.
func parse(text []byte, p *problems) ast.Node {
	text, err := textfile.Decode(text, maxFile)
	switch {
	case errors.Is(err, textfile.ErrTooLarge):
		p.add(0, 0, "the file has more than 1 MB; for many users use a CSV file (users_csv)")
		return nil
	case err != nil:
		p.add(0, 0, "%v", err)
		return nil
	case !utf8.Valid(text):
		p.add(0, 0, "the file is not UTF-8")
		return nil
	}
	if line := tooManyEmptyLines(text); line > 0 {
		p.add(line, 1, "there are more than %d empty lines in a row; remove some", maxEmpty)
		return nil
	}
	tokens := lexer.Tokenize(string(text))
	if !bounded(tokens, p) {
		return nil
	}
	file, err := parser.Parse(tokens, 0, parser.AllowDuplicateMapKey())
	if e, ok := errors.AsType[*yaml.SyntaxError](err); ok {
		p.add(e.Token.Position.Line, e.Token.Position.Column, "%s", syntaxText(e.Message))
		return nil
	}
	switch {
	case err != nil:
		p.add(0, 0, "the file can't be read as YAML: %v", err)
		return nil
	case len(file.Docs) == 0:
		return nil
	case len(file.Docs) > 1:
		p.add(documentLine(file.Docs[1]), 1, secondDocument)
		return nil
	}
	return file.Docs[0].Body
}

const secondDocument = "a second document begins here; expected one document, with all pools in the list pools"

// documentLine is the line where a document begins: the --- may be missing after three
// dots ended the first document.
func documentLine(d *ast.DocumentNode) int {
	if d.Start != nil {
		return d.Start.Position.Line
	}
	return line(d.Body)
}

// syntaxText adds advice to some of the parser's messages.
func syntaxText(message string) string {
	switch {
	case strings.Contains(message, "'\t'"):
		return "a tab cannot indent YAML; use spaces"
	case strings.Contains(message, "mapping value is not allowed"):
		return "a value with a colon and a space in it needs quotes"
	case strings.Contains(message, "reserved character"), strings.Contains(message, "directive"):
		return "a value that begins with such a character needs quotes"
	}
	return message
}

// tooManyEmptyLines returns the line at which there are too many empty lines in a row, or zero.
func tooManyEmptyLines(text []byte) int {
	line, empty := 1, 0
	for i, c := range text {
		switch {
		case c == '\n' && i > 0 && text[i-1] == '\r': // the second character of one line break
		case c == '\n' || c == '\r':
			line++
			empty++
		case c != ' ' && c != '\t':
			empty = 0
		}
		if empty > maxEmpty+1 { // the first line break ends a line with text
			return line - 1 // the line that just ended
		}
	}
	return 0
}

// bounded reports whether the parser can process the tokens within the limits.
func bounded(tokens token.Tokens, p *problems) bool {
	depth, documents := 0, 0
	keys := map[int]int{} // by column, of the mappings that are open
	byLine := map[int]int{}
	for _, t := range tokens {
		line, column := t.Position.Line, t.Position.Column
		switch t.Type {
		case token.DocumentHeaderType, token.DocumentEndType:
			documents++
			if documents > 3 { // one document has at most three; the parser copies the rest for each
				p.add(line, column, secondDocument)
				return false
			}
		case token.SequenceStartType, token.MappingStartType:
			depth++
		case token.SequenceEndType, token.MappingEndType:
			depth--
			closeMappings(keys, column)
		case token.SequenceEntryType:
			closeMappings(keys, column)
		case token.MappingValueType:
			start := column
			if t.Prev != nil {
				start = t.Prev.Position.Column
			}
			closeMappings(keys, start)
			keys[start]++
			byLine[line]++
			if max(keys[start], byLine[line]) > maxKeys {
				p.add(line, column, "a mapping has more than %d keys", maxKeys)
				return false
			}
		}
		if depth > maxDepth || column > maxColumn && t.Type == token.SequenceEntryType {
			p.add(line, column, "this is nested too deeply; the limits are %d brackets and column %d",
				maxDepth, maxColumn)
			return false
		}
	}
	return true
}

// closeMappings removes the mappings that began to the right of a column.
func closeMappings(keys map[int]int, column int) {
	maps.DeleteFunc(keys, func(at, _ int) bool { return at > column })
}

// A decoder converts nodes to values, and collects what does not fit.
type decoder struct {
	problems *problems
	getenv   func(string) (string, bool)
	anchors  map[string]ast.Node
	nodes    int
	work     *int // nodes that all decoders of the file have decoded
	// places are the nodes that became values, in the order of the file. In a further
	// run, the nodes in skip and all after the first limit are treated as if they were
	// missing. Zero is no limit.
	places []place
	skip   map[ast.Node]bool
	limit  int
	within int  // the place that is being decoded; -1: none
	item   bool // the next place is an element of a list
	// unknown receives unknown keys. If it is nil, they are mistakes.
	unknown func(key string, value ast.Node)
}

// place is a node that became a value.
type place struct {
	node   ast.Node
	parent int  // the place that contains it; -1: none
	item   bool // it is an element of a list
}

// skipped reports whether n is treated as if it were missing.
func (d *decoder) skipped(n ast.Node) bool {
	return d.skip[n] || d.limit > 0 && len(d.places) >= d.limit
}

// collectAnchors collects the anchors of a file.
func (d *decoder) collectAnchors(root ast.Node) {
	d.anchors = map[string]ast.Node{}
	ast.Walk(visitor(func(n ast.Node) {
		if a, ok := n.(*ast.AnchorNode); ok && a.Name != nil && a.Value != nil {
			d.anchors[a.Name.GetToken().Value] = a.Value
		}
	}), root)
}

type visitor func(ast.Node)

// Visit implements [ast.Visitor].
func (v visitor) Visit(n ast.Node) ast.Visitor { v(n); return v }

func line(n ast.Node) int {
	if n == nil || n.GetToken() == nil {
		return 0
	}
	return n.GetToken().Position.Line
}

// position returns where a node begins for a reader: a mapping at its first key.
func position(n ast.Node) (line, column int) {
	if m, ok := n.(*ast.MappingNode); ok && len(m.Values) > 0 && !m.IsFlowStyle {
		n = m.Values[0].Key
	}
	if n == nil || n.GetToken() == nil {
		return 0, 0
	}
	pos := n.GetToken().Position
	return pos.Line, pos.Column
}

func (d *decoder) problemf(n ast.Node, format string, args ...any) {
	line, column := position(n)
	d.problems.add(line, column, format, args...)
}

// resolve follows anchors and aliases. The result is nil for a node without a value.
func (d *decoder) resolve(n ast.Node) ast.Node {
	for range 8 {
		switch v := n.(type) {
		case nil, *ast.NullNode:
			return nil
		case *ast.AnchorNode:
			n = v.Value
		case *ast.AliasNode:
			target, ok := d.anchors[v.Value.GetToken().Value]
			if !ok {
				d.problemf(n, "the alias *%s has no anchor", clip(v.Value.GetToken().Value))
				return nil
			}
			n = target
		case *ast.TagNode:
			d.problemf(n, "tags such as %s are not supported; leave it out", clip(v.GetToken().Value))
			return nil
		default:
			return n
		}
	}
	d.problemf(n, "aliases of aliases of aliases are not supported")
	return nil
}

var (
	durationType = reflect.TypeFor[time.Duration]()
	secretType   = reflect.TypeFor[secret]()
)

// value decodes n into v.
func (d *decoder) value(n ast.Node, v reflect.Value) {
	item := d.item
	d.item = false
	d.nodes++
	*d.work++
	if d.skipped(n) || d.nodes > maxNodes {
		if d.nodes == maxNodes+1 {
			d.problemf(n, "the aliases of this file make it too large")
		}
		return
	}
	whole := n
	n = d.resolve(n)
	switch {
	case n == nil:
		if v.Type() == secretType && d.unknown == nil {
			d.problemf(whole, emptySecret)
		}
		return
	case v.Kind() == reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		d.item = item
		d.value(whole, v.Elem())
		return
	}
	outer := d.within
	d.places = append(d.places, place{whole, outer, item})
	d.within = len(d.places) - 1
	switch v.Kind() {
	case reflect.Struct:
		d.structure(n, v)
	case reflect.Interface: // the value does not matter, only that it exists
	case reflect.Map:
		d.mapping(n, v)
	case reflect.Slice:
		d.list(n, v)
	default:
		d.scalar(n, v)
	}
	d.within = outer
}

// entries returns the keys and values of a mapping, and reports repeated keys.
func (d *decoder) entries(n ast.Node, what string) []*ast.MappingValueNode {
	var values []*ast.MappingValueNode
	switch m := n.(type) {
	case *ast.MappingNode:
		values = m.Values
	case *ast.MappingValueNode:
		values = []*ast.MappingValueNode{m}
	default:
		d.problemf(n, "expected %s", what)
	}
	first := map[string]int{}
	return slices.DeleteFunc(slices.Clone(values), func(e *ast.MappingValueNode) bool {
		key := keyOf(e)
		before, again := first[key]
		if again {
			d.problemf(e.Key, "the key %q appears twice; the first is in line %d", clip(key), before)
		}
		if !again {
			first[key] = line(e.Key)
		}
		return again
	})
}

func keyOf(e *ast.MappingValueNode) string {
	if e.Key == nil || e.Key.GetToken() == nil {
		return ""
	}
	return e.Key.GetToken().Value
}

func (d *decoder) structure(n ast.Node, v reflect.Value) {
	known := keysOf(v.Type())
	for _, e := range d.entries(n, "keys and values, such as "+known[0]+": ...") {
		key := keyOf(e)
		i := slices.Index(known, key)
		switch {
		case i >= 0:
			d.value(e.Value, v.Field(i))
		case d.unknown != nil:
			d.unknown(key, e.Value)
		case key == "<<":
			d.problemf(e.Key, "merge keys (<<) are not supported; an alias may stand for a whole value")
		case d.problems.enough(): // finding a similar word takes time
		default:
			d.problemf(e.Key, "unknown key %q; %s", clip(key), didYouMean(key, known))
		}
	}
}

// keysOf returns the keys of a model, in the order of its fields.
func keysOf(t reflect.Type) []string {
	keys := make([]string, t.NumField())
	for i := range keys {
		keys[i], _, _ = strings.Cut(t.Field(i).Tag.Get("yaml"), ",")
	}
	return keys
}

func (d *decoder) mapping(n ast.Node, v reflect.Value) {
	v.Set(reflect.MakeMap(v.Type()))
	for _, e := range d.entries(n, "keys and values") {
		if d.skipped(e.Value) {
			continue
		}
		element := reflect.New(v.Type().Elem()).Elem()
		d.value(e.Value, element)
		v.SetMapIndex(reflect.ValueOf(keyOf(e)), element)
	}
}

func (d *decoder) list(n ast.Node, v reflect.Value) {
	s, ok := n.(*ast.SequenceNode)
	if !ok {
		d.problemf(n, "expected a list: [one, two], or lines that begin with a dash")
		return
	}
	for _, n := range s.Values {
		if d.skipped(n) || d.resolve(n) == nil {
			continue
		}
		element := reflect.New(v.Type().Elem()).Elem()
		d.item = true
		d.value(n, element)
		v.Set(reflect.Append(v, element))
	}
}

// text returns the text of a scalar as it is written.
func text(n ast.Node) (string, bool) {
	switch s := n.(type) {
	case *ast.LiteralNode:
		return s.Value.Value, true
	case *ast.StringNode:
		return s.Value, true
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.InfinityNode, *ast.NanNode:
		return n.GetToken().Value, true
	}
	return "", false
}

func (d *decoder) scalar(n ast.Node, v reflect.Value) {
	s, ok := text(n)
	if !ok {
		d.problemf(n, "expected a single value")
		return
	}
	var err error
	switch {
	case v.Type() == durationType:
		var length time.Duration
		length, err = parseDuration(s)
		v.SetInt(int64(length))
	case v.Type() == secretType:
		s, err = d.secret(s)
		v.SetString(s)
	case v.Kind() == reflect.String:
		v.SetString(s)
	case v.Kind() == reflect.Bool:
		v.SetBool(s == "true")
		if s != "true" && s != "false" {
			err = fmt.Errorf("expected true or false, not %q", clip(s))
		}
	default:
		var i int64
		i, err = strconv.ParseInt(s, 10, 64)
		v.SetInt(i)
		if err != nil {
			err = fmt.Errorf("expected a whole number, not %q", clip(s))
		}
	}
	if err != nil {
		d.problemf(n, "%v", err)
	}
}

const emptySecret = "this secret is empty; give it a value, or leave out its key"

var reference = regexp.MustCompile(`^\$\{([A-Za-z_][A-Za-z0-9_]*)\}$`)

// secret replaces a value that is exactly ${NAME} by that environment variable. It
// never replaces a part of a value: passwords may contain dollar signs.
func (d *decoder) secret(s string) (string, error) {
	if s == "" {
		return "", errors.New(emptySecret)
	}
	m := reference.FindStringSubmatch(s)
	if m == nil {
		return s, nil
	}
	value, ok := d.getenv(m[1])
	if !ok || value == "" {
		return "", fmt.Errorf("the environment has no variable %s", clip(m[1]))
	}
	return value, nil
}

var (
	durations    = regexp.MustCompile(`^([0-9]{1,6}[smhd])+$`)
	durationPart = regexp.MustCompile(`([0-9]+)([smhd])`)
)

// parseDuration reads 90s, 60m, 1h30m or 30d.
func parseDuration(s string) (time.Duration, error) {
	if s == "0" {
		return 0, nil
	}
	if len(s) > 32 || !durations.MatchString(s) {
		return 0, fmt.Errorf("expected a time with its unit, such as 90s, 60m, 12h or 30d, not %q", clip(s))
	}
	var sum time.Duration
	for _, part := range durationPart.FindAllStringSubmatch(s, -1) {
		n, _ := strconv.Atoi(part[1]) // at most six digits
		unit := map[string]time.Duration{
			"s": time.Second, "m": time.Minute, "h": time.Hour, "d": 24 * time.Hour,
		}[part[2]]
		if time.Duration(n) > (maxDuration-sum)/unit {
			return 0, fmt.Errorf("%q is longer than a hundred years", clip(s))
		}
		sum += time.Duration(n) * unit
	}
	return sum, nil
}

const maxDuration = 100 * 365 * 24 * time.Hour
