package cognate

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/asn1"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"golang.org/x/oauth2"

	"github.com/cognate-auth/cognate/internal/gate"
	"github.com/cognate-auth/cognate/internal/refusal"
	"github.com/cognate-auth/cognate/internal/utf8text"
)

// client is this app client at its provider. It is safe for concurrent use.
type client struct {
	id          string
	secret      Secret
	method      AuthMethod
	key         *clientKey // of PrivateKeyJWT
	redirectURL string
	scopes      []string
	now         func() time.Time
	gate        *gate.Gate
	// configured tells that method is Config's, and not what goes without saying.
	configured bool
	// announced returns the methods that the provider announced, as far as it was asked.
	announced func() []string
}

func newClient(s *settings) *client {
	return &client{
		id: s.ClientID, secret: s.ClientSecret, method: s.ClientAuth, key: s.clientKey,
		redirectURL: s.RedirectURL, scopes: s.Scopes, now: s.Now, gate: gate.New(s.Now), configured: s.authConfigured,
	}
}

// auth is how this client authenticates. A secret for which Config names no way goes the
// dialect's, or, where the provider announces only the other one, that way: Apple and Twitch
// take client_secret_post alone.
func (c *client) auth() AuthMethod {
	secret := c.method == ClientSecretBasic || c.method == ClientSecretPost
	if c.configured || !secret || c.announced == nil {
		return c.method
	}
	announced := c.announced()
	for _, m := range []AuthMethod{c.method, ClientSecretBasic, ClientSecretPost} {
		if slices.Contains(announced, string(m)) {
			return m
		}
	}
	return c.method
}

// authorization is an authorization request with state, nonce and PKCE (OpenID Connect
// Core 1.0, 3.1.2.1; RFC 7636, 4.3), always. extra can't change any of it.
func (c *client) authorization(t *transaction, extra url.Values) url.Values {
	for name, value := range map[string]string{
		"response_type": "code", "client_id": c.id, "redirect_uri": c.redirectURL, "scope": strings.Join(c.scopes, " "),
		"state": t.state, "nonce": t.nonce,
		"code_challenge": oauth2.S256ChallengeFromVerifier(t.verifier), "code_challenge_method": "S256",
	} {
		extra.Set(name, value)
	}
	return extra
}

// requestURI is what the reference to a pushed request may be, a URI of at most
// maxRequestURI bytes.
var requestURI = regexp.MustCompile(`^[\x21-\x7e]+$`)

const maxRequestURI = 1 << 10

// push hands the authorization request to the provider (RFC 9126) and returns where to send
// the browser with the reference to it.
func (c *client) push(ctx context.Context, hc *http.Client, e Endpoints, params url.Values) (string, error) {
	if e.PushedAuthorization == "" {
		return "", refusal.New(refusal.ClientRefused, "authorization requests are to be pushed, "+
			"but the provider's endpoint for them is not known")
	}
	status, body, err := c.post(ctx, hc, e.PushedAuthorization, params)
	if err != nil {
		return "", refusal.New(refusal.PushedRequest, "pushing the authorization request: %w", err)
	}
	var r claims
	if status != http.StatusCreated && status != http.StatusOK {
		g := grant{failed: refusal.PushedRequest, refused: refusal.ClientRefused, client: []string{
			"invalid_client", "unauthorized_client", "invalid_request", "invalid_scope", "unsupported_response_type",
		}}
		return "", g.refusal("pushed authorization request", status, c.errorIn(body, params))
	}
	_ = r.UnmarshalJSON(body) // what is no object has no reference
	uri := r.text("request_uri")
	if len(uri) > maxRequestURI || !requestURI.MatchString(uri) {
		return "", refusal.New(refusal.PushedRequest, "the answer to the pushed authorization request has no request_uri")
	}
	return addQuery(e.Authorization, url.Values{"client_id": {c.id}, "request_uri": {uri}}), nil
}

// checkMethod refuses a way to authenticate that the provider says it does not take: the
// token endpoint would, but the code would be spent. Few providers announce that public
// clients need none.
func (c *client) checkMethod(m metadata) error {
	method := c.auth()
	if method == ClientAuthNone || len(m.authMethods) == 0 { // an empty list says as little as none
		return nil
	}
	if !slices.Contains(m.authMethods, string(method)) {
		return refusal.New(refusal.ClientRefused, "ClientAuth is %s, but the provider announces %.300q", method, m.authMethods)
	}
	if method == PrivateKeyJWT && m.assertionAlgs != nil && !slices.Contains(m.assertionAlgs, c.key.alg) {
		return refusal.New(refusal.ClientRefused, "ClientKey signs with %s, but the provider announces %.300q", c.key.alg, m.assertionAlgs)
	}
	return nil
}

