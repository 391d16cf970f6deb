package cognate

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"regexp"
	"slices"
	"time"

	"github.com/cognate-auth/cognate/internal/cache"
	"github.com/cognate-auth/cognate/internal/oidc"
)

// rememberedFor bounds how long a verified token is accepted without being verified
// again. It adds to the time that a withdrawn key is still accepted: an hour, or a day
// if the key set can't be fetched.
const rememberedFor = 5 * time.Minute

// Bearer is a resource server: it lets programs in by the access token that they send
// (RFC 6750), without login routes and without cookies. Make one with [NewBearer]; an
// [Auth] has its own. It is safe for concurrent use.
//
// Every token is checked in full: signature, issuer, dates, audience or client, and
// that it is an access token and not an ID token. A verified token is remembered for up
// to five minutes, but never after it expires.
type Bearer struct {
	tokens   *oidc.AccessTokens
	dialects map[string]*Dialect // by issuer
	verified *cache.Cache[*verifiedToken]
	auth     *Auth // the Auth that it belongs to; nil if made by NewBearer
	config   BearerConfig
	log      *slog.Logger
	now      func() time.Time
	// warnings limits the lines of level Warn.
	warnings cache.Throttle
}

// A verifiedToken is the user of a token that passed, and the time in which the token
// need not be verified again.
type verifiedToken struct {
	user        *User
	from, until time.Time
}

// NewBearer checks the configuration and makes a Bearer from it. It uses no network.
// The error lists everything that is wrong with the configuration, not only the first
// problem.
func NewBearer(cfg BearerConfig) (*Bearer, error) {
	configured := cfg.Issuers
	cfg.defaults()
	problems := cfg.check()
	if len(cfg.Issuers) == 0 {
		//nolint:staticcheck // the field's name
		problems = append(problems, errors.New("Issuers is empty; name at least one issuer whose tokens are accepted"))
	}
	if len(problems) > 0 {
		return nil, fmt.Errorf("cognate: bearer configuration: %w", errors.Join(problems...))
	}
	for n, i := range cfg.Issuers {
		warnOfExamples(cfg.Logger, append([]string{i.Issuer}, i.Clients...)...)
		if configured[n].Dialect == nil && i.Dialect.TokenUseClaim == "" && looksLikePool(i.Issuer) {
			warnOfDialect(cfg.Logger, i.Issuer)
		}
	}
	return newBearer(cfg, nil), nil
}

// newBearer makes a Bearer from a configuration that is filled in and checked. own, if
// not nil, is the provider of the first issuer.
func newBearer(c BearerConfig, own *oidc.Provider) *Bearer {
	b := &Bearer{
		dialects: make(map[string]*Dialect, len(c.Issuers)), verified: cache.New[*verifiedToken](c.CacheSize),
		config: c, log: c.Logger, now: c.Now, warnings: cache.Throttle{Every: warnPause},
	}
	issuers := make([]*oidc.AccessTokenIssuer, len(c.Issuers))
	for n := range c.Issuers {
		i := &c.Issuers[n]
		b.dialects[i.Issuer] = i.Dialect
		issuers[n] = i.accept(&c, own)
		own = nil
	}
	issuers[0].Self = c.self
	b.tokens = oidc.NewAccessTokens(issuers...)
	return b
}

// accept returns the rules for an issuer's tokens. provider is the issuer's, or nil to
// make one.
func (i *BearerIssuer) accept(c *BearerConfig, provider *oidc.Provider) *oidc.AccessTokenIssuer {
	if provider == nil {
		provider = oidc.NewProvider(oidc.ProviderConfig{
			Issuer: i.Issuer, Endpoints: oidc.Endpoints{JWKS: i.JWKS}, KeysOnly: true,
			InsecureHTTP: c.InsecureHTTP, HTTPClient: c.HTTPClient, Now: c.Now, Logger: c.Logger,
		})
	}
	out := &oidc.AccessTokenIssuer{
		TokenRules: oidc.TokenRules{Provider: provider, Algorithms: i.SigningAlgorithms, Skew: c.ClockSkew, Now: c.Now},
		Audiences:  i.Audiences, Clients: i.Clients,
		ClientBound: i.Dialect.ClientBound, TokenUseClaim: i.Dialect.TokenUseClaim,
		RememberFor: rememberedFor,
	}
	if in := i.Introspection; in != nil {
		out.RememberFor = max(in.CacheFor, 0)
		out.Introspector = oidc.NewIntrospector(oidc.IntrospectorConfig{
			Provider: provider, Endpoint: in.Endpoint, Proof: in.proof(), TokenTypeHint: in.TokenTypeHint,
		})
	}
	return out
}

// proof returns how this program authenticates at the introspection endpoint.
func (in *Introspection) proof() *oidc.Proof {
	if in.Auth == BearerAuth {
		return oidc.BearerToken(string(in.Token))
	}
	return proofBySecret(in.Auth, in.ClientID, in.ClientSecret)
}

// Require lets a request through to the next handler if it has a valid access token
// that was granted all of the scopes; [UserFrom] then returns the token's user. Others
// are answered as RFC 6750 says: 401 without a valid token, 403 if the token lacks a
// scope, 400 if the request can't be read, and 503 while tokens can't be checked.
// Require panics if a string is not one scope, for example if it holds two.
func (b *Bearer) Require(scopes ...string) func(http.Handler) http.Handler {
	missing := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b.refuse(w, r, refuse(ReasonBearerMissing, "the request has no bearer token"), nil)
	})
	return b.middleware(scopes, func(http.Handler) http.Handler { return missing })
}

// Optional is like Require, but lets requests without a token through: [UserFrom] then
// returns nil. An invalid token is refused.
func (b *Bearer) Optional(scopes ...string) func(http.Handler) http.Handler {
	return b.middleware(scopes, func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Add("Vary", "Authorization")
			next.ServeHTTP(w, r)
		})
	})
}

