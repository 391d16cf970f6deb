package cognate

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/cognate-auth/cognate/internal/oidc"
	"github.com/cognate-auth/cognate/internal/returnto"
	"github.com/cognate-auth/cognate/internal/seal"
	"github.com/cognate-auth/cognate/sessionstore"
)

// Config says who may sign in where. The zero value of every field means something
// sensible; what has to be there is the app client, from a file or in the fields. [New]
// checks all of it at once.
type Config struct {
	// ClientSecretsFile is the path of a client_secrets.json; see [ClientSecrets]. The
	// fields below win over what it says.
	ClientSecretsFile string
	// ClientSecrets is the same, already read.
	ClientSecrets *ClientSecrets

	// Issuer is the provider's issuer identifier, to the letter. For Amazon Cognito:
	// https://cognito-idp.<region>.amazonaws.com/<pool id>.
	Issuer string
	// ClientID is the app client's ID.
	ClientID string
	// ClientSecret is the app client's secret; empty for a public client. Where it comes
	// from a variable or a file that may be empty by mistake, set ClientAuth as well: a
	// method that needs a secret is refused without one.
	ClientSecret Secret
	// ClientKey signs the client's assertions in the place of a secret; see
	// [PrivateKeyJWT].
	ClientKey ClientKey
	// ClientAuth is how the client authenticates at the token endpoint. Empty means
	// PrivateKeyJWT for a client with a key, what the dialect says for one with a
	// secret, or the other way if the provider's discovery document announces only that
	// one, and ClientAuthNone for one without. It is never found out by trying: that
	// would spend the code.
	ClientAuth AuthMethod
	// Endpoints overrides what the provider's discovery document says.
	Endpoints Endpoints
	// Dialect is what is special about the kind of provider. Nil means Amazon Cognito
	// if the issuer is one of its own or a local pool's, or if Endpoints are at a pool's
	// domain, and plain OpenID Connect otherwise. A pool that stands under another name
	// needs it: the log says so where that can be seen.
	Dialect *Dialect

	// RedirectURL is the callback URL, as it is registered for the app client. Its
	// path is where [Auth.Handler] answers. Empty means the first redirect URI of
	// the client secrets. To answer at an old callback URL too, put the Handler of a second
	// Auth around, whose configuration differs in nothing else: they share sessions.
	RedirectURL string
	// LogoutRedirectURL is where the provider sends the browser after sign-out. It
	// has to be registered there, to the letter: with Cognito, https://example.com
	// and https://example.com/ differ. Empty means HomePath on RedirectURL's host,
	// such as https://127.0.0.1:5000/.
	LogoutRedirectURL string
	// LogoutRedirectURLs are further places that are registered for that, for [LogoutTo].
	LogoutRedirectURLs []string
	// HomePath is where a visitor lands when no page is to be returned to. Empty
	// means "/".
	HomePath string
	// LoginPath starts a sign-in; the query's return_to is the page to come back to.
	// Empty means "login" beside the callback: /login for /oidc_callback.
	LoginPath string
	// LogoutPath signs out. Empty means "logout" beside the callback.
	LogoutPath string
	// AllowGETLogout lets a GET of LogoutPath sign out at once, so that a plain link
	// does it. Without it, GET answers with a page that asks, and only a POST signs
	// out. A request that the browser says another site caused is never followed, GET
	// or POST. (Browsers say so over https and on loopback; a GET from one that says
	// nothing, not even by Referer, is followed.)
	AllowGETLogout bool

	// BackchannelLogoutPath is where the provider says that somebody signed out there
	// (OpenID Connect Back-Channel Logout 1.0); it has to be registered with the provider,
	// with this app's origin in front. It needs Session.Store. Empty: nowhere.
	BackchannelLogoutPath string
	// DisplayName is what a page calls the provider where there are several; see
	// [NewProviders]. Empty means the issuer's host.
	DisplayName string

	// Scopes are asked for; openid has to be among them. Nil means openid and email.
	Scopes []string
	// TrustedAudiences are further audiences that an ID token may have beside ClientID
	// (OpenID Connect Core 1.0, 3.1.3.7, item 3): whoever they are gets such tokens too, and
	// could send them here. Nil means none; a token that names another one is refused.
	TrustedAudiences []string
	// SigningAlgorithms are those an ID token may be signed with, and userInfo where it is
	// signed. Nil means RS256 alone. RS, PS and ES with 256, 384 or 512 are known; "none"
	// and HMAC are not.
	SigningAlgorithms []string
	// ClockSkew is how far this machine's clock and the provider's may differ, in
	// both directions. Zero means 60 seconds; at most 5 minutes.
	ClockSkew time.Duration
	// UserInfo says when the userInfo endpoint is asked.
	UserInfo UserInfoMode
	// RequireVerifiedEmail refuses a user whose e-mail address is missing or not
	// vouched for by the provider, at sign-in, and in sessions that began without it.
	RequireVerifiedEmail bool
	// Claims names further claims to keep for [User.Claim]; "custom:*" stands for all
	// whose name begins with "custom:". Without a Store they travel with every request,
	// in the session's cookie: name few. Sessions that began before a name was added
	// lack it. Claims that a rule of [Auth.Require] reads are kept without being named.
	Claims []string
	// LoginRules must all be passed to sign in. They see every claim of the ID token
	// and of userInfo, kept or not. They are asked again when a refresh brings an ID
	// token, and never of bearer tokens: put [Auth.Require] behind [Auth.RequireBearer].
	LoginRules []Rule
	// LoginOptions are those of every sign-in; options of [Auth.Login] come after them.
	LoginOptions []LoginOption
	// PushedAuthorization sends the parameters of a sign-in to the provider directly and
	// only a reference to them through the browser (RFC 9126). Without it, that is done
	// where the provider demands it. A sign-in then begins with a request to the provider.
	PushedAuthorization bool

	// Keys encrypt the cookies, and what a Session.Store keeps: secrets of at least 32 random bytes, the newest
	// first. The first encrypts and all decrypt, so that a new one signs nobody out:
	// append it in every process, then move it to the front, then drop the old one
	// when the sessions it sealed have ended. Every process of one app needs the
	// same keys. Nil means a key made at start: sign-ins then end with the process.
	Keys []Secret
	// Session says how long a sign-in lasts, and where it is kept.
	Session SessionConfig
	// Bearer says which access tokens [Auth.RequireBearer] takes. Its zero value accepts
	// those that the provider issued to this app client.
	Bearer BearerConfig
	// CookieName names the session cookie. Empty means "cognate". Over https the name
	// begins with __Host-. Give each Auth of one host its own.
	CookieName string

	// RevokeOnLogout revokes the refresh token at sign-out (RFC 7009), if the session
	// has one and the provider a place for it. That it fails never holds up a sign-out.
	RevokeOnLogout bool
	// Hooks are called at the turning points of a sign-in.
	Hooks Hooks
	// Metrics counts. Nil: nothing does.
	Metrics Metrics
	// ErrorHandler writes the answer of whatever is refused (a sign-in, a sign-out, a rule,
	// a store that is down) in the place of the built-in page, and of the JSON that scripts
	// get. The log line is written before. It must answer with e.Status or another error
	// status. That nobody is signed in is no error, and bearer tokens have a handler of
	// their own in Bearer.
	ErrorHandler func(w http.ResponseWriter, r *http.Request, e *Error)
	// Logger gets one line for each sign-in, refusal and sign-out. Nil means
	// slog.Default().
	Logger *slog.Logger
	// HTTPClient talks to the provider. Nil means one with a time limit of 10 seconds,
	// which takes names below localhost, such as shop.localhost, to this machine, whatever
	// a resolver says of them. Redirects are never followed.
	HTTPClient *http.Client
	// Now is the clock. Nil means time.Now.
	Now func() time.Time

	// InsecureHTTP allows plain http for the provider and for RedirectURL on other
	// than loopback addresses: tokens and cookies then travel in the clear.
	InsecureHTTP bool
}

