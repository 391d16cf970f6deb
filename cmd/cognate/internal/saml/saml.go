// Package saml implements [userpool.SAML]: a SAML 2.0 service provider of the web
// browser SSO profile (OASIS, "Profiles for SAML V2.0", section 4.1), which also
// requests single logout (section 4.4). It knows no store and no pages; a pool passes
// it messages and providers.
//
// # Only signed text is read
//
// It is easy to check an XML signature and to get it wrong: the signature covers one
// element, and the program reads another (signature wrapping). Here, a document that
// leaves any doubt is refused before a signature is checked: one with a DTD, a comment,
// a second assertion anywhere, or an ID that appears twice; and one with a signature
// that is not the child of what it covers, has more than one reference, an unusual
// transform, or a broken hash. Afterwards only the canonical text that the signature
// covers is parsed and read.
package saml

import (
	"bytes"
	"compress/flate"
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"math/big"
	"net/url"
	"strings"
	"time"

	"github.com/cognate-auth/cognate/userpool"
	"github.com/cognate-auth/cognate/userpool/signin"
)

// The namespaces, bindings and other names of SAML 2.0 and XML Signature.
const (
	nsProtocol  = "urn:oasis:names:tc:SAML:2.0:protocol"
	nsAssertion = "urn:oasis:names:tc:SAML:2.0:assertion"
	nsMetadata  = "urn:oasis:names:tc:SAML:2.0:metadata"
	nsSignature = "http://www.w3.org/2000/09/xmldsig#"

	bindingRedirect = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect"
	bindingPost     = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST"
	statusSuccess   = "urn:oasis:names:tc:SAML:2.0:status:Success"
	bearer          = "urn:oasis:names:tc:SAML:2.0:cm:bearer"
	rsaSHA256       = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"
)

// Skew is how far a provider's clock may differ from the pool's.
const Skew = time.Minute

// SP implements userpool.SAML. Its methods are safe for concurrent use.
type SP struct {
	key         *rsa.PrivateKey // nil: messages are not signed
	certificate []byte          // DER
}

var _ userpool.SAML = (*SP)(nil)

// New returns a service provider that signs its messages with the key, which must have
// at least 2048 bits. With a nil key it signs nothing, and a provider with SignRequests
// is an error. The same key always gives the same certificate in the metadata.
func New(key *rsa.PrivateKey) (*SP, error) {
	if key == nil {
		return &SP{}, nil
	}
	if key.N.BitLen() < 2048 {
		return nil, errors.New("saml: the key is shorter than 2048 bits")
	}
	// A provider uses only the key of the certificate. Name and time are fixed, so that
	// the certificate is always the same.
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Cognate user pool"},
		NotBefore: time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC), NotAfter: time.Date(2120, 1, 1, 0, 0, 0, 0, time.UTC),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return nil, fmt.Errorf("saml: making a certificate: %w", err)
	}
	return &SP{key, der}, nil
}

// CheckProvider implements userpool.SAML.
func (s *SP) CheckProvider(ip userpool.IdentityProvider) error {
	m, err := parseMetadata(ip.Metadata)
	if err != nil {
		return err
	}
	if s.key == nil && (ip.SignRequests || m.wantsSigned) {
		return errors.New("the provider requires signed requests, and there is no key to sign with")
	}
	return nil
}

// Signs reports whether requests to the provider are signed, because its settings or
// its metadata say so. An error is about the metadata.
func Signs(ip userpool.IdentityProvider) (bool, error) {
	m, err := parseMetadata(ip.Metadata)
	if err != nil {
		return false, err
	}
	return ip.SignRequests || m.wantsSigned, nil
}

// IsIssuer implements userpool.SAML.
func (s *SP) IsIssuer(ip userpool.IdentityProvider, entityID string) bool {
	m, err := parseMetadata(ip.Metadata)
	return err == nil && m.entityID == entityID
}

