package saml

import (
	"errors"

	"github.com/beevik/etree"
)

// Canonical returns the canonical text of the element with this ID, or xml:id, in a
// document as it was sent.
func Canonical(document, id, prefixes string) (string, error) {
	text, err := decodeMessage([]byte(document))
	if err != nil {
		return "", err
	}
	d := etree.NewDocument()
	err = d.ReadFromBytes(text)
	if err != nil {
		return "", err
	}
	var list algorithm
	list.Inclusive = append(list.Inclusive, inclusive{prefixes})
	all, err := list.prefixes()
	if err != nil {
		return "", err
	}
	out, err := []byte(nil), errors.New("there is no such element")
	walk(d.Root(), func(e *etree.Element) {
		if attribute(e, "ID") == id || e.SelectAttrValue("xml:id", "") == id {
			out, err = canonical(e, nil, all)
		}
	})
	return string(out), err
}
