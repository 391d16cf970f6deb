package cognate_test

import (
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/cognate-auth/cognate"
	"github.com/cognate-auth/cognate/internal/fakeprovider"
)

// secretsFile is the client secrets of p's client: no userInfo endpoint, and no other
// either.
func secretsFile(p *fakeprovider.Provider) string {
	return `{"web": {"issuer": "` + p.Issuer + `", "client_id": "` + clientID + `", "client_secret": "` + clientSecret +
		`", "redirect_uris": ["` + appOrigin + `/oidc_callback", "` + appOrigin + `/second"]}}`
}

// TestSignInWithClientSecrets takes client, secret and redirect URI from the file, however
// it is given.
func TestSignInWithClientSecrets(t *testing.T) {
	for _, tt := range []struct {
		name string
		give func(t *testing.T, c *cognate.Config, file string)
	}{
		{"path", func(t *testing.T, c *cognate.Config, file string) {
			c.ClientSecretsFile = filepath.Join(t.TempDir(), "client_secrets.json")
			err := os.WriteFile(c.ClientSecretsFile, []byte(file), 0o600)
			if err != nil {
				t.Fatal(err)
			}
		}},
		{"reader", func(t *testing.T, c *cognate.Config, file string) {
			cs, err := cognate.ParseClientSecrets(strings.NewReader(file))
			if err != nil {
				t.Fatal(err)
			}
			c.ClientSecrets = cs
		}},
		{"memory", func(_ *testing.T, c *cognate.Config, _ string) {
			c.ClientSecrets = &cognate.ClientSecrets{
				Issuer: c.Issuer, ClientID: clientID, ClientSecret: clientSecret,
				RedirectURIs: []string{appOrigin + "/oidc_callback"},
			}
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := fakeprovider.New(t)
			p.EditDiscovery = func(d map[string]any) { delete(d, "userinfo_endpoint") }
			p.EditClaims = func(c map[string]any) { delete(c, "email") }
			b := newApp(t, p, func(c *cognate.Config) {
				tt.give(t, c, secretsFile(p))
				c.Issuer, c.ClientID, c.ClientSecret, c.RedirectURL = "", "", "", ""
			}).browser(t)
			location := b.get("/private/").Header.Get("Location")
			if got := mustURL(t, location).Query().Get("client_id"); got != clientID {
				t.Errorf("client_id %q, want %q", got, clientID)
			}
			b.get("/oidc_callback?" + p.SignIn(t, location).Encode())
			if u := b.user(); u == nil || u.Email != "" {
				t.Errorf("user %+v, want one without an address: nobody can be asked for it\n%s", u, b.app.log)
			}
			if _, secret, _ := p.TokenRequests()[0].BasicAuth(); secret == "" {
				t.Error("the client did not authenticate with its secret")
			}
		})
	}
}

// TestHomePath is where people go who come from nowhere that they could be sent back to.
func TestHomePath(t *testing.T) {
	p := fakeprovider.New(t)
	for _, path := range []string{
		"/login", "/login?return_to=", "/login?return_to=https://evil.test", "/login?return_to=//evil.test",
	} {
		b := newApp(t, p, func(c *cognate.Config) { c.HomePath = "/start" }).browser(t)
		resp := b.get("/oidc_callback?" + p.SignIn(t, b.get(path).Header.Get("Location")).Encode())
		if got := resp.Header.Get("Location"); resp.StatusCode != http.StatusFound || got != "/start" {
			t.Errorf("%s: status %d to %q, want the home page", path, resp.StatusCode, got)
		}
		if got := b.get(path).Header.Get("Location"); got != "/start" {
			t.Errorf("%s, signed in already: to %q, want the home page", path, got)
		}
	}
}

