package cognatetest_test

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/cognate-auth/cognate"
	"github.com/cognate-auth/cognate/cognatetest"
	"github.com/cognate-auth/cognate/userpool"
)

// What the examples take from a test and its app.
var (
	t       *testing.T
	auth    *cognate.Auth
	app     http.Handler
	makeApp func(cfg cognate.Config) http.Handler
)

// A page behind RequireLogin, as Ann, without a provider.
func ExampleSignedIn() {
	ann := &cognate.User{Subject: "1", Email: "ann@example.com", EmailVerified: true, Groups: []string{"admins"}}
	r := httptest.NewRequest(http.MethodGet, "/admin", nil)
	w := httptest.NewRecorder()
	app.ServeHTTP(w, cognatetest.SignedIn(t, auth, r, ann))
	if w.Code != http.StatusOK {
		t.Errorf("got %d, want 200", w.Code)
	}
}

// A whole sign-in to an app that runs inside the test.
func ExamplePool_SignIn() {
	pool := cognatetest.New(t)
	client := pool.AddClient(userpool.Client{CallbackURLs: []string{"https://app.example/oidc_callback"}})
	pool.AddUser(userpool.NewUser{Username: "ann", Password: "correct horse"})

	browser := cognatetest.NewBrowser(t, "https://app.example", makeApp(pool.AppConfig(client)))
	pool.SignIn(t, browser, "https://app.example/hello", "ann", "correct horse")

	resp, err := browser.Get("https://app.example/hello")
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Errorf("got %v, %v; want 200", resp, err)
	}
}

// The provider refuses to refresh, once, and is down from then on.
func ExamplePool_Break() {
	pool := cognatetest.New(t)
	pool.Break(cognatetest.RefreshGrant, cognatetest.Fault{Status: 400, Error: "invalid_grant", Times: 1})
	pool.Break(cognatetest.Everything, cognatetest.Fault{Drop: true})
}

// The session ends, and nobody waits for it.
func ExampleClock() {
	clock := cognatetest.NewClock(t)
	pool := cognatetest.New(t, cognatetest.Options{Now: clock.Now})
	client := pool.AddClient(userpool.Client{CallbackURLs: []string{"https://app.example/oidc_callback"}})
	cfg := pool.AppConfig(client) // whose Now is the clock's
	cfg.Session.Lifetime = time.Hour
	// ... sign in ...
	clock.Advance(time.Hour)
}
