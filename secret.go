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

// redacted is what a [Secret] prints as, whatever the verb.
const redacted = "[redacted]"

// Secret is a value that must not reach a log, an error text or a page: a client
// secret or a cookie key. Printed by fmt, logged by slog or encoded as text or JSON, it
// is "[redacted]". Convert it with string(s) where the value itself is needed.
//
// Go's fmt calls no methods on what it reads from an unexported field: don't print a
// struct of your own that keeps a Secret, or a [Config], in one.
type Secret string

// String returns "[redacted]".
func (Secret) String() string { return redacted }

// GoString returns "[redacted]", so that %#v of a configuration is safe.
func (Secret) GoString() string { return redacted }

// Format prints "[redacted]" for every verb. Without it, a wrong verb such as %d
// would print the value itself inside fmt's complaint.
func (Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// LogValue returns "[redacted]" to log/slog.
func (Secret) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText returns "[redacted]", for encoders of JSON, XML and the like.
// [ClientSecrets.Encode] is the one place that writes a secret on purpose.
func (Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// withoutSecrets is [oidc.Secrets.Redact] for errors of hooks and rules, too: they keep their
// reason.
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

// A ClientKey is the key pair of an app client that authenticates with [PrivateKeyJWT]. Its
// public half is registered with the provider. The zero value is none. It prints as
// "[redacted]".
type ClientKey struct {
	// Signer has the private key, which may be in a hardware module: RSA of at least
	// 2048 bits, or ECDSA on P-256. It must be safe for concurrent use.
	Signer crypto.Signer
	// PEM is the private key as text, in the place of Signer: PKCS #8, PKCS #1 or SEC 1.
	PEM Secret
	// ID is the key's ID at the provider (kid); empty sends none.
	ID string
	// Algorithm is RS256, PS256 or ES256. Empty means RS256 for an RSA key and ES256 for
	// one on P-256.
	Algorithm string
	// Audience is whom the assertions are for. Empty means the issuer, which newer
	// specifications (FAPI 2.0) demand; some providers want the token endpoint's URL.
	Audience string
}

// Format prints "[redacted]" for every verb.
func (ClientKey) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// LogValue returns "[redacted]" to log/slog.
func (ClientKey) LogValue() slog.Value { return slog.StringValue(redacted) }

func (k ClientKey) given() bool { return k.Signer != nil || k.PEM != "" }

// parse reads the key and fills in what goes without saying, or says what is wrong with it.
// Of none, it makes none.
func (k ClientKey) parse(issuer string) (oidc.ClientKey, error) {
	if !k.given() {
		if k == (ClientKey{}) {
			return oidc.ClientKey{}, nil
		}
		return oidc.ClientKey{}, errors.New("the ClientKey has neither a Signer nor a PEM")
	}
	out := oidc.ClientKey{Signer: k.Signer, ID: k.ID, Algorithm: k.Algorithm, Audience: k.Audience}
	if k.PEM != "" {
		if k.Signer != nil {
			return oidc.ClientKey{}, errors.New("the ClientKey has both a Signer and a PEM")
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
		return oidc.ClientKey{}, fmt.Errorf("the ClientKey is none of RSA with %d bits or more, or ECDSA on P-256",
			oidc.MinRSABits)
	}
	setDefault(&out.Algorithm, fitting[0])
	if !slices.Contains(fitting, out.Algorithm) {
		return oidc.ClientKey{}, fmt.Errorf("the ClientKey's Algorithm is %q; its key is for %q",
			out.Algorithm, fitting)
	}
	return out, nil
}

// parsePrivateKey reads a private key. The error says nothing of what it read.
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
	return nil, errors.New("the ClientKey's PEM is no private key in PKCS #8, PKCS #1 or SEC 1")
}

const textUntrimmed = "begins or ends with a space, a line end or a byte order mark, as text read from a file may; " +
	"read what is between them"

// untrimmed reports whether a value has something around it that nobody meant. It is said and
// not cut off: what a file holds beside the value may be the sign of a larger mistake.
func untrimmed(value string) bool { return strings.Trim(value, " \t\r\n\uFEFF") != value }

// checkClientAuth finds what contradicts itself in how the client authenticates. keyProblem is
// what is wrong with the ClientKey, or nil.
func (s *settings) checkClientAuth(keyProblem error) (problems []error) {
	secret := s.ClientAuth == ClientSecretBasic || s.ClientAuth == ClientSecretPost
	for _, f := range []struct{ name, value string }{
		{"ClientSecret", string(s.ClientSecret)}, {"ClientID", s.ClientID},
	} {
		if untrimmed(f.value) {
			problems = append(problems, fmt.Errorf("the %s %s", f.name, textUntrimmed))
		}
	}
	switch {
	case !secret && s.ClientAuth != ClientAuthNone && s.ClientAuth != PrivateKeyJWT:
		problems = append(problems, fmt.Errorf("ClientAuth %q is not known; expected %s, %s, %s or %s",
			s.ClientAuth, ClientSecretBasic, ClientSecretPost, PrivateKeyJWT, ClientAuthNone))
	case secret && s.ClientSecret == "":
		problems = append(problems, fmt.Errorf("ClientAuth %s needs a ClientSecret", s.ClientAuth))
	case !secret && s.ClientSecret != "":
		problems = append(problems, fmt.Errorf("ClientAuth %s contradicts a ClientSecret", s.ClientAuth))
	case s.ClientAuth == PrivateKeyJWT && !s.ClientKey.given():
		problems = append(problems, fmt.Errorf("ClientAuth %s needs a ClientKey", s.ClientAuth))
	case s.ClientAuth != PrivateKeyJWT && s.ClientKey.given():
		problems = append(problems, fmt.Errorf("ClientAuth %s contradicts a ClientKey", s.ClientAuth))
	}
	if keyProblem != nil {
		problems = append(problems, keyProblem)
	}
	return problems
}

// proofs are the ways in which the client may prove itself. A secret for which Config names
// no way goes the dialect's, or the other one, if that alone is announced.
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

// proofBySecret is a secret on one of its two ways.
func proofBySecret(method AuthMethod, id string, secret Secret) *oidc.Proof {
	if method == ClientSecretPost {
		return oidc.SecretInBody(id, string(secret))
	}
	return oidc.SecretInHeader(id, string(secret))
}
