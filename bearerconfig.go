package cognate

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"regexp"
	"slices"
	"time"

	"github.com/cognate-auth/cognate/internal/oidc"
)

const (
	defaultBearerCache      = 5_000
	defaultIntrospectionTTL = time.Minute
	maxIntrospectionTTL     = time.Hour
)

// BearerConfig says which access tokens are accepted ([Auth.RequireBearer],
// [NewBearer]). In Config.Bearer every field may be left out: tokens that the app's own
// provider issued to the app's own client are then accepted.
type BearerConfig struct {
	// Audiences are the names of this API, one of which must be in a token's aud, and
	// Clients are the client IDs that a token may have been issued to. They apply to
	// every issuer that sets none of its own; see [BearerIssuer].
	Audiences, Clients []string
	// Issuers are the providers whose tokens are accepted. In Config.Bearer they are
	// added to the app's own provider; an entry without Issuer configures the app's own
	// provider.
	Issuers []BearerIssuer

	// TokenInForm also takes the token from access_token in a form of at most 1 MiB
	// (RFC 6750, 2.2). The form is then read into r.PostForm.
	TokenInForm bool
	// InsecureTokenInQuery also takes the token from access_token in the URL's query
	// (RFC 6750, 2.3). URLs get into logs, browser histories and Referer headers, and
	// the token with them.
	InsecureTokenInQuery bool
	// Realm and ResourceMetadata, if not empty, go into the WWW-Authenticate header: the
	// name of this API, and the URL of its metadata (RFC 9728, 5.1).
	Realm, ResourceMetadata string
	// CacheSize is how many verified tokens are remembered at most, about 4 KiB each,
	// by their SHA-256. The most recently used half is always kept. Zero means 5,000.
	CacheSize int
	// ErrorHandler writes the answer to a refused request instead of the built-in JSON.
	// The headers WWW-Authenticate, Retry-After and Cache-Control are already set; it
	// must answer with e.Status or another error status.
	ErrorHandler func(w http.ResponseWriter, r *http.Request, e *Error)

	// The following are for [NewBearer]. In Config.Bearer they are ignored: those of
	// Config apply.

	// ClockSkew is how far this machine's clock and the issuers' may differ. Zero means
	// 60 seconds; at most 5 minutes.
	ClockSkew time.Duration
	// Metrics counts refusals. Nil means that nothing is counted.
	Metrics Metrics
	// Logger gets a line for each refused token at level Info, and, while tokens can't be
	// checked, at most one line in 10 seconds at level Warn. Nil means slog.Default().
	Logger *slog.Logger
	// HTTPClient talks to the issuers. Nil means one with a time limit of 10 seconds.
	// Redirects are never followed.
	HTTPClient *http.Client
	// Now is the clock. Nil means time.Now.
	Now func() time.Time
	// InsecureHTTP allows plain http for issuers that are not on loopback addresses, and
	// asks the resolver for names below localhost, as Config.InsecureHTTP does.
	InsecureHTTP bool

	self string // the app's own client ID, if the first issuer is the app's own provider
}

// A BearerIssuer is a provider whose access tokens are accepted. The issuer that a
// token names only selects one of the configured issuers.
type BearerIssuer struct {
	// Issuer is the provider's issuer identifier, exactly as its tokens have it.
	Issuer string
	// Audiences are the names of this API at the issuer. A token's aud must have one of
	// them. Tokens of Amazon Cognito have an aud only if they are bound to a resource,
	// which must then be one of these. For the app's own provider, unless it is
	// Cognito, nil means ClientID. If the provider has names for APIs, use one and not
	// the ID of a client that people sign in with: that client's ID tokens have the
	// same aud. If such a client can't be avoided, name it in Clients, too: tokens
	// without a scope or client_id are then refused.
	Audiences []string
	// Clients are the client IDs that a token may have been issued to. It is required
	// for Amazon Cognito, whose tokens are accepted by their client; for the app's own
	// Cognito pool nil means ClientID. For other providers nil means any client.
	Clients []string
	// Dialect describes the kind of provider. Nil means that the issuer decides, as in
	// [Config].
	Dialect *Dialect
	// JWKS is the URL of the issuer's key set. Empty means the one in its discovery
	// document.
	JWKS string
	// SigningAlgorithms are the algorithms that a token may be signed with. Nil means
	// only RS256, or for the app's own provider those of Config.
	SigningAlgorithms []string
	// Introspection, if not nil, asks the issuer about each of its tokens instead of
	// verifying it here.
	Introspection *Introspection
}

// BearerAuth authenticates at an introspection endpoint with an access token of this
// program. It is only for [Introspection].
const BearerAuth AuthMethod = "bearer"

