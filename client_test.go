package cognate_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/cognate-auth/cognate"
	"github.com/cognate-auth/cognate/internal/fakeprovider"
)

// TestClient calls an API as the user, and follows no redirect elsewhere with the token.
func TestClient(t *testing.T) {
	eachTokenMode(t, func(t *testing.T, p *fakeprovider.Provider, _ *fakeprovider.Clock, mode func(*cognate.Config)) {
		var got []string
		record := func(w http.ResponseWriter, r *http.Request) {
			got = append(got, r.Host+r.URL.Path+" "+r.Header.Get("Authorization"))
		}
		elsewhere := httptest.NewServer(http.HandlerFunc(record))
		defer elsewhere.Close()
		api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			record(w, r)
			switch r.URL.Path {
			case "/here":
				http.Redirect(w, r, "/there", http.StatusFound)
			case "/away":
				http.Redirect(w, r, elsewhere.URL+"/trap", http.StatusFound)
			}
		}))
		defer api.Close()
		x := newApp(t, p, mode)
		b := x.browser(t)
		b.signIn(p)
		h := x.auth.RequireLogin(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			client := x.auth.Client(r.Context())
			for _, path := range []string{"/here", "/away"} {
				resp, err := client.Get(api.URL + path)
				if err != nil {
					t.Error(err)
					continue
				}
				_ = resp.Body.Close()
			}
			token, err := x.auth.TokenSource(r.Context()).Token()
			if err != nil || token.AccessToken != "access-token" || token.Expiry.IsZero() {
				t.Errorf("token %v, %v", token, err)
			}
		}))
		fetchWith(t, h, "/", b.jar.Cookies(appURL))
		host, other := strings.TrimPrefix(api.URL, "http://"), strings.TrimPrefix(elsewhere.URL, "http://")
		want := []string{host + "/here Bearer access-token", host + "/there Bearer access-token", host + "/away Bearer access-token", other + "/trap "}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("got %q, want %q", got, want)
		}
	})
}

// TestClientWaitsNoLonger gives up on a token when the time of the call is over, and not when
// that of the request is.
func TestClientWaitsNoLonger(t *testing.T) {
	eachTokenModeVirtually(t, func(t *testing.T, p *fakeprovider.Provider, c *fakeprovider.Clock, mode func(*cognate.Config)) {
		x := newApp(t, p, mode)
		b := x.browser(t)
		b.signIn(p)
		c.Advance(time.Hour)
		release := make(chan bool)
		p.ServeRefresh = func(http.ResponseWriter, *http.Request) { <-release }
		var err error
		h := x.auth.RequireLogin(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			ctx, cancel := context.WithTimeout(r.Context(), 50*time.Millisecond)
			defer cancel()
			call, _ := http.NewRequestWithContext(ctx, http.MethodGet, "http://127.0.0.1:1/", nil)
			var resp *http.Response
			resp, err = x.auth.Client(r.Context()).Do(call)
			if err == nil {
				_ = resp.Body.Close()
			}
		}))
		fetchWith(t, h, "/", b.jar.Cookies(appURL))
		close(release)
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("error %v, want the deadline's", err)
		}
	})
}
