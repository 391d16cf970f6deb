package cognate

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"time"

	"github.com/cognate-auth/cognate/internal/cache"
	"github.com/cognate-auth/cognate/internal/gate"
	"github.com/cognate-auth/cognate/internal/oidc"
	"github.com/cognate-auth/cognate/internal/session"
	"github.com/cognate-auth/cognate/internal/transaction"
)

// Auth signs people in to one web app with one provider. Make it with [New]. It is
// safe for concurrent use; several can live in one process.
type Auth struct {
	*answerer

	client       *oidc.Client
	dialect      *Dialect
	bearer       *Bearer
	sessions     *session.Sessions
	transactions *transaction.Transactions
	logoutTokens usedTokens
	admission    admission
	// crossOrigin refuses a POST that another site caused, by Fetch Metadata or the
	// Origin header of older browsers.
	crossOrigin *http.CrossOriginProtection

	displayName  string
	loginOptions []LoginOption
	pushes       bool // Config.PushedAuthorization
	// logoutURLs are the absolute URLs that LogoutTo may name; the first is the default.
	logoutURLs  []string
	logoutOnGET bool // Config.AllowGETLogout
	revokes     bool // Config.RevokeOnLogout

	authTimeWarnings cache.Throttle // limits the line about a provider that changes auth_time
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
		answerer: newAnswerer(s), client: s.client(), dialect: s.Dialect, displayName: s.DisplayName,
		loginOptions: s.LoginOptions, pushes: s.PushedAuthorization,
		logoutURLs:  append([]string{s.LogoutRedirectURL}, s.LogoutRedirectURLs...),
		logoutOnGET: s.AllowGETLogout, revokes: s.RevokeOnLogout,
		authTimeWarnings: cache.Throttle{Every: time.Minute},
	}
	a.reports = newReporter(a.client, s.Now)
	a.admission.require(s.RequireVerifiedEmail, s.LoginRules)
	a.admission.claims.add(s.Claims...)
	// The Host header need not be the one browsers see: proxies change it.
	a.crossOrigin = http.NewCrossOriginProtection()
	err = a.crossOrigin.AddTrustedOrigin(s.origin)
	if err != nil {
		return nil, fmt.Errorf("cognate: configuration: RedirectURL: %w", err)
	}
	own := a.client.Provider // shared, so that its keys are fetched once
	if s.bearer.Issuers[0].JWKS != s.Endpoints.JWKS {
		own = nil
	}
	a.bearer = newBearer(s.bearer, own)
	a.bearer.auth = a
	err = a.openSessions(s)
	if err != nil {
		return nil, err
	}
	s.warn()
	if s.ephemeral {
		a.log.Warn("cognate: no cookie keys are configured; sign-ins end with this process and are not shared with " +
			"another: set Config.Keys, as from: openssl rand -base64 32")
	}
	return a, nil
}

