// Package server assembles a user pool's HTTP side on one handler: the protocol
// endpoints of package oauth, the pages of package hosted, the way to other
// identity providers of package federation and, where it is switched on, the
// developer's view of package devview.
//
// It knows all of them, the words (userpool), pool and, of the internal packages, browser
// and recorder. Whoever serves a pool has to know no other HTTP package than this.
package server

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"time"

	"github.com/cognate-auth/cognate/userpool"
	"github.com/cognate-auth/cognate/userpool/devview"
	"github.com/cognate-auth/cognate/userpool/federation"
	"github.com/cognate-auth/cognate/userpool/hosted"
	"github.com/cognate-auth/cognate/userpool/internal/browser"
	"github.com/cognate-auth/cognate/userpool/internal/recorder"
	"github.com/cognate-auth/cognate/userpool/oauth"
	"github.com/cognate-auth/cognate/userpool/pool"
)

// Config configures [New].
type Config struct {
	// Pool is the user pool to serve. Required.
	Pool *pool.Pool

	// BaseURL is the domain as browsers see it, such as http://localhost:9229:
	// scheme, host and port, nothing after them. The endpoints in discovery and
	// the redirects start with it, and cookies are Secure when it is https.
	// Required.
	BaseURL string

	// KeysURL is what discovery says of where the pool's keys are, for an issuer
	// that is not served here, as Amazon's are not. Empty: at the issuer.
	KeysURL string

	// RequestsPerSecond is how often one source address may ask this handler (IPv6:
	// one /64 network); more is answered 429. Cognito's own limit is 300. Several
	// handlers count together in one [LimitRequests]. Zero: no limit.
	RequestsPerSecond int

	// SAML speaks with identity providers of that type. Nil: nobody can sign in
	// there.
	SAML userpool.SAML

	// ProviderPatience is how long another identity provider may take for one
	// answer. Zero: 5 s.
	ProviderPatience time.Duration

	// Logger takes one line per refusal and failure. Nil: no log.
	Logger *slog.Logger

	// DevView serves the developer's view at /_cognate/. What it says about
	// sign-ins comes from the pool's Trace.
	DevView bool
	// DevViewToken lets in who shows it, and nobody else. devview.NewToken makes
	// one, and devview.Address is where a browser takes it. Required with DevView.
	DevViewToken userpool.Secret
	// OneClickSignIn lists users on the sign-in page, each of whom is signed in with one
	// click, without a password or another factor; the ID token says one_click in amr. It
	// is there for a browser that has opened the developer's view, and acts only for one
	// that shows the token: it could do the same with a code from the outbox. It needs
	// DevView.
	OneClickSignIn bool
	// InsecureDevViewAnywhere serves the view to whoever asks, without a token:
	// every code and link that the pool sends, and all that it knows of its users.
	InsecureDevViewAnywhere bool
}

// New returns a handler for all of the pool's endpoints and pages. Time limits
// and the size of headers are the business of the http.Server around it.
func New(cfg Config) (http.Handler, error) {
	if cfg.Pool == nil {
		return nil, errors.New("server: Config.Pool is required")
	}
	err := checkBaseURL(cfg.BaseURL)
	if err != nil {
		return nil, fmt.Errorf("server: Config.BaseURL: %w", err)
	}
	if cfg.DevView && !cfg.InsecureDevViewAnywhere {
		err = devview.CheckToken(cfg.DevViewToken)
		if err != nil {
			return nil, fmt.Errorf("server: Config.DevViewToken: %w; devview.NewToken makes one", err)
		}
	}
	if cfg.OneClickSignIn && !cfg.DevView {
		return nil, errors.New("server: Config.OneClickSignIn is for who may see the developer's view: set DevView too")
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	trace := cfg.Pool.Trace()
	cfg.Logger = trace.Logger(cfg.Logger)
	mux := http.NewServeMux()
	others := &federation.Handler{
		Pool: cfg.Pool, BaseURL: cfg.BaseURL, Logger: cfg.Logger, SAML: cfg.SAML, Patience: cfg.ProviderPatience,
	}
	others.Mount(mux)
	protocol := &oauth.Handler{
		Pool: cfg.Pool, BaseURL: cfg.BaseURL, Logger: cfg.Logger, KeysURL: cfg.KeysURL, Federation: others,
	}
	if cfg.DevView && trace != nil {
		protocol.ReportURL = devview.ReportURL(cfg.BaseURL)
	}
	err = protocol.Mount(mux)
	if err != nil {
		return nil, fmt.Errorf("server: %w", err)
	}
	mux.Handle(HealthPath, &health{check: cfg.Pool.CheckStore, now: time.Now})
	pages := &hosted.Handler{Pool: cfg.Pool, BaseURL: cfg.BaseURL, Logger: cfg.Logger}
	if cfg.DevView {
		access := devview.Access{
			BaseURL: cfg.BaseURL, Token: cfg.DevViewToken, InsecureAnywhere: cfg.InsecureDevViewAnywhere,
		}
		(&devview.Handler{Access: access, Pool: cfg.Pool, Logger: cfg.Logger}).Mount(mux)
		pages.Developer = hosted.Developer{
			Here: access.Opened, Outbox: access.Outbox(), OneClick: cfg.OneClickSignIn, Proven: access.Proven,
		}
	}
	pages.Mount(mux)
	handler := http.Handler(mux)
	if trace != nil {
		handler = recorder.Handler(trace, cfg.BaseURL, handler)
	}
	handler = withHeaders(handler)
	if cfg.RequestsPerSecond > 0 {
		handler = LimitRequests(cfg.RequestsPerSecond, handler)
	}
	return handler, nil
}

func checkBaseURL(base string) error {
	u, err := url.Parse(base)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return fmt.Errorf("%q is not an http or https URL", base)
	}
	if u.Scheme+"://"+u.Host != base {
		return fmt.Errorf("%q must be scheme, host and port, with nothing after them", base)
	}
	return nil
}

// withHeaders sets what every answer has. Nothing here may be kept by a cache,
// except where a handler says otherwise. Cognito's Strict-Transport-Security is
// left out: on localhost it would break every other program's plain http.
func withHeaders(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Cache-Control", "no-cache, no-store, max-age=0, must-revalidate")
		h.Set("Pragma", "no-cache")
		h.Set("Expires", "0")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		h.Set(browser.RequestIDHeader, userpool.NewUUID())
		next.ServeHTTP(w, r)
	})
}