// TestUserInfoIsAskedOnce keeps a claim that only userInfo has, and asks for it with the
// access token at sign-in and never again.
func TestUserInfoIsAskedOnce(t *testing.T) {
	p := fakeprovider.New(t)
	p.EditClaims = func(c map[string]any) { delete(c, "custom:tier") }
	p.ServeUserInfo = func(w http.ResponseWriter, r *http.Request) {
		if got := r.Header.Get("Authorization"); got != "Bearer access-token" || r.URL.RawQuery != "" {
			t.Errorf("asked with Authorization %q and query %q", got, r.URL.RawQuery)
		}
		fakeprovider.ServeJSON(w, http.StatusOK, map[string]any{"sub": "user-1", "custom:tier": "silver"})
	}
	b := newApp(t, p, func(c *cognate.Config) { c.UserInfo = cognate.UserInfoAlways }).browser(t)
	b.signIn(p)
	for range 3 {
		if u := b.user(); u == nil || u.Text("custom:tier") != "silver" || u.Claim("absent") != nil {
			t.Fatalf("user %+v\n%s", u, b.app.log)
		}
		b.get("/private/")
	}
	if p.UserInfoRequests() != 1 {
		t.Errorf("%d userInfo requests, want 1", p.UserInfoRequests())
	}
}

// TestUserInfoSwitchedOff signs in with what the ID token says, be it little.
func TestUserInfoSwitchedOff(t *testing.T) {
	p := fakeprovider.New(t)
	p.EditClaims = func(c map[string]any) { delete(c, "email"); delete(c, "email_verified") }
	b := newApp(t, p, func(c *cognate.Config) { c.UserInfo = cognate.UserInfoNever }).browser(t)
	b.signIn(p)
	if u := b.user(); u == nil || u.Email != "" || p.UserInfoRequests() != 0 {
		t.Errorf("user %+v after %d userInfo requests, want one without an address after none", u, p.UserInfoRequests())
	}
}

// TestTokenCookiesAreSealed opens every cookie without the key.
func TestTokenCookiesAreSealed(t *testing.T) {
	p := fakeprovider.New(t)
	b := newApp(t, p, tokenModes["cookies"]).browser(t)
	b.signIn(p)
	if n := len(b.sessionCookies()); n != 2 {
		t.Fatalf("cookies %q, want the identity's and the tokens'", b.cookies())
	}
	for _, c := range b.sessionCookies() {
		_, value, chunked := strings.Cut(c.Value, ".")
		if !chunked {
			value = c.Value
		}
		raw, err := base64.RawURLEncoding.DecodeString(value)
		if err != nil {
			t.Fatalf("%s: %v", c.Name, err)
		}
		for _, s := range []string{"access-token", "refresh-0", "eyJ", "ann", "user-1"} {
			// Three letters are in every fiftieth value of this length by chance.
			asItIs := len(s) > 3 && strings.Contains(c.Value, s)
			if strings.Contains(string(raw), s) || asItIs {
				t.Errorf("%s shows %q", c.Name, s)
			}
		}
	}
}

// TestTokenWithoutExpiry uses a token of unknown life as long as the session lasts.
func TestTokenWithoutExpiry(t *testing.T) {
	eachTokenMode(t, func(t *testing.T, p *fakeprovider.Provider, c *fakeprovider.Clock, mode func(*cognate.Config)) {
		p.EditTokenResponse = func(r map[string]any) { delete(r, "expires_in") }
		b := newApp(t, p, mode).browser(t)
		b.signIn(p)
		c.Advance(7 * time.Hour)
		wantFetch(t, b, "/token", http.StatusOK, "access-token")
		c.Advance(time.Hour)
		wantFetch(t, b, "/token", http.StatusFound, "")
		if n := p.Refreshes(); n != 0 {
			t.Errorf("%d refreshes, want none", n)
		}
	})
}

