package saml

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/base64"
	"errors"
	"fmt"
	"math/big"
	"strings"
	"time"
)

// certificate is what is used of one: SAML trusts the key because it is in the
// metadata, whoever issued the certificate (metadata interoperability profile
// section 2.6.1).
type certificate struct {
	key         crypto.PublicKey // RSA or ECDSA
	from, until time.Time
}

func parseCertificate(text string) (certificate, error) {
	der, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(text), ""))
	if err != nil {
		return certificate{}, errors.New("it is not base64")
	}
	c, err := x509Certificate(der)
	if err != nil {
		return certificate{}, err
	}
	switch c.key.(type) {
	case *rsa.PublicKey, *ecdsa.PublicKey:
		return c, nil
	}
	return certificate{}, fmt.Errorf("a key of type %T is not supported; expected RSA or ECDSA", c.key)
}

func x509Certificate(der []byte) (certificate, error) {
	c, err := x509.ParseCertificate(der)
	if err == nil {
		return certificate{c.PublicKey, c.NotBefore, c.NotAfter}, nil
	}
	// Go takes no negative serial number, which some providers have, and RFC 5280
	// section 4.1.2.2 asks to be prepared for.
	var raw rawCertificate
	rest, rawErr := asn1.Unmarshal(der, &raw)
	if rawErr != nil || len(rest) > 0 || raw.Signed.Serial.Sign() >= 0 {
		return certificate{}, err
	}
	key, err := x509.ParsePKIXPublicKey(raw.Signed.Key.FullBytes)
	return certificate{key, raw.Signed.Validity.NotBefore, raw.Signed.Validity.NotAfter}, err
}

// rawCertificate is the ASN.1 of a certificate (RFC 5280 section 4.1).
type rawCertificate struct {
	Signed struct {
		Version       int `asn1:"optional,explicit,default:0,tag:0"`
		Serial        *big.Int
		Algorithm     pkix.AlgorithmIdentifier
		Issuer        asn1.RawValue
		Validity      struct{ NotBefore, NotAfter time.Time }
		Subject       asn1.RawValue
		Key           asn1.RawValue
		IssuerUnique  asn1.BitString `asn1:"optional,tag:1"`
		SubjectUnique asn1.BitString `asn1:"optional,tag:2"`
		Extensions    asn1.RawValue  `asn1:"optional,tag:3"`
	}
	Algorithm pkix.AlgorithmIdentifier
	Signature asn1.BitString
}

func (c certificate) validAt(now time.Time) bool { return !now.Before(c.from) && !now.After(c.until) }

// signed reports whether value is the signature of what has this hash. Of ECDSA
// it is the two numbers one after the other (RFC 9231 section 2.3.6); some
// programs write them as ASN.1.
func (c certificate) signed(method string, sum, value []byte) bool {
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
