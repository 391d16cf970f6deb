package saml_test

import (
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/xml"
	"strings"
	"testing"
	"time"

	"github.com/beevik/etree"
	dsig "github.com/russellhaering/goxmldsig"

	"github.com/cognate-auth/cognate/cmd/cognate/internal/saml"
	"github.com/cognate-auth/cognate/userpool"
)

var now = time.Now().UTC().Truncate(time.Second)

func at(d time.Duration) string { return now.Add(d).Format("2006-01-02T15:04:05Z") }

var sp = userpool.ServiceProvider{
	EntityID: "urn:amazon:cognito:sp:local_saml1", ACS: "https://pool.test/saml2/idpresponse",
	Logout: "https://pool.test/saml2/logout", Now: now,
}

const request = "_request-1"

// plain is a valid assertion without a signature.
var plain = `<saml:Assertion xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion" ID="_a1" Version="2.0" IssueInstant="` +
	at(0) + `">` +
	`<saml:Issuer>https://idp.test</saml:Issuer>` +
	`<saml:Subject><saml:NameID Format="urn:oasis:names:tc:SAML:2.0:nameid-format:persistent">ann</saml:NameID>` +
	`<saml:SubjectConfirmation Method="urn:oasis:names:tc:SAML:2.0:cm:bearer"><saml:SubjectConfirmationData ` +
	`InResponseTo="_request-1" NotOnOrAfter="` + at(5*time.Minute) +
	`" Recipient="https://pool.test/saml2/idpresponse"/>` +
	`</saml:SubjectConfirmation></saml:Subject>` +
	`<saml:Conditions NotBefore="` + at(-5*time.Second) + `" NotOnOrAfter="` + at(6*time.Minute) +
	`"><saml:AudienceRestriction>` +
	`<saml:Audience>urn:amazon:cognito:sp:local_saml1</saml:Audience></saml:AudienceRestriction></saml:Conditions>` +
	`<saml:AuthnStatement AuthnInstant="` + at(0) + `" SessionIndex="i1"/>` +
	`<saml:AttributeStatement><saml:Attribute Name="mail"><saml:AttributeValue>ann@example.com</saml:AttributeValue>` +
	`</saml:Attribute></saml:AttributeStatement></saml:Assertion>`

// envelope returns the response around an assertion.
func envelope(assertion string) string {
	return `<samlp:Response xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol" ID="_r1" Version="2.0" IssueInstant="` +
		at(0) +
		`" Destination="https://pool.test/saml2/idpresponse" InResponseTo="_request-1">` +
		`<saml:Issuer xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion">https://idp.test</saml:Issuer>` +
		`<samlp:Status><samlp:StatusCode Value="urn:oasis:names:tc:SAML:2.0:status:Success"/></samlp:Status>` +
		assertion + `</samlp:Response>`
}

// signer says how an element is signed.
type signer struct {
	keyPair
	method string
	c14n   dsig.Canonicalizer
	noInfo bool // without KeyInfo no certificate is named
}

func usual() signer {
	return signer{
		keyPair: ownPair(), method: dsig.RSASHA256SignatureMethod,
		c14n: dsig.MakeC14N10ExclusiveCanonicalizerWithPrefixList(""),
	}
}

