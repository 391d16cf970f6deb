package cognatetest_test

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/cognate-auth/cognate"
	"github.com/cognate-auth/cognate/cognatetest"
	"github.com/cognate-auth/cognate/sessionstore"
)

// offline is the configuration of an app whose provider does not exist.
func offline() cognate.Config {
	return cognate.Config{
		Issuer: "https://provider.invalid", ClientID: "app", RedirectURL: appURL + "/oidc_callback",
		Claims: []string{"custom:plan"}, RequireVerifiedEmail: true, Logger: slog.New(slog.DiscardHandler),
		Keys: []cognate.Secret{cognate.Secret(strings.Repeat("k", 32))},
	}
}

func ann() *cognate.User {
	return &cognate.User{Subject: "1", Email: "ann@example.com", EmailVerified: true}
}

func TestWithUser(t *testing.T) {
	t.Parallel()
	r := request("/hello")
	plain := ann()
	u := cognatetest.WithClaims(t, plain, map[string]any{"custom:plan": "gold"})
	w := httptest.NewRecorder()
	hello(w, cognatetest.WithUser(t, r, u))
	if got, want := w.Body.String(), "hello, ann@example.com (gold)"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if cognate.UserFrom(r.Context()) != nil {
		t.Error("the request that was passed has a user, too")
	}
	if plain.Claim("custom:plan") != nil {
		t.Error("the user that was passed has the claim, too")
	}
}

// TestSignedIn calls the middleware while the provider can't be reached.
func TestSignedIn(t *testing.T) {
	t.Parallel()
	auth, app := newApp(t, offline())
	r := request("/hello")
	r.AddCookie(&http.Cookie{Name: "theme", Value: "dark"})
	u := cognatetest.WithClaims(t, ann(), map[string]any{"custom:plan": []int{1, 2}})
	status, body := get(t, app, cognatetest.SignedIn(t, auth, r, u))
	if status != http.StatusOK || body != "hello, ann@example.com ([1 2])" {
		t.Errorf("got %d %q", status, body)
	}
	if got := auth.User(r); got == nil || got.Issuer != "https://provider.invalid" || got.Subject != "1" {
		t.Errorf("auth.User: %+v", got)
	}
	c, err := r.Cookie("theme")
	if err != nil || c.Value != "dark" {
		t.Errorf("the request's other cookie: %v, %v", c, err)
	}

	bob := &cognate.User{Subject: "2", Email: "bob@example.com", EmailVerified: true}
	if status, body := get(t, app, cognatetest.SignedIn(t, auth, r, bob)); !strings.HasPrefix(body, "hello, bob@") {
		t.Errorf("signed in as somebody else: got %d %q", status, body)
	}
	if status, _ := get(t, app, request("/hello")); status != http.StatusUnauthorized {
		t.Errorf("nobody: got %d, want 401", status)
	}
}

// TestSignedInIsGenuine checks that the session is treated like every other session.
func TestSignedInIsGenuine(t *testing.T) {
	t.Parallel()
	clock := cognatetest.NewClock(t)
	cfg := offline()
	cfg.Now, cfg.Session.Lifetime = clock.Now, time.Hour
	auth, app := newApp(t, cfg)
	r := cognatetest.SignedIn(t, auth, request("/hello"), ann())
	clock.Advance(time.Hour - time.Second)
	if status, _ := get(t, app, r); status != http.StatusOK {
		t.Errorf("within its lifetime: got %d, want 200", status)
	}
	clock.Advance(time.Second)
	if status, _ := get(t, app, r); status != http.StatusUnauthorized {
		t.Errorf("after its lifetime: got %d, want 401", status)
	}

	fresh := cognatetest.SignedIn(t, auth, request("/hello"), ann())
	cfg.Keys = []cognate.Secret{cognate.Secret(strings.Repeat("x", 32))}
	_, other := newApp(t, cfg)
	if status, _ := get(t, other, fresh); status != http.StatusUnauthorized {
		t.Errorf("at an app with other keys: got %d, want 401", status)
	}
}