// instant formats a time as xs:dateTime, as SAML requires (core section 1.3.3).
func instant(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05Z") }

type issuer struct {
	XMLName xml.Name `xml:"urn:oasis:names:tc:SAML:2.0:assertion Issuer"`
	Value   string   `xml:",chardata"`
}

type authnRequest struct {
	XMLName      xml.Name `xml:"urn:oasis:names:tc:SAML:2.0:protocol AuthnRequest"`
	ID           string   `xml:",attr"`
	Version      string   `xml:",attr"`
	IssueInstant string   `xml:",attr"`
	Destination  string   `xml:",attr"`
	ACS          string   `xml:"AssertionConsumerServiceURL,attr"`
	Binding      string   `xml:"ProtocolBinding,attr"`
	Issuer       issuer
}

// SignIn implements userpool.SAML: it returns an AuthnRequest with the redirect
// binding.
func (s *SP) SignIn(
	_ context.Context, sp userpool.ServiceProvider, ip userpool.IdentityProvider, id, relayState string,
) (string, error) {
	m, err := parseMetadata(ip.Metadata)
	if err != nil {
		return "", err
	}
	request := authnRequest{
		ID: id, Version: "2.0", IssueInstant: instant(sp.Now), Destination: m.signOn,
		ACS: sp.ACS, Binding: bindingPost, Issuer: issuer{Value: sp.EntityID},
	}
	return s.redirect(m.signOn, request, relayState, ip.SignRequests || m.wantsSigned)
}

// session is what a logout needs to know about a sign-in.
type session struct {
	NameID                 string
	Format, Qualifier, SPQ string `json:",omitempty"`
	Index                  string `json:",omitempty"`
}

type nameID struct {
	XMLName xml.Name `xml:"urn:oasis:names:tc:SAML:2.0:assertion NameID"`
	Format  string   `xml:",attr,omitempty"`
	Q       string   `xml:"NameQualifier,attr,omitempty"`
	SPQ     string   `xml:"SPNameQualifier,attr,omitempty"`
	Value   string   `xml:",chardata"`
}

type logoutRequest struct {
	XMLName      xml.Name `xml:"urn:oasis:names:tc:SAML:2.0:protocol LogoutRequest"`
	ID           string   `xml:",attr"`
	Version      string   `xml:",attr"`
	IssueInstant string   `xml:",attr"`
	Destination  string   `xml:",attr"`
	NotOnOrAfter string   `xml:",attr"`
	Issuer       issuer
	NameID       nameID
	SessionIndex string `xml:"urn:oasis:names:tc:SAML:2.0:protocol SessionIndex,omitempty"`
}

// SignOut implements userpool.SAML: it returns a LogoutRequest with the redirect
// binding. The request is signed if there is a key, because providers must authenticate
// it (profiles section 4.4.3.1).
func (s *SP) SignOut(
	_ context.Context, sp userpool.ServiceProvider, ip userpool.IdentityProvider, id, relayState, of string,
) (string, error) {
	m, err := parseMetadata(ip.Metadata)
	if err != nil || m.signOut == "" {
		return "", err
	}
	var v session
	err = json.Unmarshal([]byte(of), &v)
	if err != nil {
		return "", errors.New("the session does not name the user to sign out")
	}
	request := logoutRequest{
		ID: id, Version: "2.0", IssueInstant: instant(sp.Now), Destination: m.signOut,
		NotOnOrAfter: instant(sp.Now.Add(signin.RoundTripLifetime)), Issuer: issuer{Value: sp.EntityID},
		NameID: nameID{Format: v.Format, Q: v.Qualifier, SPQ: v.SPQ, Value: v.NameID}, SessionIndex: v.Index,
	}
	return s.redirect(m.signOut, request, relayState, s.key != nil)
}

// redirect writes the URL of the redirect binding with DEFLATE (OASIS, "Bindings for
// SAML V2.0", section 3.4.4).
func (s *SP) redirect(endpoint string, message any, relayState string, sign bool) (string, error) {
	document, err := xml.Marshal(message)
	if err != nil {
		return "", fmt.Errorf("writing a message: %w", err)
	}
	query := "SAMLRequest=" + url.QueryEscape(deflate(document)) + "&RelayState=" + url.QueryEscape(relayState)
	if sign {
		if s.key == nil {
			return "", errors.New("the provider requires signed requests, and there is no key to sign with")
		}
		query += "&SigAlg=" + url.QueryEscape(rsaSHA256)
		sum := sha256.Sum256([]byte(query))
		signature, err := rsa.SignPKCS1v15(nil, s.key, crypto.SHA256, sum[:])
		if err != nil {
			return "", fmt.Errorf("signing a message: %w", err)
		}
		query += "&Signature=" + url.QueryEscape(base64.StdEncoding.EncodeToString(signature))
	}
	if strings.Contains(endpoint, "?") {
		return endpoint + "&" + query, nil
	}
	return endpoint + "?" + query, nil
}

func deflate(document []byte) string {
	var out bytes.Buffer
	w, err := flate.NewWriter(&out, flate.BestCompression)
	if err != nil {
		panic("saml: " + err.Error()) // the level is a constant
	}
	_, _ = w.Write(document) // writing to memory does not fail
	_ = w.Close()
	return base64.StdEncoding.EncodeToString(out.Bytes())
}
