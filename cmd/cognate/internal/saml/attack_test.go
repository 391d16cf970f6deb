package saml_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	_ "crypto/sha1"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/big"
	"os"
	"runtime"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/cognate-auth/cognate/cmd/cognate/internal/saml"
)

const (
	exclusive = "http://www.w3.org/2001/10/xml-exc-c14n#"
	enveloped = "http://www.w3.org/2000/09/xmldsig#enveloped-signature"
	more      = "http://www.w3.org/2001/04/xmldsig-more#"
	dsigNS    = "http://www.w3.org/2000/09/xmldsig#"
)

// shape is a form of a signature. Each signature is genuine: the provider's key made
// it.
type shape struct {
	canonicalization, method, digest, uri, transforms string
	hash                                              crypto.Hash
	info                                              func(string) string // changes SignedInfo before it is signed
	value                                             func(info []byte) []byte
}

func transforms(names ...string) string {
	out := ""
	for _, name := range names {
		out += `<ds:Transform Algorithm="` + name + `"></ds:Transform>`
	}
	return out
}

func fine() shape {
	return shape{
		exclusive, more + "rsa-sha256", "http://www.w3.org/2001/04/xmlenc#sha256", "#_a1",
		transforms(enveloped, exclusive), crypto.SHA256, nil, nil,
	}
}

// sign signs the assertion and inserts the signature after its Issuer.
func (s shape) sign(t testing.TB, assertion string) string {
	t.Helper()
	text, err := saml.Canonical(assertion, "_a1", "")
	if err != nil {
		t.Fatal(err)
	}
	h := s.hash.New()
	h.Write([]byte(text))
	info := `<ds:SignedInfo xmlns:ds="` + dsigNS + `">` +
		`<ds:CanonicalizationMethod Algorithm="` + s.canonicalization + `"></ds:CanonicalizationMethod>` +
		`<ds:SignatureMethod Algorithm="` + s.method + `"></ds:SignatureMethod><ds:Reference URI="` + s.uri + `">` +
		`<ds:Transforms>` + s.transforms + `</ds:Transforms><ds:DigestMethod Algorithm="` + s.digest +
		`"></ds:DigestMethod>` +
		`<ds:DigestValue>` + base64.StdEncoding.EncodeToString(h.Sum(nil)) +
		`</ds:DigestValue></ds:Reference></ds:SignedInfo>`
	if s.info != nil {
		info = s.info(info)
	}
	if s.value == nil {
		s.value = func(info []byte) []byte {
			h := s.hash.New()
			h.Write(info)
			value, err := rsa.SignPKCS1v15(nil, ownPair().key, s.hash, h.Sum(nil))
			if err != nil {
				t.Fatal(err)
			}
			return value
		}
	}
	sig := `<ds:Signature xmlns:ds="` + dsigNS + `">` + info + `<ds:SignatureValue>` +
		base64.StdEncoding.EncodeToString(s.value([]byte(info))) + `</ds:SignatureValue></ds:Signature>`
	return strings.Replace(assertion, "</saml:Issuer>", "</saml:Issuer>"+sig, 1)
}

// newEC generates an ECDSA key and a certificate for it.
func newEC(t testing.TB) (*ecdsa.PrivateKey, *x509.Certificate) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key, certificateOf(t, &key.PublicKey, key)
}

