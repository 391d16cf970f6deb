package clients

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"

	goidc "github.com/coreos/go-oidc/v3/oidc"
	"github.com/zitadel/oidc/v3/pkg/client/rp"
	zitadelhttp "github.com/zitadel/oidc/v3/pkg/http"
	"github.com/zitadel/oidc/v3/pkg/oidc"
	"golang.org/x/oauth2"

	"github.com/cognate-auth/cognate/cognatetest"
	"github.com/cognate-auth/cognate/userpool"
)

// TestGoOIDC uses go-oidc with x/oauth2, combined as both document it.
func TestGoOIDC(t *testing.T) {
	t.Parallel()
	pool := newPool(t)
	goApp(t, pool, newGoOIDC).journey(t)
}

// TestZitadel uses the relying party of zitadel/oidc, with its handlers.
func TestZitadel(t *testing.T) {
	t.Parallel()
	pool := newPool(t)
	goApp(t, pool, newZitadel).journey(t)
}

// library is one of the two libraries.
type library interface {
	login(w http.ResponseWriter, r *http.Request)
	// callback returns the tokens of the sign-in, with the claims of the ID token.
	callback(w http.ResponseWriter, r *http.Request) (tokens, error)
	refresh(ctx context.Context, refreshToken string) (tokens, error)
	userInfo(ctx context.Context, accessToken, subject string) (any, error)
	revoke(ctx context.Context, refreshToken string) error
}

// tokens are what the app keeps after a sign-in.
type tokens struct {
	access, refresh string
	claims          map[string]any
}

// site is the app that uses the library.
type site struct {
	library
	logout string // the address of the pool's logout

	mu   sync.Mutex
	kept map[string]tokens // by the cookie
}

// start prepares a library for an app at base.
type start func(t *testing.T, pool *cognatetest.Pool, base string, client userpool.Client) library

