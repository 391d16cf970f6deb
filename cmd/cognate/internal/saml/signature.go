package saml

import (
	"bytes"
	"crypto"
	_ "crypto/sha512" // for signatures
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

// checkXML refuses what has no place in a SAML message and has been used to make
// two readers see two things: a DTD with its entities, processing instructions,
// an attribute that is there twice, and, in messages, comments. Depth and number
// of elements are bounded. start, which may be nil, is called for each start tag
// with where it begins and ends.
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
			if twice(t.Attr) {
				return errors.New("it has an attribute twice")
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

func twice(attributes []xml.Attr) bool {
	if len(attributes) < 2 {
		return false
	}
	seen := make(map[xml.Name]bool, len(attributes))
	for _, a := range attributes {
		seen[a.Name] = true
	}
	return len(seen) < len(attributes)
}

// message decodes and checks a message. It writes tabs and line ends in tags as
// spaces: readers of XML take those in the value of an attribute for spaces (XML
// 1.0 section 3.3.3), which encoding/xml does not, and the signature is of what
// they read.
func message(raw []byte) ([]byte, error) {
	text, err := utf8text.Decode(raw)
	if err != nil {
		return nil, err
	}
	wide := !bytes.HasSuffix(raw, text) // was UTF-16
	out, done := make([]byte, 0, len(text)), int64(0)
	err = checkXML(newDecoder(text, wide), false, func(from, to int64) {
		out = append(out, text[done:from]...)
		out = append(out, tagSpaces.Replace(string(text[from:to]))...)
		done = to
	})
	return append(out, text[done:]...), err
}

var tagSpaces = strings.NewReplacer("\r\n", " ", "\r", " ", "\n", " ", "\t", " ")

// newDecoder reads text that is UTF-8. wide says that it may call itself UTF-16,
// which it was before it was decoded.
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

// unmarshal reads text without the attributes that have a prefix: none of SAML's
// has one, others may be there with the same name (core section 2.7.3.1), and
// encoding/xml tells neither them nor the declarations of namespaces from SAML's.
func unmarshal(d *xml.Decoder, into any) error {
	return xml.NewTokenDecoder(unprefixed{d}).Decode(into)
}

type unprefixed struct{ *xml.Decoder }

// Token implements xml.TokenReader.
func (u unprefixed) Token() (xml.Token, error) {
	token, err := u.Decoder.Token() // in which names have their namespaces
	if start, ok := token.(xml.StartElement); ok {
		start.Attr = slices.DeleteFunc(start.Attr,
			func(a xml.Attr) bool { return a.Name.Space != "" || a.Name.Local == "xmlns" })
		return start, err
	}
	return token, err
}

// onlyAssertion returns the one assertion of a response: its child, and the only
// one anywhere in it.
func onlyAssertion(root *etree.Element) (*etree.Element, error) {
	var found *etree.Element
	var fault error
	walk(root, func(e *etree.Element) {
		switch {
		case is(e, nsAssertion, "EncryptedAssertion"):
			fault = encryptedError("assertion")
		case is(e, nsAssertion, "EncryptedID"):
			fault = encryptedError("NameID")
		case is(e, nsAssertion, "EncryptedAttribute"):
			fault = encryptedError("attribute")
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

func encryptedError(what string) error {
	return fmt.Errorf("the %s is encrypted, which is not supported; turn that off at the provider: the response is "+
		"sent by TLS", what)
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
		return nil, errors.New("what was signed cannot be read")
	}
	assertion, err := onlyAssertion(document.Root())
	if err != nil {
		return nil, err
	}
	return canonical(assertion, nil, nil)
}

// checkPlaces refuses signatures that are not children of response or
// assertion, more than one of each, and IDs that are there twice.
func checkPlaces(root, assertion *etree.Element) error {
	var fault error
	ids, signatures := map[string]bool{}, map[*etree.Element]int{}
	walk(root, func(e *etree.Element) {
		for _, a := range e.Attr {
			if _, ok := declares(a); ok || !strings.EqualFold(a.Key, "ID") {
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

// signedInfo is what a signature is made of. What is there twice is refused by
// the count.
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

// prefixes are those that exclusive canonical XML treats as inclusive one does
// (Exclusive XML Canonicalization section 3).
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
		return nil, fmt.Errorf("its InclusiveNamespaces are there twice, or have more than %d prefixes", maxPrefixes)
	}
	return all, nil
}

// A signature is one whose form is right.
type signature struct {
	info  signedInfo
	text  []byte // the canonical SignedInfo, which info was read from
	value []byte
}

// readSignature holds a signature to what SAML allows (core section 5.4): one
// reference, to the ID of the parent, enveloped, exclusive canonical XML. What it
// returns is read from the text that the signature is made of.
func readSignature(parent, sig *etree.Element) (*signature, error) {
	parts := map[string]*etree.Element{}
	for _, child := range sig.ChildElements() {
		known := child.Tag == "SignedInfo" || child.Tag == "SignatureValue" || child.Tag == "KeyInfo"
		if !known || child.NamespaceURI() != nsSignature || parts[child.Tag] != nil {
			return nil, errors.New("it holds something else than one SignedInfo, SignatureValue and KeyInfo")
		}
		parts[child.Tag] = child
	}
	if parts["SignedInfo"] == nil || parts["SignatureValue"] == nil {
		return nil, errors.New("it has not one SignedInfo and one SignatureValue")
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

// canonicalInfo is the text of a SignedInfo that is signed. How it is made is
// read twice: here to make it, and from it again.
func canonicalInfo(e *etree.Element) ([]byte, error) {
	text, err := canonical(e, nil, nil)
	if err != nil {
		return nil, err
	}
	var info signedInfo
	err = unmarshal(newDecoder(text, false), &info)
	if err != nil || len(info.Canonicalization) != 1 {
		return nil, errors.New("its SignedInfo has not one CanonicalizationMethod")
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
		return errors.New("it has not one SignedInfo with one Reference")
	}
	ref, id := info.References[0], attribute(parent, "ID")
	switch {
	case id == "" || ref.URI != "#"+id:
		return errors.New("its Reference is not to the element that it is in")
	case !exclusive(info.Canonicalization[0].Name):
		return errors.New("its CanonicalizationMethod is not exclusive canonical XML")
	case signatureMethods[info.Method[0].Name] == 0:
		return fmt.Errorf("its SignatureMethod %.100q is not accepted; expected RSA or ECDSA with SHA-256 or better",
			info.Method[0].Name)
	case digestMethods[ref.Digest[0].Name] == 0:
		return fmt.Errorf("its DigestMethod %.100q is not accepted; expected SHA-256 or better", ref.Digest[0].Name)
	case len(ref.Transforms) != 2 || ref.Transforms[0].Name != enveloped || !exclusive(ref.Transforms[1].Name):
		return errors.New("its Transforms are not enveloped-signature and exclusive canonical XML")
	}
	return nil
}

// exclusive reports whether a name is that of exclusive canonical XML. With or
// without comments is the same: there are none.
func exclusive(name string) bool {
	return name == exclusiveC14N || name == exclusiveC14N+"WithComments"
}

// checkSignature checks the signature of an element with the provider's
// certificates and returns the text that was signed: the element without its
// signature. Which certificate a provider says it was is not looked at: one of
// its metadata must be, and be valid now.
func checkSignature(e, sig *etree.Element, m *metadata, now time.Time) ([]byte, error) {
	s, err := readSignature(e, sig)
	if err != nil {
		return nil, err
	}
	method := s.info.Method[0].Name
	h := signatureMethods[method].New()
	h.Write(s.text)
	sum := h.Sum(nil)
	good := func(c certificate) bool { return c.validAt(now) && c.signed(method, sum, s.value) }
	signed, digest, err := s.covered(e, sig)
	if err != nil {
		return nil, err
	}
	want, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(s.info.References[0].Value[0]), ""))
	if err != nil || !bytes.Equal(digest, want) || !slices.ContainsFunc(m.certificates, good) {
		return nil, errors.New("it is not that of a valid certificate of the provider's metadata, " +
			"or what was signed has changed")
	}
	return signed, nil
}

// covered is the text that the reference is to: the element without its
// signature, and its digest.
func (s *signature) covered(e, sig *etree.Element) (text, digest []byte, err error) {
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