func certificateOf(t testing.TB, public any, key crypto.Signer) *x509.Certificate {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: now.AddDate(-1, 0, 0), NotAfter: now.AddDate(1, 0, 0),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, public, key)
	if err != nil {
		t.Fatal(err)
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestShapes checks signatures of the provider's own key in various forms: those of
// SAML are accepted, and no others.
func TestShapes(t *testing.T) {
	t.Parallel()
	ec, ecCert := newEC(t)
	public, err := x509.MarshalPKIXPublicKey(&ownPair().key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	curve := func(value func(sum []byte) []byte) func(*shape) {
		return func(s *shape) {
			s.method = more + "ecdsa-sha256"
			s.value = func(info []byte) []byte { sum := sha256.Sum256(info); return value(sum[:]) }
		}
	}
	raw := func(r, s *big.Int) []byte {
		out := make([]byte, 64)
		r.FillBytes(out[:32])
		s.FillBytes(out[32:])
		return out
	}
	asn1Value := func(sum []byte) []byte { v, _ := ecdsa.SignASN1(nil, ec, sum); return v }
	numbers := func(sum []byte) []byte { r, s, _ := ecdsa.Sign(nil, ec, sum); return raw(r, s) }
	both := func(from, to string) func(*shape) {
		return func(s *shape) { s.info = func(info string) string { return replaced(t, info, from, to) } }
	}
	for name, tt := range map[string]struct {
		change func(*shape)
		want   string // part of the error; empty: it is accepted
	}{
		"as it should be": {func(*shape) {}, ""},
		"SHA-512": {func(s *shape) {
			s.method, s.digest, s.hash = more+"rsa-sha512", "http://www.w3.org/2001/04/xmlenc#sha512", crypto.SHA512
		}, ""},
		"with comments": {func(s *shape) { s.canonicalization += "WithComments" }, ""},
		"both with comments": {func(s *shape) {
			s.canonicalization += "WithComments"
			s.transforms = transforms(enveloped, exclusive+"WithComments")
		}, ""},
		"ECDSA":          {curve(numbers), ""},
		"ECDSA in ASN.1": {curve(asn1Value), ""},
		"ECDSA of zeros": {curve(func([]byte) []byte { return make([]byte, 64) }),
			"does not match a valid certificate"},
		"ECDSA, r is zero": {curve(func(sum []byte) []byte {
			return raw(new(big.Int), new(big.Int).SetBytes(numbers(sum)[32:]))
		}), "does not match a valid"},
		"ECDSA, s is the order": {curve(func(sum []byte) []byte {
			return raw(new(big.Int).SetBytes(numbers(sum)[:32]), ec.Params().N)
		}), "does not match a valid"},
		"ECDSA, cut":           {curve(func(sum []byte) []byte { return numbers(sum)[:63] }), "does not match a valid"},
		"ECDSA, nothing":       {curve(func([]byte) []byte { return nil }), "does not match a valid"},
		"RSA said to be ECDSA": {func(s *shape) { s.method = more + "ecdsa-sha256" }, "does not match a valid"},
		"ECDSA said to be RSA": {func(s *shape) { curve(numbers)(s); s.method = more + "rsa-sha256" },
			"does not match a valid"},
		"another hash":   {func(s *shape) { s.method = more + "rsa-sha384" }, "does not match a valid"},
		"another digest": {func(s *shape) { s.digest = more + "sha384" }, "has changed"},
		"SHA-1": {func(s *shape) { s.method, s.hash = dsigNS+"rsa-sha1", crypto.SHA1 },
			"rsa-sha1\" is not accepted"},
		"digest by SHA-1": {func(s *shape) { s.digest = dsigNS + "sha1" }, "DigestMethod"},
		"MD5":             {func(s *shape) { s.method = more + "rsa-md5" }, "rsa-md5\" is not accepted"},
		"DSA":             {func(s *shape) { s.method = dsigNS + "dsa-sha1" }, "not accepted"},
		"no method":       {func(s *shape) { s.method = "" }, "not accepted"},
		"HMAC with the public key": {func(s *shape) {
			s.method = more + "hmac-sha256"
			s.value = func(info []byte) []byte { h := hmac.New(sha256.New, public); h.Write(info); return h.Sum(nil) }
		}, "hmac-sha256\" is not accepted"},
		"reference to all":         {func(s *shape) { s.uri = "" }, "Reference is not to"},
		"no reference":             {both(` URI="#_a1"`, ""), "Reference is not to"},
		"reference by pointer":     {func(s *shape) { s.uri = "#xpointer(id('_a1'))" }, "Reference is not to"},
		"reference to the outside": {func(s *shape) { s.uri = "#_r1" }, "Reference is not to"},
		"reference elsewhere":      {func(s *shape) { s.uri = "https://evil.test/#_a1" }, "Reference is not to"},
		"reference with a prefix":  {both(` URI="#_a1"`, ` xmlns:x="urn:x" x:URI="#_a1"`), "Reference is not to"},
		"two references": {func(s *shape) {
			s.info = func(v string) string { return doubled(v, "<ds:Reference ", "</ds:Reference>") }
		}, "one Reference"},
		"no Reference": {func(s *shape) {
			s.info = func(v string) string { return cut(v, "<ds:Reference ", "</ds:Reference>") }
		}, "one Reference"},
		"two digests": {func(s *shape) {
			s.info = func(v string) string { return doubled(v, "<ds:DigestValue>", "</ds:DigestValue>") }
		}, "one Reference"},
		"two methods": {func(s *shape) {
			s.info = func(v string) string { return doubled(v, "<ds:SignatureMethod ", "</ds:SignatureMethod>") }
		}, "one Reference"},
		"empty digest": {func(s *shape) {
			s.info = func(v string) string { return cut(v, "<ds:DigestValue>", "</ds:DigestValue>") }
		}, "one Reference"},
		"turned transforms":      {func(s *shape) { s.transforms = transforms(exclusive, enveloped) }, "Transforms"},
		"no canonical transform": {func(s *shape) { s.transforms = transforms(enveloped) }, "Transforms"},
		"enveloped twice": {func(s *shape) { s.transforms = transforms(enveloped, enveloped, exclusive) },
			"Transforms"},
		"XSLT": {func(s *shape) {
			s.transforms += transforms("http://www.w3.org/TR/1999/REC-xslt-19991116")
		}, "Transforms"},
		"XPath": {func(s *shape) {
			s.transforms = transforms("http://www.w3.org/TR/1999/REC-xpath-19991116", exclusive)
		}, "Transforms"},
		"inclusive canonical XML": {func(s *shape) {
			s.canonicalization = "http://www.w3.org/TR/2001/REC-xml-c14n-20010315"
		}, "CanonicalizationMethod"},
	} {
		s := fine()
		tt.change(&s)
		ours, err := saml.New(nil)
		if err != nil {
			t.Fatal(err)
		}
		encoded := base64.StdEncoding.EncodeToString([]byte(envelope(s.sign(t, plain))))
		got, err := ours.Read(t.Context(), sp,
			provider(otherPair(), ownPair(), keyPair{cert: ecCert}), encoded, request)
		switch {
		case tt.want == "" && (err != nil || got.Profile.Subject != "ann"):
			t.Errorf("%s: got %+v, %v", name, got.Profile, err)
		case tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)):
			t.Errorf("%s: got %v, want an error about %q", name, err, tt.want)
		}
	}
}