// SessionConfig says how long a session lasts, and where it is kept.
type SessionConfig struct {
	// Lifetime is how long a sign-in lasts at most, used or not. Zero means 8 hours.
	Lifetime time.Duration
	// IdleTimeout ends a session that saw no request for this long, give or take a
	// tenth: its clock is in the cookie and not wound at every request. Zero means no
	// idle timeout.
	IdleTimeout time.Duration
	// Store keeps the sessions, and the tokens with them. Nil means that each is in its
	// own cookie.
	Store sessionstore.Store
	// TokensInCookie keeps the tokens without a Store, encrypted, in further cookies:
	// [Auth.AccessToken] then works. They travel with every request and make it two to
	// three times as dear.
	TokensInCookie bool
	// CacheSize is how many opened sessions are kept in memory at most, some 1.5 KiB
	// each; the half that was used last is kept for certain. Zero means 10,000.
	CacheSize int
}

const (
	defaultLifetime  = 8 * time.Hour
	maxLifetime      = 400 * 24 * time.Hour // browsers keep no cookie longer (RFC 6265bis, 5.5)
	defaultCacheSize = 10_000
	defaultSkew      = time.Minute
	maxSkew          = 5 * time.Minute
	minKeySize       = 32
	maxConfigKeys    = 16
)

