// Package saml is the SAML 2.0 of a user pool: a service provider of the web
// browser SSO profile (OASIS, "Profiles for SAML V2.0", section 4.1) and the
// asking side of single logout (section 4.4).
//
// # What is read is what was signed
//
// XML signatures are easy to check and easy to get wrong: the signature covers
// one element, the program reads another (signature wrapping). Here a document
// that leaves any doubt is refused before a signature is looked at: a DTD, a
// comment, a second assertion anywhere, an ID that is there twice, a signature
// that is not the child of what it covers, that has more than one reference, an
// unusual transform, or a hash that is broken. What is read afterwards is the
// canonical text that the signature covers, parsed anew.
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

// The namespaces, bindings and the like of SAML 2.0 and XML Signature.
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

// Skew is how far a provider's clock may be from the pool's.
const Skew = time.Minute

// SP implements userpool.SAML. Its methods are safe for concurrent use.
type SP struct {
	key         *rsa.PrivateKey // nil: nothing is signed
	certificate []byte          // DER
}

var _ userpool.SAML = (*SP)(nil)

// New returns a service provider that signs its messages with the key, of 2048
// bits at least. Nil: it signs none, and a provider with SignRequests is an
// error. The certificate in the metadata is the same for the same key.
func New(key *rsa.PrivateKey) (*SP, error) {
	if key == nil {
		return &SP{}, nil
	}
	if key.N.BitLen() < 2048 {
		return nil, errors.New("saml: the key is shorter than 2048 bits")
	}
	// A provider keeps the certificate for its key alone, so that name and time
	// say nothing; they are fixed, so that it is always the same one.
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
		return errors.New("the provider wants signed requests, and there is no key to sign with")
	}
	return nil
}

// Signs reports whether requests to the provider are signed, because its
// settings or its metadata say so. The error is about the metadata.
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

// instant is the form of xs:dateTime that SAML asks for (core section 1.3.3).
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

// SignIn implements userpool.SAML: an AuthnRequest by the redirect binding.
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

// session is what a logout needs to know of a sign-in.
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

// SignOut implements userpool.SAML: a LogoutRequest by the redirect binding,
// signed if there is a key, since providers must know who asks (profiles
// section 4.4.3.1).
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
		return "", errors.New("the session does not say who is to be signed out")
	}
	request := logoutRequest{
		ID: id, Version: "2.0", IssueInstant: instant(sp.Now), Destination: m.signOut,
		NotOnOrAfter: instant(sp.Now.Add(signin.RoundTripLifetime)), Issuer: issuer{Value: sp.EntityID},
		NameID: nameID{Format: v.Format, Q: v.Qualifier, SPQ: v.SPQ, Value: v.NameID}, SessionIndex: v.Index,
	}
	return s.redirect(m.signOut, request, relayState, s.key != nil)
}

// redirect is the redirect binding with DEFLATE (OASIS, "Bindings for SAML
// V2.0", section 3.4.4).
func (s *SP) redirect(endpoint string, message any, relayState string, sign bool) (string, error) {
	document, err := xml.Marshal(message)
	if err != nil {
		return "", fmt.Errorf("writing a message: %w", err)
	}
	query := "SAMLRequest=" + url.QueryEscape(deflated(document)) + "&RelayState=" + url.QueryEscape(relayState)
	if sign {
		if s.key == nil {
			return "", errors.New("the provider wants signed requests, and there is no key to sign with")
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

func deflated(document []byte) string {
	var out bytes.Buffer
	w, err := flate.NewWriter(&out, flate.BestCompression)
	if err != nil {
		panic("saml: " + err.Error()) // the level is a constant
	}
	_, _ = w.Write(document) // to memory
	_ = w.Close()
	return base64.StdEncoding.EncodeToString(out.Bytes())
}
