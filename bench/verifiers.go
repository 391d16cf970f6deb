package main

import (
	"context"
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/go-jose/go-jose/v4"
	josejwt "github.com/go-jose/go-jose/v4/jwt"
	"github.com/golang-jwt/jwt/v5"

	"github.com/cognate-auth/cognate"
	"github.com/cognate-auth/cognate/bench/report"
)

// A verifier verifies a complete access token of Cognito's form: signature, issuer,
// dates, and by token_use and client_id that it is an access token of this client.
type verifier struct {
	key, label string
	kind       report.Kind
	// open returns a function that verifies the issuer's tokens.
	open func(ctx context.Context, t *issued) (func(raw string) error, error)
}

// issued are access tokens of one client.
type issued struct {
	issuer, clientID string
	keys             jose.JSONWebKeySet
	tokens           []string
}

// manyTokens is how many tokens are verified in turn.
const manyTokens = 512

const (
	rawKey       = "rsa"
	tokenPurpose = "access"
)

func verifiers() []verifier {
	return []verifier{
		{rawKey, "rsa.VerifyPKCS1v15 alone", report.Limit, openRSA},
		{"cognate-seen", "Cognate, token seen before", report.Ours, openCognate(0)},
		{"cognate-new", "Cognate, new token", report.Ours, openCognate(1)},
		{"golang-jwt", "golang-jwt v5", report.Peer, openGolangJWT},
		{"go-jose", "go-jose v4", report.Peer, openGoJOSE},
		{"go-oidc", "go-oidc v3", report.Peer, openGoOIDC},
	}
}

// openRSA verifies only the signature of a token, whose digest is computed before.
func openRSA(_ context.Context, t *issued) (func(string) error, error) {
	type signed struct{ digest, signature []byte }
	all := map[string]signed{}
	var key *rsa.PublicKey
	for _, raw := range t.tokens {
		i := strings.LastIndexByte(raw, '.')
		signature, err := base64.RawURLEncoding.DecodeString(raw[i+1:])
		if err != nil {
			return nil, err
		}
		digest := sha256.Sum256([]byte(raw[:i]))
		all[raw] = signed{digest[:], signature}
		key, err = t.key(raw)
		if err != nil {
			return nil, err
		}
	}
	return func(raw string) error {
		s := all[raw]
		return rsa.VerifyPKCS1v15(key, crypto.SHA256, s.digest, s.signature)
	}, nil
}

// key returns the key that a token names.
func (t *issued) key(raw string) (*rsa.PublicKey, error) {
	parsed, err := josejwt.ParseSigned(raw, []jose.SignatureAlgorithm{jose.RS256})
	if err != nil {
		return nil, err
	}
	for _, k := range t.keys.Key(parsed.Headers[0].KeyID) {
		if key, ok := k.Key.(*rsa.PublicKey); ok {
			return key, nil
		}
	}
	return nil, errors.New("no key of the token's key ID")
}

// accessClaims are the claims that say for whom an access token is.
type accessClaims struct {
	TokenUse string `json:"token_use"`
	ClientID string `json:"client_id"`
	Scope    string `json:"scope"`
	Username string `json:"username"`
}

var errToken = errors.New("not an access token of this client")

func (c *accessClaims) check(t *issued) error {
	if c.TokenUse != tokenPurpose || c.ClientID != t.clientID {
		return errToken
	}
	return nil
}

// openCognate verifies tokens with a cache for so many; 0 means the default, which has
// room for all of them. With the smallest cache, a token is dropped before its turn
// comes again.
func openCognate(cacheSize int) func(context.Context, *issued) (func(string) error, error) {
	return func(ctx context.Context, t *issued) (func(string) error, error) {
		auth, err := cognate.New(cognate.Config{
			Issuer: t.issuer, ClientID: t.clientID, RedirectURL: "http://127.0.0.1:1/callback",
			Bearer: cognate.BearerConfig{CacheSize: cacheSize}, Logger: slog.New(slog.DiscardHandler),
		})
		return func(raw string) error {
			_, err := auth.VerifyAccessToken(ctx, raw)
			return err
		}, err
	}
}