func utf16Text(order binary.AppendByteOrder, text string) string {
	var out []byte
	for _, unit := range utf16.Encode([]rune(text)) {
		out = order.AppendUint16(out, unit)
	}
	return string(out)
}

// TestSameMessage sends one signed message as other XML programs would write it: the
// content is the same, so the signature is valid.
func TestSameMessage(t *testing.T) {
	t.Parallel()
	spaced := replaced(t, plain, ` Version="2.0"`, ` Version="2.0" xmlns:i="urn:i" i:where="a b  c"`)
	document := envelope(fine().sign(t, spaced))
	declared := `<?xml version="1.0" encoding="utf-16"?>` + document
	for name, text := range map[string]string{
		"as it is":                    document,
		"a mark":                      "\uFEFF" + document,
		"UTF-16":                      utf16Text(binary.LittleEndian, "\uFEFF"+declared),
		"UTF-16, big end first":       utf16Text(binary.BigEndian, "\uFEFF"+declared),
		"UTF-16 without a mark":       utf16Text(binary.LittleEndian, declared),
		"ASCII":                       `<?xml version="1.0" encoding="us-ascii"?>` + document,
		"lines in a tag":              replaced(t, document, ` Version="2.0"`, "\r\n\tVersion = '2.0'"),
		"line ends in an attribute":   replaced(t, document, `"a b  c"`, "\"a\nb\r\n\tc\""),
		"CDATA":                       replaced(t, document, ">ann<", "><![CDATA[ann]]><"),
		"half in CDATA":               replaced(t, document, ">ann<", ">a<![CDATA[n]]>n<"),
		"a character by its number":   replaced(t, document, ">ann<", ">&#x61;nn<"),
		"attributes in another order": replaced(t, document, `ID="_a1" Version="2.0"`, `Version="2.0" ID="_a1"`),
		"a namespace that nobody uses": replaced(t, document, `ID="_a1"`,
			`xmlns:n="urn:n" xmlns:id="urn:n" ID="_a1"`),
		"one declared again": replaced(t, document, "<saml:Subject>",
			`<saml:Subject xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion" xmlns:id="urn:n">`),
		"xml:lang around the assertion": replaced(t, document, `<samlp:Response `,
			`<samlp:Response xml:lang="en" xml:base="https://evil.test/" `),
		"a default namespace around it": replaced(t, document, `<samlp:Response `,
			`<samlp:Response xmlns="urn:other" `),
		"a certificate that nobody asks": replaced(t, document, "</ds:Signature>",
			"<ds:KeyInfo><ds:X509Data/></ds:KeyInfo></ds:Signature>"),
	} {
		got, err := read(t, text, request)
		if err != nil || got.Profile.Subject != "ann" {
			t.Errorf("%s: got %+v, %v", name, got.Profile, err)
		}
	}
	for name, text := range map[string]string{
		"an attribute twice": replaced(t, document, `<saml:Assertion `, `<saml:Assertion ID="_evil" `),
		"an attribute in two names": replaced(t, document, `i:where="a b  c"`,
			`i:where="a b  c" xmlns:j="urn:i" j:where="a b  c"`),
		"a namespace twice": replaced(t, document, `<saml:Subject>`,
			`<saml:Subject xmlns:x="urn:x" xmlns:x="urn:y">`),
		"xml:lang in the assertion":    replaced(t, document, "<saml:Subject>", `<saml:Subject xml:lang="en">`),
		"no namespace within":          replaced(t, document, "<saml:Subject>", `<saml:Subject><n xmlns=""/>`),
		"a line end by its number":     replaced(t, document, `"a b  c"`, `"a&#10;b  c"`),
		"a carriage return by its own": replaced(t, document, ">ann<", ">ann&#xD;<"),
		"xml declared otherwise": replaced(t, document, "<saml:Subject>",
			`<saml:Subject xmlns:xml="urn:evil">`),
		"xmlns declared": replaced(t, document, "<saml:Subject>",
			`<saml:Subject xmlns:xmlns="urn:evil">`),
		"a prefix taken back":     replaced(t, document, "<saml:Subject>", `<saml:Subject xmlns:i="">`),
		"a comment in the digest": replaced(t, document, "<ds:DigestValue>", "<ds:DigestValue><!-- x -->"),
		"a prefix of signatures moved": replaced(t, document, `<ds:SignedInfo xmlns:ds="`+dsigNS+`">`,
			`<ds:SignedInfo xmlns:ds="urn:evil">`),
		"an Object":                      replaced(t, document, "</ds:Signature>", "<ds:Object/></ds:Signature>"),
		"UTF-8 that is said to be UTF16": declared,
		"UTF-16, broken":                 utf16Text(binary.LittleEndian, declared) + "x",
		"Latin-1":                        `<?xml version="1.0" encoding="iso-8859-1"?>` + document,
		"an end tag of another":          replaced(t, document, "</saml:NameID>", "</saml:Name>"),
		"no end":                         strings.TrimSuffix(document, "</samlp:Response>"),
	} {
		got, err := read(t, text, request)
		if err == nil {
			t.Errorf("%s: got %+v", name, got)
		}
	}
}

