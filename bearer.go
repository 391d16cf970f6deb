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

// rememberedFor bounds how long a token that was verified here is not verified again. A key
// that the provider withdraws is so good for an hour and this, or for a day and this if the
// key set can't be had.
const rememberedFor = 5 * time.Minute

// Bearer lets programs in by the access token that they send along (RFC 6750), without
// login routes and without cookies: a resource server. Make one with [NewBearer]; an
// [Auth] has its own. It is safe for concurrent use.
//
// Everything about a token is checked: signature, issuer, dates, whom it is for, and that
// it is an access token and no ID token. A token that was verified is remembered for up to
// five minutes, never longer than it lives.
type Bearer struct {
	tokens   *oidc.AccessTokens
	dialects map[string]*Dialect // by issuer
	seen     *cache.Cache[*seenToken]
	auth     *Auth // that it belongs to; nil for a resource server alone
	config   BearerConfig
	log      *slog.Logger
	now      func() time.Time
	// warnings lets through the lines of level Warn.
	warnings cache.Throttle
}

// A seenToken is a token that passed, and when that may be taken for granted.
type seenToken struct {
	user        *User
	from, until time.Time
}

// NewBearer checks the configuration and makes a Bearer of it. It uses no network. The
// error lists everything that is wrong with the configuration, not only the first.
func NewBearer(cfg BearerConfig) (*Bearer, error) {
	given := cfg.Issuers
	cfg.defaults()
	problems := cfg.check()
	if len(cfg.Issuers) == 0 {
		//nolint:staticcheck // the field's name
		problems = append(problems, errors.New("Issuers is empty: whose tokens are to be accepted?"))
	}
	if len(problems) > 0 {
		return nil, fmt.Errorf("cognate: bearer configuration: %w", errors.Join(problems...))
	}
	for n, i := range cfg.Issuers {
		tellExamples(cfg.Logger, append([]string{i.Issuer}, i.Clients...)...)
		if given[n].Dialect == nil && i.Dialect.TokenUseClaim == "" && looksLikePool(i.Issuer) {
			tellDialect(cfg.Logger, i.Issuer)
		}
	}
	return newBearer(cfg, nil), nil
}

// newBearer makes a Bearer of a configuration that is filled in and checked. own, if not
// nil, is the provider of the first issuer.
func newBearer(c BearerConfig, own *oidc.Provider) *Bearer {
	b := &Bearer{
		dialects: make(map[string]*Dialect, len(c.Issuers)), seen: cache.New[*seenToken](c.CacheSize),
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

// accept says which of an issuer's tokens are accepted. provider is the issuer's, or nil.
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

// proof is how this program proves itself to the provider that judges.
func (in *Introspection) proof() *oidc.Proof {
	if in.Auth == BearerAuth {
		return oidc.BearerToken(string(in.Token))
	}
	return proofBySecret(in.Auth, in.ClientID, in.ClientSecret)
}

// Require lets a request through to the next handler if it has a good access token that
// was granted all of the scopes; [UserFrom] then tells whose it is. Others are answered as
// RFC 6750 says: 401 without a token or with a bad one, 403 if it lacks a scope, 400 if
// the request can't be read, and 503 while tokens can't be checked. It panics if a scope
// is none, such as two in one string.
func (b *Bearer) Require(scopes ...string) func(http.Handler) http.Handler {
	missing := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b.refuse(w, r, refuse(ReasonBearerMissing, "the request has no bearer token"), nil)
	})
	return b.middleware(scopes, func(http.Handler) http.Handler { return missing })
}

// Optional is Require, but for requests without a token, which pass: [UserFrom] then
// returns nil. A bad token is refused.
func (b *Bearer) Optional(scopes ...string) func(http.Handler) http.Handler {
	return b.middleware(scopes, func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Add("Vary", "Authorization")
			next.ServeHTTP(w, r)
		})
	})
}

// middleware passes requests with a good token to the next handler, and those without one
// to what missing makes of it.
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
			panic(fmt.Sprintf("cognate: %q is no scope; give each as an argument of its own", s))
		}
	}
}

// Verify returns whose access token raw is, if it is good and was granted all of the
// scopes, for programs that get it by other ways than HTTP. The error is an [*Error]; an
// empty token is refused with [ReasonBearerMissing].
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
	t, ok := b.seen.Get(key)
	if !ok || now.Before(t.from) || !now.Before(t.until) {
		var err error
		t, err = b.check(ctx, raw, key)
		if err != nil {
			return nil, err
		}
		if now.Before(t.until) {
			b.seen.Put(key, t)
		}
	}
	return t.user, checkScopes(t.user, scopes)
}

// tokenKey is what a token is remembered by: its SHA-256. Tokens of the usual size are
// copied to the stack to be hashed, not to the heap.
func tokenKey(raw string) string {
	var usual [2048]byte
	data := append(usual[:0], raw...)
	sum := sha256.Sum256(data)
	return string(sum[:])
}

// check verifies a token that was not seen before, and reads the user from it. All claims stay
// readable by [User.Claim].
func (b *Bearer) check(ctx context.Context, raw, key string) (*seenToken, error) {
	if !wellFormed(raw) { // whoever called Verify may have read it from a line
		return nil, refuse(ReasonTokenMalformed,
			"the access token has a character that no token has, such as a line end")
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
	return &seenToken{user: u, from: now, until: t.Until}, nil
}

func checkScopes(u *User, scopes []string) error {
	for _, s := range scopes {
		if !slices.Contains(u.Scopes, s) {
			return refuse(ReasonInsufficientScope, "the scope %q is missing", s)
		}
	}
	return nil
}

// RequireBearer lets a request through if it has a good access token that was granted all
// of the scopes; see [Bearer.Require] and Config.Bearer. Cookies are not looked at.
func (a *Auth) RequireBearer(scopes ...string) func(http.Handler) http.Handler {
	return a.bearer.Require(scopes...)
}

// OptionalBearer is [Auth.RequireBearer], but for requests without a token, which pass:
// [UserFrom] then returns nil. A bad token is refused.
func (a *Auth) OptionalBearer(scopes ...string) func(http.Handler) http.Handler {
	return a.bearer.Optional(scopes...)
}

// RequireLoginOrBearer is for a route that people and programs share. A request with a
// bearer token, good or bad, is treated as by [Auth.RequireBearer]; every other one as by
// [Auth.RequireLogin]. The scopes hold for both: a session's are those that its sign-in
// was granted.
func (a *Auth) RequireLoginOrBearer(scopes ...string) func(http.Handler) http.Handler {
	return a.bearer.middleware(scopes, func(next http.Handler) http.Handler {
		return a.RequireLogin(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			err := checkScopes(UserFrom(r.Context()), scopes)
			if err != nil {
				a.fail(w, r, asError(err, ReasonInsufficientScope), a.paths.wanted(r))
				return
			}
			next.ServeHTTP(w, r)
		}))
	})
}

// VerifyAccessToken returns whose access token raw is, if it is good and was granted all
// of the scopes; see [Bearer.Verify].
func (a *Auth) VerifyAccessToken(ctx context.Context, raw string, scopes ...string) (*User, error) {
	return a.bearer.Verify(ctx, raw, scopes...)
}