// settings is a Config with its gaps filled in and its contradictions found.
type settings struct {
	Config
	origin       string // of RedirectURL
	callbackPath string
	secure       bool // RedirectURL is https
	ephemeral    bool // the key was made here
	clientKey    oidc.ClientKey
	bearer       BearerConfig // with what it takes from Config
	// authConfigured tells that ClientAuth was set, and not filled in.
	authConfigured bool
	// dialectGuessed tells that Dialect was not set, and nothing speaks for Cognito.
	dialectGuessed bool
}

// resolve fills in and checks a configuration; the error lists all that is wrong.
func (c Config) resolve() (*settings, error) {
	s := &settings{Config: c}
	err := s.readClientSecrets()
	if err != nil {
		return nil, err
	}
	s.defaults()
	s.bearer = s.bearerConfig()
	var keyProblem error
	s.clientKey, keyProblem = s.ClientKey.parse(s.Issuer)
	provider, policy := append(s.checkProvider(), s.checkClientAuth(keyProblem)...), s.checkPolicy()
	bearer := s.checkBearer(len(provider)+len(policy) == 0)
	problems := slices.Concat(provider, s.checkRoutes(), policy, s.checkSession(), bearer)
	if len(problems) > 0 {
		return nil, fmt.Errorf("cognate: configuration: %w", errors.Join(problems...))
	}
	return s, nil
}

// readClientSecrets fills empty fields from the client secrets.
func (s *settings) readClientSecrets() error {
	cs := s.ClientSecrets
	if s.ClientSecretsFile != "" {
		if cs != nil {
			return errors.New("cognate: configuration: ClientSecrets and ClientSecretsFile are both set")
		}
		var err error
		cs, err = LoadClientSecrets(s.ClientSecretsFile)
		if err != nil {
			return err
		}
	}
	if cs == nil {
		return nil
	}
	err := cs.checkPlaceholders()
	if err != nil {
		return fmt.Errorf("cognate: client secrets: %w", err)
	}
	s.ClientSecrets = cs
	for _, f := range []struct {
		into *string
		from string
	}{
		{&s.Issuer, cs.Issuer},
		{&s.ClientID, cs.ClientID},
		{(*string)(&s.ClientSecret), string(cs.ClientSecret)},
		{&s.Endpoints.Authorization, cs.AuthURI},
		{&s.Endpoints.Token, cs.TokenURI},
		{&s.Endpoints.UserInfo, cs.UserInfoURI},
	} {
		if *f.into == "" {
			*f.into = f.from
		}
	}
	if s.RedirectURL == "" && len(cs.RedirectURIs) > 0 {
		s.RedirectURL = cs.RedirectURIs[0]
	}
	return nil
}