// TestForeignAttributes checks that an attribute of another namespace is not taken for
// SAML's attribute of the same name (core section 2.7.3.1 and others allow both), and
// that an attribute called NameID is not taken for the NameID.
func TestForeignAttributes(t *testing.T) {
	t.Parallel()
	document := strings.NewReplacer(
		`<saml:Assertion `, `<saml:Assertion xmlns:x="urn:x" x:ID="_x" x:Version="1" `,
		`Name="mail"`, `Name="mail" x:Name="role"`,
		`Method="urn`, `x:Method="x" Method="urn`,
		`<saml:Conditions `, `<saml:Conditions x:NotOnOrAfter="2001-01-01T00:00:00Z" `,
		`</saml:AttributeStatement>`,
		`<saml:Attribute Name="NameID"><saml:AttributeValue>eve</saml:AttributeValue></saml:Attribute>`+
			`</saml:AttributeStatement>`,
		`InResponseTo="_request-1" `,
		`InResponseTo="_request-1" x:Recipient="https://other.test" x:InResponseTo="_x" `+
			`xmlns:NotBefore="urn:x" NotBefore:x="" `,
	).Replace(plain)
	got, err := read(t,
		replaced(t, envelope(fine().sign(t, document)), `<samlp:Response `,
			`<samlp:Response xmlns:x="urn:x" x:Destination="x" x:Version="1" x:InResponseTo="x" `), request)
	if err != nil || got.ID != "_a1" || got.Profile.Claims["mail"] != "ann@example.com" ||
		got.Profile.Claims["role"] != "" ||
		got.Profile.Claims["NameID"] != "ann" {
		t.Errorf("got %+v, %v", got, err)
	}
}

