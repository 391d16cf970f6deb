package cognate_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/cognate-auth/cognate"
	"github.com/cognate-auth/cognate/cognatetest"
	"github.com/cognate-auth/cognate/internal/fakeprovider"
	"github.com/cognate-auth/cognate/userpool"
)

// localPool is the local pool with the app's client and two users.
func localPool(t *testing.T) (*cognatetest.Pool, *app) {
	t.Helper()
	pool := cognatetest.New(t)
	client := pool.AddClient(userpool.Client{
		CallbackURLs: []string{appOrigin + "/oidc_callback"}, LogoutURLs: []string{appOrigin + "/"},
	})
	for name, verified := range map[string]string{"ann": "true", "bob": "false"} {
		pool.AddUser(userpool.NewUser{
			Username: name, Password: "Correct-Horse-7",
			Attributes: map[string]string{"email": name + "@example.com", "email_verified": verified},
		})
	}
	x := newApp(t, fakeprovider.New(t), func(c *cognate.Config) {
		c.Issuer, c.ClientID, c.ClientSecret = pool.Issuer, client.ID, cognate.Secret(client.Secret)
		c.RequireVerifiedEmail, c.Now = true, nil
	})
	return pool, x
}

// atPool is a browser's second half: the one that talks to the pool.
func atPool(b *browser) *http.Client { return &http.Client{Jar: b.jar} }

func TestSignInWithLocalPool(t *testing.T) {
	pool, x := localPool(t)
	b := x.browser(t)
	resp := b.get("/private/page?x=1")
	back := pool.Authorize(t, atPool(b), resp.Header.Get("Location"), "ann", "Correct-Horse-7")
	resp = b.get(back.RequestURI())
	if resp.StatusCode != http.StatusFound || resp.Header.Get("Location") != "/private/page?x=1" {
		t.Fatalf("callback: status %d to %q\n%s", resp.StatusCode, resp.Header.Get("Location"), x.log)
	}
	u := b.user()
	if u == nil || u.Username != "ann" || u.Email != "ann@example.com" || !u.EmailVerified || u.Issuer != pool.Issuer {
		t.Errorf("user = %+v", u)
	}
}

func TestUserInfoOfLocalPool(t *testing.T) {
	for name, verified := range map[string]bool{"ann": true, "bob": false} {
		pool, _ := localPool(t)
		client := pool.AddClient(userpool.Client{CallbackURLs: []string{appOrigin + "/oidc_callback"}})
		x := newApp(t, fakeprovider.New(t), func(c *cognate.Config) {
			c.Issuer, c.ClientID, c.ClientSecret, c.Now = pool.Issuer, client.ID, cognate.Secret(client.Secret), nil
			c.UserInfo = cognate.UserInfoAlways // says "true" and "false", as strings
		})
		b := x.browser(t)
		resp := b.get("/private/")
		b.get(pool.Authorize(t, atPool(b), resp.Header.Get("Location"), name, "Correct-Horse-7").RequestURI())
		if u := b.user(); u == nil || u.EmailVerified != verified {
			t.Errorf("%s: user = %+v, want verified %v\n%s", name, u, verified, x.log)
		}
	}
}

func TestUnverifiedEmailAtLocalPool(t *testing.T) {
	pool, x := localPool(t)
	b := x.browser(t)
	resp := b.get("/private/")
	back := pool.Authorize(t, atPool(b), resp.Header.Get("Location"), "bob", "Correct-Horse-7")
	if resp := b.get(back.RequestURI()); resp.StatusCode != http.StatusForbidden || b.user() != nil {
		t.Errorf("status %d, user %v; want 403 and nobody", resp.StatusCode, b.user())
	}
}

// TestLogoutAtLocalPool follows the sign-out to the pool and back, and asks for the
// private page again: the pool wants the password.
func TestLogoutAtLocalPool(t *testing.T) {
	pool, x := localPool(t)
	b := x.browser(t)
	resp := b.get("/private/")
	b.get(pool.Authorize(t, atPool(b), resp.Header.Get("Location"), "ann", "Correct-Horse-7").RequestURI())

	client := atPool(b)
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	open := func(address string) *http.Response {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = resp.Body.Close() })
		return resp
	}
	authorize := func() *url.URL {
		t.Helper()
		return mustURL(t, open(b.get("/login").Header.Get("Location")).Header.Get("Location"))
	}
	b.jar.SetCookies(appURL, []*http.Cookie{{Name: "__Host-cognate", MaxAge: -1, Path: "/", Secure: true}})
	if got := authorize(); got.Host != appURL.Host {
		t.Fatalf("before the sign-out the pool sends to %s, want straight back to the app", got)
	}
	resp = b.request(http.MethodPost, "/logout")
	if !strings.HasPrefix(resp.Header.Get("Location"), pool.URL+"/logout?") {
		t.Fatalf("sign-out leads to %q", resp.Header.Get("Location"))
	}
	if got := open(resp.Header.Get("Location")).Header.Get("Location"); got != appOrigin+"/" {
		t.Errorf("the pool sends to %q, want the app", got)
	}
	if got := authorize(); got.Path != "/login" {
		t.Errorf("after the sign-out the pool sends to %s, want its sign-in page", got)
	}
}

