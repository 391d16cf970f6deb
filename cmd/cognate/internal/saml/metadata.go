package saml

import (
	"encoding/base64"
	"encoding/xml"
	"errors"
	"fmt"
	"net/url"

	"github.com/cognate-auth/cognate/internal/utf8text"
	"github.com/cognate-auth/cognate/userpool"
)

const maxMetadata = 1 << 20

// metadata has what the service provider needs to know about an identity provider.
type metadata struct {
	entityID        string
	signOn, signOut string // signOut may be empty
	wantsSigned     bool
	certificates    []certificate
}

type entityDescriptor struct {
	XMLName  xml.Name
	EntityID string `xml:"entityID,attr"`
	IDP      []struct {
		WantsSigned string `xml:"WantAuthnRequestsSigned,attr"`
		Keys        []struct {
			Use          string   `xml:"use,attr"`
			Certificates []string `xml:"http://www.w3.org/2000/09/xmldsig# KeyInfo>X509Data>X509Certificate"`
		} `xml:"urn:oasis:names:tc:SAML:2.0:metadata KeyDescriptor"`
		SignOn  []endpoint `xml:"urn:oasis:names:tc:SAML:2.0:metadata SingleSignOnService"`
		SignOut []endpoint `xml:"urn:oasis:names:tc:SAML:2.0:metadata SingleLogoutService"`
	} `xml:"urn:oasis:names:tc:SAML:2.0:metadata IDPSSODescriptor"`
}

type endpoint struct {
	Binding  string `xml:",attr"`
	Location string `xml:",attr"`
}

// parseMetadata parses the metadata of one identity provider (OASIS, "Metadata for SAML
// V2.0").
func parseMetadata(text string) (*metadata, error) {
	if len(text) > maxMetadata {
		return nil, errors.New("the metadata is longer than 1 MB")
	}
	decoded, err := utf8text.Decode([]byte(text)) // Entra's begins with a byte order mark
	if err == nil {
		err = checkXML(newDecoder(decoded, true), true, nil)
	}
	if err != nil {
		return nil, fmt.Errorf("the metadata: %w", err)
	}
	var d entityDescriptor
	err = unmarshal(newDecoder(decoded, true), &d)
	if d.XMLName.Local == "EntitiesDescriptor" {
		return nil, errors.New("the metadata is a list of providers (EntitiesDescriptor); expected the " +
			"EntityDescriptor of one")
	}
	if err != nil || d.XMLName != (xml.Name{Space: nsMetadata, Local: "EntityDescriptor"}) {
		return nil, errors.New("the metadata is not an EntityDescriptor of SAML 2.0")
	}
	if d.EntityID == "" || len(d.IDP) != 1 {
		return nil, errors.New("the metadata needs an entityID and one IDPSSODescriptor")
	}
	idp := d.IDP[0]
	m := &metadata{entityID: d.EntityID, wantsSigned: idp.WantsSigned == "true" || idp.WantsSigned == "1"}
	m.signOn, err = redirectEndpoint(idp.SignOn)
	if err == nil && m.signOn == "" {
		err = errors.New("the metadata has no SingleSignOnService with the HTTP-Redirect binding")
	}
	if err == nil {
		m.signOut, err = redirectEndpoint(idp.SignOut)
	}
	if err != nil {
		return nil, err
	}
	var texts []string
	for _, k := range idp.Keys {
		if k.Use == "" || k.Use == "signing" {
			texts = append(texts, k.Certificates...)
		}
	}
	m.certificates, err = parseCertificates(texts)
	if err != nil {
		return nil, err
	}
	return m, nil
}

// redirectEndpoint returns the location of the endpoint with the redirect binding, or
// an empty string.
func redirectEndpoint(list []endpoint) (string, error) {
	for _, e := range list {
		if e.Binding != bindingRedirect {
			continue
		}
		u, err := url.Parse(e.Location)
		if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || u.Fragment != "" {
			return "", errors.New("a Location of the metadata is not an http or https URL")
		}
		return e.Location, nil
	}
	return "", nil
}

type spDescriptor struct {
	XMLName  xml.Name `xml:"urn:oasis:names:tc:SAML:2.0:metadata EntityDescriptor"`
	EntityID string   `xml:"entityID,attr"`
	SP       struct {
		Signed     bool            `xml:"AuthnRequestsSigned,attr"`
		WantSigned bool            `xml:"WantAssertionsSigned,attr"`
		Protocols  string          `xml:"protocolSupportEnumeration,attr"`
		Keys       []keyDescriptor `xml:"KeyDescriptor,omitempty"`
		Logout     endpoint        `xml:"SingleLogoutService"`
		ACS        struct {
			endpoint
			Index   int  `xml:"index,attr"`
			Default bool `xml:"isDefault,attr"`
		} `xml:"AssertionConsumerService"`
	} `xml:"SPSSODescriptor"`
}

type keyDescriptor struct {
	Use string `xml:"use,attr"`
	Key struct {
		Certificate string `xml:"X509Data>X509Certificate"`
	} `xml:"http://www.w3.org/2000/09/xmldsig# KeyInfo"`
}

// Metadata implements userpool.SAML.
func (s *SP) Metadata(sp userpool.ServiceProvider) ([]byte, error) {
	d := spDescriptor{EntityID: sp.EntityID}
	d.SP.WantSigned, d.SP.Protocols = true, nsProtocol
	d.SP.Logout = endpoint{bindingPost, sp.Logout}
	d.SP.ACS.endpoint = endpoint{bindingPost, sp.ACS}
	d.SP.ACS.Default = true
	if s.key != nil {
		k := keyDescriptor{Use: "signing"}
		k.Key.Certificate = base64.StdEncoding.EncodeToString(s.certificate)
		d.SP.Keys, d.SP.Signed = []keyDescriptor{k}, true
	}
	return xml.MarshalIndent(d, "", "  ")
}
