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

// BearerConfig says which access tokens are accepted ([Auth.RequireBearer], [NewBearer]).
// In Config.Bearer every field may be left out: the app's own provider is then the one
// issuer, and tokens that it gave the app's own client are accepted.
type BearerConfig struct {
	// Audiences are the names of this API, one of which a token's aud must have, and
	// Clients those it may have been issued to. They hold for every issuer that names
	// none of its own; see [BearerIssuer].
	Audiences, Clients []string
	// Issuers are those whose tokens are accepted. In Config.Bearer they come beside the
	// app's own provider, of which an entry without Issuer says more.
	Issuers []BearerIssuer

	// TokenInForm also takes the token from access_token in a form of at most 1 MiB (RFC
	// 6750, 2.2). The form is read for that; r.PostForm then holds it.
	TokenInForm bool
	// InsecureTokenInQuery also takes the token from access_token in the URL's query (RFC
	// 6750, 2.3): from there it gets into logs, histories and Referer headers.
	InsecureTokenInQuery bool
	// Realm and ResourceMetadata, if not empty, go into the WWW-Authenticate header: the
	// name of this API, and the URL of its metadata (RFC 9728, 5.1).
	Realm, ResourceMetadata string
	// CacheSize is how many verified tokens are remembered at most, some 4 KiB each, by
	// their SHA-256. The half that was used last is kept for certain. Zero means 5,000.
	CacheSize int
	// ErrorHandler writes the answer of a refusal in the place of the built-in JSON. The
	// headers WWW-Authenticate, Retry-After and Cache-Control are set before; it must
	// answer with e.Status or another error status.
	ErrorHandler func(w http.ResponseWriter, r *http.Request, e *Error)

	// The following are for [NewBearer]. In Config.Bearer they are those of Config.

	// ClockSkew is how far this machine's clock and the issuers' may differ. Zero means
	// 60 seconds; at most 5 minutes.
	ClockSkew time.Duration
	// Metrics counts refusals. Nil: nothing does.
	Metrics Metrics
	// Logger gets a line for each refusal, at level Debug, and now and then one at level
	// Warn while tokens can't be checked. Nil means slog.Default().
	Logger *slog.Logger
	// HTTPClient talks to the issuers. Nil means one with a time limit of 10 seconds.
	// Redirects are never followed.
	HTTPClient *http.Client
	// Now is the clock. Nil means time.Now.
	Now func() time.Time
	// InsecureHTTP allows plain http for the issuers on other than loopback addresses.
	InsecureHTTP bool

	self string // the app's own client ID, if the first issuer is the app's own provider
}

// A BearerIssuer is a provider whose access tokens are accepted. A token names its issuer
// itself; it only picks among those that are configured.
type BearerIssuer struct {
	// Issuer is the provider's issuer identifier, to the letter.
	Issuer string
	// Audiences are the names of this API at the issuer. A token's aud must have one of
	// them. Tokens of Amazon Cognito have an aud only if they are bound to a resource; one
	// that is must be bound to one of these. For the app's own provider, if it is no
	// Cognito, nil means ClientID. Name no client here that people sign in with, if the
	// provider has names for APIs: its ID tokens have the same aud. Where there is no other
	// way, name it in Clients, too, and tokens without a scope or client_id are refused.
	Audiences []string
	// Clients are those a token may have been issued to. Amazon Cognito's tokens are
	// accepted by this. Elsewhere nil means any. For the app's own provider, if it is
	// Cognito, nil means ClientID.
	Clients []string
	// Dialect is what is special about the kind of provider; nil as in [Config].
	Dialect *Dialect
	// JWKS is where the issuer's keys are. Empty means that its discovery document says.
	JWKS string
	// SigningAlgorithms are those a token may be signed with. Nil means RS256 alone, or
	// for the app's own provider those of Config.
	SigningAlgorithms []string
	// Introspection, if not nil, asks the issuer about each of its tokens instead of
	// verifying it here.
	Introspection *Introspection
}

// BearerAuth authenticates at an introspection endpoint by an access token of this
// program's own. It is for [Introspection] alone.
const BearerAuth AuthMethod = "bearer"

