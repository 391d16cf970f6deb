package cognate_test

import (
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cognate-auth/cognate"
	"github.com/cognate-auth/cognate/flaskoidc"
	"github.com/cognate-auth/cognate/internal/fakeprovider"
)

// loadedApp is an app of p whose configuration is a flask-oidc app's: the settings, with
// the app client as a dictionary unless they have one.
func loadedApp(t *testing.T, p *fakeprovider.Provider, settings map[string]any) *app {
	t.Helper()
	all := map[string]any{
		"SECRET_KEY": strings.Repeat("k", 32),
		"OIDC_CLIENT_SECRETS": map[string]any{"web": map[string]any{
			"issuer": p.Issuer, "client_id": clientID, "client_secret": clientSecret,
			"redirect_uris": []string{appOrigin + "/oidc_callback", appOrigin + "/other/callback"},
		}},
	}
	maps.Copy(all, settings)
	loaded, err := flaskoidc.Load(all)
	if err != nil {
		t.Fatal(err)
	}
	if len(loaded.Warnings) > 0 {
		t.Errorf("warnings: %q", loaded.Warnings)
	}
	return newApp(t, p, func(c *cognate.Config) {
		logger, now := c.Logger, c.Now
		*c = loaded.Config
		c.Logger, c.Now = logger, now
	})
}

// TestSignInWithSettingsOfFlaskOIDC signs in with client secrets that name no endpoints:
// those come from discovery. The redirect URI is the registered one, to the letter, in both
// requests, and the scopes are openid and email.
func TestSignInWithSettingsOfFlaskOIDC(t *testing.T) {
	for _, tt := range []struct {
		name     string
		settings map[string]any
		redirect string
	}{
		{"the first redirect URI", nil, appOrigin + "/oidc_callback"},
		{"callback route", map[string]any{"OIDC_CALLBACK_ROUTE": "/other/callback"}, appOrigin + "/other/callback"},
		{"redirect URI, new name", map[string]any{"OIDC_OVERWRITE_REDIRECT_URI": appOrigin + "/other/callback"},
			appOrigin + "/other/callback"},
		{"redirect URI, old name", map[string]any{"OVERWRITE_REDIRECT_URI": appOrigin + "/other/callback"},
			appOrigin + "/other/callback"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := fakeprovider.New(t)
			x := loadedApp(t, p, tt.settings)
			b := x.browser(t)
			resp := b.get("/private/page")
			location := mustURL(t, resp.Header.Get("Location"))
			q := location.Query()
			if got := q.Get("redirect_uri"); got != tt.redirect {
				t.Errorf("redirect_uri %q, want %q", got, tt.redirect)
			}
			if got := q.Get("scope"); got != "openid email" {
				t.Errorf("scope %q, want openid email", got)
			}
			path := strings.TrimPrefix(tt.redirect, appOrigin)
			resp = b.get(path + "?" + p.SignIn(t, location.String()).Encode())
			if resp.StatusCode != http.StatusFound || resp.Header.Get("Location") != "/private/page" || !b.signedIn() {
				t.Fatalf("callback: status %d to %q\n%s", resp.StatusCode, resp.Header.Get("Location"), x.log)
			}
			form := p.TokenRequests()[0].PostForm
			if form.Get("redirect_uri") != tt.redirect || form.Get("client_secret") != clientSecret {
				t.Errorf("token request %v, want the same redirect URI, and the secret in the form as flask-oidc "+
					"sends it", form)
			}
		})
	}
}

// TestProviderUnreachableAtStart: nothing is asked of the provider before somebody signs in.
func TestProviderUnreachableAtStart(t *testing.T) {
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	file := `{"web": {"issuer": "` + gone.URL + `", "client_id": "c", "auth_uri": "` + gone.URL +
		`/a", "token_uri": "` + gone.URL + `/t",
		"redirect_uris": ["https://app.test/oidc_callback"]}}`
	path := filepath.Join(t.TempDir(), "client_secrets.json")
	err := os.WriteFile(path, []byte(file), 0o600)
	if err != nil {
		t.Fatal(err)
	}
	loaded, err := flaskoidc.Load(map[string]any{"OIDC_CLIENT_SECRETS": path})
	if err != nil {
		t.Fatal(err)
	}
	_, err = cognate.New(loaded.Config)
	if err != nil {
		t.Errorf("New: %v", err)
	}
}

// TestTutorialSettings loads the tutorial's settings with a key that is long enough.
func TestTutorialSettings(t *testing.T) {
	path := filepath.Join(t.TempDir(), "client_secrets.json")
	err := os.WriteFile(path, []byte(tutorialFile), 0o600)
	if err != nil {
		t.Fatal(err)
	}
	loaded, err := flaskoidc.Load(map[string]any{
		"DEBUG": true, "TESTING": true, "SECRET_KEY": strings.Repeat("k", 32), "OIDC_ID_TOKEN_COOKIE_SECURE": false,
		"OIDC_REQUIRE_VERIFIED_EMAIL": true, "OIDC_ID_TOKEN_COOKIE_TTL": 28800, "OIDC_CLIENT_SECRETS": path,
		"COGNITO_UI_BASE_URL":        "https://shop.auth.eu-west-1.amazoncognito.com",
		"COGNITO_UI_CLIENT_ID":       "4exampleclientid0123456789",
		"COGNITO_UI_LOGOUT_REDIRECT": "https://127.0.0.1:5000/",
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(loaded.Warnings) != 1 || !strings.Contains(loaded.Warnings[0], "OIDC_ID_TOKEN_COOKIE_SECURE") {
		t.Errorf("warnings %q, want one, about the cookie", loaded.Warnings)
	}
	auth, err := cognate.New(loaded.Config)
	if err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "https://127.0.0.1:5000/logout", nil)
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	auth.Handler(nil).ServeHTTP(w, r)
	want := "https://shop.auth.eu-west-1.amazoncognito.com/logout?client_id=4exampleclientid0123456789&" +
		"logout_uri=https%3A%2F%2F127.0.0.1%3A5000%2F"
	if got := w.Header().Get("Location"); got != want {
		t.Errorf("sign-out leads to\n%s, want\n%s\n%d %s", got, want, w.Code, w.Body)
	}
}