// TestTwoDevices has one user sign in twice and sign out once.
func TestTwoDevices(t *testing.T) {
	eachTokenMode(t, func(t *testing.T, p *fakeprovider.Provider, _ *fakeprovider.Clock, mode func(*cognate.Config)) {
		p.EditClaims = func(c map[string]any) { delete(c, "at_hash") }
		p.EditTokenResponse = func(r map[string]any) { r["access_token"] = "of the phone" }
		x := newApp(t, p, mode)
		phone, laptop := x.browser(t), x.browser(t)
		phone.signIn(p)
		p.EditTokenResponse = nil
		laptop.signIn(p)
		wantFetch(t, phone, "/token", http.StatusOK, "of the phone")
		laptop.request(http.MethodPost, "/logout")
		if laptop.signedIn() || !phone.signedIn() {
			t.Errorf("after a sign-out on the laptop: signed in there %v, on the phone %v",
				laptop.signedIn(), phone.signedIn())
		}
		wantFetch(t, phone, "/token", http.StatusOK, "of the phone")
	})
}

// TestLogoutWithExpiredToken signs out of an app below a path, after the access token has
// expired and with a provider that would refuse to refresh it.
func TestLogoutWithExpiredToken(t *testing.T) {
	eachTokenMode(t, func(t *testing.T, p *fakeprovider.Provider, c *fakeprovider.Clock, mode func(*cognate.Config)) {
		x := newApp(t, p, func(cfg *cognate.Config) {
			mode(cfg)
			cfg.RedirectURL = appOrigin + "/app/oidc_callback"
		})
		b := x.browser(t)
		b.get("/app/oidc_callback?" + p.SignIn(t, b.get("/app/login").Header.Get("Location")).Encode())
		if !b.signedIn() {
			t.Fatal("not signed in")
		}
		p.ServeRefresh = func(w http.ResponseWriter, _ *http.Request) {
			fakeprovider.ServeJSON(w, http.StatusBadRequest, map[string]any{"error": "invalid_grant"})
		}
		c.Advance(time.Hour)
		resp := b.request(http.MethodPost, "/app/logout")
		if got := resp.Header.Get("Location"); resp.StatusCode != http.StatusSeeOther ||
			!strings.HasPrefix(got, p.URL+"/end?") {
			t.Errorf("status %d to %q, want the provider's sign-out", resp.StatusCode, got)
		}
		if b.signedIn() || len(b.cookies()) != 0 || p.Refreshes() != 0 {
			t.Errorf("signed in: %v, cookies %q, %d refreshes", b.signedIn(), b.cookies(), p.Refreshes())
		}
	})
}

// unreadBody is a form that fails the test when somebody looks at it.
type unreadBody struct{ t *testing.T }

func (b unreadBody) Read([]byte) (int, error) {
	b.t.Error("the form was read")
	return 0, http.ErrBodyReadAfterClose
}

func (unreadBody) Close() error { return nil }

// TestFormOfNobodyIsNotRead sends a form without being signed in: what was filled in goes
// nowhere, and its address is not fetched with GET afterwards.
func TestFormOfNobodyIsNotRead(t *testing.T) {
	p := fakeprovider.New(t)
	x := newApp(t, p, nil)
	var methods []string
	x.handler = x.auth.Handler(x.auth.RequireLogin(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		methods = append(methods, r.Method)
	})))
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, appOrigin+"/form", unreadBody{t})
	r.RequestURI = "/form"
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	w := httptest.NewRecorder()
	x.handler.ServeHTTP(w, r)
	if w.Code != http.StatusSeeOther {
		t.Fatalf("status %d, want 303, which drops the body", w.Code)
	}
	b := x.browser(t)
	b.jar.SetCookies(appURL, w.Result().Cookies())
	resp := b.get("/oidc_callback?" + p.SignIn(t, w.Header().Get("Location")).Encode())
	if resp.StatusCode != http.StatusFound || resp.Header.Get("Location") != "/" {
		t.Fatalf("status %d to %q, want 302 to the home page: nobody said where the form is", resp.StatusCode,
			resp.Header.Get("Location"))
	}
	if len(methods) != 0 {
		t.Errorf("the page saw %q, want nothing", methods)
	}
}
