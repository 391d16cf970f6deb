package cognate_test

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cognate-auth/cognate"
	"github.com/cognate-auth/cognate/internal/fakeprovider"
	"github.com/cognate-auth/cognate/sessionstore"
)

// TestEverythingAtOnce lets three processes that share a store serve, refresh, sign out and
// end all sessions of their users at the same time. Nobody gets anybody else's page or token,
// nobody gets in after the end, and nothing but the ends signs anybody out.
func TestEverythingAtOnce(t *testing.T) {
	fakeprovider.InVirtualTime(t, func(t *testing.T, p *fakeprovider.Provider) {
		store := sessionstore.NewMemory(0)
		p.AccessLife = 2
		var apps []*app
		for i := range 3 {
			apps = append(apps, newApp(t, p, func(cfg *cognate.Config) {
				cfg.Session.Store = store
				cfg.Session.IdleTimeout = time.Minute
				// Every process has a clock of its own.
				cfg.Now = func() time.Time { return time.Now().Add(time.Duration(i) * 100 * time.Millisecond) }
			}))
		}
		const users = 8
		cookies := make([][]*http.Cookie, users)
		for i := range users {
			p.EditClaims = func(c map[string]any) { c["sub"], c["email"] = fmt.Sprint("user-", i), fmt.Sprint("user-", i, "@x") }
			b := apps[0].browser(t)
			b.signIn(p)
			cookies[i] = b.jar.Cookies(appURL)
		}
		p.EditClaims = nil
		p.EditRefreshResponse = func(r map[string]any) {
			delete(r, "id_token")
			moment()
		}
		var mu sync.Mutex
		ending, ended := map[int]bool{}, map[int]bool{}
		parallel(24, func(int) {
			for range 150 {
				moment()
				u, a := rand.IntN(users), apps[rand.IntN(len(apps))]
				mu.Lock()
				wasOver := ended[u]
				mu.Unlock()
				path := []string{"/private/", "/token"}[rand.IntN(2)]
				got := fetchWith(t, a.handler, path, cookies[u])
				mu.Lock()
				isOver := ending[u]
				mu.Unlock()
				switch {
				case strings.HasPrefix(got, "200") && wasOver:
					t.Errorf("%s of user-%d after the end: %s", path, u, got)
				case strings.HasPrefix(got, "200 private") && !strings.Contains(got, fmt.Sprint("user-", u, "@x")):
					t.Errorf("user-%d sees %s", u, got)
				case !strings.HasPrefix(got, "200") && !isOver:
					t.Errorf("%s of user-%d: %.100s", path, u, got)
				}
				if u < users/2 || rand.IntN(100) != 0 {
					continue
				}
				mu.Lock()
				under := ending[u]
				ending[u] = true
				mu.Unlock()
				if under {
					continue
				}
				endOf(t, a, u, cookies[u])
				mu.Lock()
				ended[u] = true
				mu.Unlock()
			}
		})
		if p.Refreshes() < 10 {
			t.Errorf("%d refreshes, want many", p.Refreshes())
		}
	})
}

// moment takes virtual time, in steps so that several of those who wait go on at once.
func moment() {
	time.Sleep(time.Duration(rand.IntN(6)) * 20 * time.Millisecond)
}

func endOf(t *testing.T, a *app, u int, cookies []*http.Cookie) {
	t.Helper()
	if u%2 == 0 {
		_, err := a.auth.LogoutEverywhere(t.Context(), fmt.Sprint("user-", u))
		if err != nil {
			t.Error(err)
		}
		return
	}
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, appOrigin+"/logout", nil)
	for _, c := range cookies {
		r.AddCookie(c)
	}
	a.handler.ServeHTTP(httptest.NewRecorder(), r)
}
