package cognate

import (
	"context"
	"crypto"
	"encoding/base64"
	"errors"
	"slices"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// maxToken bounds an ID token, in bytes. Cognito's have about 1 KiB; groups and custom
// attributes make them grow.
const maxToken = 64 << 10

// signingAlgorithms are those that Config.SigningAlgorithms may name: signatures by a
// key that only the provider has. HMAC is left out for good: its key would be the
// client secret, or, for a verifier that can be confused, the public key.
var signingAlgorithms = []string{
	"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512",
}

// A verifier checks ID tokens of one provider for one client (OpenID Connect Core 1.0,
// section 3.1.3.7). It is safe for concurrent use.
type verifier struct {
	issuer   string
	clientID string
	tokenUse string // name of the claim that must be "id"; "" if there is none
	skew     time.Duration
	now      func() time.Time
	keys     *keySet
	parser   *jwt.Parser
	algs     []string
}

func newVerifier(issuer, clientID string, d *Dialect, algs []string, skew time.Duration, now func() time.Time, keys *keySet) *verifier {
	return &verifier{
		issuer: issuer, clientID: clientID, tokenUse: d.TokenUseClaim, skew: skew, now: now, keys: keys, algs: algs,
		parser: jwt.NewParser(jwt.WithValidMethods(algs), jwt.WithStrictDecoding(), jwt.WithoutClaimsValidation()),
	}
}

// verify returns the claims of an ID token that passes every check, or an *Error that
// names the check that failed.
func (v *verifier) verify(ctx context.Context, raw, nonce, accessToken string) (claims, error) {
	token, c, err := v.verifySignature(ctx, raw)
	if err != nil {
		return nil, err
	}
	for _, check := range []func(claims) error{v.checkParties, v.checkDates} {
		if err := check(c); err != nil {
			return nil, err
		}
	}
	got, err := c.str("nonce")
	if err != nil || nonce == "" || !equal(got, nonce) {
		return nil, refuse(ReasonTokenNonce, "nonce is not the one of this sign-in")
	}
	return c, checkAccessHash(c, token.Method, accessToken)
}

// verifySignature reads a token and checks who signed it.
func (v *verifier) verifySignature(ctx context.Context, raw string) (*jwt.Token, claims, error) {
	if len(raw) > maxToken {
		return nil, nil, refuse(ReasonTokenMalformed, "the ID token is larger than %d bytes", maxToken)
	}
	var c tokenClaims
	token, err := v.parser.ParseWithClaims(raw, &c, func(t *jwt.Token) (any, error) {
		// An extension that is marked as critical changes what the signature means
		// (RFC 7515, 4.1.11); none is known here.
		if _, ok := t.Header["crit"]; ok {
			return nil, refuse(ReasonTokenMalformed, "the ID token's header has critical extensions")
		}
		kid, _ := t.Header["kid"].(string)
		return v.keys.find(ctx, kid, t.Method.Alg())
	})
	if err == nil && c.claims == nil {
		err = jwt.ErrTokenMalformed // the payload is null
	}
	if err == nil {
		return token, c.claims, nil
	}
	// The library's texts are not passed on: they may quote the token.
	if e, ok := errors.AsType[*Error](err); ok {
		return nil, nil, e
	}
	if token == nil || errors.Is(err, jwt.ErrTokenMalformed) {
		return nil, nil, refuse(ReasonTokenMalformed, "the ID token can't be read")
	}
	if token.Method == nil || !slices.Contains(v.algs, token.Method.Alg()) {
		return nil, nil, refuse(ReasonTokenAlgorithm, "the ID token's alg is none of %q", v.algs)
	}
	return nil, nil, refuse(ReasonTokenSignature, "the ID token's signature is wrong")
}

// checkParties checks who made the token, for whom, and that it is an ID token.
func (v *verifier) checkParties(c claims) error {
	iss, err := c.str("iss")
	if err != nil || iss != v.issuer {
		return refuse(ReasonTokenIssuer, "iss is %.200q, expected %q", iss, v.issuer)
	}
	sub, err := c.str("sub")
	if err != nil || sub == "" || len(sub) > 255 {
		return refuse(ReasonTokenMalformed, "sub is missing or no string of at most 255 bytes")
	}
	aud, err := c.strings("aud")
	if err != nil || !slices.Contains(aud, v.clientID) {
		return refuse(ReasonTokenAudience, "aud does not name this client")
	}
	azp, err := c.str("azp")
	if err != nil || azp != "" && azp != v.clientID || azp == "" && len(aud) > 1 {
		return refuse(ReasonTokenAuthorizedParty, "azp is %.200q with %d audiences", azp, len(aud))
	}
	if v.tokenUse == "" {
		return nil
	}
	if use, err := c.str(v.tokenUse); err != nil || use != "id" {
		return refuse(ReasonTokenUse, "%s is %.40q, expected \"id\"", v.tokenUse, use)
	}
	return nil
}

// checkDates checks exp, iat and nbf with one skew in both directions. How old a token
// is does not matter while it has not expired.
func (v *verifier) checkDates(c claims) error {
	now := v.now()
	exp, ok, err := c.date("exp")
	if err != nil || !ok {
		return refuse(ReasonTokenMalformed, "exp is missing or no date")
	}
	if !now.Before(exp.Add(v.skew)) {
		return refuse(ReasonTokenExpired, "the ID token expired %s ago", now.Sub(exp).Round(time.Second))
	}
	iat, ok, err := c.date("iat")
	if err != nil || !ok {
		return refuse(ReasonTokenMalformed, "iat is missing or no date")
	}
	nbf, hasNBF, err := c.date("nbf")
	if err != nil {
		return refuse(ReasonTokenMalformed, "nbf is no date")
	}
	latest := now.Add(v.skew)
	if iat.After(latest) || hasNBF && nbf.After(latest) {
		return refuse(ReasonTokenNotYetValid, "iat or nbf lies in the future; compare this machine's clock with the provider's")
	}
	return nil
}

// checkAccessHash compares at_hash, if there is one, with the access token: the left
// half of its hash under the ID token's algorithm (OpenID Connect Core 1.0, 3.1.3.6).
func checkAccessHash(c claims, method jwt.SigningMethod, accessToken string) error {
	if _, ok := c["at_hash"]; !ok {
		return nil
	}
	want, err := c.str("at_hash")
	if err != nil {
		return refuse(ReasonTokenAccessHash, "%w", err)
	}
	hash := hashOf(method)
	if !hash.Available() {
		return refuse(ReasonTokenAccessHash, "no hash is known for %s", method.Alg())
	}
	h := hash.New()
	h.Write([]byte(accessToken))
	sum := h.Sum(nil)
	if !equal(want, base64.RawURLEncoding.EncodeToString(sum[:len(sum)/2])) {
		return refuse(ReasonTokenAccessHash, "at_hash does not fit the access token")
	}
	return nil
}

func hashOf(method jwt.SigningMethod) crypto.Hash {
	switch m := method.(type) {
	case *jwt.SigningMethodRSA:
		return m.Hash
	case *jwt.SigningMethodRSAPSS:
		return m.Hash
	case *jwt.SigningMethodECDSA:
		return m.Hash
	}
	return 0
}
