package server_test

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/cognate-auth/cognate/userpool"
	"github.com/cognate-auth/cognate/userpool/internal/pooltest"
	"github.com/cognate-auth/cognate/userpool/pool"
	"github.com/cognate-auth/cognate/userpool/server"
	"github.com/cognate-auth/cognate/userpool/trace"
)

const viewToken = "the-token_of.this~view"

// newDeveloped returns a pool with a developer's view.
func newDeveloped(t *testing.T, s userpool.Settings, change func(*server.Config)) *pooltest.Env {
	t.Helper()
	e := pooltest.New(t, func(c *pool.Config) { c.Settings, c.Trace = s, trace.New(c.Now) })
	cfg := server.Config{
		Pool: e.Pool, BaseURL: pooltest.BaseURL, DevView: true, DevViewToken: viewToken,
	}
	if change != nil {
		change(&cfg)
	}
	var err error
	e.Handler, err = server.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// opened returns the cookies of a browser that opened the view, by the paths that they
// are sent to.
func opened(t *testing.T, e *pooltest.Env) (view, everywhere *http.Cookie) {
	t.Helper()
	for _, c := range e.Do(t, http.MethodGet, "/_cognate/?token="+viewToken, "", nil).Cookies() {
		switch {
		case c.Path == "/_cognate/" && c.SameSite == http.SameSiteStrictMode && c.HttpOnly:
			view = c
		case c.Path == "/" && c.SameSite == http.SameSiteLaxMode && c.HttpOnly:
			everywhere = c
		}
	}
	if view == nil || everywhere == nil {
		t.Fatalf("the view sets the cookies %v and %v", view, everywhere)
	}
	return view, everywhere
}

// TestOutboxIsShownToDevelopers looks at the pages that ask for a code, and that wait for a
// link, in browsers that opened the developer's view and in others.
func TestOutboxIsShownToDevelopers(t *testing.T) {
	t.Parallel()
	const link = `<a href="http://pool.test/_cognate/outbox" target="_blank">the `
	for name, tt := range map[string]struct {
		first  string
		fields []string
		link   bool
	}{
		"sign-up":           {"/signup", []string{"username", "eve", "password", "Correct-Horse-7", "requiredAttributes[email]", "e@example.com"}, false},
		"sign-up by link":   {"/signup", []string{"username", "eve", "password", "Correct-Horse-7", "requiredAttributes[email]", "e@example.com"}, true},
		"forgotten":         {"/forgotPassword", []string{"username", "ann"}, false},
		"second factor":     {"/login", []string{"username", "ann", "password", pooltest.Password}, false},
		"nobody's password": {"/forgotPassword", []string{"username", "nobody"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newDeveloped(t, userpool.Settings{
				SelfSignUp: true, AutoVerifiedAttributes: []string{"email"}, ConfirmByLink: tt.link, MFA: userpool.MFAOptional,
				MFATypes: []string{userpool.FactorEmail}, Schema: []userpool.Attribute{{Name: "email", Required: true}},
			}, nil)
			err := e.Pool.Users.SetMFA(t.Context(), "ann", []string{userpool.FactorEmail}, "")
			if err != nil {
				t.Fatal(err)
			}
			view, everywhere := opened(t, e)
			for i, cookie := range []*http.Cookie{
				everywhere, nil, {Name: everywhere.Name, Value: strings.Repeat("0", 64)}, {Name: everywhere.Name},
			} {
				who, v := fmt.Sprint("a browser with ", cookie), e.NewVisitor()
				if cookie != nil {
					v.SetCookie(cookie.Name, cookie.Value)
				}
				v.Open(t, tt.first+"?"+pooltest.Query().Encode())
				if strings.Contains(v.Page.Body, "_cognate") {
					t.Errorf("%s: %s leads to the view: no code was sent yet", who, v.At)
				}
				fields := slices.Clone(tt.fields)
				if fields[1] == "eve" {
					fields[1] += strconv.Itoa(i) // a name that is free
				}
				v.Submit(t, fields...)
				want := cookie == everywhere
				if got := strings.Contains(v.Page.Body, link); got != want || strings.Contains(v.Page.Body, viewToken) {
					t.Errorf("%s: the link to the outbox is on %s: %t, want %t", who, v.Path(), got, want)
				}
			}
			a := e.Do(t, http.MethodGet, "/_cognate/outbox", "", http.Header{
				"Cookie": {everywhere.Name + "=" + everywhere.Value + "; " + view.Name + "=" + everywhere.Value},
			})
			if a.StatusCode != http.StatusUnauthorized {
				t.Errorf("the mark opens the view: got %d", a.StatusCode)
			}
		})
	}
}