// TestImpossibleUsers has users whom no sign-in could bring: a test with one of them
// would prove nothing.
func TestImpossibleUsers(t *testing.T) {
	t.Parallel()
	auth, _ := newApp(t, offline())
	for name, tt := range map[string]struct {
		change func(u *cognate.User)
		want   string
	}{
		"no subject":     {func(u *cognate.User) { u.Subject = "" }, "no Subject"},
		"unverified":     {func(u *cognate.User) { u.EmailVerified = false }, "RequireVerifiedEmail"},
		"another issuer": {func(u *cognate.User) { u.Issuer = "https://other.invalid" }, "Issuer"},
		"too much":       {func(u *cognate.User) { u.Name = strings.Repeat("n", 12_000) }, "bytes sealed"},
		"unkept claim": {func(u *cognate.User) { *u = *cognatetest.WithClaims(t, u, map[string]any{"x": 1}) },
			"Config.Claims"},
		"claim of a field": {func(u *cognate.User) { *u = *cognatetest.WithClaims(t, u, map[string]any{"email": 1}) },
			"Config.Claims"},
	} {
		u := ann()
		tt.change(u)
		checkFatal(t, name, tt.want, func(tb testing.TB) { cognatetest.SignedIn(tb, auth, request("/"), u) })
	}
	cfg := offline()
	cfg.LoginRules = []cognate.Rule{cognate.Group("staff")}
	strict, _ := newApp(t, cfg)
	checkFatal(t, "rules of sign-in", "LoginRules",
		func(tb testing.TB) { cognatetest.SignedIn(tb, strict, request("/"), ann()) })
	for name, use := range map[string]func(tb testing.TB){
		"Subject": func(tb testing.TB) {
			cognatetest.WithUser(tb, request("/"), &cognate.User{Email: "x@example.com"})
		},
		"no Subject":       func(tb testing.TB) { cognatetest.WithUser(tb, request("/"), nil) },
		"needs an Auth":    func(tb testing.TB) { cognatetest.SignedIn(tb, nil, request("/"), ann()) },
		"and a User":       func(tb testing.TB) { cognatetest.SignedIn(tb, auth, request("/"), nil) },
		"claim odd":        func(tb testing.TB) { cognatetest.WithClaims(tb, ann(), map[string]any{"odd": func() {}}) },
		"WithClaims needs": func(tb testing.TB) { cognatetest.WithClaims(tb, nil, nil) },
	} {
		checkFatal(t, name, name, use)
	}
}

// TestSignedInWithTokens checks that the session has an invented access token for calls
// of an API.
func TestSignedInWithTokens(t *testing.T) {
	t.Parallel()
	for name, session := range map[string]cognate.SessionConfig{
		"store": {Store: sessionstore.NewMemory(0)}, "cookies": {TokensInCookie: true},
	} {
		cfg := offline()
		cfg.Session = session
		auth, _ := newApp(t, cfg)
		h := auth.RequireAccessToken(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			token, err := auth.AccessToken(r.Context())
			if token == "" || err != nil {
				t.Errorf("%s: %q, %v", name, token, err)
			}
		}))
		if status, _ := get(t, h, cognatetest.SignedIn(t, auth, request("/"), ann())); status != http.StatusOK {
			t.Errorf("%s: got %d", name, status)
		}
	}
}

// TestBearer calls a route for programs while the provider can't be reached.
func TestBearer(t *testing.T) {
	t.Parallel()
	auth, _ := newApp(t, offline())
	api := auth.RequireBearer("orders/read")(http.HandlerFunc(hello))
	program := cognatetest.WithClaims(t, ann(), map[string]any{"custom:plan": "gold"})
	status, body := get(t, api, cognatetest.Bearer(t, auth, request("/api"), program, "orders/read"))
	if status != http.StatusOK || body != "hello, ann@example.com (gold)" {
		t.Errorf("got %d %q", status, body)
	}
	if status, _ := get(t, api,
		cognatetest.Bearer(t, auth, request("/api"), ann(), "orders/write")); status != http.StatusForbidden {
		t.Errorf("without the scope: got %d, want 403", status)
	}
	other, _ := newApp(t, offline())
	r := cognatetest.Bearer(t, other, request("/api"), ann(), "orders/read")
	if status, _ := get(t, api, r); status != http.StatusUnauthorized {
		t.Errorf("a token for another app: got %d, want 401", status)
	}
	if status, _ := get(t, api, request("/api")); status != http.StatusUnauthorized {
		t.Errorf("nobody: got %d, want 401", status)
	}
	checkFatal(t, "no subject", "no Subject",
		func(tb testing.TB) { cognatetest.Bearer(tb, auth, request("/"), &cognate.User{}) })
	checkFatal(t, "nobody", "needs an Auth", func(tb testing.TB) { cognatetest.Bearer(tb, auth, request("/"), nil) })
}