func goApp(t *testing.T, pool *cognatetest.Pool, with start) app {
	t.Helper()
	mux := http.NewServeMux()
	srv := httptest.NewServer(mux)
	t.Cleanup(srv.Close)
	client := register(pool, srv.URL, "/callback")
	s := &site{library: with(t, pool, srv.URL, client), kept: map[string]tokens{}}
	s.logout = pool.URL + "/logout?" + url.Values{"client_id": {client.ID}, "logout_uri": {srv.URL + "/"}}.Encode()
	mux.HandleFunc("/", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("/hello", s.hello)
	mux.HandleFunc("/callback", s.back)
	mux.HandleFunc("/userinfo", s.with(func(r *http.Request, had *tokens) (any, error) {
		subject, _ := had.claims["sub"].(string)
		return s.userInfo(r.Context(), had.access, subject)
	}))
	mux.HandleFunc("/refresh", s.with(func(r *http.Request, had *tokens) (any, error) {
		fresh, err := s.refresh(r.Context(), had.refresh)
		if err != nil {
			return nil, err
		}
		fresh.refresh = had.refresh // the old one stays valid
		*had = fresh
		return fresh.claims, nil
	}))
	mux.HandleFunc("/revoke", s.with(func(r *http.Request, had *tokens) (any, error) {
		return nil, s.revoke(r.Context(), had.refresh)
	}))
	mux.HandleFunc("/logout", func(w http.ResponseWriter, r *http.Request) {
		http.SetCookie(w, &http.Cookie{Name: "session", Path: "/", MaxAge: -1})
		http.Redirect(w, r, s.logout, http.StatusFound)
	})
	return app{pool: pool, url: srv.URL, pkce: true, nonce: true}
}

func (s *site) session(r *http.Request) (id string, had tokens, ok bool) {
	c, err := r.Cookie("session")
	if err != nil {
		return "", tokens{}, false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	had, ok = s.kept[c.Value]
	return c.Value, had, ok
}

func (s *site) keep(id string, t tokens) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.kept[id] = t
}

func (s *site) hello(w http.ResponseWriter, r *http.Request) {
	if _, had, ok := s.session(r); ok {
		_ = json.NewEncoder(w).Encode(had.claims)
		return
	}
	s.login(w, r)
}

func (s *site) back(w http.ResponseWriter, r *http.Request) {
	got, err := s.callback(w, r)
	if err != nil {
		http.Error(w, err.Error(), http.StatusUnauthorized)
		return
	}
	id := rand.Text()
	s.keep(id, got)
	http.SetCookie(w, &http.Cookie{Name: "session", Value: id, Path: "/", HttpOnly: true})
	http.Redirect(w, r, "/hello", http.StatusFound)
}

// with serves a page for people who are signed in, and keeps its changes of the tokens.
func (s *site) with(page func(r *http.Request, had *tokens) (any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		id, had, ok := s.session(r)
		if !ok {
			http.Error(w, "not signed in", http.StatusUnauthorized)
			return
		}
		answer, err := page(r, &had)
		if err != nil {
			http.Error(w, errorCode(err), http.StatusBadRequest)
			return
		}
		s.keep(id, had)
		_ = json.NewEncoder(w).Encode(answer)
	}
}

// errorCode returns the OAuth error code in the error of either library.
func errorCode(err error) string {
	if e, ok := errors.AsType[*oauth2.RetrieveError](err); ok {
		return e.ErrorCode
	}
	if e, ok := errors.AsType[*oidc.Error](err); ok {
		return string(e.ErrorType)
	}
	return err.Error()
}

type goOIDC struct {
	oauth    oauth2.Config
	provider *goidc.Provider
	verifier *goidc.IDTokenVerifier
	revoking string
}

func newGoOIDC(t *testing.T, pool *cognatetest.Pool, base string, client userpool.Client) library {
	t.Helper()
	provider, err := goidc.NewProvider(t.Context(), pool.Issuer)
	if err != nil {
		t.Fatal(err)
	}
	var more struct {
		Revocation string `json:"revocation_endpoint"`
	}
	err = provider.Claims(&more)
	if err != nil {
		t.Fatal(err)
	}
	return &goOIDC{
		oauth: oauth2.Config{
			ClientID: client.ID, ClientSecret: string(client.Secret), Endpoint: provider.Endpoint(),
			RedirectURL: base + "/callback", Scopes: []string{goidc.ScopeOpenID, "email"},
		},
		provider: provider, verifier: provider.Verifier(&goidc.Config{ClientID: client.ID}), revoking: more.Revocation,
	}
}

func (g *goOIDC) login(w http.ResponseWriter, r *http.Request) {
	state, nonce, verifier := rand.Text(), rand.Text(), oauth2.GenerateVerifier()
	for name, value := range map[string]string{"state": state, "nonce": nonce, "verifier": verifier} {
		http.SetCookie(w, &http.Cookie{Name: name, Value: value, Path: "/callback", HttpOnly: true})
	}
	to := g.oauth.AuthCodeURL(state, goidc.Nonce(nonce), oauth2.S256ChallengeOption(verifier))
	http.Redirect(w, r, to, http.StatusFound)
}

func (g *goOIDC) callback(_ http.ResponseWriter, r *http.Request) (tokens, error) {
	cookie := func(name string) string {
		c, err := r.Cookie(name)
		if err != nil {
			return ""
		}
		return c.Value
	}
	if cookie("state") == "" || r.FormValue("state") != cookie("state") {
		return tokens{}, errors.New("the state does not match")
	}
	got, err := g.oauth.Exchange(r.Context(), r.FormValue("code"), oauth2.VerifierOption(cookie("verifier")))
	if err != nil {
		return tokens{}, err
	}
	return g.verified(r.Context(), got, cookie("nonce"))
}

// verified verifies the ID token, and that the access token belongs to it.
func (g *goOIDC) verified(ctx context.Context, got *oauth2.Token, nonce string) (tokens, error) {
	raw, _ := got.Extra("id_token").(string)
	id, err := g.verifier.Verify(ctx, raw)
	if err != nil {
		return tokens{}, err
	}
	if id.Nonce != nonce {
		return tokens{}, errors.New("the nonce does not match")
	}
	err = id.VerifyAccessToken(got.AccessToken)
	if err != nil {
		return tokens{}, err
	}
	t := tokens{access: got.AccessToken, refresh: got.RefreshToken}
	return t, id.Claims(&t.claims)
}

func (g *goOIDC) refresh(ctx context.Context, refreshToken string) (tokens, error) {
	got, err := g.oauth.TokenSource(ctx, &oauth2.Token{RefreshToken: refreshToken}).Token()
	if err != nil {
		return tokens{}, err
	}
	return g.verified(ctx, got, "") // there is no request, so no nonce
}

func (g *goOIDC) userInfo(ctx context.Context, accessToken, _ string) (any, error) {
	info, err := g.provider.UserInfo(ctx, oauth2.StaticTokenSource(&oauth2.Token{AccessToken: accessToken}))
	if err != nil {
		return nil, err
	}
	return map[string]any{"email": info.Email, "email_verified": info.EmailVerified}, nil
}

// revoke is written by hand after RFC 7009: neither module has it.
func (g *goOIDC) revoke(ctx context.Context, refreshToken string) error {
	form := url.Values{"token": {refreshToken}}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, g.revoking, strings.NewReader(form.Encode()))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.SetBasicAuth(g.oauth.ClientID, g.oauth.ClientSecret)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return errors.New(resp.Status)
	}
	return nil
}

