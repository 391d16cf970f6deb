package saml

import (
	"bytes"
	"crypto"
	_ "crypto/sha512" // registers the hashes
	"encoding/base64"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/beevik/etree"

	"github.com/cognate-auth/cognate/internal/utf8text"
)

// Limits of a document.
const (
	maxDepth    = 40
	maxElements = 5000
)

// checkXML refuses constructs that SAML messages don't need and that attackers use to
// make two parsers read different content: a DTD with its entities, processing
// instructions, an attribute that appears twice, and, in messages, comments. Depth and
// number of elements are limited. start, which may be nil, is called for each start tag
// with the offsets of its beginning and end.
func checkXML(decoder *xml.Decoder, comments bool, start func(from, to int64)) error {
	depth, elements := 0, 0
	for first := true; ; first = false {
		before := decoder.InputOffset()
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
			if hasDuplicate(t.Attr) {
				return errors.New("an attribute appears twice in it")
			}
			if start != nil {
				start(before, decoder.InputOffset())
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

func hasDuplicate(attributes []xml.Attr) bool {
	if len(attributes) < 2 {
		return false
	}
	seen := make(map[xml.Name]bool, len(attributes))
	for _, a := range attributes {
		seen[a.Name] = true
	}
	return len(seen) < len(attributes)
}

// decodeMessage decodes and checks a message. It replaces tabs and line breaks within
// tags by spaces: XML parsers do so in the values of attributes (XML 1.0 section
// 3.3.3), encoding/xml does not, and the signature covers what they read.
func decodeMessage(raw []byte) ([]byte, error) {
	text, err := utf8text.Decode(raw)
	if err != nil {
		return nil, err
	}
	wide := !bytes.HasSuffix(raw, text) // it was UTF-16
	out, done := make([]byte, 0, len(text)), int64(0)
	err = checkXML(newDecoder(text, wide), false, func(from, to int64) {
		out = append(out, text[done:from]...)
		out = append(out, tagSpaces.Replace(string(text[from:to]))...)
		done = to
	})
	return append(out, text[done:]...), err
}

var tagSpaces = strings.NewReplacer("\r\n", " ", "\r", " ", "\n", " ", "\t", " ")

// newDecoder returns a decoder for text in UTF-8. wide says that the text was decoded
// from UTF-16, and may still declare that encoding.
func newDecoder(text []byte, wide bool) *xml.Decoder {
	d := xml.NewDecoder(bytes.NewReader(text))
	d.CharsetReader = func(label string, input io.Reader) (io.Reader, error) {
		switch label = strings.ToLower(label); {
		case label == "us-ascii", wide && (label == "utf-16" || label == "utf-16le" || label == "utf-16be"):
			return input, nil
		}
		return nil, errors.New("its encoding is not UTF-8 or UTF-16")
	}
	return d
}

// unmarshal reads text without the attributes that have a prefix. No attribute of SAML
// has one, others may have the same local name (core section 2.7.3.1), and encoding/xml
// does not distinguish them or the declarations of namespaces.
func unmarshal(d *xml.Decoder, into any) error {
	return xml.NewTokenDecoder(unprefixed{d}).Decode(into)
}

type unprefixed struct{ *xml.Decoder }

// Token implements xml.TokenReader.
func (u unprefixed) Token() (xml.Token, error) {
	token, err := u.Decoder.Token() // names have their namespaces
	if start, ok := token.(xml.StartElement); ok {
		start.Attr = slices.DeleteFunc(start.Attr,
			func(a xml.Attr) bool { return a.Name.Space != "" || a.Name.Local == "xmlns" })
		return start, err
	}
	return token, err
}

// onlyAssertion returns the assertion of a response. It must be a child of the
// response, and the only assertion anywhere in it.
func onlyAssertion(root *etree.Element) (*etree.Element, error) {
	var found *etree.Element
	var fault error
	walk(root, func(e *etree.Element) {
		switch {
		case isElement(e, nsAssertion, "EncryptedAssertion"):
			fault = encryptedError("assertion")
		case isElement(e, nsAssertion, "EncryptedID"):
			fault = encryptedError("NameID")
		case isElement(e, nsAssertion, "EncryptedAttribute"):
			fault = encryptedError("attribute")
		case isElement(e, nsAssertion, "Assertion") && (found != nil || e.Parent() != root):
			fault = errors.New("there is more than one assertion in the response, or it is in the wrong place")
		case isElement(e, nsAssertion, "Assertion"):
			found = e
		}
	})
	if fault == nil && found == nil {
		fault = errors.New("there is no assertion in the response")
	}
	return found, fault
}

func encryptedError(what string) error {
	return fmt.Errorf("the %s is encrypted, which is not supported; turn encryption off at the provider: the response "+
		"is protected by TLS", what)
}

func walk(e *etree.Element, visit func(*etree.Element)) {
	visit(e)
	for _, child := range e.ChildElements() {
		walk(child, visit)
	}
}

// verifiedAssertion returns the assertion as the canonical XML that was signed, by its
// own signature or by that of the response. Every signature in the response must be
// valid.
func verifiedAssertion(root *etree.Element, m *metadata, now time.Time) ([]byte, error) {
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
	var signed []byte
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
			return assertionIn(response)
		}
	}
	return signed, nil
}

// assertionIn returns the assertion of a response that was signed as a whole.
func assertionIn(response []byte) ([]byte, error) {
	document := etree.NewDocument()
	err := document.ReadFromBytes(response)
	if err != nil || document.Root() == nil {
		return nil, errors.New("the signed text cannot be read")
	}
	assertion, err := onlyAssertion(document.Root())
	if err != nil {
		return nil, err
	}
	return canonical(assertion, nil, nil)
}

// checkPlaces refuses a signature that is not a child of the response or the assertion,
// a second signature in one of them, and an ID that appears twice.
func checkPlaces(root, assertion *etree.Element) error {
	var fault error
	ids, signatures := map[string]bool{}, map[*etree.Element]int{}
	walk(root, func(e *etree.Element) {
		for _, a := range e.Attr {
			if _, ok := declares(a); ok || !strings.EqualFold(a.Key, "ID") {
				continue
			}
			if ids[a.Value] {
				fault = errors.New("an ID appears twice")
			}
			ids[a.Value] = true
		}
		if isElement(e, nsSignature, "Signature") {
			signatures[e.Parent()]++
		}
	})
	for parent, n := range signatures {
		if n > 1 || parent != root && parent != assertion {
			fault = errors.New("there is more than one signature, or one in the wrong place")
		}
	}
	return fault
}

func signatureOf(e *etree.Element) *etree.Element {
	for _, child := range e.ChildElements() {
		if isElement(child, nsSignature, "Signature") {
			return child
		}
	}
	return nil
}

// The algorithms that are accepted (XML Signature; SAML core section 5.4). SHA-1 is
// broken, and other transforms change what is signed.
var (
	signatureMethods = map[string]crypto.Hash{
		rsaSHA256: crypto.SHA256,
		"http://www.w3.org/2001/04/xmldsig-more#rsa-sha384":   crypto.SHA384,
		"http://www.w3.org/2001/04/xmldsig-more#rsa-sha512":   crypto.SHA512,
		"http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256": crypto.SHA256,
		"http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha384": crypto.SHA384,
		"http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha512": crypto.SHA512,
	}
	digestMethods = map[string]crypto.Hash{
		"http://www.w3.org/2001/04/xmlenc#sha256":       crypto.SHA256,
		"http://www.w3.org/2001/04/xmldsig-more#sha384": crypto.SHA384,
		"http://www.w3.org/2001/04/xmlenc#sha512":       crypto.SHA512,
	}
)

const enveloped = "http://www.w3.org/2000/09/xmldsig#enveloped-signature"

// signedInfo is the content of SignedInfo. Elements are lists, so that repeated ones
// are refused by their count.
type signedInfo struct {
	Canonicalization []algorithm `xml:"http://www.w3.org/2000/09/xmldsig# CanonicalizationMethod"`
	Method           []algorithm `xml:"http://www.w3.org/2000/09/xmldsig# SignatureMethod"`
	References       []struct {
		URI        string      `xml:",attr"`
		Transforms []algorithm `xml:"http://www.w3.org/2000/09/xmldsig# Transforms>Transform"`
		Digest     []algorithm `xml:"http://www.w3.org/2000/09/xmldsig# DigestMethod"`
		Value      []string    `xml:"http://www.w3.org/2000/09/xmldsig# DigestValue"`
	} `xml:"http://www.w3.org/2000/09/xmldsig# Reference"`
}

type algorithm struct {
	Name      string      `xml:"Algorithm,attr"`
	Inclusive []inclusive `xml:"http://www.w3.org/2001/10/xml-exc-c14n# InclusiveNamespaces"`
}

type inclusive struct {
	Prefixes string `xml:"PrefixList,attr"`
}

// prefixes returns the prefixes that exclusive canonical XML treats as inclusive
// canonical XML does (Exclusive XML Canonicalization section 3).
func (a algorithm) prefixes() (map[string]bool, error) {
	all := map[string]bool{}
	for _, list := range a.Inclusive {
		for _, prefix := range strings.Fields(list.Prefixes) {
			if prefix == "#default" {
				prefix = ""
			}
			all[prefix] = true
		}
	}
	if len(a.Inclusive) > 1 || len(all) > maxPrefixes {
		return nil, fmt.Errorf("its InclusiveNamespaces appear twice, or have more than %d prefixes", maxPrefixes)
	}
	return all, nil
}

// A signature is a Signature element whose form has been checked.
type signature struct {
	info  signedInfo
	text  []byte // the canonical SignedInfo; info was parsed from it
	value []byte
}

// readSignature checks that a signature has the form that SAML requires (core section
// 5.4): one reference, to the ID of the parent, with the enveloped and exclusive
// canonical XML transforms. The result is parsed from the text that the signature
// covers.
func readSignature(parent, sig *etree.Element) (*signature, error) {
	parts := map[string]*etree.Element{}
	for _, child := range sig.ChildElements() {
		known := child.Tag == "SignedInfo" || child.Tag == "SignatureValue" || child.Tag == "KeyInfo"
		if !known || child.NamespaceURI() != nsSignature || parts[child.Tag] != nil {
			return nil, errors.New("it contains something other than one SignedInfo, SignatureValue and KeyInfo")
		}
		parts[child.Tag] = child
	}
	if parts["SignedInfo"] == nil || parts["SignatureValue"] == nil {
		return nil, errors.New("it does not have one SignedInfo and one SignatureValue")
	}
	var s signature
	var err error
	s.text, err = canonicalInfo(parts["SignedInfo"])
	if err != nil {
		return nil, err
	}
	err = unmarshal(newDecoder(s.text, false), &s.info)
	if err != nil {
		return nil, errors.New("its SignedInfo cannot be read")
	}
	s.value, err = base64.StdEncoding.DecodeString(strings.Join(strings.Fields(parts["SignatureValue"].Text()), ""))
	if err != nil {
		return nil, errors.New("its SignatureValue is not base64")
	}
	return &s, s.info.check(parent)
}

// canonicalInfo returns the canonical text of a SignedInfo, which the signature covers.
// The algorithm is read twice: here, to write the text, and again from the written
// text.
func canonicalInfo(e *etree.Element) ([]byte, error) {
	text, err := canonical(e, nil, nil)
	if err != nil {
		return nil, err
	}
	var info signedInfo
	err = unmarshal(newDecoder(text, false), &info)
	if err != nil || len(info.Canonicalization) != 1 {
		return nil, errors.New("its SignedInfo does not have one CanonicalizationMethod")
	}
	prefixes, err := info.Canonicalization[0].prefixes()
	if err != nil {
		return nil, err
	}
	return canonical(e, nil, prefixes)
}

func (info *signedInfo) check(parent *etree.Element) error {
	if len(info.References) != 1 || len(info.References[0].Digest) != 1 || len(info.References[0].Value) != 1 ||
		len(info.Canonicalization) != 1 || len(info.Method) != 1 {
		return errors.New("it does not have one SignedInfo with one Reference")
	}
	ref, id := info.References[0], attribute(parent, "ID")
	switch {
	case id == "" || ref.URI != "#"+id:
		return errors.New("its Reference is not to the element that contains it")
	case !isExclusive(info.Canonicalization[0].Name):
		return errors.New("its CanonicalizationMethod is not exclusive canonical XML")
	case signatureMethods[info.Method[0].Name] == 0:
		return fmt.Errorf("its SignatureMethod %.100q is not accepted; expected RSA or ECDSA with SHA-256 or better",
			info.Method[0].Name)
	case digestMethods[ref.Digest[0].Name] == 0:
		return fmt.Errorf("its DigestMethod %.100q is not accepted; expected SHA-256 or better", ref.Digest[0].Name)
	case len(ref.Transforms) != 2 || ref.Transforms[0].Name != enveloped || !isExclusive(ref.Transforms[1].Name):
		return errors.New("its Transforms are not enveloped-signature and exclusive canonical XML")
	}
	return nil
}

// isExclusive reports whether a name is that of exclusive canonical XML, with or
// without comments: messages have none.
func isExclusive(name string) bool {
	return name == exclusiveC14N || name == exclusiveC14N+"WithComments"
}

// checkSignature verifies the signature of an element with the provider's certificates,
// and returns the text that was signed: the element without its signature. It ignores
// the certificate in the message; one of the certificates of the metadata must match
// and be valid now.
func checkSignature(e, sig *etree.Element, m *metadata, now time.Time) ([]byte, error) {
	s, err := readSignature(e, sig)
	if err != nil {
		return nil, err
	}
	method := s.info.Method[0].Name
	h := signatureMethods[method].New()
	h.Write(s.text)
	sum := h.Sum(nil)
	good := func(c certificate) bool { return c.validAt(now) && c.verifies(method, sum, s.value) }
	signed, digest, err := s.referenced(e, sig)
	if err != nil {
		return nil, err
	}
	want, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(s.info.References[0].Value[0]), ""))
	if err != nil || !bytes.Equal(digest, want) || !slices.ContainsFunc(m.certificates, good) {
		return nil, errors.New("it does not match a valid certificate of the provider's metadata, " +
			"or the signed text has changed")
	}
	return signed, nil
}

// referenced returns the text that the reference points to, which is the element
// without its signature, and its digest.
func (s *signature) referenced(e, sig *etree.Element) (text, digest []byte, err error) {
	ref := s.info.References[0]
	prefixes, err := ref.Transforms[1].prefixes()
	if err != nil {
		return nil, nil, err
	}
	text, err = canonical(e, sig, prefixes)
	if err != nil {
		return nil, nil, err
	}
	h := digestMethods[ref.Digest[0].Name].New()
	h.Write(text)
	return text, h.Sum(nil), nil
}