func (s signer) sign(t testing.TB, document string) string {
	t.Helper()
	d := etree.NewDocument()
	err := d.ReadFromString(document)
	if err != nil {
		t.Fatal(err)
	}
	ctx, err := dsig.NewSigningContext(s.key, [][]byte{s.cert.Raw})
	if err != nil {
		t.Fatal(err)
	}
	ctx.Canonicalizer = s.c14n
	err = ctx.SetSignatureMethod(s.method)
	if err != nil {
		t.Fatal(err)
	}
	signed, err := ctx.SignEnveloped(d.Root())
	if err != nil {
		t.Fatal(err)
	}
	if s.noInfo {
		sig := signed.ChildElements()[len(signed.ChildElements())-1]
		sig.RemoveChild(sig.SelectElement("KeyInfo"))
	}
	out := etree.NewDocument()
	out.SetRoot(signed)
	text, err := out.WriteToString()
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func provider(certs ...keyPair) userpool.IdentityProvider {
	var keys strings.Builder
	for _, p := range certs {
		keys.WriteString(`<KeyDescriptor use="signing"><KeyInfo xmlns="http://www.w3.org/2000/09/xmldsig#"><X509Data>` +
			`<X509Certificate>` + base64.StdEncoding.EncodeToString(p.cert.Raw) +
			`</X509Certificate></X509Data></KeyInfo></KeyDescriptor>`)
	}
	return userpool.IdentityProvider{Name: "Corp", Type: userpool.ProviderSAML, Metadata: `<?xml version="1.0"?>` +
		`<!-- a comment is fine here -->` +
		`<EntityDescriptor xmlns="urn:oasis:names:tc:SAML:2.0:metadata" entityID="https://idp.test">` +
		`<IDPSSODescriptor protocolSupportEnumeration="urn:oasis:names:tc:SAML:2.0:protocol">` + keys.String() +
		`<SingleSignOnService Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect" ` +
		`Location="https://idp.test/sso"/>` +
		`</IDPSSODescriptor></EntityDescriptor>`}
}

func read(t testing.TB, document, inResponseTo string) (userpool.Assertion, error) {
	t.Helper()
	s, err := saml.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	encoded := base64.StdEncoding.EncodeToString([]byte(document))
	return s.Read(t.Context(), sp, provider(otherPair(), ownPair()), encoded, inResponseTo)
}

// TestLongestConfirmation checks how long an assertion is remembered so that it is
// accepted only once: as long as any of its confirmations is valid.
func TestLongestConfirmation(t *testing.T) {
	t.Parallel()
	begin, end := strings.Index(plain, "<saml:SubjectConfirmation "), strings.Index(plain, "</saml:Subject>")
	short, rest := plain[begin:end], plain[end:]
	long := strings.Replace(short, at(5*time.Minute), at(30*time.Minute), 1)
	over := strings.Replace(short, at(5*time.Minute), at(-time.Hour), 1)
	for name, list := range map[string]string{
		"the longest last": over + short + long, "the longest first": long + short + over,
		"over last": short + long + over,
	} {
		got, err := read(t, envelope(usual().sign(t, plain[:begin]+list+rest)), request)
		if want := now.Add(31 * time.Minute); err != nil || !got.Until.Equal(want) {
			t.Errorf("%s: until %v, want %v (%v)", name, got.Until, want, err)
		}
	}
}

// TestGenuine checks that responses signed in each of the ways are accepted.
func TestGenuine(t *testing.T) {
	t.Parallel()
	s, noInfo := usual(), usual()
	noInfo.noInfo = true
	early := strings.NewReplacer(at(-5*time.Second), at(50*time.Second)) // within the skew
	for name, document := range map[string]string{
		"assertion signed":    envelope(s.sign(t, plain)),
		"response signed":     s.sign(t, envelope(plain)),
		"both signed":         s.sign(t, envelope(s.sign(t, plain))),
		"without certificate": envelope(noInfo.sign(t, plain)),
		"line breaks":         "\n" + envelope("\n"+s.sign(t, plain)+"\n") + "\n",
		"fast clock":          envelope(s.sign(t, early.Replace(plain))),
		"declaration":         `<?xml version="1.0" encoding="UTF-8"?>` + envelope(s.sign(t, plain)),
	} {
		got, err := read(t, document, request)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got.Profile.Subject != "ann" || got.Profile.Claims["mail"] != "ann@example.com" || got.ID != "_a1" ||
			got.Profile.Issuer != "https://idp.test" || !got.Until.Equal(now.Add(6*time.Minute)) {
			t.Errorf("%s: got %+v", name, got)
		}
		if !strings.Contains(got.Profile.Session, `"Index":"i1"`) {
			t.Errorf("%s: got session %s", name, got.Profile.Session)
		}
	}
}

// TestNotForUs checks that responses with a good signature are refused if what they say
// is not valid here and now.
func TestNotForUs(t *testing.T) {
	t.Parallel()
	assertion := func(old, new string) func() string {
		return func() string { return envelope(usual().sign(t, replaced(t, plain, old, new))) }
	}
	response := func(old, new string) func() string {
		return func() string { return usual().sign(t, replaced(t, envelope(plain), old, new)) }
	}
	for name, tt := range map[string]struct {
		document func() string
		want     string // part of the error
	}{
		"audience": {assertion("sp:local_saml1<", "sp:local_other<"), "another audience"},
		"no audience": {assertion("<saml:AudienceRestriction><saml:Audience>"+
			"urn:amazon:cognito:sp:local_saml1</saml:Audience></saml:AudienceRestriction>", ""), "AudienceRestriction"},
		"a second audience": {assertion("</saml:Conditions>", "<saml:AudienceRestriction><saml:Audience>"+
			"x</saml:Audience></saml:AudienceRestriction></saml:Conditions>"), "another audience"},
		"expired conditions": {assertion(at(6*time.Minute), at(-time.Minute)), "NotOnOrAfter"},
		"expired bearer":     {assertion(at(5*time.Minute), at(-time.Minute)), "NotOnOrAfter"},
		"endless bearer":     {assertion(`NotOnOrAfter="`+at(5*time.Minute)+`" R`, "R"), "no NotOnOrAfter"},
		"not yet":            {assertion(at(-5*time.Second), at(61*time.Second)), "NotBefore"},
		"not a time":         {assertion(at(5*time.Minute), "tomorrow"), "NotOnOrAfter"},
		"recipient": {assertion(`Recipient="https://pool.test/`, `Recipient="https://other.test/`),
			"another Recipient"},
		"other request": {assertion("_request-1", "_request-2"), "InResponseTo"},
		"no request":    {assertion(`InResponseTo="_request-1" `, ""), "InResponseTo"},
		"holder of key": {assertion("cm:bearer", "cm:holder-of-key"), "no bearer"},
		"issuer":        {assertion("https://idp.test<", "https://evil.test<"), "another Issuer"},
		"nobody signed in": {assertion(`<saml:AuthnStatement AuthnInstant="`+at(0)+`" SessionIndex="i1"/>`, ""),
			"AuthnStatement"},
		"session over": {assertion(`SessionIndex="i1"`, `SessionNotOnOrAfter="`+at(-time.Hour)+`"`),
			"session at the provider"},
		"two names": {assertion("<saml:SubjectConfirmation ", "<saml:NameID>eve</saml:NameID>"+
			"<saml:SubjectConfirmation "), "more than one NameID"},
		"SAML 1": {assertion(`Version="2.0"`, `Version="1.1"`), "SAML 2.0"},
		"destination": {response(`Destination="https://pool.test/`, `Destination="https://other.test/`),
			"another Destination"},
		"response issuer": {response(`assertion">https://idp.test<`, `assertion">https://evil.test<`),
			"another Issuer"},
		"response to another": {response(`saml2/idpresponse" InResponseTo="_request-1"`,
			`saml2/idpresponse" InResponseTo="_request-2"`), "InResponseTo"},
		"response to nothing": {response(`saml2/idpresponse" InResponseTo="_request-1"`, `saml2/idpresponse"`),
			"InResponseTo"},
		"refused": {response("status:Success", "status:Responder"), "did not sign the person in"},
		"no status": {response(`<samlp:StatusCode Value="urn:oasis:names:tc:SAML:2.0:status:Success"/>`, ""),
			"did not sign"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := read(t, tt.document(), request)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %+v, %v, want an error about %q", got, err, tt.want)
			}
		})
	}
	_, err := read(t, envelope(usual().sign(t, plain)), "")
	if err == nil {
		t.Error("an answer passes for unasked")
	}
	_, err = read(t, envelope(usual().sign(t, plain)), "_request-2")
	if err == nil {
		t.Error("an answer to another request counts")
	}
}

