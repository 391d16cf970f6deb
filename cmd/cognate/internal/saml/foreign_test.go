package saml_test

import (
	"encoding/base64"
	"encoding/pem"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/cognate-auth/cognate/cmd/cognate/internal/saml"
	"github.com/cognate-auth/cognate/internal/cases"
	"github.com/cognate-auth/cognate/userpool"
)

// described returns a provider with the certificates in these files.
func described(t *testing.T, files ...string) userpool.IdentityProvider {
	t.Helper()
	keys := ""
	for _, name := range files {
		text, err := os.ReadFile("testdata/" + name)
		if err != nil {
			t.Fatal(err)
		}
		block, rest := pem.Decode(text)
		for block != nil && block.Type != "CERTIFICATE" {
			block, rest = pem.Decode(rest)
		}
		keys += `<KeyDescriptor><KeyInfo xmlns="http://www.w3.org/2000/09/xmldsig#"><X509Data><X509Certificate>` +
			base64.StdEncoding.EncodeToString(block.Bytes) + `</X509Certificate></X509Data></KeyInfo></KeyDescriptor>`
	}
	ip := provider()
	ip.Metadata = strings.Replace(ip.Metadata, "<SingleSignOnService", keys+"<SingleSignOnService", 1)
	return ip
}

// TestOtherImplementation reads what xmlsec1 (libxml2) signed: with prefixes in
// PrefixList that are declared outside, inside, again and not at all, including the
// default namespace, and with an elliptic curve.
func TestOtherImplementation(t *testing.T) {
	t.Parallel()
	then := sp
	then.Now = time.Date(2027, 5, 6, 7, 8, 10, 0, time.UTC)
	s, err := saml.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"none", "reference", "signedinfo", "both", "ecdsa"} {
		document, err := os.ReadFile("testdata/xmlsec-" + name + ".xml")
		if err != nil {
			t.Fatal(err)
		}
		ip := described(t, "other.pem", "idp.pem", "ec.pem")
		got, err := s.Read(t.Context(), then, ip, base64.StdEncoding.EncodeToString(document), request)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got.Profile.Subject != "ann" || got.Profile.Claims["mail"] != "ann@example.com" {
			t.Errorf("%s: got %+v", name, got.Profile)
		}
		for from, to := range map[string]string{
			">ann<": ">admin<", `PrefixList="`: `PrefixList="z1 `, "xs=\"urn:other\"": "xs=\"urn:others\"",
			"</ds:SignatureValue>": "AAAA</ds:SignatureValue>",
		} {
			forged := strings.Replace(string(document), from, to, 1)
			unlisted := name == "none" || name == "signedinfo" // then xs is neither used nor signed
			if forged == string(document) || unlisted && strings.Contains(to, "urn:others") {
				continue
			}
			_, err = s.Read(t.Context(), then, ip, base64.StdEncoding.EncodeToString([]byte(forged)), request)
			if err == nil {
				t.Errorf("%s with %s counts", name, to)
			}
		}
		_, err = s.Read(t.Context(), then, described(t, "other.pem"),
			base64.StdEncoding.EncodeToString(document), request)
		if err == nil {
			t.Errorf("%s: a provider with another key is believed", name)
		}
	}
}

// TestForeignMetadata loads metadata in the forms that providers serve.
func TestForeignMetadata(t *testing.T) {
	t.Parallel()
	s, err := saml.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	good := provider(ownPair()).Metadata
	negative := string(cases.Read(t, "saml-metadata-negative-serial.xml"))
	utf16 := strings.Replace(good, `version="1.0"`, `version="1.0" encoding="utf-16"`, 1)
	wide := ""
	for _, r := range "\uFEFF" + utf16 {
		wide += string([]byte{byte(r), byte(r >> 8)})
	}
	key := func(text string) string {
		return text[strings.Index(text, "<KeyDescriptor"):strings.LastIndex(text, "<SingleSignOnService")]
	}
	for name, metadata := range map[string]string{
		"a mark":               string(cases.Read(t, "saml-metadata-bom.xml")),
		"UTF-16":               wide,
		"UTF-16, saved as 8":   utf16,
		"CRLF":                 strings.ReplaceAll(good, "><", ">\r\n<"),
		"a negative serial":    negative,
		"one beside a good":    strings.Replace(good, "<KeyDescriptor", key(negative)+"<KeyDescriptor", 1),
		"one behind a good":    strings.Replace(good, "<SingleSignOnService", key(negative)+"<SingleSignOnService", 1),
		"encoded in lower":     strings.Replace(good, `version="1.0"`, `version="1.0" encoding="utf-8"`, 1),
		"a mark and a comment": "\uFEFF<!-- x -->" + good[strings.Index(good, "?>")+2:],
	} {
		err := s.CheckProvider(userpool.IdentityProvider{Metadata: metadata})
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, tt := range map[string]struct{ metadata, want string }{
		"a list":       {`<EntitiesDescriptor xmlns="urn:oasis:names:tc:SAML:2.0:metadata"/>`, "a list of providers"},
		"Latin-1":      {strings.Replace(good, `version="1.0"`, `version="1.0" encoding="iso-8859-1"`, 1), "UTF-8"},
		"half a UTF16": {wide[:len(wide)-1], "save it as UTF-8"},
	} {
		err := s.CheckProvider(userpool.IdentityProvider{Metadata: tt.metadata})
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %v, want %q", name, err, tt.want)
		}
	}
}

// TestEncryptedParts checks that the error names the encrypted part.
func TestEncryptedParts(t *testing.T) {
	t.Parallel()
	for part, want := range map[string]string{
		"EncryptedAssertion": "the assertion is encrypted, which is not supported",
		"EncryptedID":        "the NameID is encrypted, which is not supported",
		"EncryptedAttribute": "the attribute is encrypted, which is not supported",
	} {
		document := strings.Replace(plain, "<saml:Conditions", "<saml:"+part+"/><saml:Conditions", 1)
		_, err := read(t, envelope(usual().sign(t, document)), request)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", part, err)
		}
	}
}
