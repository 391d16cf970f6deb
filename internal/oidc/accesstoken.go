package oidc

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/cognate-auth/cognate/internal/refusal"
)

// MaxAccessToken bounds an access token, in bytes. Cognito's have about 1 KiB.
const MaxAccessToken = 16 << 10

// An AccessTokenIssuer is a provider whose access tokens are accepted, and says which of
// them. Its fields must not change after its first use; then it is safe for concurrent use.
type AccessTokenIssuer struct {
	TokenRules
	// Audiences and Clients are the audiences that a token may have, and the clients that
	// it may have been issued to.
	Audiences, Clients []string
	// Self is the client ID of this program, or "".
	Self string
	// ClientBound says that a token has an audience only if it is bound to a resource.
	ClientBound bool
	// TokenUseClaim names the claim that must be "access"; "" means no such claim.
	TokenUseClaim string
	// RememberFor is how long at most an accepted token needs no other check.
	RememberFor time.Duration
	// Introspector is asked about each token; nil means that tokens are verified locally.
	Introspector *Introspector
}

// AccessTokens checks access tokens as a resource server does (RFC 9068, 4). It is safe for
// concurrent use.
type AccessTokens struct {
	reader  tokenReader
	issuers map[string]*AccessTokenIssuer
	opaque  *AccessTokenIssuer // introspects tokens that are not JWTs; nil: they are refused
}

// NewAccessTokens returns AccessTokens that accept tokens of these issuers only, and never
// send a token to anyone else.
func NewAccessTokens(issuers ...*AccessTokenIssuer) *AccessTokens {
	a := &AccessTokens{
		reader: tokenReader{limit: MaxAccessToken}, issuers: make(map[string]*AccessTokenIssuer, len(issuers)),
	}
	asked := 0
	for _, i := range issuers {
		a.issuers[i.Provider.Issuer()] = i
		if i.Introspector != nil {
			a.opaque = i
			asked++
		}
	}
	if asked > 1 { // each issuer would see the other's tokens
		a.opaque = nil
	}
	return a
}

// SetGrace calls [Provider.SetGrace] for every issuer.
func (a *AccessTokens) SetGrace(grace time.Duration) {
	for _, i := range a.issuers {
		i.Provider.SetGrace(grace)
	}
}

// An AccessToken is an accepted access token.
type AccessToken struct {
	Issuer string
	Claims Claims
	Scopes []string  // granted scopes
	Until  time.Time // until then it needs no other check
}

// Verify verifies an access token, or has its issuer introspect it. key stands for raw where
// calls at the same time share one introspection request. Only configured issuers are
// asked: a token can't make this process send requests to any other host.
func (a *AccessTokens) Verify(ctx context.Context, raw, key string) (AccessToken, error) {
	t, err := a.reader.read(raw)
	if err != nil && a.opaque == nil {
		return AccessToken{}, refusal.New(refusal.TokenMalformed, "the access token can't be read")
	}
	if err != nil {
		return a.opaque.introspect(ctx, raw, key)
	}
	iss, err := t.claims.String("iss")
	i, ok := a.issuers[iss]
	if err != nil || !ok {
		return AccessToken{}, refusal.New(refusal.TokenIssuer,
			"iss is %.200q, which is not an accepted issuer", iss)
	}
	if i.Introspector != nil {
		return i.introspect(ctx, raw, key)
	}
	return i.verify(ctx, t)
}

// verify checks a token locally.
func (i *AccessTokenIssuer) verify(ctx context.Context, t *signedToken) (AccessToken, error) {
	err := i.checkSignature(ctx, t)
	if err != nil {
		return AccessToken{}, err
	}
	for _, check := range []func(Claims) error{i.checkOrigin, i.checkDates, i.checkAudience, i.checkClient} {
		err := check(t.claims)
		if err != nil {
			return AccessToken{}, err
		}
	}
	err = i.checkUse(t)
	if err != nil {
		return AccessToken{}, err
	}
	return i.accepted(t.claims)
}

// introspect asks the issuer about a token, and checks the claims in its answer as those of
// a token, except that claims may be absent.
func (i *AccessTokenIssuer) introspect(ctx context.Context, raw, key string) (AccessToken, error) {
	t, err := i.askIssuer(ctx, raw, key)
	return t, append(i.Introspector.config.Proof.secrets(), raw).Redact(err)
}

func (i *AccessTokenIssuer) askIssuer(ctx context.Context, raw, key string) (AccessToken, error) {
	c, err := i.Introspector.Ask(ctx, raw, key)
	if err != nil {
		return AccessToken{}, err
	}
	if string(c["active"]) != "true" {
		return AccessToken{}, refusal.New(refusal.TokenInactive, "the issuer says that the token is not active")
	}
	iss, err := c.String("iss")
	if err != nil || iss != "" && iss != i.Provider.Issuer() {
		return AccessToken{}, refusal.New(refusal.TokenIssuer, "iss is %.200q, expected %q", iss, i.Provider.Issuer())
	}
	for _, check := range []func(Claims) error{
		checkSubject, i.checkOptionalDates, i.checkAudience, i.checkClient, i.checkKind,
	} {
		err := check(c)
		if err != nil {
			return AccessToken{}, err
		}
	}
	return i.accepted(c)
}

// accepted returns the AccessToken for claims that have passed all checks, except that the
// form of the scopes is checked here. Until is not later than the token's expiry.
func (i *AccessTokenIssuer) accepted(c Claims) (AccessToken, error) {
	scopes, err := scopesOf(c)
	if err != nil {
		return AccessToken{}, err
	}
	until := i.Now().Add(i.RememberFor)
	exp, ok, _ := c.Date("exp")
	if ok && exp.Add(i.Skew).Before(until) {
		until = exp.Add(i.Skew)
	}
	return AccessToken{Issuer: i.Provider.Issuer(), Claims: c, Scopes: scopes, Until: until}, nil
}