// Introspection asks the provider whether a token is active (RFC 7662). It is for
// tokens that only the provider can read, and for APIs that must refuse a revoked token
// before it expires. Tokens that are not JWTs are accepted if exactly one issuer is
// configured with Introspection.
//
// The issuer's Audiences and Clients are compared with aud and client_id in the answer;
// at least one of the two lists must be set. The answer must have a sub.
type Introspection struct {
	// Endpoint is the introspection endpoint. Empty means the one in the discovery
	// document. Amazon Cognito has no such endpoint.
	Endpoint string
	// Auth is how this program authenticates: ClientSecretPost, ClientSecretBasic or
	// BearerAuth. Empty means ClientSecretPost.
	Auth AuthMethod
	// ClientID and ClientSecret are for ClientSecretPost and ClientSecretBasic. For the
	// app's own provider, empty means those of Config.
	ClientID     string
	ClientSecret Secret
	// Token is for BearerAuth.
	Token Secret
	// TokenTypeHint is sent as token_type_hint, such as "access_token", if it is not
	// empty.
	TokenTypeHint string
	// CacheFor is how long an answer that a token is active is remembered, at most
	// until the token expires; a token revoked in that time is still accepted. Zero
	// means a minute, a negative value not at all; at most an hour. Other answers are
	// not remembered.
	CacheFor time.Duration
}

// bearerConfig returns Config.Bearer completed from Config. The first issuer is the
// app's own provider.
func (s *settings) bearerConfig() BearerConfig {
	c := s.Bearer
	own := BearerIssuer{}
	c.Issuers = slices.Clone(c.Issuers)
	isOwn := func(i BearerIssuer) bool { return i.Issuer == "" || i.Issuer == s.Issuer }
	if at := slices.IndexFunc(c.Issuers, isOwn); at >= 0 {
		own = c.Issuers[at]
		c.Issuers = slices.Delete(c.Issuers, at, at+1)
	}
	c.Issuers = slices.Insert(c.Issuers, 0, s.ownIssuer(own))
	c.ClockSkew, c.Metrics, c.Logger, c.HTTPClient, c.Now, c.InsecureHTTP =
		s.ClockSkew, s.Metrics, s.Logger, s.HTTPClient, s.Now, s.InsecureHTTP
	c.self = s.ClientID
	c.defaults()
	return c
}

// ownIssuer completes an entry for the app's own provider from Config.
func (s *settings) ownIssuer(i BearerIssuer) BearerIssuer {
	i.Issuer = s.Issuer
	setDefault(&i.Dialect, s.Dialect)
	setDefault(&i.JWKS, s.Endpoints.JWKS)
	if i.SigningAlgorithms == nil {
		i.SigningAlgorithms = s.SigningAlgorithms
	}
	if i.Audiences == nil {
		i.Audiences = s.Bearer.Audiences
	}
	if i.Clients == nil {
		i.Clients = s.Bearer.Clients
	}
	byClient := i.Dialect.ClientBound || i.Introspection != nil && i.Audiences == nil
	switch {
	case byClient && i.Clients == nil:
		i.Clients = []string{s.ClientID}
	case !byClient && i.Audiences == nil:
		i.Audiences = []string{s.ClientID}
	}
	if i.Introspection != nil {
		in := *i.Introspection
		setDefault(&in.ClientID, s.ClientID)
		setDefault(&in.ClientSecret, s.ClientSecret)
		i.Introspection = &in
	}
	return i
}

