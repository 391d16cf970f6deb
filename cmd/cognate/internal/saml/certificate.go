package saml

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/x509"
	"encoding/asn1"
	"encoding/base64"
	"errors"
	"fmt"
	"math/big"
	"strings"
	"time"
)

// certificate has what is used of a certificate. SAML trusts the key because it is in
// the metadata, whoever issued the certificate (metadata interoperability profile
// section 2.6.1).
type certificate struct {
	key         crypto.PublicKey // RSA or ECDSA in a usable certificate; nil: of another kind
	from, until time.Time
}

// parseCertificates parses the certificates of metadata. One with an unusable key is
// skipped if there is another one: providers have one for each kind of key.
func parseCertificates(texts []string) ([]certificate, error) {
	unusable := errors.New("the metadata has no certificate to check signatures with (KeyDescriptor use signing)")
	var out []certificate
	for _, text := range texts {
		c, err := parseCertificate(text)
		if err != nil {
			return nil, fmt.Errorf("a certificate of the metadata: %w", err)
		}
		switch key := c.key.(type) {
		case *rsa.PublicKey:
			if key.N.BitLen() < minRSA {
				unusable = fmt.Errorf("a certificate of the metadata: its RSA key is shorter than %d bits", minRSA)
				continue
			}
		case *ecdsa.PublicKey:
		default:
			unusable = errors.New("a certificate of the metadata: its kind of key is not supported; expected an RSA " +
				"or ECDSA key")
			continue
		}
		out = append(out, c)
	}
	if len(out) == 0 {
		return nil, unusable
	}
	return out, nil
}

const minRSA = 1024 // in bits; crypto/rsa has the same minimum

func parseCertificate(text string) (certificate, error) {
	der, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(text), ""))
	if err != nil {
		return certificate{}, errors.New("it is not base64")
	}
	c, err := x509.ParseCertificate(der)
	if err == nil {
		return certificate{c.PublicKey, c.NotBefore, c.NotAfter}, nil
	}
	// crypto/x509 refuses more than is needed for the key, such as a negative serial
	// number. Some providers have one, and RFC 5280 section 4.1.2.2 asks verifiers to
	// accept it.
	var raw rawCertificate
	rest, rawErr := asn1.Unmarshal(der, &raw)
	if rawErr != nil || len(rest) > 0 {
		return certificate{}, err
	}
	key, err := x509.ParsePKIXPublicKey(raw.Signed.Key.FullBytes)
	if err != nil {
		key = nil // of a kind that crypto/x509 does not know
	}
	return certificate{key, raw.Signed.Validity.NotBefore, raw.Signed.Validity.NotAfter}, nil
}

// rawCertificate is the ASN.1 form of a certificate (RFC 5280 section 4.1).
type rawCertificate struct {
	Signed struct {
		Version   int `asn1:"optional,explicit,default:0,tag:0"`
		Serial    asn1.RawValue
		Algorithm asn1.RawValue
		Issuer    asn1.RawValue
		Validity  struct{ NotBefore, NotAfter time.Time }
		Subject   asn1.RawValue
		Key       asn1.RawValue
	}
	Algorithm asn1.RawValue
	Signature asn1.RawValue
}

func (c certificate) validAt(now time.Time) bool { return !now.Before(c.from) && !now.After(c.until) }

// verifies reports whether value is a signature of the hash sum. An ECDSA signature is
// the concatenation of two numbers (RFC 9231 section 2.3.6); some programs write it as
// ASN.1.
func (c certificate) verifies(method string, sum, value []byte) bool {
	ec := strings.Contains(method, "#ecdsa-")
	switch key := c.key.(type) {
	case *rsa.PublicKey:
		return !ec && rsa.VerifyPKCS1v15(key, signatureMethods[method], sum, value) == nil
	case *ecdsa.PublicKey:
		n := (key.Curve.Params().BitSize + 7) / 8
		if ec && len(value) == 2*n {
			return ecdsa.Verify(key, sum, new(big.Int).SetBytes(value[:n]), new(big.Int).SetBytes(value[n:]))
		}
		return ec && ecdsa.VerifyASN1(key, sum, value)
	}
	return false
}
