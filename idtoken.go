package cognate

import (
	"context"
	"encoding/base64"
	"slices"
	"strings"
	"time"

	"github.com/cognate-auth/cognate/internal/refusal"
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

// tokenRules are what holds for every token of one provider, whatever its kind: who signed
// it, who made it, and when. It is safe for concurrent use.
type tokenRules struct {
	issuer string
	algs   []string
	skew   time.Duration
	now    func() time.Time
	keys   *keySet
}

// A verifier checks ID tokens of one provider for one client (OpenID Connect Core 1.0,
// section 3.1.3.7). It is safe for concurrent use.
type verifier struct {
	tokenRules
	reader   tokenReader
	clientID string
	trusted  []string // further audiences that a token may have
	tokenUse string   // name of the claim that must be "id"; "" if there is none
}

func newVerifier(issuer, clientID string, d *Dialect, algs []string, skew time.Duration, now func() time.Time, keys *keySet) *verifier {
	return &verifier{
		tokenRules: tokenRules{issuer, algs, skew, now, keys}, reader: tokenReader{limit: maxToken},
		clientID: clientID, tokenUse: d.TokenUseClaim,
	}
}

// verify returns the claims of the ID token of a sign-in, or an *Error that names the
// check that failed.
func (v *verifier) verify(ctx context.Context, raw, nonce, accessToken string) (claims, error) {
	c, err := v.check(ctx, raw, accessToken)
	if err != nil {
		return nil, err
	}
	got, err := c.str("nonce")
	if err != nil || nonce == "" || !equal(got, nonce) {
		return nil, refusal.New(refusal.TokenNonce, "nonce is not the one of this sign-in")
	}
	return c, nil
}

// verifyRefreshed is verify for an ID token that came with a refresh (OpenID Connect Core
// 1.0, 12.2): it is about the same user, and has the nonce of the sign-in or none. An empty
// one is none. auth_time is not compared: Cognito has been seen to send that of the refresh
// where refresh tokens rotate, and it says nothing about whose token this is.
func (v *verifier) verifyRefreshed(ctx context.Context, raw, nonce, accessToken string, was *User) (claims, error) {
	c, err := v.check(ctx, raw, accessToken)
	if err != nil {
		return nil, err
	}
	if c.text("sub") != was.Subject {
		return nil, refusal.New(refusal.TokenSubject, "the refreshed ID token is about another subject")
	}
	got, err := c.str("nonce")
	if err != nil || got != "" && !equal(got, nonce) {
		return nil, refusal.New(refusal.TokenNonce, "the refreshed ID token's nonce is not the one of the sign-in")
	}
	return c, nil
}

// check is what holds for every ID token.
func (v *verifier) check(ctx context.Context, raw, accessToken string) (claims, error) {
	token, c, err := v.verifySignature(ctx, raw)
	if err != nil {
		return nil, err
	}
	// An access token says at+jwt (RFC 9068, 2.1), a logout token logout+jwt.
	if token.typ != "" && token.typ != "jwt" {
		return nil, refusal.New(refusal.TokenUse, "the token's typ is %.40q, expected none or \"JWT\"", token.typ)
	}
	for _, check := range []func(claims) error{v.checkParties, v.checkDates} {
		err := check(c)
		if err != nil {
			return nil, err
		}
	}
	return c, checkAccessHash(c, token.alg, accessToken)
}

// verifySignature reads a token and checks who signed it.
func (v *verifier) verifySignature(ctx context.Context, raw string) (*signedToken, claims, error) {
	t, err := v.reader.read(raw)
	if err != nil && strings.Count(raw, ".") == 4 { // RFC 7516, 7.1
		return nil, nil, refusal.New(refusal.TokenMalformed, "the token is encrypted, which is not supported; have the provider sign it only")
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

// checkSignature checks who signed a token. The algorithm is looked at first: it decides
// which keys fit, and is itself named by whoever made the token.
func (v *tokenRules) checkSignature(ctx context.Context, t *signedToken) error {
	if !slices.Contains(v.algs, t.alg) {
		return refusal.New(refusal.TokenAlgorithm, "the token's alg is none of %q", v.algs)
	}
	keys, err := v.keys.find(ctx, t.kid, t.alg)
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

// checkOrigin checks who made the token and that it is about somebody.
func (v *tokenRules) checkOrigin(c claims) error {
	iss, err := c.str("iss")
	if err != nil || iss != v.issuer {
		return refusal.New(refusal.TokenIssuer, "iss is %.200q, expected %q", iss, v.issuer)
	}
	return checkSubject(c)
}

func checkSubject(c claims) error {
	sub, err := c.str("sub")
	if err != nil || sub == "" || len(sub) > 255 {
		return refusal.New(refusal.TokenMalformed, "sub is missing or no string of at most 255 bytes")
	}
	return nil
}

// checkParties checks who made the token, for whom, and that it is an ID token.
func (v *verifier) checkParties(c claims) error {
	err := v.checkOrigin(c)
	if err != nil {
		return err
	}
	aud, err := v.audience(c)
	if err != nil {
		return err
	}
	azp, err := c.str("azp")
	if err != nil || azp != "" && azp != v.clientID || azp == "" && len(aud) > 1 {
		return refusal.New(refusal.TokenAuthorizedParty, "azp is %.200q with %d audiences", azp, len(aud))
	}
	err = v.checkTrusted(aud)
	if err != nil || v.tokenUse == "" {
		return err
	}
	use, err := c.str(v.tokenUse)
	if err != nil || use != "id" {
		return refusal.New(refusal.TokenUse, "%s is %.40q, expected \"id\"", v.tokenUse, use)
	}
	return nil
}

// audience returns whom a token is for: this client among them.
func (v *verifier) audience(c claims) ([]string, error) {
	aud, err := c.strings("aud")
	if err != nil || !slices.Contains(aud, v.clientID) {
		return nil, refusal.New(refusal.TokenAudience, "aud does not name this client")
	}
	return aud, nil
}

// checkTrusted refuses an audience beside this client that the configuration doesn't name
// (OpenID Connect Core 1.0, 3.1.3.7, item 3): whoever else a token is for has it too, and
// could send it here.
func (v *verifier) checkTrusted(aud []string) error {
	for _, a := range aud {
		if a != v.clientID && !slices.Contains(v.trusted, a) {
			return refusal.New(refusal.TokenAudience, "aud also names %.100q, which is none of TrustedAudiences", a)
		}
	}
	return nil
}

// checkDates checks exp, iat and nbf. How old a token is does not matter while it has not
// expired.
func (v *tokenRules) checkDates(c claims) error {
	for _, name := range []string{"exp", "iat"} {
		if _, ok := c[name]; !ok {
			return refusal.New(refusal.TokenMalformed, "%s is missing", name)
		}
	}
	return v.checkGivenDates(c)
}

// checkGivenDates checks those dates that are there, with one skew in both directions.
func (v *tokenRules) checkGivenDates(c claims) error {
	now := v.now()
	exp, ok, err := c.date("exp")
	if err != nil {
		return refusal.New(refusal.TokenMalformed, "%w", err)
	}
	if ok && !now.Before(exp.Add(v.skew)) {
		return refusal.New(refusal.TokenExpired, "the token expired %s ago", now.Sub(exp).Round(time.Second))
	}
	for _, name := range []string{"iat", "nbf"} {
		date, there, err := c.date(name)
		if err != nil {
			return refusal.New(refusal.TokenMalformed, "%w", err)
		}
		if there && date.After(now.Add(v.skew)) {
			return refusal.New(refusal.TokenNotYetValid, "%s lies in the future; compare this machine's clock with the provider's", name)
		}
		// Both are of one clock, so that no skew excuses it.
		if there && ok && exp.Before(date) {
			return refusal.New(refusal.TokenMalformed, "exp lies before %s", name)
		}
	}
	return nil
}

// checkAccessHash compares at_hash, if there is one, with the access token: the left
// half of its hash under the ID token's algorithm (OpenID Connect Core 1.0, 3.1.3.6).
func checkAccessHash(c claims, alg, accessToken string) error {
	if _, ok := c["at_hash"]; !ok {
		return nil
	}
	want, err := c.str("at_hash")
	if err != nil {
		return refusal.New(refusal.TokenAccessHash, "%w", err)
	}
	h := hashOf(alg).New()
	h.Write([]byte(accessToken))
	sum := h.Sum(nil)
	if !equal(want, base64.RawURLEncoding.EncodeToString(sum[:len(sum)/2])) {
		return refusal.New(refusal.TokenAccessHash, "at_hash does not fit the access token")
	}
	return nil
}