func openGolangJWT(_ context.Context, t *issued) (func(string) error, error) {
	type claims struct {
		jwt.RegisteredClaims
		accessClaims
	}
	keys := map[any]*rsa.PublicKey{}
	for _, k := range t.keys.Keys {
		keys[k.KeyID], _ = k.Key.(*rsa.PublicKey)
	}
	parser := jwt.NewParser(jwt.WithValidMethods([]string{"RS256"}), jwt.WithIssuer(t.issuer),
		jwt.WithExpirationRequired())
	return func(raw string) error {
		var c claims
		_, err := parser.ParseWithClaims(raw, &c, func(token *jwt.Token) (any, error) {
			key, ok := keys[token.Header["kid"]]
			if !ok {
				return nil, errToken
			}
			return key, nil
		})
		if err != nil {
			return err
		}
		return c.check(t)
	}, nil
}

func openGoJOSE(_ context.Context, t *issued) (func(string) error, error) {
	return func(raw string) error {
		parsed, err := josejwt.ParseSigned(raw, []jose.SignatureAlgorithm{jose.RS256})
		if err != nil {
			return err
		}
		var registered josejwt.Claims
		var c accessClaims
		err = parsed.Claims(&t.keys, &registered, &c)
		if err != nil {
			return err
		}
		err = registered.Validate(josejwt.Expected{Issuer: t.issuer, Time: time.Now()})
		if err != nil {
			return err
		}
		return c.check(t)
	}, nil
}

func openGoOIDC(ctx context.Context, t *issued) (func(string) error, error) {
	provider, err := oidc.NewProvider(ctx, t.issuer)
	if err != nil {
		return nil, err
	}
	// An access token of Cognito has no aud: client_id is checked instead.
	verifier := provider.VerifierContext(ctx, &oidc.Config{SkipClientIDCheck: true})
	return func(raw string) error {
		token, err := verifier.Verify(ctx, raw)
		if err != nil {
			return err
		}
		var c accessClaims
		err = token.Claims(&c)
		if err != nil {
			return err
		}
		return c.check(t)
	}, nil
}

// issue gets access tokens as an app does: the first with a code, the others by
// refreshing.
func (p *provider) issue(ctx context.Context, n int) (*issued, error) {
	const callback = "http://127.0.0.1:1/callback"
	client, err := p.client(ctx, callback)
	if err != nil {
		return nil, err
	}
	code, err := p.code(ctx, client.ID, callback)
	if err != nil {
		return nil, err
	}
	set, err := p.pool.Grants.RedeemCode(ctx, client, codeGrant(code, callback))
	if err != nil {
		return nil, err
	}
	t := &issued{issuer: p.issuer, clientID: client.ID, tokens: []string{string(set.AccessToken)}}
	refresh := set.RefreshToken
	for len(t.tokens) < n {
		set, err := p.pool.Grants.Refresh(ctx, client, refresh)
		if err != nil {
			return nil, err
		}
		t.tokens = append(t.tokens, string(set.AccessToken))
	}
	t.keys, err = p.keys(ctx)
	return t, err
}

// keys fetches the pool's key set.
func (p *provider) keys(ctx context.Context) (jose.JSONWebKeySet, error) {
	var set jose.JSONWebKeySet
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.issuer+"/.well-known/jwks.json", nil)
	if err != nil {
		return set, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return set, err
	}
	defer resp.Body.Close()
	err = json.NewDecoder(io.LimitReader(resp.Body, 1<<20)).Decode(&set)
	if err != nil {
		return set, fmt.Errorf("reading the pool's keys: %w", err)
	}
	return set, nil
}

// tampered returns tokens that no verifier may accept.
func (t *issued) tampered() []string {
	raw := t.tokens[0]
	parts := strings.Split(raw, ".")
	signature := []byte(parts[2])
	slices.Reverse(signature)
	return []string{parts[0] + "." + parts[1] + "." + string(signature), parts[0] + "." + parts[1] + "."}
}
