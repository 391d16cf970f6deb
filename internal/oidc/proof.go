package oidc

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/asn1"
	"encoding/base64"
	"encoding/json"
	"errors"
	"math/big"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// The names of client authentication methods, as providers announce them (OpenID Connect
// Core 1.0, section 9).
const (
	methodBasic         = "client_secret_basic"
	methodPost          = "client_secret_post"
	methodPrivateKeyJWT = "private_key_jwt"
)

// A Proof authenticates a client at an endpoint of the provider (RFC 6749, 2.3; RFC 7521,
// 4.2). It never changes.
type Proof struct {
	method string // as providers announce it; "" if they don't
	alg    string // signs the assertions
	add    func(form url.Values, header http.Header) error
	// secrets is a function so that no verb of fmt can print them.
	secrets func() Secrets
}

func noSecrets() Secrets { return nil }

// PublicClient is the Proof of a public client, which only identifies itself.
func PublicClient(id string) *Proof {
	return &Proof{secrets: noSecrets, add: func(form url.Values, _ http.Header) error {
		form.Set("client_id", id)
		return nil
	}}
}

// SecretInHeader authenticates a client by its secret in the Authorization header.
func SecretInHeader(id, secret string) *Proof {
	add := func(_ url.Values, header http.Header) error {
		setBasicAuth(header, id, secret)
		return nil
	}
	return &Proof{method: methodBasic, add: add, secrets: func() Secrets { return basicForms(id, secret) }}
}

// setBasicAuth sets the credentials of HTTP Basic. Both parts are form-encoded first (RFC
// 6749, 2.3.1).
func setBasicAuth(header http.Header, id, secret string) {
	r := http.Request{Header: header}
	r.SetBasicAuth(url.QueryEscape(id), url.QueryEscape(secret))
}

// basicForms returns the forms in which a secret may be sent, whatever the method: as it is,
// and base64-encoded in the credentials of HTTP Basic (RFC 7617, 2), whose text does not
// contain the secret.
func basicForms(id, secret string) Secrets {
	if secret == "" {
		return nil
	}
	header := http.Header{}
	setBasicAuth(header, id, secret)
	return Secrets{secret, strings.TrimPrefix(header.Get("Authorization"), "Basic ")}
}

// SecretInBody authenticates a client by its secret in the form.
func SecretInBody(id, secret string) *Proof {
	add := func(form url.Values, _ http.Header) error {
		form.Set("client_id", id)
		form.Set("client_secret", secret)
		return nil
	}
	return &Proof{method: methodPost, add: add, secrets: func() Secrets { return basicForms(id, secret) }}
}

// BearerToken authenticates a program by its own access token (RFC 7662, 2.1).
func BearerToken(token string) *Proof {
	add := func(_ url.Values, header http.Header) error {
		header.Set("Authorization", "Bearer "+token)
		return nil
	}
	return &Proof{add: add, secrets: func() Secrets { return Secrets{token} }}
}

// Assertion authenticates a client by a JWT that its key signs.
func Assertion(id string, key ClientKey, now func() time.Time) *Proof {
	add := func(form url.Values, _ http.Header) error {
		assertion, err := key.assertion(id, now())
		if err != nil {
			return err
		}
		form.Set("client_id", id)
		form.Set("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer")
		form.Set("client_assertion", assertion)
		return nil
	}
	return &Proof{method: methodPrivateKeyJWT, alg: key.Algorithm, add: add, secrets: noSecrets}
}

// request returns a request that sends a form, with the proof, to an endpoint.
func (p *Proof) request(ctx context.Context, endpoint string, form url.Values) (*http.Request, error) {
	header := http.Header{"Content-Type": {"application/x-www-form-urlencoded"}, "Accept": {"application/json"}}
	err := p.add(form, header)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, endpoint, strings.NewReader(form.Encode()))
	if err != nil { // endpoints are checked before
		return nil, errors.New("the endpoint is not a URL")
	}
	req.Header = header
	return req, nil
}

// A ClientKey is the key pair of a client that authenticates with [Assertion], whose public
// half is registered with the provider.
type ClientKey struct {
	// Signer has the private key: RSA with at least [MinRSABits], or ECDSA on P-256. It must
	// be safe for concurrent use.
	Signer crypto.Signer
	// ID is the key's ID at the provider (kid); if empty, no kid is sent.
	ID string
	// Algorithm is RS256, PS256 or ES256, and has to fit the key.
	Algorithm string
	// Audience is the audience of the assertions.
	Audience string
}

// assertionLifetime is how long an assertion is valid: long enough for clocks that differ a
// little. Its jti lets the provider accept it only once.
const assertionLifetime = 2 * time.Minute

// assertion returns a signed JWT that identifies the client (RFC 7523, 2.2 and 3; OpenID
// Connect Core 1.0, 9). Its only audience is [ClientKey].Audience, so it is of no use at any
// other server.
func (k *ClientKey) assertion(clientID string, now time.Time) (string, error) {
	header := map[string]string{"alg": k.Algorithm, "typ": "JWT"}
	if k.ID != "" {
		header["kid"] = k.ID
	}
	payload := map[string]any{
		"iss": clientID, "sub": clientID, "aud": k.Audience, "jti": rand.Text(),
		"iat": now.Unix(), "exp": now.Add(assertionLifetime).Unix(),
	}
	input := jwtPart(header) + "." + jwtPart(payload)
	sig, err := k.sign([]byte(input))
	if err != nil {
		return "", errors.New("the ClientKey's Signer failed")
	}
	return input + "." + base64.RawURLEncoding.EncodeToString(sig), nil
}

func jwtPart(v any) string {
	data, _ := json.Marshal(v) // maps of strings and numbers
	return base64.RawURLEncoding.EncodeToString(data)
}

// sign returns a signature in the form of RFC 7518, 3.3 to 3.5. A crypto.Signer encodes
// ECDSA signatures in ASN.1; JWS concatenates the two numbers.
func (k *ClientKey) sign(input []byte) ([]byte, error) {
	digest := sha256.Sum256(input)
	var opts crypto.SignerOpts = crypto.SHA256
	if k.Algorithm == "PS256" {
		opts = &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: crypto.SHA256}
	}
	sig, err := k.Signer.Sign(rand.Reader, digest[:], opts)
	if err != nil || k.Algorithm != "ES256" {
		return sig, err
	}
	var numbers struct{ R, S *big.Int }
	rest, err := asn1.Unmarshal(sig, &numbers)
	if err != nil || len(rest) > 0 || numbers.R.BitLen() > 256 || numbers.S.BitLen() > 256 {
		return nil, errors.New("not an ECDSA signature on P-256") // FillBytes would panic
	}
	out := make([]byte, 64)
	numbers.R.FillBytes(out[:32])
	numbers.S.FillBytes(out[32:])
	return out, nil
}