// revocations records the requests to the pool's revocation endpoint.
type revocations struct{ statuses []int }

func (v *revocations) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := http.DefaultTransport.RoundTrip(r)
	if err == nil && r.URL.Path == "/oauth2/revoke" {
		v.statuses = append(v.statuses, resp.StatusCode)
	}
	return resp, err
}

func TestRevokeAtLocalPool(t *testing.T) {
	pool, _ := localPool(t)
	client := pool.AddClient(userpool.Client{
		CallbackURLs: []string{appOrigin + "/oidc_callback"}, LogoutURLs: []string{appOrigin + "/"},
	})
	seen := &revocations{}
	x := newApp(t, fakeprovider.New(t), func(c *cognate.Config) {
		c.Issuer, c.ClientID, c.ClientSecret, c.Now = pool.Issuer, client.ID, cognate.Secret(client.Secret), nil
		c.Session.TokensInCookie, c.RevokeOnLogout, c.HTTPClient = true, true, &http.Client{Transport: seen}
	})
	b := x.browser(t)
	b.get(pool.Authorize(t, atPool(b), b.get("/private/").Header.Get("Location"), "ann",
		"Correct-Horse-7").RequestURI())
	resp := b.request(http.MethodPost, "/logout")
	if got := mustURL(t, resp.Header.Get("Location")).Query(); len(got) != 2 || got.Get("client_id") == "" ||
		got.Get("logout_uri") != appOrigin+"/" {
		t.Errorf("sign-out with %v, want client_id and logout_uri alone", got)
	}
	if len(seen.statuses) != 1 || seen.statuses[0] != http.StatusOK {
		t.Errorf("revocations answered %v, want one 200; log:\n%s", seen.statuses, x.log)
	}
}

// TestTokensOfLocalPool uses the pool's own tokens: the access token opens an API, the ID
// token of the same sign-in does not.
func TestTokensOfLocalPool(t *testing.T) {
	pool := cognatetest.New(t)
	client := pool.AddClient(userpool.Client{CallbackURLs: []string{appOrigin + "/oidc_callback"}})
	pool.AddUser(userpool.NewUser{
		Username: "ann", Password: "Correct-Horse-7", Attributes: map[string]string{"email": "ann@example.com"},
	})
	var tokens struct {
		ID     string `json:"id_token"`
		Access string `json:"access_token"`
	}
	x := newApp(t, fakeprovider.New(t), func(c *cognate.Config) {
		c.Issuer, c.ClientID, c.ClientSecret, c.Now = pool.Issuer, client.ID, cognate.Secret(client.Secret), nil
		// The tokens are caught on their way to the app.
		c.HTTPClient = &http.Client{Transport: fakeprovider.RoundTripFunc(func(r *http.Request) (*http.Response,
			error) {
			resp, err := http.DefaultTransport.RoundTrip(r)
			if err == nil && strings.HasSuffix(r.URL.Path, "/token") {
				data, _ := io.ReadAll(resp.Body)
				_ = resp.Body.Close()
				resp.Body = io.NopCloser(bytes.NewReader(data))
				err = json.Unmarshal(data, &tokens)
			}
			return resp, err
		})}
	})
	b := x.browser(t)
	resp := b.get("/private/")
	b.get(pool.Authorize(t, atPool(b), resp.Header.Get("Location"), "ann", "Correct-Horse-7").RequestURI())
	u, err := x.auth.VerifyAccessToken(t.Context(), tokens.Access, "openid", "email")
	if err != nil || u.Username != "ann" || u.Subject != b.user().Subject || u.Claim("client_id") != client.ID {
		t.Errorf("user %+v, error %v", u, err)
	}
	_, err = x.auth.VerifyAccessToken(t.Context(), tokens.ID)
	if reasonOf(err) == "" {
		t.Error("the ID token passed as an access token")
	}
	_, err = x.auth.VerifyAccessToken(t.Context(), tokens.Access, "aws.cognito.signin.user.admin")
	if reasonOf(err) != cognate.ReasonInsufficientScope {
		t.Errorf("a scope that was not asked for: error %v", err)
	}
	other, err := cognate.NewBearer(cognate.BearerConfig{Issuers: []cognate.BearerIssuer{{Issuer: pool.Issuer,
		Clients: []string{"another-client"}}}})
	if err != nil {
		t.Fatal(err)
	}
	_, err = other.Verify(t.Context(), tokens.Access)
	if reasonOf(err) != cognate.ReasonTokenClient {
		t.Errorf("at an API of another client: error %v", err)
	}
}
