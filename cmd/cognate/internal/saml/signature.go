package saml

import (
	"bytes"
	"crypto/x509"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/beevik/etree"
	dsig "github.com/russellhaering/goxmldsig"
	"github.com/russellhaering/goxmldsig/etreeutils"
)

// Limits of a document.
const (
	maxDepth    = 40
	maxElements = 5000
)

// checkXML refuses what has no place in a SAML message and has been used to make
// two readers see two things: a DTD with its entities, processing instructions,
// and, in messages, comments. Depth and number of elements are bounded.
func checkXML(document []byte, comments bool) error {
	decoder := xml.NewDecoder(bytes.NewReader(document))
	depth, elements := 0, 0
	for first := true; ; first = false {
		token, err := decoder.RawToken()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return errors.New("it is not well-formed XML in UTF-8")
		}
		switch t := token.(type) {
		case xml.StartElement:
			if depth == 0 && elements > 0 {
				return errors.New("it has more than one root")
			}
			depth++
			elements++
		case xml.EndElement:
			depth--
		case xml.Directive:
			return errors.New("it has a DTD, which is not accepted")
		case xml.ProcInst:
			if t.Target != "xml" || !first {
				return errors.New("it has a processing instruction, which is not accepted")
			}
		case xml.Comment:
			if !comments {
				return errors.New("it has a comment, which is not accepted")
			}
		}
		if depth > maxDepth || elements > maxElements {
			return fmt.Errorf("it has more than %d elements, or is deeper than %d", maxElements, maxDepth)
		}
	}
	return nil
}

// onlyAssertion returns the one assertion of a response: its child, and the only
// one anywhere in it.
func onlyAssertion(root *etree.Element) (*etree.Element, error) {
	var found *etree.Element
	var fault error
	walk(root, func(e *etree.Element) {
		switch {
		case is(e, nsAssertion, "EncryptedAssertion"):
			fault = errors.New("the assertion is encrypted; turn that off at the provider, the response is sent by TLS")
		case is(e, nsAssertion, "Assertion") && (found != nil || e.Parent() != root):
			fault = errors.New("there is more than one assertion in the response, or it is not in its place")
		case is(e, nsAssertion, "Assertion"):
			found = e
		}
	})
	if fault == nil && found == nil {
		fault = errors.New("there is no assertion in the response")
	}
	return found, fault
}

func walk(e *etree.Element, visit func(*etree.Element)) {
	visit(e)
	for _, child := range e.ChildElements() {
		walk(child, visit)
	}
}

// verified returns the assertion as canonical XML, as it was signed: by its own
// signature or by that of the response. Every signature that is there must hold.
func verified(root *etree.Element, m *metadata, now time.Time) ([]byte, error) {
	assertion, err := onlyAssertion(root)
	if err == nil {
		err = checkPlaces(root, assertion)
	}
	if err != nil {
		return nil, err
	}
	whole, part := signatureOf(root), signatureOf(assertion)
	if whole == nil && part == nil {
		return nil, errors.New("neither the response nor the assertion is signed")
	}
	var signed *etree.Element
	if part != nil {
		signed, err = checkSignature(assertion, part, m, now)
		if err != nil {
			return nil, fmt.Errorf("the signature of the assertion: %w", err)
		}
	}
	if whole != nil {
		response, err := checkSignature(root, whole, m, now)
		if err != nil {
			return nil, fmt.Errorf("the signature of the response: %w", err)
		}
		if part == nil {
			signed, err = onlyAssertion(response)
			if err != nil {
				return nil, err
			}
		}
	}
	return serialize(signed)
}

// checkPlaces refuses signatures that are not children of response or
// assertion, more than one of each, and IDs that are there twice.
func checkPlaces(root, assertion *etree.Element) error {
	var fault error
	ids, signatures := map[string]bool{}, map[*etree.Element]int{}
	walk(root, func(e *etree.Element) {
		for _, a := range e.Attr {
			if !strings.EqualFold(a.Key, "ID") {
				continue
			}
			if ids[a.Value] {
				fault = errors.New("an ID is there twice")
			}
			ids[a.Value] = true
		}
		if is(e, nsSignature, "Signature") {
			signatures[e.Parent()]++
		}
	})
	for parent, n := range signatures {
		if n > 1 || parent != root && parent != assertion {
			fault = errors.New("there is a signature too many, or not in its place")
		}
	}
	return fault
}

func signatureOf(e *etree.Element) *etree.Element {
	for _, child := range e.ChildElements() {
		if is(child, nsSignature, "Signature") {
			return child
		}
	}
	return nil
}

// What a signature may be made with (XML Signature; SAML core section 5.4).
// SHA-1 is broken, and other transforms change what is signed.
var (
	signatureMethods = map[string]bool{
		rsaSHA256: true,
		"http://www.w3.org/2001/04/xmldsig-more#rsa-sha384":   true,
		"http://www.w3.org/2001/04/xmldsig-more#rsa-sha512":   true,
		"http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256": true,
		"http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha384": true,
		"http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha512": true,
	}
	digestMethods = map[string]bool{
		"http://www.w3.org/2001/04/xmlenc#sha256":       true,
		"http://www.w3.org/2001/04/xmldsig-more#sha384": true,
		"http://www.w3.org/2001/04/xmlenc#sha512":       true,
	}
)

