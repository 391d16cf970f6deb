package saml

import (
	"bytes"
	"cmp"
	"errors"
	"maps"
	"slices"
	"strings"

	"github.com/beevik/etree"
)

const (
	exclusiveC14N = "http://www.w3.org/2001/10/xml-exc-c14n#"

	nsXML   = "http://www.w3.org/XML/1998/namespace"
	nsXMLNS = "http://www.w3.org/2000/xmlns/"

	maxPrefixes = 32 // in a PrefixList
)

// canonical writes an element as exclusive canonical XML (W3C, Exclusive XML
// Canonicalization 1.0): a namespace is declared where an element or attribute first
// uses it. A namespace whose prefix is in prefixes is declared where it comes into
// scope; "" is the prefix of the default namespace. The element without, which may be
// nil, is left out. The work grows with the length of the document, however deeply it
// is nested.
func canonical(e, without *etree.Element, prefixes map[string]bool) ([]byte, error) {
	w := writer{without: without, prefixes: prefixes}
	w.scope.set("xml", nsXML)
	var above []*etree.Element
	for p := e.Parent(); p != nil; p = p.Parent() {
		above = append(above, p)
	}
	for _, p := range slices.Backward(above) {
		_, err := w.enter(p)
		if err != nil {
			return nil, err
		}
	}
	err := w.element(e, slices.Collect(maps.Keys(w.scope.of)))
	return w.out.Bytes(), err
}

// writer writes canonical XML.
type writer struct {
	out      bytes.Buffer
	without  *etree.Element
	prefixes map[string]bool

	// scope has the namespaces that are in scope at the writer's position; written has
	// those that are declared in the output around it.
	scope, written namespaces
}

// element writes e. inherited are the prefixes that come into scope with e and are not
// declared by e itself.
func (w *writer) element(e *etree.Element, inherited []string) error {
	scope, written := len(w.scope.undo), len(w.written.undo)
	declared, err := w.enter(e)
	if err != nil {
		return err
	}
	shown := slices.DeleteFunc(append(declared, inherited...), func(p string) bool { return !w.prefixes[p] })
	shown = append(shown, e.Space)
	attributes := []etree.Attr{}
	for _, a := range e.Attr {
		if _, ok := declares(a); ok {
			continue
		}
		attributes = append(attributes, a)
		if a.Space != "" { // an attribute without a prefix is in no namespace
			shown = append(shown, a.Space)
		}
	}
	w.out.WriteString("<" + e.FullTag())
	err = w.declare(shown)
	if err == nil {
		err = w.attributes(attributes)
	}
	if err != nil {
		return err
	}
	w.out.WriteString(">")
	err = w.children(e)
	if err != nil {
		return err
	}
	w.out.WriteString("</" + e.FullTag() + ">")
	w.scope.restore(scope)
	w.written.restore(written)
	return nil
}

// enter adds the declarations of an element to the scope, and returns their prefixes.
func (w *writer) enter(e *etree.Element) (declared []string, err error) {
	for _, a := range e.Attr {
		prefix, ok := declares(a)
		if !ok {
			continue
		}
		reserved := prefix == "xmlns" || a.Value == nsXMLNS || (prefix == "xml") != (a.Value == nsXML)
		if reserved || prefix != "" && a.Value == "" { // Namespaces in XML 1.0, sections 3 and 5
			return nil, errors.New("it declares a namespace in a way that XML does not allow")
		}
		w.scope.set(prefix, a.Value)
		declared = append(declared, prefix)
	}
	return declared, nil
}

// declares reports whether an attribute declares a namespace, and for which prefix.
func declares(a etree.Attr) (prefix string, ok bool) {
	if a.Space == "" && a.Key == "xmlns" {
		return "", true
	}
	return a.Key, a.Space == "xmlns"
}

// declare writes the declarations of the prefixes that are not written yet, in order,
// the default namespace first.
func (w *writer) declare(prefixes []string) error {
	slices.Sort(prefixes)
	for _, p := range prefixes {
		uri, ok := w.scope.of[p]
		switch {
		case !ok && p != "":
			return errors.New("it has a prefix without a namespace")
		case p == "xml" || w.written.of[p] == uri:
			continue
		}
		w.written.set(p, uri)
		name := "xmlns"
		if p != "" {
			name += ":" + p
		}
		w.attribute(name, uri)
	}
	return nil
}

func (w *writer) attributes(list []etree.Attr) error {
	namespace := func(a etree.Attr) string {
		if a.Space == "" {
			return ""
		}
		return w.scope.of[a.Space]
	}
	order := func(a, b etree.Attr) int {
		return cmp.Or(cmp.Compare(namespace(a), namespace(b)), cmp.Compare(a.Key, b.Key))
	}
	slices.SortFunc(list, order)
	for i, a := range list {
		if i > 0 && order(list[i-1], a) == 0 {
			return errors.New("an attribute appears twice in it")
		}
		w.attribute(a.FullKey(), a.Value)
	}
	return nil
}

// The characters that canonical XML escapes (Canonical XML 1.0, section 2.3).
var (
	attributeEscaper = strings.NewReplacer("&", "&amp;", "<", "&lt;", `"`, "&quot;", "\t", "&#x9;", "\n",
		"&#xA;", "\r", "&#xD;")
	textEscaper = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", "\r", "&#xD;")
)

func (w *writer) attribute(name, value string) {
	w.out.WriteString(" " + name + `="` + attributeEscaper.Replace(value) + `"`)
}

func (w *writer) children(e *etree.Element) error {
	for _, child := range e.Child {
		var err error
		switch c := child.(type) {
		case *etree.Element:
			if c != w.without {
				err = w.element(c, nil)
			}
		case *etree.CharData:
			w.out.WriteString(textEscaper.Replace(c.Data))
		default: // checkXML accepts nothing else
			err = errors.New("it contains something other than elements and text")
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// namespaces maps prefixes to namespaces at one position. Leaving the position restores
// what was set there.
type namespaces struct {
	of   map[string]string
	undo []binding
}

type binding struct {
	prefix, uri string
	bound       bool
}

func (n *namespaces) set(prefix, uri string) {
	if n.of == nil {
		n.of = map[string]string{}
	}
	old, ok := n.of[prefix]
	n.undo = append(n.undo, binding{prefix, old, ok})
	n.of[prefix] = uri
}

func (n *namespaces) restore(to int) {
	for _, b := range slices.Backward(n.undo[to:]) {
		if b.bound {
			n.of[b.prefix] = b.uri
		} else {
			delete(n.of, b.prefix)
		}
	}
	n.undo = n.undo[:to]
}