// defaults fills in the defaults that are the same for every issuer. It copies slices
// and structs of the caller before it changes them.
func (c *BearerConfig) defaults() {
	setDefault(&c.CacheSize, defaultBearerCache)
	setDefault(&c.ClockSkew, defaultSkew)
	if c.Metrics == nil {
		c.Metrics = noMetrics{}
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	c.Issuers = slices.Clone(c.Issuers)
	for n := range c.Issuers {
		i := &c.Issuers[n]
		if i.Dialect == nil {
			i.Dialect = dialectOf(i.Issuer)
		}
		if i.SigningAlgorithms == nil {
			i.SigningAlgorithms = []string{"RS256"}
		}
		if i.Audiences == nil {
			i.Audiences = c.Audiences
		}
		if i.Clients == nil {
			i.Clients = c.Clients
		}
		if i.Introspection != nil {
			in := *i.Introspection
			setDefault(&in.Auth, ClientSecretPost)
			setDefault(&in.CacheFor, defaultIntrospectionTTL)
			i.Introspection = &in
		}
	}
}

// quotable matches what is allowed here in a header's quoted string.
var quotable = regexp.MustCompile(`^[ !#-\[\]-~]{0,200}$`)

// check returns everything that is wrong with a configuration after defaults.
func (c *BearerConfig) check() (found problems) {
	seen := map[string]bool{}
	for _, i := range c.Issuers {
		found = append(found, i.check(c.InsecureHTTP)...)
		if seen[i.Issuer] {
			found.add("the bearer issuer %q is listed twice", redactURL(i.Issuer))
		}
		seen[i.Issuer] = true
	}
	if c.CacheSize < 0 {
		found.add("the bearer CacheSize is %d; expected 0 or more", c.CacheSize)
	}
	if c.ClockSkew < 0 || c.ClockSkew > maxSkew {
		found.add("ClockSkew is %s; expected at most %s", c.ClockSkew, maxSkew)
	}
	if !quotable.MatchString(c.Realm) {
		found.add("the bearer Realm can't be used; " +
			"expected at most 200 bytes of printable ASCII, no quotes or backslashes")
	}
	metadata := c.ResourceMetadata
	if metadata != "" && (oidc.CheckURL(metadata, c.InsecureHTTP) != nil || !quotable.MatchString(metadata)) {
		found.add("ResourceMetadata is %q; expected an https URL", redactURL(metadata))
	}
	return found
}

func (i *BearerIssuer) check(insecure bool) (problems []error) {
	name := redactURL(i.Issuer)
	problem := func(format string, args ...any) {
		problems = append(problems, fmt.Errorf("the bearer issuer %q: "+format, append([]any{name}, args...)...))
	}
	err := checkIssuer(i.Issuer, insecure, i.Dialect)
	if err != nil {
		problem("it %w", err)
	}
	if i.JWKS != "" {
		err := oidc.CheckURL(i.JWKS, insecure)
		if err != nil {
			problem("JWKS %q %w", redactURL(i.JWKS), err)
		}
	}
	for _, alg := range i.SigningAlgorithms {
		if !slices.Contains(oidc.SigningAlgorithms, alg) {
			problem("SigningAlgorithms has %q; expected some of %q", alg, oidc.SigningAlgorithms)
		}
	}
	if slices.Contains(i.Audiences, "") || slices.Contains(i.Clients, "") {
		problem("Audiences or Clients has an empty name")
	}
	switch {
	case i.Introspection != nil && len(i.Audiences) == 0 && len(i.Clients) == 0:
		problem("Audiences and Clients are missing: set one of them, or tokens for any API would be accepted")
	case i.Introspection == nil && i.Dialect.ClientBound && len(i.Clients) == 0:
		problem("Clients is missing; name the clients whose tokens are accepted: its tokens name their client")
	case i.Introspection == nil && !i.Dialect.ClientBound && len(i.Audiences) == 0:
		problem("Audiences is missing; name this API: its tokens name the API that they are for")
	}
	if i.Introspection != nil {
		for _, err := range i.Introspection.check(insecure) {
			problem("Introspection: %w", err)
		}
	}
	return problems
}

func (in *Introspection) check(insecure bool) (found problems) {
	if in.Endpoint != "" {
		err := oidc.CheckURL(in.Endpoint, insecure)
		if err != nil {
			found.add("the Endpoint %q %w", redactURL(in.Endpoint), err)
		}
	}
	switch in.Auth {
	case ClientSecretPost, ClientSecretBasic:
		if in.ClientID == "" || in.ClientSecret == "" {
			found.add("Auth %s needs a ClientID and a ClientSecret", in.Auth)
		}
	case BearerAuth:
		if in.Token == "" {
			found.add("Auth %s needs a Token", in.Auth)
		}
	default:
		found.add("Auth is %q; expected %s, %s or %s",
			in.Auth, ClientSecretPost, ClientSecretBasic, BearerAuth)
	}
	if untrimmed(string(in.ClientSecret)) || untrimmed(string(in.Token)) {
		found.add("the ClientSecret or Token " + textUntrimmed)
	}
	if in.CacheFor > maxIntrospectionTTL {
		found.add("CacheFor is %s; expected at most %s", in.CacheFor, maxIntrospectionTTL)
	}
	return found
}

// checkBearer finds the problems of Config.Bearer. Problems of Config itself are not
// reported a second time here: ownGood says that Config has none.
func (s *settings) checkBearer(ownGood bool) []error {
	c := s.bearer
	own := c.Issuers[0]
	if !ownGood {
		c.Issuers, c.ClockSkew = c.Issuers[1:], defaultSkew
	}
	problems := c.check()
	e := s.Endpoints
	discovers := e.Authorization == "" || e.Token == "" || e.JWKS == ""
	if in := own.Introspection; in != nil && in.Endpoint == "" && !discovers {
		problems = append(problems, errors.New("Bearer: introspection is asked for, and its Endpoint is missing: "+
			"with all Endpoints configured the discovery document is not read"))
	}
	return problems
}

// problems are what is wrong with a configuration, all of it.
type problems []error

// add adds one, as fmt.Errorf makes it.
func (p *problems) add(format string, args ...any) { *p = append(*p, fmt.Errorf(format, args...)) }