// middleware passes requests with a valid token to the next handler, and those without
// a token to the handler that missing makes of it.
func (b *Bearer) middleware(
	scopes []string, missing func(next http.Handler) http.Handler,
) func(http.Handler) http.Handler {
	mustScopes(scopes)
	return func(next http.Handler) http.Handler {
		without := missing(next)
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			raw, err := b.token(w, r)
			if err == nil && raw == "" {
				without.ServeHTTP(w, r)
				return
			}
			var user *User
			if err == nil {
				user, err = b.verify(r.Context(), raw, scopes)
			}
			if err != nil {
				b.refuse(w, r, asError(err, ReasonTokenMalformed), scopes)
				return
			}
			w.Header()["Cache-Control"] = privateNoCache
			next.ServeHTTP(w, r.WithContext(&requestContext{Context: r.Context(), auth: b.auth, user: user}))
		})
	}
}

// scopeToken is one scope (RFC 6749, 3.3).
var scopeToken = regexp.MustCompile(`^[!#-\[\]-~]{1,256}$`)

func mustScopes(scopes []string) {
	for _, s := range scopes {
		if !scopeToken.MatchString(s) {
			panic(fmt.Sprintf("cognate: %q is not a scope; pass each scope as a separate argument", s))
		}
	}
}

// Verify returns the user of the access token raw, if it is valid and was granted all
// of the scopes. It is for programs that receive tokens by other means than HTTP. The
// error is an [*Error]; an empty token is refused with [ReasonBearerMissing].
func (b *Bearer) Verify(ctx context.Context, raw string, scopes ...string) (*User, error) {
	user, err := b.verify(ctx, raw, scopes)
	if err != nil {
		e := asError(err, ReasonTokenMalformed)
		b.config.Metrics.Denied(e.Reason)
		return nil, e
	}
	return user, nil
}

func (b *Bearer) verify(ctx context.Context, raw string, scopes []string) (*User, error) {
	switch {
	case raw == "":
		return nil, refuse(ReasonBearerMissing, "the token is empty")
	case len(raw) > oidc.MaxAccessToken:
		return nil, refuse(ReasonBearerMalformed, "the access token is larger than %d bytes", oidc.MaxAccessToken)
	}
	key := tokenKey(raw)
	now := b.now()
	t, ok := b.verified.Get(key)
	if !ok || now.Before(t.from) || !now.Before(t.until) {
		var err error
		t, err = b.check(ctx, raw, key)
		if err != nil {
			return nil, err
		}
		if now.Before(t.until) {
			b.verified.Put(key, t)
		}
	}
	return t.user, checkScopes(t.user, scopes)
}

// tokenKey is the cache key of a token: its SHA-256. To be hashed, tokens of the usual
// size are copied to the stack, not to the heap.
func tokenKey(raw string) string {
	var usual [2048]byte
	data := append(usual[:0], raw...)
	sum := sha256.Sum256(data)
	return string(sum[:])
}

// check verifies a token that is not in the cache, and reads the user from it. All
// claims stay readable by [User.Claim].
func (b *Bearer) check(ctx context.Context, raw, key string) (*verifiedToken, error) {
	if !wellFormed(raw) { // the caller of Verify may have read it with its line break
		return nil, refuse(ReasonTokenMalformed,
			"the access token has a character that is not allowed in tokens, such as a line break")
	}
	now := b.now()
	t, err := b.tokens.Verify(ctx, raw, key)
	if err != nil {
		return nil, err
	}
	u := userOf(t.Claims, t.Issuer, b.dialects[t.Issuer], t.Scopes)
	if u.Username == "" {
		u.Username = t.Claims.Text("username") // Cognito's access tokens; RFC 7662, 2.2
	}
	return &verifiedToken{user: u, from: now, until: t.Until}, nil
}

func checkScopes(u *User, scopes []string) error {
	for _, s := range scopes {
		if !slices.Contains(u.Scopes, s) {
			return refuse(ReasonInsufficientScope, "the scope %q is missing", s)
		}
	}
	return nil
}

// RequireBearer lets a request through if it has a valid access token that was granted
// all of the scopes; see [Bearer.Require] and Config.Bearer. Cookies are ignored.
func (a *Auth) RequireBearer(scopes ...string) func(http.Handler) http.Handler {
	return a.bearer.Require(scopes...)
}

// OptionalBearer is like [Auth.RequireBearer], but lets requests without a token
// through: [UserFrom] then returns nil. An invalid token is refused.
func (a *Auth) OptionalBearer(scopes ...string) func(http.Handler) http.Handler {
	return a.bearer.Optional(scopes...)
}

// RequireLoginOrBearer is for a route that people and programs share. A request with a
// bearer token, valid or not, is treated as by [Auth.RequireBearer]; every other one as
// by [Auth.RequireLogin]. The scopes are required of both: a session has those that its
// sign-in was granted.
func (a *Auth) RequireLoginOrBearer(scopes ...string) func(http.Handler) http.Handler {
	return a.bearer.middleware(scopes, func(next http.Handler) http.Handler {
		return a.RequireLogin(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			err := checkScopes(UserFrom(r.Context()), scopes)
			if err != nil {
				a.fail(w, r, asError(err, ReasonInsufficientScope), a.paths.returnPage(r))
				return
			}
			next.ServeHTTP(w, r)
		}))
	})
}

// VerifyAccessToken returns the user of the access token raw, if it is valid and was
// granted all of the scopes; see [Bearer.Verify].
func (a *Auth) VerifyAccessToken(ctx context.Context, raw string, scopes ...string) (*User, error) {
	return a.bearer.Verify(ctx, raw, scopes...)
}
