package saml

import (
	"cmp"
	"errors"
	"maps"
	"slices"

	"github.com/beevik/etree"
)

const (
	exclusiveC14N = "http://www.w3.org/2001/10/xml-exc-c14n#"
	nsXML         = "http://www.w3.org/XML/1998/namespace"

	maxPrefixes = 32 // of a PrefixList
)

// canonical writes an element as exclusive canonical XML (W3C, Exclusive XML
// Canonicalization 1.0, without comments): a namespace is declared where an
// element or attribute first uses it, and one of the prefixes where it comes into
// scope. "" is the prefix of the default namespace.
func canonical(e *etree.Element, prefixes map[string]bool) ([]byte, error) {
	alone, err := detach(e)
	if err != nil {
		return nil, err
	}
	err = exclusive(alone, map[string]string{"xml": nsXML}, map[string]string{}, prefixes)
	if err != nil {
		return nil, err
	}
	document := etree.NewDocument()
	document.SetRoot(alone)
	document.WriteSettings = etree.WriteSettings{CanonicalEndTags: true, CanonicalText: true, CanonicalAttrVal: true}
	return document.WriteToBytes()
}

// exclusive makes the attributes of e and all in it canonical. scope are the
// namespaces that hold around it, written those that are declared in what is
// written around it.
func exclusive(e *etree.Element, scope, written map[string]string, prefixes map[string]bool) error {
	scope = maps.Clone(scope)
	used, attributes := map[string]bool{e.Space: true}, []etree.Attr{}
	for _, a := range e.Attr {
		switch {
		case a.Space == "xmlns":
			scope[a.Key] = a.Value
		case a.Space == "" && a.Key == "xmlns":
			scope[""] = a.Value
		default:
			attributes = append(attributes, a)
			if a.Space != "" { // an attribute without prefix is in no namespace
				used[a.Space] = true
			}
		}
	}
	for p := range prefixes {
		if _, ok := scope[p]; ok {
			used[p] = true
		}
	}
	slices.SortFunc(attributes, func(a, b etree.Attr) int {
		return cmp.Or(cmp.Compare(namespace(a, scope), namespace(b, scope)), cmp.Compare(a.Key, b.Key))
	})
	written = maps.Clone(written)
	declarations := []etree.Attr{}
	for _, p := range slices.Sorted(maps.Keys(used)) { // the default namespace first
		uri, ok := scope[p]
		switch {
		case !ok && p != "":
			return errors.New("it has a prefix without a namespace")
		case p == "xml" || written[p] == uri:
			continue
		}
		written[p] = uri
		declaration := etree.Attr{Space: "xmlns", Key: p, Value: uri}
		if p == "" {
			declaration = etree.Attr{Key: "xmlns", Value: uri}
		}
		declarations = append(declarations, declaration)
	}
	e.Attr = append(declarations, attributes...)
	for _, child := range e.ChildElements() {
		err := exclusive(child, scope, written, prefixes)
		if err != nil {
			return err
		}
	}
	return nil
}

func namespace(a etree.Attr, scope map[string]string) string {
	if a.Space == "" {
		return ""
	}
	return scope[a.Space]
}
