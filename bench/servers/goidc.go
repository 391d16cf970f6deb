package servers

import (
	"context"
	"crypto/rand"
	"encoding/gob"
	"errors"
	"net/http"
	"time"

	"github.com/alexedwards/scs/v2"
	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/gorilla/sessions"
	"golang.org/x/oauth2"
)

// identity is what a hand-written sign-in stores.
type identity struct {
	Subject, Email, Name string
	EmailVerified        bool
}

type identityKey struct{}

// identityStore is where a hand-written sign-in stores it.
type identityStore interface {
	save(w http.ResponseWriter, r *http.Request, id identity) error
	load(r *http.Request) (identity, bool)
}

// handWritten is a sign-in with go-oidc and x/oauth2, as their documentation shows,
// with what a careful author adds: state, nonce and PKCE.
type handWritten struct {
	oauth    oauth2.Config
	verifier *oidc.IDTokenVerifier
	sessions identityStore
}

func newHandWritten(ctx context.Context, cfg Config, k identityStore) (*handWritten, error) {
	provider, err := oidc.NewProvider(ctx, cfg.Issuer)
	if err != nil {
		return nil, err
	}
	endpoint := provider.Endpoint()
	endpoint.AuthStyle = oauth2.AuthStyleInParams
	return &handWritten{
		oauth: oauth2.Config{
			ClientID: cfg.ClientID, ClientSecret: cfg.ClientSecret, Endpoint: endpoint,
			RedirectURL: cfg.RedirectURL, Scopes: []string{oidc.ScopeOpenID, "email"},
		},
		verifier: provider.Verifier(&oidc.Config{ClientID: cfg.ClientID}),
		sessions: k,
	}, nil
}

func (s *handWritten) handler() *http.ServeMux {
	mux := app(s.requireLogin)
	mux.HandleFunc("GET /login", s.login)
	mux.HandleFunc("GET /oidc_callback", s.callback)
	return mux
}

func (s *handWritten) requireLogin(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id, ok := s.sessions.load(r)
		if !ok {
			http.Redirect(w, r, "/login", http.StatusFound)
			return
		}
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), identityKey{}, id)))
	})
}

func (s *handWritten) login(w http.ResponseWriter, r *http.Request) {
	state, nonce, verifier := rand.Text(), rand.Text(), oauth2.GenerateVerifier()
	for name, value := range map[string]string{"state": state, "nonce": nonce, "verifier": verifier} {
		http.SetCookie(w, &http.Cookie{ //nolint:gosec // plain http on loopback
			Name: name, Value: value, Path: "/oidc_callback", MaxAge: 600, HttpOnly: true,
			SameSite: http.SameSiteLaxMode,
		})
	}
	to := s.oauth.AuthCodeURL(state, oidc.Nonce(nonce), oauth2.S256ChallengeOption(verifier))
	http.Redirect(w, r, to, http.StatusFound)
}

func (s *handWritten) callback(w http.ResponseWriter, r *http.Request) {
	id, err := s.identify(r)
	if err == nil {
		err = s.sessions.save(w, r, id)
	}
	if err != nil {
		http.Error(w, "The sign-in failed.", http.StatusBadRequest)
		return
	}
	http.Redirect(w, r, "/hello", http.StatusFound)
}

func (s *handWritten) identify(r *http.Request) (identity, error) {
	values := map[string]string{}
	for _, name := range []string{"state", "nonce", "verifier"} {
		c, err := r.Cookie(name)
		if err != nil {
			return identity{}, err
		}
		values[name] = c.Value
	}
	if r.FormValue("state") != values["state"] {
		return identity{}, errors.New("the state differs")
	}
	token, err := s.oauth.Exchange(r.Context(), r.FormValue("code"), oauth2.VerifierOption(values["verifier"]))
	if err != nil {
		return identity{}, err
	}
	raw, _ := token.Extra("id_token").(string)
	idToken, err := s.verifier.Verify(r.Context(), raw)
	if err != nil {
		return identity{}, err
	}
	if idToken.Nonce != values["nonce"] {
		return identity{}, errors.New("the nonce differs")
	}
	var claims struct {
		Email         string `json:"email"`
		EmailVerified bool   `json:"email_verified"`
		Name          string `json:"name"`
	}
	err = idToken.Claims(&claims)
	return identity{idToken.Subject, claims.Email, claims.Name, claims.EmailVerified}, err
}

const (
	lifetime  = 8 * time.Hour
	valueName = "user"
)

// gorillaStore keeps the identity in an encrypted cookie.
type gorillaStore struct{ store *sessions.CookieStore }

func (k gorillaStore) save(w http.ResponseWriter, r *http.Request, id identity) error {
	s, _ := k.store.Get(r, "session") // a cookie that can't be read is replaced
	s.Values[valueName] = id
	return s.Save(r, w)
}

func (k gorillaStore) load(r *http.Request) (identity, bool) {
	s, err := k.store.Get(r, "session")
	if err != nil {
		return identity{}, false
	}
	id, ok := s.Values[valueName].(identity)
	return id, ok
}

func gorillaServer(ctx context.Context, cfg Config) (http.Handler, error) {
	gob.Register(identity{})
	keys := make([]byte, 64)
	_, _ = rand.Read(keys) // it does not fail
	store := sessions.NewCookieStore(keys[:32], keys[32:])
	store.Options = &sessions.Options{
		Path: "/", MaxAge: int(lifetime / time.Second), HttpOnly: true, SameSite: http.SameSiteLaxMode,
	}
	s, err := newHandWritten(ctx, cfg, gorillaStore{store})
	if err != nil {
		return nil, err
	}
	return s.handler(), nil
}

// scsStore keeps the identity in memory, and a random token in the cookie.
type scsStore struct{ manager *scs.SessionManager }

func (k scsStore) save(_ http.ResponseWriter, r *http.Request, id identity) error {
	err := k.manager.RenewToken(r.Context())
	if err != nil {
		return err
	}
	k.manager.Put(r.Context(), valueName, id)
	return nil
}

func (k scsStore) load(r *http.Request) (identity, bool) {
	id, ok := k.manager.Get(r.Context(), valueName).(identity)
	return id, ok
}

func scsServer(ctx context.Context, cfg Config) (http.Handler, error) {
	gob.Register(identity{})
	manager := scs.New()
	manager.Lifetime = lifetime
	manager.Cookie.Secure = false // plain http on loopback
	s, err := newHandWritten(ctx, cfg, scsStore{manager})
	if err != nil {
		return nil, err
	}
	return manager.LoadAndSave(s.handler()), nil
}
