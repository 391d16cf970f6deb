package oidc

import (
	"context"
	"encoding/base64"
	"slices"
	"strings"
	"time"

	"github.com/cognate-auth/cognate/internal/refusal"
)

// MaxToken bounds an ID token or a logout token, in bytes. Cognito's have about 1 KiB; groups
// and custom attributes make them grow.
const MaxToken = 64 << 10

// SigningAlgorithms are the algorithms that tokens may be signed with: those whose signing
// key only the provider has. HMAC must never be added: its key would be the client secret
// or, in an algorithm confusion attack, the public key.
var SigningAlgorithms = []string{
	"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512",
}

// TokenRules are the checks that every token of a provider has to pass, whatever its kind:
// its signature, its issuer, and its dates.
type TokenRules struct {
	// Provider signs and issues the tokens.
	Provider *Provider
	// Algorithms are those that a token may be signed with.
	Algorithms []string
	// Skew is how far the provider's clock may differ from this machine's, Now.
	Skew time.Duration
	Now  func() time.Time
}

// A Verifier checks what one provider signs for one client: ID tokens (OpenID Connect Core
// 1.0, section 3.1.3.7), logout tokens and userInfo. Its fields must not change after its
// first use; then it is safe for concurrent use.
type Verifier struct {
	TokenRules
	// ClientID is the audience that tokens must have, and Trusted are other audiences that
	// they may have in addition.
	ClientID string
	Trusted  []string
	// TokenUseClaim names the claim that must be "id" in an ID token; "" means no such claim.
	TokenUseClaim string

	reader tokenReader
}

// NewVerifier returns a Verifier for tokens of at most [MaxToken] bytes.
func NewVerifier(r TokenRules, clientID string) *Verifier {
	return &Verifier{TokenRules: r, ClientID: clientID, reader: tokenReader{limit: MaxToken}}
}

// Verify returns the claims of the ID token of a sign-in, or an error that says which check
// failed.
func (v *Verifier) Verify(ctx context.Context, raw, accessToken string, of Attempt) (Claims, error) {
	c, err := v.check(ctx, raw, accessToken)
	if err != nil {
		return nil, err
	}
	err = of.check(c, v.Skew)
	if err != nil {
		return nil, err
	}
	return c, nil
}

// A SignIn is what a refreshed ID token is compared with.
type SignIn struct {
	// Subject, Nonce and AuthTime come from the ID token of the sign-in; AuthTime is zero
	// if that token had no auth_time.
	Subject, Nonce string
	AuthTime       time.Time
}

// KeepsAuthTime reports whether the auth_time of a refreshed ID token is absent or that of
// the sign-in, as it should be (OpenID Connect Core 1.0, 12.2).
func (s SignIn) KeepsAuthTime(c Claims) bool {
	if _, present := c["auth_time"]; !present {
		return true
	}
	at, ok, err := c.Date("auth_time")
	return err == nil && ok && at.Equal(s.AuthTime)
}

// VerifyRefreshed is like [Verifier.Verify], for an ID token from a refresh (OpenID Connect
// Core 1.0, 12.2): its subject must be that of the sign-in, and its nonce must be absent,
// empty or that of the sign-in. auth_time is not compared: Cognito has been seen to send the
// time of the refresh where refresh tokens rotate, and auth_time does not identify the user.
func (v *Verifier) VerifyRefreshed(ctx context.Context, raw, accessToken string, of SignIn) (Claims, error) {
	c, err := v.check(ctx, raw, accessToken)
	if err != nil {
		return nil, err
	}
	if c.Text("sub") != of.Subject {
		return nil, refusal.New(refusal.TokenSubject, "the refreshed ID token has another subject than the sign-in's")
	}
	got, err := c.String("nonce")
	if err != nil || got != "" && !equal(got, of.Nonce) {
		return nil, refusal.New(refusal.TokenNonce, "the refreshed ID token's nonce is not the one of the sign-in")
	}
	return c, nil
}

// check makes the checks that every ID token has to pass.
func (v *Verifier) check(ctx context.Context, raw, accessToken string) (Claims, error) {
	token, c, err := v.verifySignature(ctx, raw)
	if err != nil {
		return nil, err
	}
	// The typ of an access token is at+jwt (RFC 9068, 2.1), that of a logout token logout+jwt.
	if token.typ != "" && token.typ != "jwt" {
		return nil, refusal.New(refusal.TokenUse, "the token's typ is %.40q, expected none or \"JWT\"", token.typ)
	}
	for _, check := range []func(Claims) error{v.checkParties, v.checkDates} {
		err := check(c)
		if err != nil {
			return nil, err
		}
	}
	return c, checkAccessHash(c, token.alg, accessToken)
}

// verifySignature parses a token and checks its signature.
func (v *Verifier) verifySignature(ctx context.Context, raw string) (*signedToken, Claims, error) {
	t, err := v.reader.read(raw)
	if err != nil && strings.Count(raw, ".") == 4 { // RFC 7516, 7.1
		return nil, nil, refusal.New(refusal.TokenMalformed,
			"the token is encrypted, which is not supported; have the provider sign it only")
	}
	if err != nil {
		return nil, nil, refusal.New(refusal.TokenMalformed, "the token can't be read")
	}
	err = v.checkSignature(ctx, t)
	if err != nil {
		return nil, nil, err
	}
	return t, t.claims, nil
}