type zitadel struct{ party rp.RelyingParty }

// nonceKey is the key under which zitadel's verifier finds the nonce of a request.
type nonceKey struct{}

func newZitadel(t *testing.T, pool *cognatetest.Pool, base string, client userpool.Client) library {
	t.Helper()
	cookies := zitadelhttp.NewCookieHandler([]byte(rand.Text()), nil, zitadelhttp.WithUnsecure())
	nonce := func(ctx context.Context) string {
		n, _ := ctx.Value(nonceKey{}).(string)
		return n
	}
	party, err := rp.NewRelyingPartyOIDC(
		t.Context(), pool.Issuer, client.ID, string(client.Secret), base+"/callback",
		[]string{oidc.ScopeOpenID, oidc.ScopeEmail},
		rp.WithCookieHandler(cookies), rp.WithPKCE(cookies), rp.WithVerifierOpts(rp.WithNonce(nonce)),
	)
	if err != nil {
		t.Fatal(err)
	}
	return zitadel{party}
}

func (z zitadel) login(w http.ResponseWriter, r *http.Request) {
	nonce := rand.Text()
	http.SetCookie(w, &http.Cookie{Name: "nonce", Value: nonce, Path: "/callback", HttpOnly: true})
	rp.AuthURLHandler(rand.Text, z.party, rp.WithURLParam("nonce", nonce))(w, r)
}

func (z zitadel) callback(w http.ResponseWriter, r *http.Request) (t tokens, err error) {
	nonce, err := r.Cookie("nonce")
	if err != nil {
		return tokens{}, err
	}
	answer := httptest.NewRecorder() // the page with its error
	err = errors.New("the exchange failed")
	rp.CodeExchangeHandler(func(
		_ http.ResponseWriter, _ *http.Request, got *oidc.Tokens[*oidc.IDTokenClaims], _ string, _ rp.RelyingParty,
	) {
		t, err = keptOf(got)
	}, z.party)(answer, r.WithContext(context.WithValue(r.Context(), nonceKey{}, nonce.Value)))
	if err != nil {
		return tokens{}, errors.Join(err, errors.New(answer.Body.String()))
	}
	return t, nil
}

func keptOf(got *oidc.Tokens[*oidc.IDTokenClaims]) (tokens, error) {
	t := tokens{access: got.AccessToken, refresh: got.RefreshToken}
	raw, err := json.Marshal(got.IDTokenClaims)
	if err != nil {
		return t, err
	}
	return t, json.Unmarshal(raw, &t.claims)
}

func (z zitadel) refresh(ctx context.Context, refreshToken string) (tokens, error) {
	got, err := rp.RefreshTokens[*oidc.IDTokenClaims](ctx, z.party, refreshToken, "", "")
	if err != nil {
		return tokens{}, err
	}
	return keptOf(got)
}

func (z zitadel) userInfo(ctx context.Context, accessToken, subject string) (any, error) {
	return rp.Userinfo[*oidc.UserInfo](ctx, accessToken, oidc.BearerToken, subject, z.party)
}

func (z zitadel) revoke(ctx context.Context, refreshToken string) error {
	return rp.RevokeToken(ctx, z.party, refreshToken, "refresh_token")
}
