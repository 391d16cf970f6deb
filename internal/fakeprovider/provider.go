// Package fakeprovider implements an OpenID provider for tests. It does exactly what a test
// tells it, above all wrong things. It makes keys, signs tokens and counts requests, with a
// network or, in virtual time, without one. Tests that need a correct provider use the local
// pool.
//
// Only tests import it. It imports no package of this module, so that the tests of every
// package can use it, and it computes independently what those packages compute.
package fakeprovider

import (
	"crypto/rand"
	"crypto/rsa"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// The one client that the provider knows. Its secret has characters that Basic
// authentication must encode (RFC 6749, 2.3.1).
const (
	ClientID     = "client-1"
	ClientSecret = "s3cret+with/odd=characters"
)

// A Provider is an OpenID provider that misbehaves on demand. Its fields are set before a
// sign-in begins.
type Provider struct {
	*httptest.Server

	// Issuer is the issuer identifier: the server's address, unless the test changes it.
	Issuer string
	// Key signs the ID tokens, and KeyID names it in them and in the key set.
	Key   *rsa.PrivateKey
	KeyID string
	// Now is the provider's clock.
	Now func() time.Time
	// HTTPClient reaches the provider without a network. It is nil if there is a network.
	HTTPClient *http.Client

	// EditClaims changes the claims of an ID token before they are signed.
	EditClaims func(map[string]any)
	// Sign signs the ID token instead of RS256 with Key.
	Sign func(jwt.MapClaims) string
	// ServeToken answers all token requests instead of the provider.
	ServeToken func(w http.ResponseWriter, r *http.Request)
	// EditTokenResponse changes the answer to an authorization code.
	EditTokenResponse func(map[string]any)
	// ServeRefresh answers refresh requests instead of the provider.
	ServeRefresh func(w http.ResponseWriter, r *http.Request)
	// EditRefreshResponse changes the answer to a refresh. EditClaims changes the claims of
	// its ID token.
	EditRefreshResponse func(map[string]any)
	// Rotate makes each refresh token valid only once.
	Rotate bool
	// AccessLife is the lifetime of access tokens in seconds; 0 means an hour.
	AccessLife int
	// ServeUserInfo answers userInfo requests instead of the provider.
	ServeUserInfo func(w http.ResponseWriter, r *http.Request)
	// EditDiscovery changes the discovery document. The string member "pad" is removed from
	// the document and sent after it.
	EditDiscovery func(map[string]any)
	// KeySet replaces the key set, which has only Key otherwise.
	KeySet []any
	// Down makes the discovery document and the key set answer 500.
	Down bool

	mu               sync.Mutex
	grants           map[string]url.Values // code → authorization request
	tokenRequests    []*http.Request       // with their forms parsed
	keyFetches       int
	discoveries      int
	userInfoRequests int
	refreshes        int
	liveRefresh      string // the valid refresh token
	signedInAt       int64  // auth_time of the last sign-in
}

// New starts a provider on the loopback interface and stops it when the test ends.
func New(t testing.TB) *Provider {
	t.Helper()
	p := newProvider()
	p.Server = httptest.NewServer(p.Config.Handler)
	p.Issuer = p.URL
	t.Cleanup(p.Close)
	return p
}

func newProvider() *Provider {
	p := &Provider{Key: Keys()[0], KeyID: "key/1+==", Now: time.Now, grants: map[string]url.Values{}}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /.well-known/openid-configuration", p.discovery)
	mux.HandleFunc("GET /keys", p.keys)
	mux.HandleFunc("POST /token", p.token)
	mux.HandleFunc("GET /userinfo", p.userInfo)
	p.Server = &httptest.Server{Config: &http.Server{Handler: mux}} //nolint:gosec // nothing listens with it
	return p
}

func (p *Provider) discovery(w http.ResponseWriter, _ *http.Request) {
	p.mu.Lock()
	p.discoveries++
	p.mu.Unlock()
	if p.Down {
		http.Error(w, "down", http.StatusInternalServerError)
		return
	}
	doc := map[string]any{
		"issuer": p.Issuer, "authorization_endpoint": p.URL + "/authorize", "token_endpoint": p.URL + "/token",
		"userinfo_endpoint": p.URL + "/userinfo", "jwks_uri": p.URL + "/keys", "end_session_endpoint": p.URL + "/end",
	}
	if p.EditDiscovery != nil {
		p.EditDiscovery(doc)
	}
	pad, _ := doc["pad"].(string)
	delete(doc, "pad")
	ServeJSON(w, http.StatusOK, doc)
	_, _ = w.Write([]byte(pad)) // blanks after the document
}

func (p *Provider) keys(w http.ResponseWriter, _ *http.Request) {
	p.mu.Lock()
	p.keyFetches++
	p.mu.Unlock()
	if p.Down {
		http.Error(w, "down", http.StatusInternalServerError)
		return
	}
	set := p.KeySet
	if set == nil {
		set = []any{JWK(p.Key, p.KeyID)}
	}
	ServeJSON(w, http.StatusOK, map[string]any{"keys": set})
}

func (p *Provider) token(w http.ResponseWriter, r *http.Request) {
	_ = r.ParseForm()
	p.mu.Lock()
	p.tokenRequests = append(p.tokenRequests, r)
	request, ok := p.grants[r.PostForm.Get("code")]
	p.mu.Unlock()
	if p.ServeToken != nil {
		p.ServeToken(w, r)
		return
	}
	if r.PostForm.Get("grant_type") == "refresh_token" {
		p.refresh(w, r)
		return
	}
	challenge := CodeChallenge(r.PostForm.Get("code_verifier"))
	if !ok || request.Get("code_challenge") != challenge ||
		request.Get("redirect_uri") != r.PostForm.Get("redirect_uri") {
		ServeJSON(w, http.StatusBadRequest, map[string]any{"error": "invalid_grant"})
		return
	}
	const access = "access-token"
	c := p.UserClaims(access)
	c["nonce"] = request.Get("nonce")
	p.mu.Lock()
	p.signedInAt = p.Now().Unix()
	p.mu.Unlock()
	if p.EditClaims != nil {
		p.EditClaims(c)
	}
	p.mu.Lock()
	if p.liveRefresh == "" {
		p.liveRefresh = "refresh-0"
	}
	refresh := p.liveRefresh
	p.mu.Unlock()
	response := map[string]any{
		"access_token": access, "token_type": "Bearer", "expires_in": p.life(),
		"id_token": p.SignIDToken(c), "refresh_token": refresh,
	}
	if p.EditTokenResponse != nil {
		p.EditTokenResponse(response)
	}
	ServeJSON(w, http.StatusOK, response)
}

func (p *Provider) life() int {
	if p.AccessLife == 0 {
		return 3600
	}
	return p.AccessLife
}

// refresh answers a refresh with access token access-1, access-2 and so on.
func (p *Provider) refresh(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	p.refreshes++
	n := p.refreshes
	good := r.PostForm.Get("refresh_token") == p.liveRefresh
	signedInAt := p.signedInAt
	p.mu.Unlock()
	if p.ServeRefresh != nil {
		p.ServeRefresh(w, r)
		return
	}
	if !good {
		ServeJSON(w, http.StatusBadRequest, map[string]any{"error": "invalid_grant"})
		return
	}
	access := fmt.Sprintf("access-%d", n)
	c := p.UserClaims(access)
	c["auth_time"] = signedInAt
	if p.EditClaims != nil {
		p.EditClaims(c)
	}
	response := map[string]any{
		"access_token": access, "token_type": "Bearer", "expires_in": p.life(), "id_token": p.SignIDToken(c),
	}
	if p.Rotate {
		p.mu.Lock()
		p.liveRefresh = fmt.Sprintf("refresh-%d", n)
		response["refresh_token"] = p.liveRefresh
		p.mu.Unlock()
	}
	if p.EditRefreshResponse != nil {
		p.EditRefreshResponse(response)
	}
	ServeJSON(w, http.StatusOK, response)
}

// UserClaims returns the claims of the ID token for an access token, without the nonce.
func (p *Provider) UserClaims(access string) jwt.MapClaims {
	now := p.Now()
	return jwt.MapClaims{
		"iss": p.Issuer, "sub": "user-1", "aud": ClientID, "exp": now.Add(time.Hour).Unix(), "iat": now.Unix(),
		"auth_time": now.Unix(), "at_hash": AccessTokenHash(access),
		"email": "ann@example.com", "email_verified": true, "preferred_username": "ann", "name": "Ann Example",
		"groups": []string{"staff", "admins"}, "custom:tier": "gold",
	}
}

// SignIDToken makes an ID token of claims, as Sign says or with the provider's key.
func (p *Provider) SignIDToken(c jwt.MapClaims) string {
	if p.Sign != nil {
		return p.Sign(c)
	}
	return SignRS256(p.Key, p.KeyID, c)
}

func (p *Provider) userInfo(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	p.userInfoRequests++
	p.mu.Unlock()
	if p.ServeUserInfo != nil {
		p.ServeUserInfo(w, r)
		return
	}
	ServeJSON(w, http.StatusOK, map[string]any{"sub": "user-1", "email": "ann@example.com", "email_verified": "true"})
}

// SignIn signs a user in at location, to which an app has redirected the browser, and returns
// the query of the callback.
func (p *Provider) SignIn(t testing.TB, location string) url.Values {
	t.Helper()
	u, err := url.Parse(location)
	if err != nil || !strings.HasPrefix(location, p.URL+"/authorize?") {
		t.Fatalf("redirected to %q, want the authorization endpoint", location)
	}
	code := rand.Text()
	p.mu.Lock()
	p.grants[code] = u.Query()
	p.mu.Unlock()
	return url.Values{"code": {code}, "state": {u.Query().Get("state")}}
}

// TokenRequests returns the requests to the token endpoint, refreshes among them, with their
// forms parsed.
func (p *Provider) TokenRequests() []*http.Request {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.tokenRequests)
}

// ForgetTokenRequests removes the requests so far from TokenRequests.
func (p *Provider) ForgetTokenRequests() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.tokenRequests = nil
}

// Discoveries returns the number of requests for the discovery document.
func (p *Provider) Discoveries() int { return p.count(&p.discoveries) }

// KeyFetches returns the number of requests for the key set.
func (p *Provider) KeyFetches() int { return p.count(&p.keyFetches) }

// UserInfoRequests returns the number of userInfo requests.
func (p *Provider) UserInfoRequests() int { return p.count(&p.userInfoRequests) }

// Refreshes returns the number of refresh requests.
func (p *Provider) Refreshes() int { return p.count(&p.refreshes) }

func (p *Provider) count(n *int) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return *n
}