func replaced(t testing.TB, text, old, new string) string {
	t.Helper()
	if !strings.Contains(text, old) {
		t.Fatalf("there is no %q to replace", old)
	}
	return strings.ReplaceAll(text, old, new)
}

// evil is another person's assertion, with its own ID.
var evil = strings.NewReplacer(">ann<", ">admin<", `ID="_a1"`, `ID="_evil"`).Replace(plain)

// wrapped inserts inner before the end tag of outer.
func wrapped(outer, inner string) string {
	i := strings.LastIndex(outer, "</")
	return outer[:i] + inner + outer[i:]
}

// signatureIn returns the signature of a signed document, and the rest of the document.
func signatureIn(t testing.TB, signed string) (sig, rest string) {
	t.Helper()
	i, j := strings.Index(signed, "<ds:Signature "), strings.Index(signed, "</ds:Signature>")
	if i < 0 || j < 0 {
		t.Fatal("there is no signature")
	}
	j += len("</ds:Signature>")
	return signed[i:j], signed[:i] + signed[j:]
}

// TestForged tries the known ways to make a program read what was not signed, including
// the variants of signature wrapping.
func TestForged(t *testing.T) {
	t.Parallel()
	s := usual()
	signed := s.sign(t, plain)
	whole := s.sign(t, envelope(plain))
	sig, bare := signatureIn(t, signed)
	wholeSig, wholeBare := signatureIn(t, whole)
	sha1, other, inclusive := usual(), usual(), usual()
	sha1.method, inclusive.c14n = dsig.RSASHA1SignatureMethod, dsig.MakeC14N11Canonicalizer()
	stranger, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	other.key = stranger // with the certificate of the provider
	open := strings.Index(plain, ">") + 1
	object := func(inner string) string {
		return strings.Replace(sig, "</ds:Signature>", "<ds:Object>"+inner+"</ds:Object></ds:Signature>", 1)
	}
	evilResponse := strings.NewReplacer(">ann<", ">admin<", `ID="_r1"`, `ID="_evil"`).Replace(wholeBare)
	for name, document := range map[string]string{
		"unsigned":          envelope(plain),
		"signature removed": envelope(bare),
		"subject changed":   envelope(strings.Replace(signed, ">ann<", ">admin<", 1)),
		"attribute changed": envelope(strings.Replace(signed, "ann@example.com", "adm@example.com", 1)),
		"attribute added": envelope(strings.Replace(signed, "</saml:AttributeStatement>",
			`<saml:Attribute Name="x"><saml:AttributeValue>y</saml:AttributeValue></saml:Attribute>`+
				`</saml:AttributeStatement>`, 1)),
		"response changed": strings.Replace(whole, ">ann<", ">admin<", 1),
		"signature cut": envelope(strings.Replace(signed, "<ds:SignatureValue>",
			"<ds:SignatureValue>AAAA", 1)),
		"other key":                     envelope(other.sign(t, plain)),
		"SHA-1":                         envelope(sha1.sign(t, plain)),
		"inclusive canonical XML":       envelope(inclusive.sign(t, plain)),
		"evil first":                    envelope(evil + signed),
		"evil last":                     envelope(signed + evil),
		"signed one inside evil":        envelope(wrapped(evil, signed)),
		"evil inside signed one":        envelope(wrapped(signed, evil)),
		"signed one in evil signature":  envelope(wrapped(evil, object(bare))),
		"evil in the signature":         envelope(bare[:open] + object(evil) + bare[open:]),
		"evil with the signature":       envelope(wrapped(evil, sig)),
		"evil with the same ID":         envelope(wrapped(strings.Replace(evil, "_evil", "_a1", 1), sig)),
		"same ID and signed one behind": envelope(wrapped(strings.Replace(evil, "_evil", "_a1", 1), sig) + bare),
		"signed one in Extensions":      envelope("<samlp:Extensions>" + signed + "</samlp:Extensions>" + evil),
		"signature beside":              envelope(sig + evil),
		"signature elsewhere":           envelope(bare + "<samlp:Extensions>" + sig + "</samlp:Extensions>"),
		"two signatures":                envelope(wrapped(signed, sig)),
		"one signature of two holds":    other.sign(t, envelope(signed)),
		"response in evil response":     wrapped(evilResponse, whole),
		"response in the signature": wrapped(evilResponse,
			strings.Replace(wholeSig, "</ds:Signature>", "<ds:Object>"+wholeBare+"</ds:Object></ds:Signature>", 1)),
		"evil added to signed response": wrapped(whole, evil),
		"comment in the name":           envelope(strings.Replace(signed, ">ann<", ">ann<!-- -->.evil<", 1)),
		"comment signed": envelope(strings.Replace(s.sign(t,
			strings.Replace(plain, ">ann<", ">ann.evil<", 1)), ">ann.evil<", ">ann<!-- -->.evil<", 1)),
		"processing instruction": envelope(strings.Replace(signed, ">ann<", "><?x y?>ann<", 1)),
		"DTD":                    `<!DOCTYPE x [<!ENTITY who "admin">]>` + envelope(signed),
		"DTD and entity": `<!DOCTYPE x [<!ENTITY who "admin">]>` +
			envelope(strings.Replace(signed, ">ann<", ">&who;<", 1)),
		"external entity":    `<!DOCTYPE x [<!ENTITY who SYSTEM "file:///etc/passwd">]>` + envelope(signed),
		"entity without DTD": envelope(strings.Replace(signed, ">ann<", ">&who;<", 1)),
		"two references":     envelope(doubled(signed, "<ds:Reference ", "</ds:Reference>")),
		"two SignedInfo":     envelope(doubled(signed, "<ds:SignedInfo>", "</ds:SignedInfo>")),
		"another transform": envelope(strings.Replace(signed, "<ds:Transforms>",
			`<ds:Transforms><ds:Transform Algorithm="http://www.w3.org/TR/1999/REC-xslt-19991116"/>`, 1)),
		"no transform":     envelope(cut(signed, "<ds:Transforms>", "</ds:Transforms>")),
		"reference to all": envelope(strings.Replace(signed, `URI="#_a1"`, `URI=""`, 1)),
		"HMAC with the public key": envelope(strings.Replace(signed, dsig.RSASHA256SignatureMethod,
			"http://www.w3.org/2000/09/xmldsig#hmac-sha256", 1)),
		"encrypted": envelope(`<saml:EncryptedAssertion ` +
			`xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion"/>`),
		"no assertion":         envelope(""),
		"signed, no assertion": s.sign(t, envelope("")),
		"assertion alone":      signed,
		"deep":                 envelope(strings.Repeat("<a>", 100) + signed + strings.Repeat("</a>", 100)),
		"many":                 envelope(strings.Repeat("<a/>", 6000) + signed),
		"not XML":              "{}",
		"two roots":            envelope(signed) + envelope(signed),
		"UTF-16":               `<?xml version="1.0" encoding="UTF-16"?>` + envelope(signed),
		"nothing":              "",
	} {
		got, err := read(t, document, request)
		if err == nil {
			t.Errorf("%s: got %+v", name, got)
		} else if strings.Contains(err.Error(), "admin") ||
			strings.Contains(err.Error(), "ann") && !strings.Contains(err.Error(), "anno") {
			t.Errorf("%s: the error repeats the message: %v", name, err)
		}
	}
	_, err = read(t, envelope(signed), request)
	if err != nil {
		t.Errorf("the document that all are made of is refused: %v", err)
	}
}