func (s *settings) defaults() {
	if s.Dialect == nil {
		s.Dialect = dialectOf(s.Issuer, s.Endpoints.Authorization, s.Endpoints.Token)
		s.dialectGuessed = s.Dialect.TokenUseClaim == ""
	}
	s.authConfigured = s.ClientAuth != ""
	if s.ClientAuth == "" {
		s.ClientAuth = s.Dialect.ClientAuth
		switch {
		case s.ClientKey.given():
			s.ClientAuth = PrivateKeyJWT
		case s.ClientSecret == "":
			s.ClientAuth = ClientAuthNone
		}
	}
	home := "" // as RedirectURL spells it: the provider compares to the letter
	u, err := url.Parse(s.RedirectURL)
	if err == nil {
		home = u.Scheme + "://" + u.Host
		s.callbackPath = u.EscapedPath()
		s.origin = originOf(u)
		s.secure = u.Scheme == "https"
	}
	u, err = url.Parse(s.Issuer)
	if err == nil {
		setDefault(&s.DisplayName, u.Host)
	}
	setDefault(&s.HomePath, "/")
	setDefault(&s.LoginPath, path.Join(path.Dir(s.callbackPath), "login"))
	setDefault(&s.LogoutPath, path.Join(path.Dir(s.callbackPath), "logout"))
	setDefault(&s.LogoutRedirectURL, home+s.HomePath)
	setDefault(&s.CookieName, "cognate")
	setDefault(&s.ClockSkew, defaultSkew)
	setDefault(&s.Session.Lifetime, defaultLifetime)
	setDefault(&s.Session.CacheSize, defaultCacheSize)
	if s.Scopes == nil {
		s.Scopes = []string{"openid", "email"}
	}
	if s.SigningAlgorithms == nil {
		s.SigningAlgorithms = []string{"RS256"}
	}
	if len(s.Keys) == 0 {
		s.Keys, s.ephemeral = []Secret{Secret(seal.Random(minKeySize))}, true
	}
	if s.Logger == nil {
		s.Logger = slog.Default()
	}
	if s.Metrics == nil {
		s.Metrics = noMetrics{}
	}
	if s.Now == nil {
		s.Now = time.Now
	}
}

// originOf writes an origin as browsers do: in lower case, without the default port.
func originOf(u *url.URL) string {
	host := strings.ToLower(u.Host)
	port := map[string]string{"https": ":443", "http": ":80"}[u.Scheme]
	return u.Scheme + "://" + strings.TrimSuffix(host, port)
}

// problems are what is wrong with a configuration, all of it.
type problems []error

// add adds one, as fmt.Errorf makes it.
func (p *problems) add(format string, args ...any) { *p = append(*p, fmt.Errorf(format, args...)) }

func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// checkRoutes checks the addresses at which the provider, and the person, come back.
func (s *settings) checkRoutes() (found problems) {
	if s.RedirectURL == "" {
		found.add("RedirectURL is missing: set it, or redirect_uris in the client secrets")
		return found
	}
	err := oidc.CheckURL(s.RedirectURL, s.InsecureHTTP)
	if err != nil {
		found.add("RedirectURL %q %w", redactURL(s.RedirectURL), err)
		return found
	}
	if strings.Contains(s.RedirectURL, "*") {
		like := s.origin
		if strings.Contains(like, "*") {
			like = "https://shop.example.com"
		}
		found.add("the redirect URI %q has a *, and a redirect URI has no wildcard: "+
			"set RedirectURL to the one address of the callback, such as %s/oidc_callback",
			redactURL(s.RedirectURL), like)
		return found
	}
	if cs := s.ClientSecrets; cs != nil && len(cs.RedirectURIs) > 0 &&
		!slices.ContainsFunc(cs.RedirectURIs, s.registered) {
		found.add("RedirectURL %q is none of the client secrets' redirect_uris %q; "+
			"the provider compares to the letter, and queries, which are left out here, too",
			withoutQueries(s.RedirectURL), withoutQueries(strings.Join(cs.RedirectURIs, " ")))
	}
	for _, u := range s.LogoutRedirectURLs {
		err := oidc.CheckURL(u, s.InsecureHTTP)
		if err != nil {
			found.add("LogoutRedirectURLs: %q %w", redactURL(u), err)
		}
	}
	err = oidc.CheckURL(s.LogoutRedirectURL, s.InsecureHTTP)
	if err != nil {
		found.add("LogoutRedirectURL %q %w", redactURL(s.LogoutRedirectURL), err)
	}
	for _, u := range append([]string{s.LogoutRedirectURL}, s.LogoutRedirectURLs...) {
		if strings.Contains(u, "*") {
			found.add("the address to return to after sign-out %q has a *, and such an address has no wildcard: "+
				"set LogoutRedirectURL to one whole address", redactURL(u))
		}
	}
	return append(found, s.checkPaths()...)
}

