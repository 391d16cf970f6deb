package cognate

import (
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"time"
)

// Auth signs people in to one web app with one provider. Make it with [New]. It is
// safe for concurrent use; several can live in one process.
type Auth struct {
	provider     *provider
	client       *client
	verifier     *verifier
	bearer       *Bearer
	sessions     *sessions
	transactions *transactions
	// crossOrigin refuses a POST that another site caused, by Fetch Metadata or the
	// Origin header of older browsers.
	crossOrigin *http.CrossOriginProtection

	origin       string // of this app, as browsers see it
	hostWarning  sync.Once
	callbackPath string
	loginPath    string
	logoutPath   string
	homePath     string
	logoutReturn string // absolute
	logoutOnGET  bool
	userInfo     UserInfoMode
	keepClaims   []string
	errorHandler func(http.ResponseWriter, *http.Request, *Error)
	log          *slog.Logger
	now          func() time.Time
}

// New checks the configuration and makes an Auth of it. It uses no network: the
// provider is first asked when somebody signs in. The error lists everything that is
// wrong with the configuration, not only the first.
func New(cfg Config) (*Auth, error) {
	s, err := cfg.resolve()
	if err != nil {
		return nil, err
	}
	a := &Auth{
		provider:     newProvider(s),
		client:       &client{s.ClientID, s.ClientSecret, s.ClientAuth, s.RedirectURL, s.Scopes},
		origin:       s.origin,
		callbackPath: s.callbackPath, loginPath: s.LoginPath, logoutPath: s.LogoutPath, homePath: s.HomePath,
		logoutReturn: s.LogoutRedirectURL, logoutOnGET: s.AllowGETLogout,
		userInfo: s.UserInfo, keepClaims: s.Claims,
		errorHandler: s.ErrorHandler, log: s.Logger, now: s.Now,
	}
	// The Host header need not be the one browsers see: proxies change it.
	a.crossOrigin = http.NewCrossOriginProtection()
	err = a.crossOrigin.AddTrustedOrigin(s.origin)
	if err != nil {
		return nil, fmt.Errorf("cognate: configuration: RedirectURL: %w", err)
	}
	a.verifier = newVerifier(s.Issuer, s.ClientID, s.Dialect, s.SigningAlgorithms, s.ClockSkew, s.Now, a.provider.keys)
	a.bearer = newBearer(s.bearer(), a.provider)
	err = a.openJars(s)
	if err != nil {
		return nil, err
	}
	if s.ephemeral {
		a.log.Warn("cognate: no cookie keys are configured; sign-ins end with this process and are not shared with another")
	}
	return a, nil
}

func newProvider(s *settings) *provider {
	p := &provider{
		issuer: s.Issuer, dialect: s.Dialect, configured: s.Endpoints, insecure: s.InsecureHTTP, http: noRedirects(s.HTTPClient),
	}
	p.metadata = &remote[metadata]{fetch: p.discover, now: s.Now, maxAge: discoveryMaxAge}
	p.keys = &keySet{&remote[[]publicKey]{fetch: p.fetchKeys, now: s.Now, maxAge: keysMaxAge}}
	return p
}

// openJars sets up the two kinds of cookies. Their seals are bound to the provider and
// the client, so that keys shared by several apps don't make their sessions shared.
func (a *Auth) openJars(s *settings) error {
	bound := s.Issuer + "\x00" + s.ClientID
	cookie := newCookieSpec(s.CookieName, s.secure)
	sessionSealer, err := newSealer(s.Keys, "session", bound)
	if err != nil {
		return err
	}
	transactionSealer, err := newSealer(s.Keys, "transaction", bound)
	if err != nil {
		return err
	}
	a.sessions = &sessions{
		issuer: s.Issuer, cookie: cookie, sealer: sessionSealer, now: s.Now,
		lifetime: s.Session.Lifetime, idle: s.Session.IdleTimeout, skew: s.ClockSkew, verifiedEmail: s.RequireVerifiedEmail,
		opened: newCache[*session](s.Session.CacheSize), ended: newExpiring(maxEnded),
	}
	a.transactions = &transactions{cookie: cookie, sealer: transactionSealer, skew: s.ClockSkew, now: s.Now, used: newExpiring(maxEnded)}
	return nil
}

// Handler answers the callback, login and logout paths, and passes every other request
// to next. Put it around the whole app:
//
//	http.ListenAndServeTLS(addr, cert, key, auth.Handler(mux))
//
// next may be nil; other paths are then not found. For an app below a sub-path, put
// Handler outside of http.StripPrefix; a proxy in front must leave the path as it is.
func (a *Auth) Handler(next http.Handler) http.Handler {
	if next == nil {
		next = http.NotFoundHandler()
	}
	own := map[string]http.HandlerFunc{
		a.callbackPath: only(a.callback, http.MethodGet),
		a.loginPath:    only(a.login, http.MethodGet),
		a.logoutPath:   only(a.logout, http.MethodGet, http.MethodPost),
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if h, ok := own[r.URL.Path]; ok {
			h(w, r)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// only answers other methods with 405. A browser that fetches the page behind a link
// before anybody follows it gets nothing: these paths do something.
func only(h http.HandlerFunc, methods ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-store")
		if isPrefetch(r) {
			http.Error(w, "Not before somebody asks.", http.StatusServiceUnavailable)
			return
		}
		for _, m := range methods {
			if r.Method == m {
				h(w, r)
				return
			}
		}
		w.Header()["Allow"] = methods
		http.Error(w, "Method not allowed.", http.StatusMethodNotAllowed)
	}
}

// RequireLogin lets a request through to next if somebody is signed in; [UserFrom]
// then tells who. Otherwise a page that a person navigates to becomes a redirect to the
// provider, from where the person comes back to it, and a request made by a script
// (fetch, XHR, HTMX) gets 401 with the login URL.
//
// It sets Cache-Control: private, no-cache, which keeps the answer out of shared caches;
// next may set another. An answer that shared caches may keep must not come from behind
// RequireLogin: now and then it sets the session's cookie anew.
func (a *Auth) RequireLogin(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s, present := a.sessions.read(r)
		if s == nil {
			a.challenge(w, r, present)
			return
		}
		w.Header().Set("Cache-Control", "private, no-cache")
		a.sessions.renew(w, s)
		next.ServeHTTP(w, r.WithContext(&userContext{r.Context(), s.user}))
	})
}

// User returns who is signed in, or nil. It reads the request's cookie and nothing
// else, for pages that are public but greet those who are known. An answer that
// depends on it must not be cached for others.
func (a *Auth) User(r *http.Request) *User {
	s, _ := a.sessions.read(r)
	if s == nil {
		return nil
	}
	return s.user
}
