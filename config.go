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

// Config configures an [Auth]. The zero value of every field is a sensible default;
// only the app client must be set, in a file or in the fields. [New] checks everything
// at once.
type Config struct {
	// ClientSecretsFile is the path of a client_secrets.json; see [ClientSecrets].
	// Fields below that are set override its values.
	ClientSecretsFile string
	// ClientSecrets is the content of such a file; set this or ClientSecretsFile, not
	// both.
	ClientSecrets *ClientSecrets

	// Issuer is the provider's issuer identifier, exactly as its tokens have it. For
	// Amazon Cognito: https://cognito-idp.<region>.amazonaws.com/<pool id>.
	Issuer string
	// ClientID is the app client's ID.
	ClientID string
	// ClientSecret is the app client's secret; empty for a public client. If it comes
	// from a variable or a file that could be empty by mistake, set ClientAuth to
	// ClientSecretBasic or ClientSecretPost as well: New then refuses an empty secret.
	ClientSecret Secret
	// ClientKey signs the client's assertions, instead of a secret; see
	// [PrivateKeyJWT].
	ClientKey ClientKey
	// ClientAuth is how the client authenticates at the token endpoint. Empty means
	// PrivateKeyJWT for a client with a key, ClientAuthNone for one with neither key
	// nor secret, and for one with a secret the Dialect's method, or the other of
	// ClientSecretBasic and ClientSecretPost if the discovery document announces only
	// that. The method is never found by trial: that would use up the code.
	ClientAuth AuthMethod
	// Endpoints overrides the endpoints of the provider's discovery document.
	Endpoints Endpoints
	// Dialect describes the kind of provider. Nil means [CognitoDialect] if the issuer
	// is Amazon Cognito's or a local pool's, or if Endpoints are on a user pool domain,
	// and [StandardDialect] otherwise. Set it for a pool behind another host name; a
	// warning is logged if one is recognised.
	Dialect *Dialect

	// RedirectURL is the callback URL, as it is registered for the app client. Its path
	// is where [Auth.Handler] answers. Empty means the first redirect URI of the client
	// secrets. To answer at an old callback URL too, wrap the app in the Handler of a
	// second Auth whose configuration is otherwise the same: they share sessions.
	RedirectURL string
	// LogoutRedirectURL is where the provider sends the browser after sign-out. It must
	// be registered there in exactly this spelling: for Cognito, https://example.com
	// and https://example.com/ differ. Empty means HomePath on RedirectURL's host, such
	// as https://127.0.0.1:5000/.
	LogoutRedirectURL string
	// LogoutRedirectURLs are further registered URLs of this kind, for [LogoutTo].
	LogoutRedirectURLs []string
	// HomePath is where a visitor lands if there is no page to return to. Empty means
	// "/".
	HomePath string
	// LoginPath starts a sign-in; return_to in its query is the page to come back to.
	// Empty means "login" in the callback's directory: /login for /oidc_callback.
	LoginPath string
	// LogoutPath signs out. Empty means "logout" in the callback's directory.
	LogoutPath string
	// AllowGETLogout lets a GET of LogoutPath sign out at once, so that a plain link
	// can sign out. Without it, GET answers with a page that asks for confirmation, and
	// only a POST signs out. A request that another site caused, according to the
	// browser, never signs out. (Browsers say so over https and on loopback; a GET with
	// neither Sec-Fetch-Site nor Referer is followed.)
	AllowGETLogout bool

	// BackchannelLogoutPath receives the provider's requests that say who signed out
	// there (OpenID Connect Back-Channel Logout 1.0). It must be registered with the
	// provider, with this app's origin in front, and needs Session.Store. Empty means
	// that no path does.
	BackchannelLogoutPath string
	// DisplayName is the provider's name on the page where visitors choose one; see
	// [NewProviders]. Empty means the issuer's host.
	DisplayName string

	// Scopes are requested at sign-in; openid must be among them. Nil means openid and
	// email.
	Scopes []string
	// TrustedAudiences are audiences that an ID token may have in addition to ClientID
	// (OpenID Connect Core 1.0, 3.1.3.7, item 3). Such an audience receives the same
	// tokens, and could send them here. A token with any other additional audience is
	// refused.
	TrustedAudiences []string
	// SigningAlgorithms are the algorithms that an ID token may be signed with, and a
	// userInfo answer if it is signed. Nil means only RS256. RS, PS and ES with 256,
	// 384 or 512 are supported; "none" and HMAC are not.
	SigningAlgorithms []string
	// ClockSkew is how far this machine's clock and the provider's may differ, in
	// both directions. Zero means 60 seconds; at most 5 minutes.
	ClockSkew time.Duration
	// UserInfo says when the userInfo endpoint is called.
	UserInfo UserInfoMode
	// RequireVerifiedEmail refuses users whose e-mail address is missing, or not
	// verified according to the provider: at sign-in, and in sessions that began before
	// it was set.
	RequireVerifiedEmail bool
	// Claims names further claims to keep for [User.Claim]; "custom:*" stands for all
	// claims whose name begins with "custom:". Without a Store they are in the session
	// cookie, and so in every request: keep few. Sessions that began before a name was
	// added lack it. Claims that a rule of [Auth.Require] reads are kept anyway.
	Claims []string
	// LoginRules must all let a user pass to sign in. They see every claim of the ID
	// token and of userInfo, kept or not. They are checked again when a refresh brings
	// an ID token. They are not checked for bearer tokens: for those, put
	// [Auth.Require] behind [Auth.RequireBearer].
	LoginRules []Rule
	// LoginOptions apply to every sign-in; options of [Auth.Login] are applied after
	// them.
	LoginOptions []LoginOption
	// PushedAuthorization sends the parameters of a sign-in to the provider directly,
	// and only a reference to them through the browser (RFC 9126). A sign-in then
	// begins with a request to the provider. Without PushedAuthorization this is done
	// only if the provider requires it.
	PushedAuthorization bool

	// Keys encrypt the cookies and the content of Session.Store: secrets of at least 32
	// random bytes, the newest first. The first key encrypts; all keys decrypt. To
	// change keys without signing anybody out, append the new key in every process,
	// then move it to the front, and remove the old one when its sessions have ended.
	// All processes of one app need the same keys. Nil means a random key: sessions
	// then end when the process ends.
	Keys []Secret
	// Session says how long sessions last, and where they are kept.
	Session SessionConfig
	// Bearer says which access tokens [Auth.RequireBearer] accepts. Its zero value
	// accepts those that the provider issued to this app client.
	Bearer BearerConfig
	// CookieName names the session cookie. Empty means "cognate". Over https the prefix
	// __Host- is added. Each Auth on one host needs a different name.
	CookieName string

	// RevokeOnLogout revokes the refresh token at sign-out (RFC 7009), if the session
	// has one and the provider has a revocation endpoint. The sign-out succeeds even if
	// the revocation fails.
	RevokeOnLogout bool
	// Hooks are called when sign-ins and sessions begin, change or end.
	Hooks Hooks
	// Metrics counts sign-ins, refusals and the like. Nil means that nothing is counted.
	Metrics Metrics
	// ErrorHandler answers refusals and failures (a sign-in, a sign-out, a rule, a
	// store that is down) instead of the built-in page and the JSON for scripts. The
	// log line is already written. It must answer with e.Status or another error
	// status. It is not called for a visitor who has to sign in, nor for bearer tokens:
	// see Bearer.ErrorHandler.
	ErrorHandler func(w http.ResponseWriter, r *http.Request, e *Error)
	// Logger gets one line for each sign-in, refusal and sign-out. Nil means
	// slog.Default().
	Logger *slog.Logger
	// HTTPClient sends the requests to the provider. Nil means a client with a time
	// limit of 10 seconds that connects names below localhost, such as shop.localhost,
	// to this machine without asking a resolver, unless InsecureHTTP is set. Redirects
	// are never followed.
	HTTPClient *http.Client
	// Now is the clock. Nil means time.Now.
	Now func() time.Time

	// InsecureHTTP allows plain http for the provider and for RedirectURL even if they
	// are not on loopback addresses. Tokens and cookies are then sent unencrypted. The
	// system's resolver is asked for names below localhost, because another container
	// may have such a name; those that it doesn't know mean this machine.
	InsecureHTTP bool
}