const (
	exclusiveC14N = "http://www.w3.org/2001/10/xml-exc-c14n#"
	enveloped     = "http://www.w3.org/2000/09/xmldsig#enveloped-signature"
)

// signature is the shape that a signature must have; what is there twice is
// refused by the count.
type signature struct {
	Info []struct {
		Canonicalization []algorithm `xml:"http://www.w3.org/2000/09/xmldsig# CanonicalizationMethod"`
		Method           []algorithm `xml:"http://www.w3.org/2000/09/xmldsig# SignatureMethod"`
		References       []struct {
			URI        string      `xml:",attr"`
			Transforms []algorithm `xml:"http://www.w3.org/2000/09/xmldsig# Transforms>Transform"`
			Digest     []algorithm `xml:"http://www.w3.org/2000/09/xmldsig# DigestMethod"`
		} `xml:"http://www.w3.org/2000/09/xmldsig# Reference"`
	} `xml:"http://www.w3.org/2000/09/xmldsig# SignedInfo"`
}

type algorithm struct {
	Name string `xml:"Algorithm,attr"`
}

// checkShape holds a signature to what SAML allows (core section 5.4): one
// reference, to the ID of the parent, enveloped, exclusive canonical XML.
func checkShape(parent, sig *etree.Element) error {
	for _, child := range sig.ChildElements() {
		switch child.Tag {
		case "SignedInfo", "SignatureValue", "KeyInfo":
		default:
			return errors.New("it holds something else than SignedInfo, SignatureValue and KeyInfo")
		}
	}
	detached, err := detach(sig)
	if err != nil {
		return err
	}
	text, err := serialize(detached)
	if err != nil {
		return err
	}
	var s signature
	err = xml.Unmarshal(text, &s)
	if err != nil || len(s.Info) != 1 || len(s.Info[0].References) != 1 || len(s.Info[0].References[0].Digest) != 1 ||
		len(s.Info[0].Canonicalization) != 1 || len(s.Info[0].Method) != 1 {
		return errors.New("it has not one SignedInfo with one Reference")
	}
	info, ref, id := s.Info[0], s.Info[0].References[0], parent.SelectAttrValue("ID", "")
	switch {
	case id == "" || ref.URI != "#"+id:
		return errors.New("its Reference is not to the element that it is in")
	case info.Canonicalization[0].Name != exclusiveC14N:
		return errors.New("its CanonicalizationMethod is not exclusive canonical XML")
	case !signatureMethods[info.Method[0].Name]:
		return fmt.Errorf("its SignatureMethod %.100q is not accepted; expected RSA or ECDSA with SHA-256 or better",
			info.Method[0].Name)
	case !digestMethods[ref.Digest[0].Name]:
		return fmt.Errorf("its DigestMethod %.100q is not accepted; expected SHA-256 or better", ref.Digest[0].Name)
	case len(ref.Transforms) != 2 || ref.Transforms[0].Name != enveloped || ref.Transforms[1].Name != exclusiveC14N:
		return errors.New("its Transforms are not enveloped-signature and exclusive canonical XML")
	}
	return nil
}

// checkSignature checks the signature of an element with the provider's
// certificates and returns the element as it was signed, without its signature.
func checkSignature(e, sig *etree.Element, m *metadata, now time.Time) (*etree.Element, error) {
	err := checkShape(e, sig)
	if err != nil {
		return nil, err
	}
	detached, err := detach(e)
	if err != nil {
		return nil, err
	}
	err = errors.New("no certificate")
	for _, c := range m.certificates {
		var signed *etree.Element
		signed, err = validate(detached, c, now)
		if err == nil {
			return signed, nil
		}
	}
	return nil, err
}

// validate checks the signature with one certificate, so that a provider need
// not say which one it is.
func validate(e *etree.Element, c *x509.Certificate, now time.Time) (*etree.Element, error) {
	ctx := dsig.NewDefaultValidationContext(&dsig.MemoryX509CertificateStore{Roots: []*x509.Certificate{c}})
	ctx.Clock = dsig.NewFakeClockAt(now)
	signed, err := ctx.Validate(e)
	if err != nil || signed == nil {
		return nil, errors.New("it is not that of a valid certificate of the provider's metadata, " +
			"or what was signed has changed")
	}
	return signed, nil
}

// detach copies an element out of its document, with the namespaces that it
// inherits.
func detach(e *etree.Element) (*etree.Element, error) {
	ctx, err := etreeutils.NSBuildParentContext(e)
	if err != nil {
		return nil, errors.New("its namespaces cannot be read")
	}
	detached, err := etreeutils.NSDetatch(ctx, e)
	if err != nil {
		return nil, errors.New("its namespaces cannot be read")
	}
	return detached, nil
}

func serialize(e *etree.Element) ([]byte, error) {
	detached, err := detach(e)
	if err != nil {
		return nil, err
	}
	document := etree.NewDocument()
	document.SetRoot(detached)
	document.WriteSettings.CanonicalText, document.WriteSettings.CanonicalAttrVal = true, true
	return document.WriteToBytes()
}