func doubled(text, from, to string) string {
	i, j := strings.Index(text, from), strings.Index(text, to)+len(to)
	return text[:j] + text[i:j] + text[j:]
}

func cut(text, from, to string) string {
	i, j := strings.Index(text, from), strings.Index(text, to)+len(to)
	return text[:i] + text[j:]
}

// TestExpiredCertificate checks that a certificate of the metadata must be valid.
func TestExpiredCertificate(t *testing.T) {
	t.Parallel()
	s, err := saml.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	then := sp
	then.Now = now.AddDate(100, 0, 0)
	years := strings.NewReplacer(at(5*time.Minute), "2200-01-01T00:00:00Z", at(6*time.Minute), "2200-01-01T00:00:00Z")
	document := envelope(usual().sign(t, years.Replace(plain)))
	encoded := base64.StdEncoding.EncodeToString([]byte(document))
	_, err = s.Read(t.Context(), sp, provider(ownPair()), encoded, request)
	if err != nil {
		t.Fatal(err)
	}
	_, err = s.Read(t.Context(), then, provider(ownPair()), encoded, request)
	if err == nil {
		t.Error("the certificate is honoured for ever")
	}
}

// TestMetadata reads good and bad metadata.
func TestMetadata(t *testing.T) {
	t.Parallel()
	good := provider(ownPair()).Metadata
	for name, tt := range map[string]struct{ metadata, want string }{
		"good":            {good, ""},
		"nothing":         {" ", "EntityDescriptor"},
		"HTML":            {"<html></html>", "EntityDescriptor"},
		"DTD":             {"<!DOCTYPE x>" + good[21:], "DTD"},
		"too long":        {good + strings.Repeat(" ", 1<<20), "1 MB"},
		"no entity ID":    {strings.Replace(good, `entityID="https://idp.test"`, "", 1), "entityID"},
		"no redirect":     {strings.Replace(good, "HTTP-Redirect", "HTTP-POST", 1), "HTTP-Redirect"},
		"script":          {strings.Replace(good, "https://idp.test/sso", "javascript:alert(1)", 1), "not an http"},
		"no certificate":  {provider().Metadata, "no certificate"},
		"bad certificate": {strings.Replace(good, "<X509Certificate>", "<X509Certificate>AA", 1), "certificate"},
		"encryption only": {strings.Replace(good, `use="signing"`, `use="encryption"`, 1), "no certificate"},
		"wants signed": {strings.Replace(good, "<IDPSSODescriptor ",
			`<IDPSSODescriptor WantAuthnRequestsSigned="true" `, 1), "signed requests"},
	} {
		s, _ := saml.New(nil)
		err := s.CheckProvider(userpool.IdentityProvider{Metadata: tt.metadata})
		if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
			t.Errorf("%s: got %v, want %q", name, err, tt.want)
		}
	}
}