// authenticate adds the client's proof of itself to a request (RFC 6749, 2.3; RFC 7521,
// 4.2).
func (c *client) authenticate(form url.Values, header http.Header) error {
	switch c.auth() {
	case ClientSecretBasic:
		// Both are form-encoded before (2.3.1).
		r := http.Request{Header: header}
		r.SetBasicAuth(url.QueryEscape(c.id), url.QueryEscape(string(c.secret)))
		return nil
	case ClientSecretPost:
		form.Set("client_secret", string(c.secret))
	case PrivateKeyJWT:
		assertion, err := c.key.assertion(c.id, c.now())
		if err != nil {
			return err
		}
		form.Set("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer")
		form.Set("client_assertion", assertion)
	}
	form.Set("client_id", c.id)
	return nil
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

// clientKey is a ClientKey that was checked.
type clientKey struct {
	signer            crypto.Signer
	id, alg, audience string
}

// check makes a clientKey of the configuration, or says what is wrong with it.
func (k ClientKey) check(issuer string) (*clientKey, error) {
	c := &clientKey{k.Signer, k.ID, k.Algorithm, k.Audience}
	if k.PEM != "" {
		if k.Signer != nil {
			return nil, errors.New("the ClientKey has both a Signer and a PEM")
		}
		var err error
		c.signer, err = parsePrivateKey(string(k.PEM))
		if err != nil {
			return nil, err
		}
	}
	setDefault(&c.audience, issuer)
	fitting := []string(nil)
	switch pub := c.signer.Public().(type) {
	case *rsa.PublicKey:
		if pub.N.BitLen() >= minRSABits {
			fitting = []string{"RS256", "PS256"}
		}
	case *ecdsa.PublicKey:
		if pub.Curve == elliptic.P256() {
			fitting = []string{"ES256"}
		}
	}
	if fitting == nil {
		return nil, fmt.Errorf("the ClientKey is none of RSA with %d bits or more, or ECDSA on P-256", minRSABits)
	}
	setDefault(&c.alg, fitting[0])
	if !slices.Contains(fitting, c.alg) {
		return nil, fmt.Errorf("the ClientKey's Algorithm is %q; its key is for %q", c.alg, fitting)
	}
	return c, nil
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

// assertionLifetime is how long an assertion is good: long enough for clocks that differ a
// little. Its jti lets the provider take it once.
const assertionLifetime = 2 * time.Minute

// assertion is a signed statement of who the client is (RFC 7523, 2.2 and 3; OpenID Connect
// Core 1.0, 9). The issuer as its only audience makes it worthless anywhere else.
func (k *clientKey) assertion(clientID string, now time.Time) (string, error) {
	header := map[string]string{"alg": k.alg, "typ": "JWT"}
	if k.id != "" {
		header["kid"] = k.id
	}
	payload := map[string]any{
		"iss": clientID, "sub": clientID, "aud": k.audience, "jti": rand.Text(),
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

// sign makes a signature in the form of RFC 7518, 3.3 to 3.5. A crypto.Signer writes ECDSA
// signatures in ASN.1; JWS wants the two numbers side by side.
func (k *clientKey) sign(input []byte) ([]byte, error) {
	digest := sha256.Sum256(input)
	var opts crypto.SignerOpts = crypto.SHA256
	if k.alg == "PS256" {
		opts = &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: crypto.SHA256}
	}
	sig, err := k.signer.Sign(rand.Reader, digest[:], opts)
	if err != nil || k.alg != "ES256" {
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

const textUntrimmed = "begins or ends with a space, a line end or a byte order mark, as text read from a file may; " +
	"read what is between them"

// untrimmed reports whether a value has something around it that nobody meant. It is said and
// not cut off: what a file holds beside the value may be the sign of a larger mistake.
func untrimmed(value string) bool { return strings.Trim(value, " \t\r\n\uFEFF") != value }

// checkClientAuth finds what contradicts itself in how the client authenticates.
func (s *settings) checkClientAuth() (problems []error) {
	secret := s.ClientAuth == ClientSecretBasic || s.ClientAuth == ClientSecretPost
	for _, f := range []struct{ name, value string }{{"ClientSecret", string(s.ClientSecret)}, {"ClientID", s.ClientID}} {
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
	if !s.ClientKey.given() {
		if s.ClientKey != (ClientKey{}) {
			problems = append(problems, errors.New("the ClientKey has neither a Signer nor a PEM"))
		}
		return problems
	}
	var err error
	s.clientKey, err = s.ClientKey.check(s.Issuer)
	if err != nil {
		problems = append(problems, err)
	}
	return problems
}
