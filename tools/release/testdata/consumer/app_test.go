// Package app_test is an app of somebody who has the modules from a proxy.
package app_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/cognate-auth/cognate"
	"github.com/cognate-auth/cognate/cognatetest"
	"github.com/cognate-auth/cognate/redisstore"
	"github.com/cognate-auth/cognate/sessionstore"
	"github.com/cognate-auth/cognate/userpool"
)

var _ sessionstore.Store = (*redisstore.Store)(nil)

func TestSignIn(t *testing.T) {
	pool := cognatetest.New(t)
	client := pool.AddClient(userpool.Client{CallbackURLs: []string{"https://app.example/oidc_callback"}})
	pool.AddUser(userpool.NewUser{
		Username: "ann", Password: "correct horse",
		Attributes: map[string]string{"email": "ann@example.com", "email_verified": "true"},
	})
	auth, err := cognate.New(pool.AppConfig(client))
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle("GET /hello", auth.RequireLogin(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "hello, %s", cognate.UserFrom(r.Context()).Email)
	})))
	browser := cognatetest.NewBrowser(t, "https://app.example", auth.Handler(mux))
	pool.SignIn(t, browser, "https://app.example/hello", "ann", "correct horse")
	resp, err := browser.Get("https://app.example/hello")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || !strings.Contains(string(body), "hello, ann@example.com") {
		t.Errorf("got %s %q, %v", resp.Status, body, err)
	}
}