// checkAudience checks that the token is for this API. A token for another API (RFC 8707)
// must not be accepted: that API also has the token, and could use it here.
func (i *AccessTokenIssuer) checkAudience(c Claims) error {
	aud, err := c.Strings("aud")
	if err != nil {
		return refusal.New(refusal.TokenAudience, "%w", err)
	}
	anyAudience := i.ClientBound && len(aud) == 0 || i.Introspector != nil && len(i.Audiences) == 0
	if !anyAudience && !slices.ContainsFunc(aud, func(a string) bool { return slices.Contains(i.Audiences, a) }) {
		return refusal.New(refusal.TokenAudience, "aud has none of %q", i.Audiences)
	}
	return nil
}

// checkClient checks which client the token was issued to.
func (i *AccessTokenIssuer) checkClient(c Claims) error {
	if len(i.Clients) == 0 {
		return nil // checkAudience decides: at least one of the two lists is set
	}
	client, err := clientOf(c)
	if err != nil || !slices.Contains(i.Clients, client) {
		return refusal.New(refusal.TokenClient,
			"the token was issued to client %.100q, expected one of %q", client, i.Clients)
	}
	return nil
}

// clientOf returns the client that a token was issued to. Providers older than RFC 9068 name
// it in azp.
func clientOf(c Claims) (string, error) {
	if _, ok := c["client_id"]; ok {
		return c.String("client_id")
	}
	return c.String("azp")
}

// idTokenClaims are claims that ID tokens have and access tokens don't.
var idTokenClaims = []string{"nonce", "at_hash", "c_hash", "s_hash"}

// checkUse rejects tokens that the provider signed but that are not access tokens: ID
// tokens, refresh tokens, logout tokens. Such a token proves that somebody signed in
// somewhere, not that this client may call this API (RFC 9068, 5).
func (i *AccessTokenIssuer) checkUse(t *signedToken) error {
	c := t.claims
	err := i.checkKind(c)
	if err != nil {
		return err
	}
	switch {
	case t.typ == "at+jwt":
		return nil
	case t.typ != "" && t.typ != "jwt":
		return refusal.New(refusal.TokenUse,
			"the token's typ is %.40q, expected none, \"JWT\" or \"at+jwt\"", t.typ)
	}
	for _, name := range idTokenClaims {
		if _, ok := c[name]; ok {
			return refusal.New(refusal.TokenUse, "the token has %s, as ID tokens do", name)
		}
	}
	return i.checkNotIDToken(c)
}

// checkNotIDToken requires a scope or client_id claim if aud is a client ID, because the aud
// of an ID token is one too. Only access tokens have these claims.
func (i *AccessTokenIssuer) checkNotIDToken(c Claims) error {
	aud, _ := c.Strings("aud")
	isClient := func(a string) bool { return a == i.Self || slices.Contains(i.Clients, a) }
	if !slices.ContainsFunc(aud, isClient) {
		return nil
	}
	for _, name := range []string{"scope", "scp", "client_id"} {
		if _, ok := c[name]; ok {
			return nil
		}
	}
	return refusal.New(refusal.TokenUse, "the token is for a client and has neither scope nor client_id: "+
		"it could be an ID token; set Audiences to the API's own name")
}

// checkKind checks the claims by which providers distinguish kinds of tokens, such as
// token_use and the claim typ. It rejects tokens that are bound to a key (cnf; RFC 9449, RFC
// 8705): they are valid only with a proof of possession, which is not checked here.
func (i *AccessTokenIssuer) checkKind(c Claims) error {
	if _, ok := c["cnf"]; ok {
		return refusal.New(refusal.TokenUse, "the token is bound to a key (cnf), which can't be checked")
	}
	if _, ok := c["events"]; ok {
		return refusal.New(refusal.TokenUse, "the token reports events")
	}
	if name := i.TokenUseClaim; name != "" && i.Introspector == nil {
		use, err := c.String(name)
		if err != nil || use != "access" {
			return refusal.New(refusal.TokenUse, "%s is %.40q, expected \"access\"", name, use)
		}
	}
	for _, k := range tokenKinds {
		kind, err := c.String(k.claim)
		if err != nil || kind != "" && !slices.Contains(k.access, strings.ToLower(kind)) {
			return refusal.New(refusal.TokenUse, "%s is %.40q, which access tokens don't have", k.claim, kind)
		}
	}
	return nil
}

// tokenKinds are claims that say what kind a token is, and their values in access tokens.
var tokenKinds = []struct {
	claim  string
	access []string
}{
	{"token_use", []string{"access", "access_token"}},
	{"typ", []string{"bearer", "at+jwt", "jwt"}},
	{"token_type", []string{"bearer", "access_token"}},
}

// scopesOf returns the granted scopes: the claim scope, a space-separated string (RFC 9068,
// 2.2.3; RFC 7662, 2.2), or the older claim scp, which may be a list.
func scopesOf(c Claims) ([]string, error) {
	if _, ok := c["scope"]; ok {
		scope, err := c.String("scope")
		if err != nil {
			return nil, refusal.New(refusal.TokenMalformed, "%w", err)
		}
		return SplitWords(scope), nil
	}
	scopes, err := c.Words("scp")
	if err != nil {
		return nil, refusal.New(refusal.TokenMalformed, "%w", err)
	}
	return scopes, nil
}
