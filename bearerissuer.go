package cognate

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/cognate-auth/cognate/internal/refusal"
)

// A bearerIssuer checks the access tokens of one provider. It is safe for concurrent use.
type bearerIssuer struct {
	tokenRules
	dialect            *Dialect
	audiences, clients []string
	self               string // the app's own client ID, or ""
	introspector       *introspector
}

// newBearerIssuer makes one of a configuration that is filled in. own, if not nil, is the
// provider, whose keys are then not fetched twice.
func newBearerIssuer(c *BearerConfig, i *BearerIssuer, own *provider) *bearerIssuer {
	p := own
	if p == nil || i.JWKS != p.configured.JWKS {
		p = newProvider(&settings{Config: Config{
			Issuer: i.Issuer, Dialect: i.Dialect, Endpoints: Endpoints{JWKS: i.JWKS},
			InsecureHTTP: c.InsecureHTTP, HTTPClient: c.HTTPClient, Now: c.Now, Logger: c.Logger,
		}})
		p.keysOnly = true
	}
	b := &bearerIssuer{
		tokenRules: tokenRules{i.Issuer, i.SigningAlgorithms, c.ClockSkew, c.Now, p.keys},
		dialect:    i.Dialect, audiences: i.Audiences, clients: i.Clients,
	}
	if i.Introspection != nil {
		b.introspector = newIntrospector(i.Introspection, p)
	}
	return b
}

// verify checks a token here.
func (i *bearerIssuer) verify(ctx context.Context, t *signedToken) (*seenToken, error) {
	err := i.checkSignature(ctx, t)
	if err != nil {
		return nil, err
	}
	for _, check := range []func(claims) error{i.checkOrigin, i.checkDates, i.checkAudience, i.checkClient} {
		err := check(t.claims)
		if err != nil {
			return nil, err
		}
	}
	err = i.checkUse(t)
	if err != nil {
		return nil, err
	}
	return i.seen(t.claims, rememberedFor)
}

// checkAudience checks that the token is for this API. A token that is bound to another
// one's name (RFC 8707) must not be accepted: that one has it too, and could use it here.
func (i *bearerIssuer) checkAudience(c claims) error {
	aud, err := c.strings("aud")
	if err != nil {
		return refusal.New(refusal.TokenAudience, "%w", err)
	}
	free := i.dialect.ClientBound && len(aud) == 0 || i.introspector != nil && len(i.audiences) == 0
	if !free && !slices.ContainsFunc(aud, func(a string) bool { return slices.Contains(i.audiences, a) }) {
		return refusal.New(refusal.TokenAudience, "aud has none of %q", i.audiences)
	}
	return nil
}

// checkClient checks whom the token was issued to.
func (i *bearerIssuer) checkClient(c claims) error {
	if len(i.clients) == 0 {
		return nil // checkAudience decides; see BearerIssuer.check
	}
	client, err := clientOf(c)
	if err != nil || !slices.Contains(i.clients, client) {
		return refusal.New(refusal.TokenClient, "the token was issued to client %.100q, which is none of %q", client, i.clients)
	}
	return nil
}

// clientOf returns the client a token was issued to. Providers older than RFC 9068 say so
// in azp.
func clientOf(c claims) (string, error) {
	if _, ok := c["client_id"]; ok {
		return c.str("client_id")
	}
	return c.str("azp")
}

// idTokenMarks are claims that ID tokens have and access tokens have not.
var idTokenMarks = []string{"nonce", "at_hash", "c_hash", "s_hash"}

// checkUse refuses what is signed by the provider and no access token: an ID token, a
// refresh token, a logout token. Such a token proves that somebody signed in somewhere,
// not that this client may call this API (RFC 9068, 5).
func (i *bearerIssuer) checkUse(t *signedToken) error {
	c := t.claims
	err := i.checkKind(c)
	if err != nil {
		return err
	}
	switch {
	case t.typ == "at+jwt":
		return nil
	case t.typ != "" && t.typ != "jwt":
		return refusal.New(refusal.TokenUse, "the token's typ is %.40q, expected none, \"JWT\" or \"at+jwt\"", t.typ)
	}
	for _, name := range idTokenMarks {
		if _, ok := c[name]; ok {
			return refusal.New(refusal.TokenUse, "the token has %s, as ID tokens have", name)
		}
	}
	return i.checkNoIDToken(c)
}