// client returns the app client, with its provider.
func (s *settings) client() *oidc.Client {
	config := oidc.ProviderConfig{
		Issuer: s.Issuer, Endpoints: oidc.Endpoints(s.Endpoints), InsecureHTTP: s.InsecureHTTP,
		HTTPClient: s.HTTPClient,
		Now:        s.Now, Logger: s.Logger,
	}
	if s.dialectGuessed {
		config.Discovered = func(e oidc.Endpoints) {
			if atPoolDomain(e.Authorization) || atPoolDomain(e.Token) {
				warnOfDialect(s.Logger, s.Issuer)
			}
		}
	}
	provider := oidc.NewProvider(config)
	verifier := oidc.NewVerifier(oidc.TokenRules{
		Provider: provider, Algorithms: s.SigningAlgorithms, Skew: s.ClockSkew, Now: s.Now,
	}, s.ClientID)
	verifier.Trusted, verifier.TokenUseClaim = s.TrustedAudiences, s.Dialect.TokenUseClaim
	return &oidc.Client{
		Provider: provider, Verifier: verifier, ID: s.ClientID, RedirectURL: s.RedirectURL, Scopes: s.Scopes,
		UserInfoMode: oidc.UserInfoMode(s.UserInfo), VerifiedEmail: s.RequireVerifiedEmail,
		Proofs: s.proofs(), Gate: gate.New(s.Now), Now: s.Now,
	}
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
		a.paths.callback: allowMethods(a.callback, http.MethodGet, http.MethodPost),
		a.paths.login:    allowMethods(a.login, http.MethodGet),
		a.paths.logout:   allowMethods(a.logout, http.MethodGet, http.MethodPost),
	}
	if a.paths.backchannel != "" {
		own[a.paths.backchannel] = allowMethods(a.backchannelLogout, http.MethodPost)
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if h, ok := own[r.URL.Path]; ok {
			h(w, r)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// allowMethods answers other methods with 405, and refuses a browser's prefetch: a
// request to these paths has effects, and must come from a person.
func allowMethods(h http.HandlerFunc, methods ...string) http.HandlerFunc {
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

// RequireLogin lets a request through to next if somebody is signed in; [UserFrom] then
// returns the user. Otherwise a person who opens a page is redirected to the provider
// and comes back to that page after signing in, and a request made by a script (fetch,
// XHR, HTMX) gets 401 with the login URL. If the [sessionstore.Store] can't be reached
// the answer is 503 with Retry-After, and the browser keeps its cookie.
//
// It sets Cache-Control: private, no-cache, which keeps the answer out of shared
// caches; next may set another value, but must not allow shared caches to keep the
// answer: RequireLogin sometimes renews the session cookie in it.
func (a *Auth) RequireLogin(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		now := a.now()
		s, present, err := a.sessions.Read(r, now)
		switch {
		case err != nil:
			a.fail(w, r, asError(err, ReasonStoreDown), a.paths.returnPage(r))
		case s == nil || !a.serve(w, r, s, now, next):
			a.challenge(w, r, present)
		}
	})
}

// privateNoCache is shared by all answers, which saves an allocation in each. That is
// safe: header values are replaced or appended to, not changed in place.
var privateNoCache = []string{"private, no-cache"}

// serve serves a request with a live session. If the session has ended in the meantime
// it does nothing and reports false.
func (a *Auth) serve(w http.ResponseWriter, r *http.Request, s *session.Session, now time.Time,
	next http.Handler) bool {
	s = a.sessions.Roll(w, r, s, now)
	if s == nil {
		return false
	}
	w.Header()["Cache-Control"] = privateNoCache
	a.transactions.Arrived(w, r, s.ID, s.Created, now)
	c := &requestContext{Context: r.Context(), auth: a, user: userIn(s)}
	w = c.visit.Begin(a.sessions, w, r, s, now)
	defer c.visit.End()
	next.ServeHTTP(w, r.WithContext(c))
	return true
}

// Require is [Auth.RequireLogin] with rules: all of them must let the user pass, or the
// answer is 403 and [Config].ErrorHandler or a page that offers to use another account.
// Call it when the routes are set up. Behind another middleware of this Auth that has
// already found the user, such as [Auth.RequireBearer], it checks that user.
func (a *Auth) Require(rules ...Rule) func(http.Handler) http.Handler {
	a.admission.claims.add(claimsOf(rules)...)
	authOf := func(ctx context.Context) *Auth {
		if c, _ := ctx.Value(requestKey{}).(*requestContext); c != nil && c.auth == a {
			return a
		}
		return nil
	}
	return requireRules(rules, authOf, a.RequireLogin)
}

// requireRules is Require for one Auth or several. authOf returns the Auth whose
// middleware has already found the request's user, or nil.
func requireRules(
	rules []Rule, authOf func(context.Context) *Auth, requireLogin func(http.Handler) http.Handler,
) func(http.Handler) http.Handler {
	rules = slices.Clone(rules) // the caller may change its slice
	return func(next http.Handler) http.Handler {
		checked := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			e := checkRules(r.Context(), rules, UserFrom(r.Context()))
			if e != nil {
				a := authOf(r.Context())
				a.fail(w, r, e, a.paths.returnPage(r))
				return
			}
			next.ServeHTTP(w, r)
		})
		signedIn := requireLogin(checked)
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if authOf(r.Context()) != nil {
				checked.ServeHTTP(w, r)
				return
			}
			signedIn.ServeHTTP(w, r)
		})
	}
}

// User returns the user who is signed in, or nil. It reads the request's cookie, and
// the [sessionstore.Store] if there is one. It is for public pages that greet a
// signed-in user; if the store can't be reached it returns nil. An answer that depends
// on the user must not be cached for others.
func (a *Auth) User(r *http.Request) *User {
	s, _, err := a.sessions.Read(r, a.now())
	if err != nil && a.outages.Pass(a.now()) {
		a.log.LogAttrs(r.Context(), slog.LevelError,
			"cognate: treating the visitor as signed out: the session store can't be reached", errAttr(err))
	}
	if s == nil {
		return nil
	}
	return userIn(s)
}

// LogoutEverywhere ends every session of the user with this [User.Subject], in all
// browsers, and returns how many it ended. It may return both a count and an error:
// call it again then. It needs Session.Store: cookies can't be revoked. The provider's
// own session stays open, and access tokens stay valid until they expire.
func (a *Auth) LogoutEverywhere(ctx context.Context, subject string) (int, error) {
	n, err := a.sessions.EndAll(ctx, session.BySubject, subject)
	if n > 0 {
		a.notifyEnded(ctx, subject, LogoutEverywhere)
	}
	return n, publicError(err)
}