// checkSignature checks that the provider signed a token. It checks the algorithm first:
// the algorithm selects the keys, but whoever made the token chose it.
func (v *TokenRules) checkSignature(ctx context.Context, t *signedToken) error {
	if !slices.Contains(v.Algorithms, t.alg) {
		return refusal.New(refusal.TokenAlgorithm, "the token's alg is not one of %q", v.Algorithms)
	}
	keys, err := v.Provider.keys.find(ctx, t.kid, t.alg)
	if err != nil {
		return err
	}
	for _, k := range keys {
		if t.verify(k.key) {
			return nil
		}
	}
	return refusal.New(refusal.TokenSignature, "the token's signature is wrong")
}

// checkOrigin checks the token's issuer, and that it has a subject.
func (v *TokenRules) checkOrigin(c Claims) error {
	iss, err := c.String("iss")
	if err != nil || iss != v.Provider.Issuer() {
		return refusal.New(refusal.TokenIssuer, "iss is %.200q, expected %q", iss, v.Provider.Issuer())
	}
	return checkSubject(c)
}

func checkSubject(c Claims) error {
	sub, err := c.String("sub")
	if err != nil || sub == "" || len(sub) > 255 {
		return refusal.New(refusal.TokenMalformed, "sub is missing, or not a string of at most 255 bytes")
	}
	return nil
}

// checkParties checks the token's issuer and audience, and that it is an ID token.
func (v *Verifier) checkParties(c Claims) error {
	err := v.checkOrigin(c)
	if err != nil {
		return err
	}
	aud, err := v.audience(c)
	if err != nil {
		return err
	}
	azp, err := c.String("azp")
	if err != nil || azp != "" && azp != v.ClientID || azp == "" && len(aud) > 1 {
		return refusal.New(refusal.TokenAuthorizedParty, "azp is %.200q with %d audiences", azp, len(aud))
	}
	err = v.checkTrusted(aud)
	if err != nil || v.TokenUseClaim == "" {
		return err
	}
	use, err := c.String(v.TokenUseClaim)
	if err != nil || use != "id" {
		return refusal.New(refusal.TokenUse, "%s is %.40q, expected \"id\"", v.TokenUseClaim, use)
	}
	return nil
}

// audience returns the audience of a token, which has to include this client.
func (v *Verifier) audience(c Claims) ([]string, error) {
	aud, err := c.Strings("aud")
	if err != nil || !slices.Contains(aud, v.ClientID) {
		return nil, refusal.New(refusal.TokenAudience, "aud does not name this client")
	}
	return aud, nil
}

// checkTrusted rejects a token with an additional audience that the configuration does not
// name (OpenID Connect Core 1.0, 3.1.3.7, item 3): that audience also has the token, and
// could send it here.
func (v *Verifier) checkTrusted(aud []string) error {
	for _, a := range aud {
		if a != v.ClientID && !slices.Contains(v.Trusted, a) {
			return refusal.New(refusal.TokenAudience, "aud also names %.100q, which TrustedAudiences does not list", a)
		}
	}
	return nil
}

// checkDates checks exp, iat and nbf; exp and iat are required. The age of a token does not
// matter until it expires.
func (v *TokenRules) checkDates(c Claims) error {
	for _, name := range []string{"exp", "iat"} {
		if _, ok := c[name]; !ok {
			return refusal.New(refusal.TokenMalformed, "%s is missing", name)
		}
	}
	return v.checkOptionalDates(c)
}

// checkOptionalDates checks the dates that are present, with the same skew in both
// directions.
func (v *TokenRules) checkOptionalDates(c Claims) error {
	now := v.Now()
	exp, ok, err := c.Date("exp")
	if err != nil {
		return refusal.New(refusal.TokenMalformed, "%w", err)
	}
	if ok && !now.Before(exp.Add(v.Skew)) {
		return refusal.New(refusal.TokenExpired, "the token expired %s ago: its exp is %s, and this machine's clock "+
			"says %s", now.Sub(exp).Round(time.Second), clockTime(exp), clockTime(now))
	}
	for _, name := range []string{"iat", "nbf"} {
		date, present, err := c.Date(name)
		if err != nil {
			return refusal.New(refusal.TokenMalformed, "%w", err)
		}
		if present && date.After(now.Add(v.Skew)) {
			return refusal.New(refusal.TokenNotYetValid,
				"%s is %s in the future: the provider's clock said %s, and this machine's says %s",
				name, date.Sub(now).Round(time.Second), clockTime(date), clockTime(now))
		}
		// Both dates come from the same clock, so the skew does not apply.
		if present && ok && exp.Before(date) {
			return refusal.New(refusal.TokenMalformed, "exp is before %s", name)
		}
	}
	return nil
}

// clockTime writes a time for comparing clocks, in UTC.
func clockTime(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// checkAccessHash compares at_hash, if present, with the left half of the access token's
// hash under the ID token's algorithm (OpenID Connect Core 1.0, 3.1.3.6).
func checkAccessHash(c Claims, alg, accessToken string) error {
	if _, ok := c["at_hash"]; !ok {
		return nil
	}
	want, err := c.String("at_hash")
	if err != nil {
		return refusal.New(refusal.TokenAccessHash, "%w", err)
	}
	h := hashOf(alg).New()
	h.Write([]byte(accessToken))
	sum := h.Sum(nil)
	if !equal(want, base64.RawURLEncoding.EncodeToString(sum[:len(sum)/2])) {
		return refusal.New(refusal.TokenAccessHash, "at_hash does not match the access token")
	}
	return nil
}