// SessionConfig says how long sessions last, and where they are kept.
type SessionConfig struct {
	// Lifetime is how long a session lasts at most, used or not. Zero means 8 hours.
	Lifetime time.Duration
	// IdleTimeout ends a session that had no request for this long, give or take a
	// tenth: the time of the last request is in the cookie, which is not renewed at
	// every request. Zero means no idle timeout.
	IdleTimeout time.Duration
	// Store keeps the sessions and their tokens. Nil means that each session is kept in
	// its cookie.
	Store sessionstore.Store
	// TokensInCookie keeps the tokens without a Store, encrypted, in further cookies:
	// [Auth.AccessToken] then works. They are sent with every request, and make it two
	// to three times as expensive.
	TokensInCookie bool
	// CacheSize is how many decrypted sessions are kept in memory at most, about 1.5
	// KiB each. The most recently used half is always kept. Zero means 10,000.
	CacheSize int
}

const (
	defaultLifetime  = 8 * time.Hour
	maxLifetime      = 400 * 24 * time.Hour // the longest that browsers keep a cookie (RFC 6265bis, 5.5)
	defaultCacheSize = 10_000
	defaultSkew      = time.Minute
	maxSkew          = 5 * time.Minute
	minKeySize       = 32
	maxConfigKeys    = 16
)

