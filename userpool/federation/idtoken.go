package federation

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/cognate-auth/cognate/userpool"
)

// leeway is how far the provider's clock may be from ours.
const leeway = time.Minute

const maxToken = 64 << 10

// verify checks an ID token (OpenID Connect Core section 3.1.3.7) and returns its
// claims.
func (u *upstream) verify(
	ctx context.Context, h *Handler, ip userpool.IdentityProvider, known endpoints, token, nonce userpool.Secret,
) (map[string]any, error) {
	if len(token) > maxToken {
		return nil, &fault{ip.Name, "Bad id_token", errors.New("the ID token is too long")}
	}
	if strings.ContainsAny(string(token), "\r\n") { // base64 of Go passes over them
		return nil, &fault{ip.Name, "Bad id_token form", errors.New("the ID token has a line end in it")}
	}
	parser := jwt.NewParser(
		jwt.WithValidMethods(signatureMethods), jwt.WithStrictDecoding(), jwt.WithJSONNumber(),
		jwt.WithTimeFunc(h.Pool.Now), jwt.WithLeeway(leeway), jwt.WithExpirationRequired(),
		jwt.WithIssuer(ip.Issuer), jwt.WithAudience(ip.ClientID),
	)
	claims := jwt.MapClaims{}
	_, err := parser.ParseWithClaims(string(token), claims, func(t *jwt.Token) (any, error) {
		return u.key(ctx, h, ip, known, t)
	})
	if f, ok := errors.AsType[*fault](err); ok {
		return nil, f
	}
	if e, ok := errors.AsType[*userpool.Error](err); ok {
		return nil, e
	}
	if err == nil {
		err = checkClaims(claims, ip.ClientID, nonce)
	}
	if err != nil {
		return nil, &fault{ip.Name, "Bad id_token" + which(err), errors.New("the ID token is refused:" + which(err))}
	}
	return claims, nil
}

var (
	errNonce = errors.New("nonce")
	errAZP   = errors.New("azp")
)

// checkClaims is what the parser does not: nonce, and azp where there is one or
// the token is for others too.
func checkClaims(claims jwt.MapClaims, client string, nonce userpool.Secret) error {
	got, _ := claims["nonce"].(string)
	if !nonce.Equal(userpool.Secret(got)) {
		return errNonce
	}
	audience, err := claims.GetAudience()
	if err != nil {
		return err
	}
	azp, sent := claims["azp"]
	if sent && azp != client || !sent && len(audience) > 1 {
		return errAZP
	}
	return nil
}

// which names the check that failed, and nothing of the token.
func which(err error) string {
	for _, known := range []struct {
		err  error
		name string
	}{
		{errNonce, " nonce"}, {errAZP, " azp"}, {jwt.ErrTokenInvalidIssuer, " issuer"},
		{jwt.ErrTokenInvalidAudience, " audience"}, {jwt.ErrTokenExpired, " expired"},
		{jwt.ErrTokenNotValidYet, " not valid yet"}, {jwt.ErrTokenSignatureInvalid, " signature"},
		{jwt.ErrTokenUnverifiable, " key"}, {jwt.ErrTokenMalformed, " form"},
	} {
		if errors.Is(err, known.err) {
			return known.name
		}
	}
	return " claims"
}

// verifyKey is a public key of a provider.
type verifyKey struct {
	id, alg string // alg may be empty: any of the kind
	key     crypto.PublicKey
}