// checkNoIDToken wants proof where a client's ID stands for the API: an ID token has the
// same aud. Only access tokens have scopes or name their client apart from it.
func (i *bearerIssuer) checkNoIDToken(c claims) error {
	aud, _ := c.strings("aud")
	isClient := func(a string) bool { return a == i.self || slices.Contains(i.clients, a) }
	if !slices.ContainsFunc(aud, isClient) {
		return nil
	}
	for _, name := range []string{"scope", "scp", "client_id"} {
		if _, ok := c[name]; ok {
			return nil
		}
	}
	return refusal.New(refusal.TokenUse, "the token is for a client and has neither scope nor client_id: it could be an ID token; "+
		"set Audiences to the API's own name")
}

// checkKind reads the claims by which providers tell kinds of tokens apart: token_use,
// and typ among the claims. A token that is bound to a key (cnf; RFC 9449, RFC 8705) is
// worth something only together with a proof, which is not looked at here.
func (i *bearerIssuer) checkKind(c claims) error {
	if _, ok := c["cnf"]; ok {
		return refusal.New(refusal.TokenUse, "the token is bound to a key (cnf), which can't be checked")
	}
	if _, ok := c["events"]; ok {
		return refusal.New(refusal.TokenUse, "the token reports events")
	}
	if name := i.dialect.TokenUseClaim; name != "" && i.introspector == nil {
		use, err := c.str(name)
		if err != nil || use != "access" {
			return refusal.New(refusal.TokenUse, "%s is %.40q, expected \"access\"", name, use)
		}
	}
	for _, k := range tokenKinds {
		kind, err := c.str(k.claim)
		if err != nil || kind != "" && !slices.Contains(k.access, strings.ToLower(kind)) {
			return refusal.New(refusal.TokenUse, "%s is %.40q, which is no access token's", k.claim, kind)
		}
	}
	return nil
}

// tokenKinds are claims that say what kind a token is, and what access tokens have there.
var tokenKinds = []struct {
	claim  string
	access []string
}{
	{"token_use", []string{"access", "access_token"}},
	{"typ", []string{"bearer", "at+jwt", "jwt"}},
	{"token_type", []string{"bearer", "access_token"}},
}

// seen makes the user of checked claims and says how long they hold: at most until the
// token expires.
func (i *bearerIssuer) seen(c claims, atMost time.Duration) (*seenToken, error) {
	user, err := i.userOf(c)
	if err != nil {
		return nil, err
	}
	now := i.now()
	until := now.Add(atMost)
	exp, ok, _ := c.date("exp")
	if ok && exp.Add(i.skew).Before(until) {
		until = exp.Add(i.skew)
	}
	return &seenToken{user: user, from: now, until: until}, nil
}

// userOf reads the user from an access token. All claims stay readable by [User.Claim].
func (i *bearerIssuer) userOf(c claims) (*User, error) {
	scopes, err := scopesOf(c)
	if err != nil {
		return nil, err
	}
	groups, _ := c.strings(i.dialect.GroupsClaim)
	authTime, _, _ := c.date("auth_time")
	u := &User{
		Issuer: i.issuer, Subject: c.text("sub"), Username: c.text(i.dialect.UsernameClaim),
		Email: c.text("email"), Name: c.text("name"), Groups: groups, AuthTime: authTime, Scopes: scopes, extra: c,
	}
	if u.Username == "" {
		u.Username = c.text("username") // Cognito's access tokens; RFC 7662, 2.2
	}
	u.EmailVerified = u.Email != "" && c.truth("email_verified")
	return u, nil
}

// scopesOf returns the granted scopes: one string with spaces in between (RFC 9068, 2.2.3;
// RFC 7662, 2.2), or scp, which is older and may be a list.
func scopesOf(c claims) ([]string, error) {
	if _, ok := c["scope"]; ok {
		scope, err := c.str("scope")
		if err != nil {
			return nil, refusal.New(refusal.TokenMalformed, "%w", err)
		}
		return splitWords(scope), nil
	}
	scopes, err := c.words("scp")
	if err != nil {
		return nil, refusal.New(refusal.TokenMalformed, "%w", err)
	}
	return scopes, nil
}