// settings is a Config with its defaults filled in, after it was checked.
type settings struct {
	Config
	origin       string // of RedirectURL
	callbackPath string
	secure       bool // RedirectURL is https
	ephemeral    bool // no Keys were set, and a random one was made
	clientKey    oidc.ClientKey
	bearer       BearerConfig // completed from Config
	// authConfigured says that ClientAuth was set, and not filled in.
	authConfigured bool
	// dialectGuessed says that Dialect was not set, and nothing indicates Cognito.
	dialectGuessed bool
}

// resolve fills in and checks a configuration; the error lists everything that is
// wrong.
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
		case s.ClientKey.isSet():
			s.ClientAuth = PrivateKeyJWT
		case s.ClientSecret == "":
			s.ClientAuth = ClientAuthNone
		}
	}
	home := "" // in RedirectURL's spelling: the provider compares it exactly
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
	setDefault(&s.LoginPath, path.Join("/", path.Dir(s.callbackPath), "login"))
	setDefault(&s.LogoutPath, path.Join("/", path.Dir(s.callbackPath), "logout"))
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
		found.add("RedirectURL %q is not among the client secrets' redirect_uris %q; "+
			"set it to one of them, or add it there and at the provider, which compares them exactly (also the "+
			"queries, which are left out here)",
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

// registered reports whether a redirect URI of the client secrets covers RedirectURL.
// Keycloak registers patterns that end in a *.
func (s *settings) registered(uri string) bool {
	prefix, pattern := strings.CutSuffix(uri, "*")
	return uri == s.RedirectURL || pattern && strings.HasPrefix(s.RedirectURL, prefix)
}

// warn logs what looks like a mistake but may be intended.
func (s *settings) warn() {
	warnOfExamples(s.Logger, s.Issuer, s.ClientID)
	if s.dialectGuessed && looksLikePool(s.Issuer) {
		warnOfDialect(s.Logger, s.Issuer)
	}
}

func (s *settings) checkPolicy() (found problems) {
	for _, scope := range s.Scopes {
		if !scopeToken.MatchString(scope) {
			found.add("Scopes has %.80q, which is not a scope; give each scope as an entry of its own", scope)
		}
	}
	if slices.Contains(s.TrustedAudiences, "") {
		found.add("TrustedAudiences has an empty name")
	}
	if !slices.Contains(s.Scopes, "openid") {
		found.add("Scopes %q lacks openid, without which there is no ID token: add it", s.Scopes)
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
		found.add("UserInfo is %d; expected UserInfoIfNeeded, UserInfoAlways or UserInfoNever", s.UserInfo)
	}
	return found
}

// cookieName matches the cookie names that are allowed here, a subset of RFC 6265's
// token. They can't begin with a prefix that has a meaning to browsers.
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
		found.add("CookieName is %q; expected letters, digits, - and _, and a letter or digit first", s.CookieName)
	}
	return found
}