// key finds the key of a token's header. HS256 is signed with the client secret,
// and with nothing else: no public key is ever taken for a secret.
func (u *upstream) key(
	ctx context.Context, h *Handler, ip userpool.IdentityProvider, known endpoints, t *jwt.Token,
) (any, error) {
	if _, ok := t.Header["crit"]; ok { // RFC 7515 section 4.1.11: we know no extension
		return nil, errors.New("crit is not understood")
	}
	if t.Method.Alg() == "HS256" {
		return []byte(ip.ClientSecret), nil
	}
	id, _ := t.Header["kid"].(string)
	ctx, cancel := context.WithTimeout(ctx, h.patience())
	defer cancel()
	leave, err := u.enter(ctx)
	if err != nil {
		return nil, &fault{ip.Name, timeoutKeys, err}
	}
	defer leave()
	keys, ok := pick(u.keys, id, t.Method)
	age := h.Pool.Now().Sub(u.keysAt)
	if age >= 0 && age < keysLife && (ok || age < keysInterval && u.keys != nil) {
		return found(keys, ok)
	}
	fresh, passedOver, err := h.fetchKeys(ctx, ip, known.JWKS)
	if err != nil {
		return nil, err
	}
	u.keys, u.keysAt = fresh, h.Pool.Now()
	if passedOver != u.passedOver && passedOver != "" {
		h.Logger.WarnContext(
			ctx, "keys of an identity provider are passed over", "provider", ip.Name, "keys", passedOver,
		)
	}
	u.passedOver = passedOver
	return found(pick(u.keys, id, t.Method))
}

const timeoutKeys = "Timeout in calling jwks uri"

func found(keys []jwt.VerificationKey, ok bool) (any, error) {
	if !ok {
		return nil, errors.New("the provider has no key of that kid and algorithm")
	}
	return jwt.VerificationKeySet{Keys: keys}, nil
}

// maxKeysOfID bounds how many keys of one kid are tried.
const maxKeysOfID = 4

// pick finds the keys by kid: providers list one twice, or give two the same kid. A token
// without kid needs a key set with only one key that could have signed it.
func pick(keys []verifyKey, id string, method jwt.SigningMethod) ([]jwt.VerificationKey, bool) {
	var fitting []jwt.VerificationKey
	for _, k := range keys {
		known := slices.ContainsFunc(
			fitting, func(other jwt.VerificationKey) bool { return k.same(verifyKey{key: other}) },
		)
		if (id == "" || k.id == id) && k.fits(method) && !known {
			fitting = append(fitting, k.key)
		}
	}
	if n := len(fitting); n == 0 || n > maxKeysOfID || id == "" && n > 1 {
		return nil, false
	}
	return fitting, true
}

func (k verifyKey) fits(method jwt.SigningMethod) bool {
	if k.alg != "" && k.alg != method.Alg() {
		return false
	}
	switch method.(type) {
	case *jwt.SigningMethodRSA, *jwt.SigningMethodRSAPSS:
		_, ok := k.key.(*rsa.PublicKey)
		return ok
	case *jwt.SigningMethodECDSA:
		_, ok := k.key.(*ecdsa.PublicKey)
		return ok
	default:
		return false
	}
}

// fetchKeys reads a provider's key set (RFC 7517 section 5). Keys that are not
// for signatures, or of a kind that is unknown, are left out; passedOver says what is
// wrong with others.
func (h *Handler) fetchKeys(
	ctx context.Context, ip userpool.IdentityProvider, address string,
) (keys []verifyKey, passedOver string, err error) {
	a, err := h.get(ctx, address, "")
	if err != nil {
		return nil, "", networkFault(ip, timeoutKeys, err)
	}
	if a.status != http.StatusOK {
		return nil, "", answerFault(ip, a)
	}
	keys, passedOver, err = parseKeys(a.body)
	if err != nil {
		return nil, "", &fault{ip.Name, "Bad jwks response", err}
	}
	return keys, passedOver, nil
}

type jwk struct {
	KeyType    string   `json:"kty"`
	Use        string   `json:"use"`
	Operations []string `json:"key_ops"`
	ID         string   `json:"kid"`
	Algorithm  string   `json:"alg"`
	Curve      string   `json:"crv"`
	N          string   `json:"n"`
	E          string   `json:"e"`
	X          string   `json:"x"`
	Y          string   `json:"y"`
}

// privateMembers must not be published (RFC 7518 sections 6.2.2 and 6.3.2): who reads
// them can sign.
var privateMembers = []string{"d", "p", "q", "dp", "dq", "qi", "oth", "k"}

// forSignatures reports whether a key is there to verify signatures.
func (k jwk) forSignatures() bool {
	return (k.Use == "" || k.Use == "sig") && (len(k.Operations) == 0 || slices.Contains(k.Operations, "verify"))
}