// Introspection asks the provider whether a token is good (RFC 7662): for tokens that only
// the provider can read, or where a revoked one must not be accepted until it expires.
// Tokens that are no JWT are accepted if exactly one issuer is configured with it.
//
// Audiences and Clients of the issuer are compared with aud and client_id of the answer;
// one of the two lists must be there. The answer must name a sub.
type Introspection struct {
	// Endpoint is the introspection endpoint. Empty means that the discovery document
	// says. Amazon Cognito has none.
	Endpoint string
	// Auth is how this program proves itself: ClientSecretPost, which empty means,
	// ClientSecretBasic or BearerAuth.
	Auth AuthMethod
	// ClientID and ClientSecret are for the first two. Empty ones are Config's for the
	// app's own provider.
	ClientID     string
	ClientSecret Secret
	// Token is for BearerAuth.
	Token Secret
	// TokenTypeHint is sent as token_type_hint, such as "access_token". Empty: none is.
	TokenTypeHint string
	// CacheFor is how long an answer that a token is active is remembered, at most until
	// the token expires: so long a revoked one stays good. Zero means a minute, negative
	// not at all; at most an hour. Other answers are not remembered.
	CacheFor time.Duration
}

// bearerConfig returns Config's BearerConfig with what it takes from Config. The first issuer
// is the app's own provider.
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

// ownIssuer fills in what is known of the app's own provider.
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

// defaults fills in what is the same for every issuer. It changes no memory of the
// caller's.
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

// quotable is what a quoted string of a header may hold here.
var quotable = regexp.MustCompile(`^[ !#-\[\]-~]{0,200}$`)

// check returns all that is wrong with a configuration that is filled in.
func (c *BearerConfig) check() (problems []error) {
	seen := map[string]bool{}
	for _, i := range c.Issuers {
		problems = append(problems, i.check(c.InsecureHTTP)...)
		if seen[i.Issuer] {
			problems = append(problems, fmt.Errorf("the bearer issuer %q is there twice", redactURL(i.Issuer)))
		}
		seen[i.Issuer] = true
	}
	if c.CacheSize < 0 {
		problems = append(problems, fmt.Errorf("the bearer CacheSize is %d; expected 0 or more", c.CacheSize))
	}
	if c.ClockSkew < 0 || c.ClockSkew > maxSkew {
		problems = append(problems, fmt.Errorf("ClockSkew is %s; expected at most %s", c.ClockSkew, maxSkew))
	}
	if !quotable.MatchString(c.Realm) {
		problems = append(problems, errors.New(
			`the bearer Realm has quotes, backslashes or other than printable ASCII, or is longer than 200 bytes`))
	}
	metadata := c.ResourceMetadata
	if metadata != "" && (oidc.CheckURL(metadata, c.InsecureHTTP) != nil || !quotable.MatchString(metadata)) {
		problems = append(problems, fmt.Errorf("ResourceMetadata is %q; expected an https URL", redactURL(metadata)))
	}
	return problems
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
		problem("Audiences and Clients are missing: set one, or a token for anybody would do")
	case i.Introspection == nil && i.Dialect.ClientBound && len(i.Clients) == 0:
		problem("Clients is missing: its tokens name the client they were issued to")
	case i.Introspection == nil && !i.Dialect.ClientBound && len(i.Audiences) == 0:
		problem("Audiences is missing: its tokens name the API they are for")
	}
	if i.Introspection != nil {
		for _, err := range i.Introspection.check(insecure) {
			problem("Introspection: %w", err)
		}
	}
	return problems
}

func (in *Introspection) check(insecure bool) (problems []error) {
	if in.Endpoint != "" {
		err := oidc.CheckURL(in.Endpoint, insecure)
		if err != nil {
			problems = append(problems, fmt.Errorf("the Endpoint %q %w", redactURL(in.Endpoint), err))
		}
	}
	switch in.Auth {
	case ClientSecretPost, ClientSecretBasic:
		if in.ClientID == "" || in.ClientSecret == "" {
			problems = append(problems, fmt.Errorf("Auth %s needs a ClientID and a ClientSecret", in.Auth))
		}
	case BearerAuth:
		if in.Token == "" {
			problems = append(problems, fmt.Errorf("Auth %s needs a Token", in.Auth))
		}
	default:
		problems = append(problems, fmt.Errorf("Auth is %q; expected %s, %s or %s",
			in.Auth, ClientSecretPost, ClientSecretBasic, BearerAuth))
	}
	if untrimmed(string(in.ClientSecret)) || untrimmed(string(in.Token)) {
		problems = append(problems, errors.New("the ClientSecret or Token "+textUntrimmed))
	}
	if in.CacheFor > maxIntrospectionTTL {
		problems = append(problems, fmt.Errorf("CacheFor is %s; expected at most %s", in.CacheFor, maxIntrospectionTTL))
	}
	return problems
}

// checkBearer finds the problems of Config.Bearer. What comes from Config itself is
// complained about there, and not here once more: ownGood tells that nothing was.
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