// checkPaths checks the paths that Handler answers, and the one that people land on.
func (s *settings) checkPaths() (found problems) {
	routes := map[string]string{}
	for _, p := range []struct{ name, path string }{
		{"the path of RedirectURL", s.callbackPath},
		{"LoginPath", s.LoginPath},
		{"LogoutPath", s.LogoutPath},
		{"HomePath", s.HomePath},
		{"BackchannelLogoutPath", s.BackchannelLogoutPath},
	} {
		if p.path == "" && p.name == "BackchannelLogoutPath" {
			continue
		}
		if clean, ok := returnto.Local(p.path); !ok || clean != p.path || strings.ContainsAny(p.path, "?#%") {
			found.add("%s is %q; expected a plain path such as /oidc_callback", p.name, p.path)
		}
		if other, ok := routes[p.path]; ok {
			found.add("%s and %s are both %q", other, p.name, p.path)
		}
		routes[p.path] = p.name
	}
	return found
}

// registered reports whether a redirect URI of the client secrets covers RedirectURL. Keycloak
// registers patterns that end in a *, which are its own business.
func (s *settings) registered(uri string) bool {
	prefix, pattern := strings.CutSuffix(uri, "*")
	return uri == s.RedirectURL || pattern && strings.HasPrefix(s.RedirectURL, prefix)
}

// tell writes down what looks like a mistake and need not be one.
func (s *settings) tell() {
	tellExamples(s.Logger, s.Issuer, s.ClientID)
	if s.dialectGuessed && looksLikePool(s.Issuer) {
		tellDialect(s.Logger, s.Issuer)
	}
}

func (s *settings) checkPolicy() (found problems) {
	for _, scope := range s.Scopes {
		if !scopeToken.MatchString(scope) {
			found.add("the Scopes have %.80q, which is none; give each as an entry of its own", scope)
		}
	}
	if slices.Contains(s.TrustedAudiences, "") {
		found.add("the TrustedAudiences have an empty name")
	}
	if !slices.Contains(s.Scopes, "openid") {
		found.add("the Scopes %q lack openid, without which there is no ID token", s.Scopes)
	}
	for _, alg := range s.SigningAlgorithms {
		if !slices.Contains(oidc.SigningAlgorithms, alg) {
			found.add("SigningAlgorithms has %q; expected some of %q", alg, oidc.SigningAlgorithms)
		}
	}
	if s.ClockSkew < 0 || s.ClockSkew > maxSkew {
		found.add("ClockSkew is %s; expected at most %s", s.ClockSkew, maxSkew)
	}
	found = append(found, claimNameProblems(s.Claims)...)
	found = append(found, loginOptionProblems(s.LoginOptions, s.Dialect)...)
	if s.UserInfo < UserInfoIfNeeded || s.UserInfo > UserInfoNever {
		found.add("UserInfo is %d, which is none of the modes", s.UserInfo)
	}
	return found
}

// cookieName is what a cookie name may be made of here, a part of RFC 6265's token. It
// can't begin like a prefix that browsers give a meaning to.
var cookieName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$`)

func (s *settings) checkSession() (found problems) {
	if len(s.Keys) > maxConfigKeys {
		found.add("%d Keys; at most %d are tried per cookie", len(s.Keys), maxConfigKeys)
	}
	for i, k := range s.Keys {
		if len(k) < minKeySize {
			found.add("the secret Keys[%d] has %d bytes; expected at least %d random ones, "+
				"as from: openssl rand -base64 32", i, len(k), minKeySize)
		}
	}
	if s.Session.Lifetime < time.Minute || s.Session.Lifetime > maxLifetime {
		found.add("Session.Lifetime is %s; expected a minute to 400 days", s.Session.Lifetime)
	}
	if s.Session.IdleTimeout != 0 &&
		(s.Session.IdleTimeout < time.Minute || s.Session.IdleTimeout > s.Session.Lifetime) {
		found.add("Session.IdleTimeout is %s; expected 0, or a minute to the Lifetime", s.Session.IdleTimeout)
	}
	if s.Session.CacheSize < 0 {
		found.add("Session.CacheSize is %d; expected 0 or more", s.Session.CacheSize)
	}
	if s.Session.Store != nil && s.Session.TokensInCookie {
		found.add("Session.TokensInCookie and Session.Store are both set; a store keeps the tokens")
	}
	if s.BackchannelLogoutPath != "" && s.Session.Store == nil {
		found.add("BackchannelLogoutPath needs Session.Store: sessions in cookies can't be ended from outside")
	}
	if !cookieName.MatchString(s.CookieName) {
		found.add("CookieName is %q; expected letters, digits, - and _, beginning with "+
			"neither of the last", s.CookieName)
	}
	return found
}