// private reports whether the private half of a key is there. Some programs write members
// that are not there as null, "" or [].
func private(raw json.RawMessage) bool {
	var members map[string]json.RawMessage
	_ = json.Unmarshal(raw, &members) // what is no object has none
	return slices.ContainsFunc(privateMembers, func(name string) bool {
		return !slices.Contains([]string{"", "null", `""`, "[]"}, string(members[name]))
	})
}

// maxPassedOver bounds what is said of keys, in bytes.
const maxPassedOver = 1 << 10

// parseKeys reads a key set. A key whose private half stands in it can sign for anybody,
// so it is left out wherever else it is listed, too.
func parseKeys(body []byte) (keys []verifyKey, passedOver string, err error) {
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	err = json.Unmarshal(body, &set)
	if err != nil || set.Keys == nil || len(set.Keys) > maxKeys {
		return nil, "", fmt.Errorf("expected a JSON object with keys, at most %d", maxKeys)
	}
	keys = []verifyKey{}
	var published []verifyKey
	passOver := func(id, why string) {
		if len(passedOver) < maxPassedOver {
			passedOver += fmt.Sprintf("kid %.40q: %s; ", id, why)
		}
	}
	for _, raw := range set.Keys {
		var k jwk
		if json.Unmarshal(raw, &k) != nil {
			passOver("", "it is no JSON Web Key")
			continue
		}
		key, ok := k.publicKey()
		switch {
		case private(raw):
			passOver(k.ID, "it is published with its private half")
			published = append(published, verifyKey{key: key})
		case !k.forSignatures() || k.KeyType != "RSA" && k.KeyType != "EC":
		case !ok:
			passOver(k.ID, "its numbers can't be read, or it is too short or too long")
		default:
			keys = append(keys, verifyKey{k.ID, k.Algorithm, key})
		}
	}
	keys = slices.DeleteFunc(keys, func(k verifyKey) bool { return slices.ContainsFunc(published, k.same) })
	return keys, strings.TrimSuffix(passedOver, "; "), nil
}

// same reports whether both are one key, whatever it is called.
func (k verifyKey) same(other verifyKey) bool {
	key, ok := k.key.(interface{ Equal(crypto.PublicKey) bool })
	return ok && key.Equal(other.key)
}

func (k jwk) publicKey() (crypto.PublicKey, bool) {
	switch k.KeyType {
	case "RSA":
		return k.rsaKey()
	case "EC":
		return k.ecKey()
	default:
		return nil, false
	}
}

// rsaKey takes moduli of 2048 to 8192 bits: less is forged, more is a way to
// keep us busy.
func (k jwk) rsaKey() (crypto.PublicKey, bool) {
	n, okN := number(k.N, 1024)
	e, okE := number(k.E, 4)
	if !okN || !okE || n.BitLen() < 2048 || n.Bit(0) == 0 || e.BitLen() > 31 || e.Int64() < 3 || e.Bit(0) == 0 {
		return nil, false
	}
	return &rsa.PublicKey{N: n, E: int(e.Int64())}, true
}

func (k jwk) ecKey() (crypto.PublicKey, bool) {
	curves := map[string]elliptic.Curve{"P-256": elliptic.P256(), "P-384": elliptic.P384(), "P-521": elliptic.P521()}
	curve, known := curves[k.Curve]
	if !known {
		return nil, false
	}
	size := (curve.Params().BitSize + 7) / 8
	x, errX := keyPart(k.X)
	y, errY := keyPart(k.Y)
	if errX != nil || errY != nil || len(x) != size || len(y) != size {
		return nil, false
	}
	// It checks that the point is on the curve.
	key, err := ecdsa.ParseUncompressedPublicKey(curve, slices.Concat([]byte{4}, x, y))
	return key, err == nil
}

func number(text string, most int) (*big.Int, bool) {
	raw, err := keyPart(text)
	if err != nil || len(raw) == 0 || len(raw) > most {
		return nil, false
	}
	return new(big.Int).SetBytes(raw), true
}

// keyPart decodes a number of a key: base64url without padding (RFC 7518 section 2), or
// base64 with it, as several providers write it.
func keyPart(text string) ([]byte, error) {
	text = strings.NewReplacer("+", "-", "/", "_").Replace(strings.TrimRight(text, "="))
	return base64.RawURLEncoding.DecodeString(text)
}