// TestManyValues reads a person with many groups: values within the limit are read,
// with the assertion or the response signed.
func TestManyValues(t *testing.T) {
	t.Parallel()
	values := strings.Repeat("<saml:AttributeValue>g</saml:AttributeValue>", 1500)
	document := replaced(t, plain, "</saml:AttributeStatement>",
		`<saml:Attribute Name="groups">`+values+`</saml:Attribute></saml:AttributeStatement>`)
	for name, text := range map[string]string{
		"assertion signed": envelope(fine().sign(t, document)),
		"response signed":  usual().signHere(t, envelope(document)),
	} {
		got, err := read(t, text, request)
		if want := "[" + strings.Repeat("g,", 1499) + "g]"; err != nil || got.Profile.Claims["groups"] != want {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// signHere signs a response as sign does. The library that sign uses refuses that many
// elements.
func (s signer) signHere(t testing.TB, response string) string {
	t.Helper()
	f := fine()
	f.uri = "#_r1"
	text, err := saml.Canonical(response, "_r1", "")
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256([]byte(text))
	f.info = func(info string) string {
		i, j := strings.Index(info, "<ds:DigestValue>"), strings.Index(info, "</ds:DigestValue>")
		return info[:i] + "<ds:DigestValue>" + base64.StdEncoding.EncodeToString(sum[:]) + info[j:]
	}
	sig, _ := signatureIn(t, f.sign(t, plain))
	return wrapped(response, sig)
}

// TestWorkIsBounded checks that the work grows with the length of a message: many
// namespaces around many elements cost no more than each of them alone. It counts
// allocations, so it is not parallel.
func TestWorkIsBounded(t *testing.T) {
	signed := envelope(fine().sign(t, plain))
	allocated := func(n int) float64 {
		var declarations strings.Builder
		for i := range n {
			fmt.Fprintf(&declarations, ` xmlns:p%d="u"`, i)
		}
		document := replaced(t, signed, "<saml:Assertion ", "<saml:Assertion"+declarations.String()+" ")
		document = replaced(t, document, "<saml:Subject>", strings.Repeat("<x/>", n)+"<saml:Subject>")
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := read(t, document, request)
		runtime.ReadMemStats(&after)
		if err == nil {
			t.Error("a changed assertion counts")
		}
		return float64(after.TotalAlloc - before.TotalAlloc)
	}
	allocated(10) // allocates what is allocated once
	if small, large := allocated(400), allocated(1600); large > 8*small {
		t.Errorf("four times the length costs %.1f times the work", large/small)
	}
}

// TestCanonicalVectors compares canonical XML with the output of libxml2 for the same
// documents: of the whole, or of one element with what it inherits.
func TestCanonicalVectors(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("testdata/canonical.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	for i, line := range strings.Split(strings.TrimSpace(string(text)), "\n") {
		var v struct{ Document, ID, Prefixes, Canonical string }
		err = json.Unmarshal([]byte(line), &v)
		if err != nil {
			t.Fatal(err)
		}
		got, err := saml.Canonical(v.Document, v.ID, v.Prefixes)
		if err != nil || got != v.Canonical {
			t.Errorf("line %d: got %q, %v, want %q of %q in %q", i+1, got, err, v.Canonical, v.ID, v.Document)
		}
	}
}

// TestCertificates checks which certificates of metadata are accepted: only the key is
// needed, and an unusable certificate does not exclude a good one.
func TestCertificates(t *testing.T) {
	t.Parallel()
	certificate := func(public any, extensions ...pkix.Extension) []byte {
		template := &x509.Certificate{
			SerialNumber: big.NewInt(1), NotBefore: now.AddDate(-1, 0, 0), NotAfter: now.AddDate(1, 0, 0),
			ExtraExtensions: extensions,
		}
		der, err := x509.CreateCertificate(rand.Reader, template, ownPair().cert, public, ownPair().key)
		if err != nil {
			t.Fatal(err)
		}
		return der
	}
	key := func(use string, der []byte) string {
		return `<KeyDescriptor use="` + use +
			`"><KeyInfo xmlns="http://www.w3.org/2000/09/xmldsig#"><X509Data><X509Certificate>` +
			base64.StdEncoding.EncodeToString(der) + `</X509Certificate></X509Data></KeyInfo></KeyDescriptor>`
	}
	own := &ownPair().key.PublicKey
	extension := pkix.Extension{Id: []int{1, 2, 3}, Value: []byte{5, 0}}
	negative := bytes.Replace(certificate(own), []byte{2, 1, 1}, []byte{2, 1, 0xFF}, 1)
	double := certificate(own, extension, extension)
	edwards, _, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	short := certificate(&rsa.PublicKey{N: new(big.Int).SetBit(big.NewInt(1), 511, 1), E: 65537})
	one := certificate(&rsa.PublicKey{N: own.N, E: 1})
	other := key("signing", otherPair().cert.Raw)

	// With an exponent of one, the signature equals the signed hash.
	trivial := fine()
	trivial.value = func(info []byte) []byte {
		sum := sha256.Sum256(info)
		prefix, _ := hex.DecodeString("3031300d060960864801650304020105000420")
		out := bytes.Repeat([]byte{0xFF}, own.Size())
		out[0], out[1] = 0, 1
		tail := append(append([]byte{0}, prefix...), sum[:]...)
		copy(out[len(out)-len(tail):], tail)
		return out
	}
	for name, tt := range map[string]struct {
		keys string
		by   shape
		want string // part of the error of metadata or response; empty: it is accepted
	}{
		"a negative serial":         {key("signing", negative), fine(), ""},
		"an extension twice":        {key("signing", double), fine(), ""},
		"for everything":            {strings.Replace(key("", own509()), ` use=""`, "", 1), fine(), ""},
		"Ed25519 beside a good one": {key("signing", certificate(edwards)) + key("signing", own509()), fine(), ""},
		"a short one behind a good": {key("signing", own509()) + key("signing", short), fine(), ""},
		"Ed25519": {key("signing", certificate(edwards)), fine(),
			"not supported; expected an RSA or ECDSA key"},
		"a short one": {key("signing", short), fine(), "shorter than 1024 bits"},
		"more behind it": {key("signing", append(bytes.Clone(negative), 0)), fine(),
			"a certificate of the metadata"},
		"cut": {key("signing", negative[:100]), fine(), "a certificate of the metadata"},
		"not one": {key("signing", []byte("{}")) + key("signing", own509()), fine(),
			"a certificate of the metadata"},
		"for encryption": {key("encryption", own509()) + other, fine(),
			"does not match a valid certificate"},
		"a negative serial of another": {key("signing",
			bytes.Replace(otherPair().cert.Raw, []byte{2, 1, 1}, []byte{2, 1, 0xFF}, 1)), fine(),
			"does not match a valid certificate"},
		"an exponent of one": {key("signing", one), trivial, "does not match a valid certificate"},
	} {
		ip := provider()
		ip.Metadata = replaced(t, ip.Metadata, "<SingleSignOnService", tt.keys+"<SingleSignOnService")
		s, err := saml.New(nil)
		if err != nil {
			t.Fatal(err)
		}
		document := envelope(tt.by.sign(t, plain))
		_, err = s.Read(t.Context(), sp, ip, base64.StdEncoding.EncodeToString([]byte(document)), request)
		if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
			t.Errorf("%s: got %v, want %q", name, err, tt.want)
		}
	}
}

func own509() []byte { return ownPair().cert.Raw }