// FuzzRead checks that a response is read only if it was signed: whatever is changed in
// a genuine one, the subject stays the same.
func FuzzRead(f *testing.F) {
	f.Add(envelope(usual().sign(f, plain)))
	f.Add(usual().sign(f, envelope(plain)))
	f.Add(envelope(evil + usual().sign(f, plain)))
	f.Fuzz(func(t *testing.T, document string) {
		got, err := read(t, document, request)
		if err == nil && (got.Profile.Subject != "ann" || got.Profile.Claims["mail"] != "ann@example.com") {
			t.Errorf("got %+v", got.Profile)
		}
	})
}

// FuzzMetadata checks that accepted metadata has everything that is needed.
func FuzzMetadata(f *testing.F) {
	f.Add(provider(ownPair()).Metadata)
	f.Fuzz(func(t *testing.T, metadata string) {
		s, _ := saml.New(nil)
		ip := userpool.IdentityProvider{Metadata: metadata}
		if s.CheckProvider(ip) != nil {
			return
		}
		location, err := s.SignIn(t.Context(), sp, ip, "_1", "state")
		if err != nil || !strings.HasPrefix(location, "http") {
			t.Errorf("got %q, %v", location, err)
		}
	})
}

// TestOwnMetadata checks that the certificate does not change with a restart.
func TestOwnMetadata(t *testing.T) {
	t.Parallel()
	var certificates []string
	for range 2 {
		s, err := saml.New(ownPair().key)
		if err != nil {
			t.Fatal(err)
		}
		text, err := s.Metadata(sp)
		if err != nil {
			t.Fatal(err)
		}
		var d struct {
			EntityID    string `xml:"entityID,attr"`
			Certificate string `xml:"SPSSODescriptor>KeyDescriptor>KeyInfo>X509Data>X509Certificate"`
		}
		err = xml.Unmarshal(text, &d)
		if err != nil || d.EntityID != sp.EntityID || d.Certificate == "" {
			t.Fatalf("got %+v, %v of\n%s", d, err, text)
		}
		certificates = append(certificates, d.Certificate)
	}
	if certificates[0] != certificates[1] {
		t.Error("the certificate is another one after a start")
	}
}
