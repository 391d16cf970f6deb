package cognate

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"

	"github.com/cognate-auth/cognate/internal/oidc"
	"github.com/cognate-auth/cognate/internal/utf8text"
)

// redacted is what a [Secret] prints for every verb.
const redacted = "[redacted]"

// Secret is a value that must not appear in a log, an error text or a page: a client
// secret or a cookie key. Printed by fmt, logged by slog or encoded as text or JSON, it
// is "[redacted]". Convert it with string(s) where the value itself is needed.
//
// Package fmt can't call methods on the values of unexported fields: don't print a
// struct that has a Secret, or a [Config], in an unexported field.
type Secret string

// String returns "[redacted]".
func (Secret) String() string { return redacted }

// GoString returns "[redacted]", so that %#v of a configuration is safe.
func (Secret) GoString() string { return redacted }

// Format prints "[redacted]" for every verb. Without it, a wrong verb such as %d would
// print the value itself in fmt's error text.
func (Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// LogValue returns "[redacted]" to log/slog.
func (Secret) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText returns "[redacted]", for encoders such as JSON and XML. Only
// [ClientSecrets.Encode] writes a secret, on purpose.
func (Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// withoutSecrets is [oidc.Secrets.Redact], but keeps the reason of an *Error, such as a
// hook's or a rule's.
func withoutSecrets(err error, secrets oidc.Secrets) error {
	if _, ok := errors.AsType[*Error](err); !ok {
		return secrets.Redact(err)
	}
	if !secrets.RepeatedIn(err.Error()) {
		return err
	}
	own := asError(err, ReasonInternal)
	own.Err = oidc.ErrRepeats
	if secrets.RepeatedIn(own.ProviderCode) {
		own.ProviderCode = ""
	}
	return own
}

// A ClientKey is the key pair of an app client that authenticates with [PrivateKeyJWT].
// Its public key is registered with the provider. The zero value means no key. It
// prints as "[redacted]".
type ClientKey struct {
	// Signer signs with the private key, which may be in a hardware module: RSA of at
	// least 2048 bits, or ECDSA on P-256. It must be safe for concurrent use.
	Signer crypto.Signer
	// PEM is the private key as text, instead of Signer: PKCS #8, PKCS #1 or SEC 1.
	PEM Secret
	// ID is the key's ID at the provider (kid). If it is empty, none is sent.
	ID string
	// Algorithm is RS256, PS256 or ES256. Empty means RS256 for an RSA key and ES256
	// for an ECDSA key.
	Algorithm string
	// Audience is the aud of the assertions. Empty means the issuer, which newer
	// specifications (FAPI 2.0) require; some providers require the token endpoint's
	// URL.
	Audience string
}

// Format prints "[redacted]" for every verb.
func (ClientKey) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// LogValue returns "[redacted]" to log/slog.
func (ClientKey) LogValue() slog.Value { return slog.StringValue(redacted) }

func (k ClientKey) isSet() bool { return k.Signer != nil || k.PEM != "" }

// parse reads the key and fills in its defaults, or returns what is wrong with it. The
// zero ClientKey gives the zero oidc.ClientKey.
func (k ClientKey) parse(issuer string) (oidc.ClientKey, error) {
	if !k.isSet() {
		if k == (ClientKey{}) {
			return oidc.ClientKey{}, nil
		}
		return oidc.ClientKey{}, errors.New("the ClientKey has neither a Signer nor a PEM; set one of them")
	}
	out := oidc.ClientKey{Signer: k.Signer, ID: k.ID, Algorithm: k.Algorithm, Audience: k.Audience}
	if k.PEM != "" {
		if k.Signer != nil {
			return oidc.ClientKey{}, errors.New("the ClientKey has both a Signer and a PEM; set only one of them")
		}
		var err error
		out.Signer, err = parsePrivateKey(string(k.PEM))
		if err != nil {
			return oidc.ClientKey{}, err
		}
	}
	setDefault(&out.Audience, issuer)
	fitting := []string(nil)
	switch pub := out.Signer.Public().(type) {
	case *rsa.PublicKey:
		if pub.N.BitLen() >= oidc.MinRSABits {
			fitting = []string{"RS256", "PS256"}
		}
	case *ecdsa.PublicKey:
		if pub.Curve == elliptic.P256() {
			fitting = []string{"ES256"}
		}
	}
	if fitting == nil {
		return oidc.ClientKey{}, fmt.Errorf(
			"the ClientKey can't be used; expected RSA with %d bits or more, or ECDSA on P-256", oidc.MinRSABits)
	}
	setDefault(&out.Algorithm, fitting[0])
	if !slices.Contains(fitting, out.Algorithm) {
		return oidc.ClientKey{}, fmt.Errorf("the ClientKey's Algorithm is %q; expected one of %q for this key",
			out.Algorithm, fitting)
	}
	return out, nil
}

// parsePrivateKey reads a private key. The error does not quote the text.
func parsePrivateKey(text string) (crypto.Signer, error) {
	data, err := utf8text.Decode([]byte(text))
	if err != nil {
		return nil, fmt.Errorf("the ClientKey's PEM: %w", err)
	}
	block, _ := pem.Decode(data)
	if block == nil {
		return nil, errors.New("the ClientKey's PEM has no PEM block")
	}
	for _, parse := range []func([]byte) (any, error){
		x509.ParsePKCS8PrivateKey,
		func(der []byte) (any, error) { return x509.ParsePKCS1PrivateKey(der) },
		func(der []byte) (any, error) { return x509.ParseECPrivateKey(der) },
	} {
		key, err := parse(block.Bytes)
		if signer, ok := key.(crypto.Signer); ok && err == nil {
			return signer, nil
		}
	}
	return nil, errors.New("the ClientKey's PEM is not a private key in PKCS #8, PKCS #1 or SEC 1")
}

const textUntrimmed = "begins or ends with a space, a line break or a byte order mark, perhaps from a file; " +
	"remove it from the value"

// untrimmed reports whether a value begins or ends with characters that are probably a
// mistake. They are reported and not removed: they may be the sign of a larger mistake.
func untrimmed(value string) bool { return strings.Trim(value, " \t\r\n\uFEFF") != value }

// checkClientAuth finds contradictions in how the client authenticates. keyProblem is
// what is wrong with the ClientKey, or nil.
func (s *settings) checkClientAuth(keyProblem error) (found problems) {
	secret := s.ClientAuth == ClientSecretBasic || s.ClientAuth == ClientSecretPost
	for _, f := range []struct{ name, value string }{
		{"ClientSecret", string(s.ClientSecret)}, {"ClientID", s.ClientID},
	} {
		if untrimmed(f.value) {
			found.add("the %s %s", f.name, textUntrimmed)
		}
	}
	switch {
	case !secret && s.ClientAuth != ClientAuthNone && s.ClientAuth != PrivateKeyJWT:
		found.add("ClientAuth %q is not known; expected %s, %s, %s or %s",
			s.ClientAuth, ClientSecretBasic, ClientSecretPost, PrivateKeyJWT, ClientAuthNone)
	case secret && s.ClientSecret == "":
		found.add("ClientAuth %s needs a ClientSecret", s.ClientAuth)
	case !secret && s.ClientSecret != "":
		found.add("ClientAuth %s contradicts a ClientSecret", s.ClientAuth)
	case s.ClientAuth == PrivateKeyJWT && !s.ClientKey.isSet():
		found.add("ClientAuth %s needs a ClientKey", s.ClientAuth)
	case s.ClientAuth != PrivateKeyJWT && s.ClientKey.isSet():
		found.add("ClientAuth %s contradicts a ClientKey", s.ClientAuth)
	}
	if keyProblem != nil {
		found = append(found, keyProblem)
	}
	return found
}

// proofs returns the ways in which the client may authenticate. For a secret, unless
// ClientAuth is configured, these are the dialect's method and the other one, in case
// the provider announces only that.
func (s *settings) proofs() []*oidc.Proof {
	switch s.ClientAuth {
	case PrivateKeyJWT:
		return []*oidc.Proof{oidc.Assertion(s.ClientID, s.clientKey, s.Now)}
	case ClientAuthNone:
		return []*oidc.Proof{oidc.PublicClient(s.ClientID)}
	}
	proofs := []*oidc.Proof{proofBySecret(s.ClientAuth, s.ClientID, s.ClientSecret)}
	if !s.authConfigured {
		other := ClientSecretPost
		if s.ClientAuth == ClientSecretPost {
			other = ClientSecretBasic
		}
		proofs = append(proofs, proofBySecret(other, s.ClientID, s.ClientSecret))
	}
	return proofs
}

// proofBySecret returns the proof that sends a secret by one of its two methods.
func proofBySecret(method AuthMethod, id string, secret Secret) *oidc.Proof {
	if method == ClientSecretPost {
		return oidc.SecretInBody(id, string(secret))
	}
	return oidc.SecretInHeader(id, string(secret))
}
