package cognate_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cognate-auth/cognate"
	"github.com/cognate-auth/cognate/internal/fakeprovider"
	"github.com/cognate-auth/cognate/sessionstore"
)

// storeApp is an app with its sessions in a store that can be taken down. The clock is the
// store's and everybody's.
func storeApp(t *testing.T,
	change func(*cognate.Config)) (*app, *fakeprovider.Provider, *flakyStore, *fakeprovider.Clock) {
	t.Helper()
	p := fakeprovider.New(t)
	x, store, c := storeAppOf(t, p, change)
	return x, p, store, c
}

// storeAppOf is storeApp with a provider that is there.
func storeAppOf(t *testing.T, p *fakeprovider.Provider,
	change func(*cognate.Config)) (*app, *flakyStore, *fakeprovider.Clock) {
	t.Helper()
	c := fakeprovider.NewClock()
	p.Now, p.AccessLife = c.Now, 300
	store := &flakyStore{Store: newMemoryStore(c.Now)}
	x := newApp(t, p, func(cfg *cognate.Config) {
		cfg.Session.Store = store
		if change != nil {
			change(cfg)
		}
	})
	return x, store, c
}

// TestStoreSeesNoSecret looks at everything a store is given.
func TestStoreSeesNoSecret(t *testing.T) {
	x, p, store, c := storeApp(t, nil)
	p.EditClaims = func(c map[string]any) { c["sid"] = "provider-session" }
	b := x.browser(t)
	b.signIn(p)
	c.Advance(time.Hour)
	b.get("/token")
	cookie := sessionCookie(t, b)
	if len(cookie.Value) != 43 {
		t.Errorf("the cookie has %d characters, want a random id", len(cookie.Value))
	}
	if len(store.seen) != 4 { // the callback marked, the session created, its lease taken, tokens saved
		t.Errorf("%d writes", len(store.seen))
	}
	for _, r := range store.seen {
		if r.Key == cookie.Value || len(r.Key) != 43 {
			t.Errorf("the key %q is no hash of the id", r.Key)
		}
		for _, secret := range []string{
			"ann", "user-1", "access-", "refresh-", "provider-session", "staff", cookie.Value,
		} {
			if bytes.Contains(r.Value, []byte(secret)) || slices.Contains(r.Indexes, secret) {
				t.Errorf("the store sees %q", secret)
			}
		}
	}
	if n := len(store.seen[1].Indexes); n != 2 {
		t.Errorf("%d indexes, want subject and sid", n)
	}
}

// TestStoreDown takes the store away and brings it back: nobody is signed out, nobody gets
// in, nobody is sent round in circles.
func TestStoreDown(t *testing.T) {
	x, p, store, _ := storeApp(t, nil)
	b, stranger := x.browser(t), x.browser(t)
	b.signIn(p)
	store.down.Store(true)
	for _, path := range []string{"/private/", "/token", "/login", "/login?return_to=/private/"} {
		resp := b.get(path)
		if resp.StatusCode != http.StatusServiceUnavailable || resp.Header.Get("Retry-After") == "" {
			t.Errorf("%s: status %d, Retry-After %q", path, resp.StatusCode, resp.Header.Get("Retry-After"))
		}
		if c := resp.Header["Set-Cookie"]; len(c) != 0 {
			t.Errorf("%s touches cookies: %q", path, c)
		}
	}
	if status, text := b.fetch("/"); status != http.StatusOK || text != "public" {
		t.Errorf("public page: %d %s", status, text)
	}
	if resp := b.request(http.MethodPost, "/logout"); resp.StatusCode != http.StatusServiceUnavailable ||
		len(resp.Header["Set-Cookie"]) != 0 {
		t.Errorf("sign-out: status %d, %q; want 503 and the cookie, so that another try ends the session",
			resp.StatusCode, resp.Header["Set-Cookie"])
	}
	if resp := stranger.signIn(p); resp.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("sign-in: status %d", resp.StatusCode)
	}
	store.down.Store(false)
	if !b.signedIn() || stranger.signedIn() {
		t.Errorf("after it came back: signed in %v and %v, want true and false", b.signedIn(), stranger.signedIn())
	}
}

// TestStoreDownDuringRefresh spends a refresh token and can't save the next one at first.
func TestStoreDownDuringRefresh(t *testing.T) {
	fakeprovider.InVirtualTime(t, func(t *testing.T, p *fakeprovider.Provider) {
		x, store, c := storeAppOf(t, p, nil)
		p.Rotate = true
		b := x.browser(t)
		b.signIn(p)
		c.Advance(time.Hour)
		p.EditRefreshResponse = func(map[string]any) {
			store.down.Store(true)
			time.AfterFunc(300*time.Millisecond, func() { store.down.Store(false) })
		}
		wantFetch(t, b, "/token", http.StatusOK, "access-1")
		p.EditRefreshResponse = nil
		store.failUpdates.Store(2) // made, but the answer is lost
		c.Advance(time.Hour)
		wantFetch(t, b, "/token", http.StatusOK, "access-2")
		c.Advance(time.Hour)
		wantFetch(t, b, "/token", http.StatusOK, "access-3")
	})
}

// TestCrashedHolder waits for a process that took the right to refresh and died.
func TestCrashedHolder(t *testing.T) {
	fakeprovider.InVirtualTime(t, func(t *testing.T, p *fakeprovider.Provider) {
		x, store, c := storeAppOf(t, p, nil)
		b := x.browser(t)
		b.signIn(p)
		c.Advance(time.Hour)
		p.ServeRefresh = func(http.ResponseWriter, *http.Request) {
			store.down.Store(true) // so that the lease can't be given back
			panic(http.ErrAbortHandler)
		}
		b.get("/token")
		store.down.Store(false)
		p.ServeRefresh = nil
		c.Advance(5 * time.Second)
		next := newApp(t, p, func(cfg *cognate.Config) { cfg.Session.Store = store })
		done := make(chan string)
		go func() { done <- fetchWith(t, next.handler, "/token", b.jar.Cookies(appURL)) }()
		time.Sleep(time.Second)
		select {
		case got := <-done:
			t.Fatalf("did not wait for the one who is at it: %s", got)
		default:
		}
		c.Advance(2 * time.Minute) // by which no clock within the skew takes the lease for live
		if got := <-done; got != "200 access-2" {
			t.Errorf("got %s", got)
		}
	})
}

// TestSessionEndsEverywhere ends all sessions of a user, and nobody else's.
func TestSessionEndsEverywhere(t *testing.T) {
	var ended []cognate.LogoutEvent
	x, p, _, _ := storeApp(t, func(cfg *cognate.Config) {
		cfg.Hooks.OnLogout = func(_ context.Context, e cognate.LogoutEvent) { ended = append(ended, e) }
	})
	phone, laptop, other := x.browser(t), x.browser(t), x.browser(t)
	phone.signIn(p)
	laptop.signIn(p)
	p.EditClaims = func(c map[string]any) { c["sub"] = "user-2" }
	other.signIn(p)
	n, err := x.auth.LogoutEverywhere(t.Context(), "user-1")
	if n != 2 || err != nil || phone.signedIn() || laptop.signedIn() || !other.signedIn() {
		t.Errorf("%d sessions, %v; signed in: %v, %v, %v", n, err, phone.signedIn(),
			laptop.signedIn(), other.signedIn())
	}
	if len(ended) != 1 ||
		ended[0] != (cognate.LogoutEvent{Reason: cognate.LogoutEverywhere, Issuer: p.Issuer, Subject: "user-1"}) {
		t.Errorf("the hook saw %+v", ended)
	}
	_, err = newApp(t, p, nil).auth.LogoutEverywhere(t.Context(), "user-1")
	if err == nil || !strings.Contains(err.Error(), "Session.Store") {
		t.Errorf("without a store: %v", err)
	}
}

// TestReplayAfterLogout sends the old cookie again, also to another process.
func TestReplayAfterLogout(t *testing.T) {
	x, p, store, _ := storeApp(t, nil)
	other := newApp(t, p, func(cfg *cognate.Config) { cfg.Session.Store = store })
	phone, laptop := x.browser(t), x.browser(t)
	phone.signIn(p)
	laptop.signIn(p)
	cookies := phone.jar.Cookies(appURL)
	phone.request(http.MethodPost, "/logout")
	for name, h := range map[string]http.Handler{"same process": x.handler, "another": other.handler} {
		if got := fetchWith(t, h, "/private/", cookies); !strings.HasPrefix(got, "302") {
			t.Errorf("%s: %s", name, got)
		}
	}
	if !laptop.signedIn() {
		t.Error("the other browser was signed out, too")
	}
}

// TestNewIDAtLogin ends the session that the browser had before.
func TestNewIDAtLogin(t *testing.T) {
	var ended []cognate.LogoutReason
	x, p, _, _ := storeApp(t, func(cfg *cognate.Config) {
		cfg.Hooks.OnLogout = func(_ context.Context, e cognate.LogoutEvent) { ended = append(ended, e.Reason) }
	})
	b := x.browser(t)
	b.signIn(p)
	before := b.jar.Cookies(appURL)
	id := sessionCookie(t, b).Value
	b.get("/oidc_callback?" + p.SignIn(t, loginAgain(b).Header.Get("Location")).Encode())
	if sessionCookie(t, b).Value == id {
		t.Error("the id stayed")
	}
	if got := fetchWith(t, x.handler, "/private/", before); !strings.HasPrefix(got, "302") ||
		!slices.Equal(ended, []cognate.LogoutReason{cognate.LogoutReplaced}) {
		t.Errorf("the old session: %s; ended %v", got, ended)
	}
}

// TestEndedAtLogin has the hook of a sign-in end all other sessions of the user, as apps do that
// allow one browser: the one that this browser had has ended by then, and is told of once.
func TestEndedAtLogin(t *testing.T) {
	var ended []cognate.LogoutReason
	var x *app
	x, p, _, _ := storeApp(t, func(cfg *cognate.Config) {
		cfg.Hooks.OnLogout = func(_ context.Context, e cognate.LogoutEvent) { ended = append(ended, e.Reason) }
		cfg.Hooks.OnLogin = func(ctx context.Context, e cognate.LoginEvent) error {
			_, err := x.auth.LogoutEverywhere(ctx, e.User.Subject)
			return err
		}
	})
	b := x.browser(t)
	b.signIn(p)
	b.get("/oidc_callback?" + p.SignIn(t, loginAgain(b).Header.Get("Location")).Encode())
	if !b.signedIn() || !slices.Equal(ended, []cognate.LogoutReason{cognate.LogoutEverywhere}) {
		t.Errorf("signed in %v, ended %v", b.signedIn(), ended)
	}
}

// TestStoredLifetimes rolls the idle time, and ends at the lifetime whatever happens.
func TestStoredLifetimes(t *testing.T) {
	var ended []cognate.LogoutReason
	x, p, store, c := storeApp(t, func(cfg *cognate.Config) {
		cfg.Session.Lifetime, cfg.Session.IdleTimeout = 2*time.Hour, 30*time.Minute
		cfg.Hooks.OnLogout = func(_ context.Context, e cognate.LogoutEvent) { ended = append(ended, e.Reason) }
	})
	b := x.browser(t)
	b.signIn(p)
	for range 5 {
		c.Advance(20 * time.Minute)
		if !b.signedIn() {
			t.Fatal("signed out although used")
		}
	}
	if n := store.updates.Load(); n != 5 {
		t.Errorf("%d updates, want one per tenth of the idle time at most", n)
	}
	for range 10 {
		b.signedIn()
	}
	if n := store.updates.Load(); n != 5 {
		t.Errorf("%d updates after ten quick requests", n)
	}
	c.Advance(25 * time.Minute)
	if b.signedIn() {
		t.Error("signed in after two hours")
	}
	if !slices.Equal(ended, []cognate.LogoutReason{cognate.LogoutExpired}) {
		t.Errorf("ended %v, want expired", ended)
	}
	b.signIn(p)
	c.Advance(31 * time.Minute)
	if b.signedIn() {
		t.Error("signed in after half an hour without use")
	}
}

// TestStoredSessionsAndKeys rotates the keys without signing anybody out.
func TestStoredSessionsAndKeys(t *testing.T) {
	first, second := cognate.Secret(strings.Repeat("1", 32)), cognate.Secret(strings.Repeat("2", 32))
	keys := func(ks ...cognate.Secret) func(*cognate.Config) {
		return func(cfg *cognate.Config) { cfg.Keys = ks }
	}
	x, p, store, _ := storeApp(t, keys(first))
	b := x.browser(t)
	b.signIn(p)
	cookies := b.jar.Cookies(appURL)
	process := func(ks ...cognate.Secret) *app {
		return newApp(t, p, func(cfg *cognate.Config) {
			cfg.Session.Store = store
			keys(ks...)(cfg)
		})
	}
	if got := fetchWith(t, process(second).handler, "/private/", cookies); !strings.HasPrefix(got, "302") {
		t.Errorf("with a foreign key: %s", got)
	}
	if got := fetchWith(t, process(second, first).handler, "/private/", cookies); !strings.HasPrefix(got, "200") {
		t.Errorf("with both keys: %s", got)
	}
	if got := fetchWith(t, process(second).handler, "/private/", cookies); !strings.HasPrefix(got, "200") {
		t.Errorf("after it was sealed anew: %s", got)
	}
}

// TestSpoiledStore is a store that somebody else wrote to.
func TestSpoiledStore(t *testing.T) {
	for name, spoil := range map[string]func(mine, foreign []byte) []byte{
		"changed":           func(mine, _ []byte) []byte { mine[20] ^= 1; return mine },
		"cut":               func(mine, _ []byte) []byte { return mine[:20] },
		"empty":             func([]byte, []byte) []byte { return nil },
		"another session's": func(_, foreign []byte) []byte { return foreign },
		"huge":              func([]byte, []byte) []byte { return make([]byte, sessionstore.MaxRecordValue) },
	} {
		t.Run(name, func(t *testing.T) {
			x, p, store, _ := storeApp(t, nil)
			b, other := x.browser(t), x.browser(t)
			b.signIn(p)
			other.signIn(p)
			// Each sign-in marks its callback, and then creates its session.
			r, err := store.Load(t.Context(), store.seen[1].Key)
			if err != nil {
				t.Fatal(err)
			}
			r.Value = spoil(bytes.Clone(r.Value), store.seen[3].Value)
			err = store.Update(t.Context(), r)
			if err != nil {
				t.Fatal(err)
			}
			if b.signedIn() || !other.signedIn() || !strings.Contains(x.log.String(), "can't be read") {
				t.Errorf("signed in: %v and %v; log:\n%s", b.signedIn(), other.signedIn(), x.log)
			}
		})
	}
}

// foreignStore is a store whose records others wrote over.
type foreignStore struct {
	*flakyStore
	spoiled atomic.Bool
}

func (s *foreignStore) answer(r sessionstore.Record, err error) (sessionstore.Record, error) {
	if err == nil && s.spoiled.Load() {
		return sessionstore.Record{}, fmt.Errorf("what is there is a list: %w", sessionstore.ErrNoRecord)
	}
	return r, err
}

func (s *foreignStore) Load(ctx context.Context, key string) (sessionstore.Record, error) {
	return s.answer(s.flakyStore.Load(ctx, key))
}

func (s *foreignStore) LoadLatest(ctx context.Context, key string) (sessionstore.Record, error) {
	return s.answer(s.flakyStore.LoadLatest(ctx, key))
}

// TestUnreadableRecord is a session that the store can't read, or these keys can't open: its
// visitor is nobody, can sign in and sign out, and one line says so.
func TestUnreadableRecord(t *testing.T) {
	for name, spoil := range map[string]func(x *app, s *foreignStore){
		"in the store": func(_ *app, s *foreignStore) { s.spoiled.Store(true) },
		"with these keys": func(x *app, s *foreignStore) {
			r := s.seen[len(s.seen)-1]
			r.Version, r.Value = 1, []byte("sealed by a key that is lost")
			_ = s.Store.Update(context.Background(), r)
		},
	} {
		t.Run(name, func(t *testing.T) {
			var store *foreignStore
			x, p, _, _ := storeApp(t, func(cfg *cognate.Config) {
				store = &foreignStore{flakyStore: cfg.Session.Store.(*flakyStore)}
				cfg.Session.Store = store
			})
			b := x.browser(t)
			b.signIn(p)
			spoil(x, store)
			cookies := b.jar.Cookies(appURL)
			for range 3 {
				for _, path := range []string{"/private/", "/token", "/login"} {
					if got := fetchWith(t, x.handler, path, cookies); !strings.HasPrefix(got, "302") {
						t.Errorf("%s: %s", path, got)
					}
				}
				if got := fetchWith(t, x.handler, "/", cookies); got != "200 public" {
					t.Errorf("public page: %s", got)
				}
			}
			if n := strings.Count(x.log.String(), "can't be read"); n != 1 {
				t.Errorf("%d lines, want one:\n%s", n, x.log)
			}
			if resp := b.request(http.MethodPost, "/logout"); resp.StatusCode != http.StatusSeeOther ||
				len(b.cookies()) != 0 {
				t.Errorf("sign-out: status %d, cookies %v", resp.StatusCode, b.cookies())
			}
			store.spoiled.Store(false)
			if got := fetchWith(t, x.handler, "/private/", cookies); !strings.HasPrefix(got, "302") {
				t.Errorf("what was signed out came back when it could be read: %s", got)
			}
			if resp := b.signIn(p); resp.StatusCode != http.StatusFound || !b.signedIn() {
				t.Errorf("sign-in: status %d", resp.StatusCode)
			}
		})
	}
}

// TestUnreadableOldSession replaces it by a sign-in: when it can be read again, as by a process
// that still has the key, it is no session either.
func TestUnreadableOldSession(t *testing.T) {
	first, second := cognate.Secret(strings.Repeat("1", 32)), cognate.Secret(strings.Repeat("2", 32))
	x, p, store, _ := storeApp(t, func(cfg *cognate.Config) { cfg.Keys = []cognate.Secret{first} })
	b := x.browser(t)
	b.signIn(p)
	cookies := b.jar.Cookies(appURL)
	b.app = newApp(t, p, func(cfg *cognate.Config) {
		cfg.Session.Store, cfg.Keys = store, []cognate.Secret{second}
	})
	path := "/oidc_callback?" + p.SignIn(t, loginAgain(b).Header.Get("Location")).Encode()
	b.get(path)
	if !b.signedIn() {
		t.Fatal("not signed in")
	}
	if got := fetchWith(t, x.handler, "/private/", cookies); !strings.HasPrefix(got, "302") {
		t.Errorf("the session from before: %s", got)
	}
}

// TestForgedIDs sends what is no session's id.
func TestForgedIDs(t *testing.T) {
	x, p, _, _ := storeApp(t, nil)
	b := x.browser(t)
	b.signIn(p)
	good := sessionCookie(t, b)
	for name, values := range map[string][]string{
		"unknown":     {strings.Repeat("A", 43)},
		"stray bits":  {good.Value[:42] + "_"},
		"longer":      {good.Value + "A"},
		"empty":       {""},
		"a megabyte":  {strings.Repeat("A", 1<<20)},
		"twice":       {good.Value, good.Value},
		"with a twin": {good.Value, strings.Repeat("A", 43)},
		"chunks":      {"2." + good.Value},
	} {
		var cookies []*http.Cookie
		for _, v := range values {
			cookies = append(cookies, &http.Cookie{Name: good.Name, Value: v})
		}
		if got := fetchWith(t, x.handler, "/private/", cookies); !strings.HasPrefix(got, "302") {
			t.Errorf("%s: %.60s", name, got)
		}
	}
}

// TestClockJumpAndLease sets the clock back while a lease is out.
func TestClockJumpAndLease(t *testing.T) {
	x, p, store, c := storeApp(t, nil)
	b := x.browser(t)
	b.signIn(p)
	c.Advance(2 * time.Hour)
	p.ServeRefresh = func(http.ResponseWriter, *http.Request) {
		store.down.Store(true)
		panic(http.ErrAbortHandler)
	}
	b.get("/token")
	store.down.Store(false)
	p.ServeRefresh = nil
	c.Advance(-time.Hour)
	wantFetch(t, b, "/token", http.StatusOK, "access-2")
}

// TestHugeIdentityInStore refuses what no store takes.
func TestHugeIdentityInStore(t *testing.T) {
	p := fakeprovider.New(t)
	p.EditTokenResponse = func(r map[string]any) { r["access_token"] = strings.Repeat("a", 9000) }
	p.EditClaims = func(c map[string]any) { c["custom:tier"] = strings.Repeat("x", 40_000); delete(c, "at_hash") }
	x := newApp(t, p, func(c *cognate.Config) { c.Session.Store = sessionstore.NewMemory(0) })
	b := x.browser(t)
	b.signIn(p)
	if !b.signedIn() || !strings.Contains(x.log.String(), "tokens were left out") {
		t.Errorf("signed in: %v; log %.500s", b.signedIn(), x.log)
	}
	if status, text := b.fetch("/token"); status != http.StatusOK || len(text) != 9000 {
		t.Errorf("status %d: the ID token makes room first", status)
	}
}

// TestSessionsOfAnotherName are those of another Auth of the same app client, with the same
// store, that asks more of a sign-in: whoever moves the id into its cookie is nobody there.
func TestSessionsOfAnotherName(t *testing.T) {
	x, p, store, _ := storeApp(t, nil)
	strict := newApp(t, p, func(cfg *cognate.Config) {
		cfg.Session.Store, cfg.CookieName = store, "strict"
		cfg.LoginRules = []cognate.Rule{cognate.Group("gods")}
	})
	b := x.browser(t)
	b.signIn(p)
	moved := []*http.Cookie{{Name: "__Host-strict", Value: sessionCookie(t, b).Value}}
	if got := fetchWith(t, strict.handler, "/private/", moved); !strings.HasPrefix(got, "302") {
		t.Errorf("got %s, want a sign-in", got)
	}
	n, err := strict.auth.LogoutEverywhere(t.Context(), "user-1")
	if n != 1 || err != nil || b.signedIn() {
		t.Errorf("%d sessions ended, %v; want the user's, whatever their cookie is called", n, err)
	}
}

// TestSignInOfAnotherName is begun at another Auth of the same app client and ended at the
// one that asks more of a sign-in: whoever moves the cookie gets nothing redeemed there.
func TestSignInOfAnotherName(t *testing.T) {
	p := fakeprovider.New(t)
	x := newApp(t, p, nil)
	strict := newApp(t, p, func(cfg *cognate.Config) {
		cfg.CookieName, cfg.LoginOptions = "strict", []cognate.LoginOption{cognate.MaxAge(0)}
	})
	path, cookies := callbackOf(t, x.browser(t), p)
	for _, c := range cookies {
		c.Name = strings.Replace(c.Name, "cognate", "strict", 1)
	}
	resp := callback(t.Context(), strict, path, cookies)
	if resp.StatusCode != http.StatusBadRequest || len(p.TokenRequests()) != 0 ||
		!strings.Contains(strict.log.String(), "reason=state") {
		t.Errorf("status %d after %d token requests, want 400 and none:\n%s", resp.StatusCode,
			len(p.TokenRequests()), strict.log)
	}
}

// staleStore answers Load as if no word of a change ever came.
type staleStore struct {
	sessionstore.Store
	first sync.Map
}

func (s *staleStore) Load(ctx context.Context, key string) (sessionstore.Record, error) {
	if r, ok := s.first.Load(key); ok {
		return r.(sessionstore.Record), nil
	}
	r, err := s.Store.Load(ctx, key)
	if err == nil {
		s.first.Store(key, r)
	}
	return r, err
}

// TestStaleIdleTime is wound in one process, and the other has not heard of it.
func TestStaleIdleTime(t *testing.T) {
	idle := func(cfg *cognate.Config) { cfg.Session.IdleTimeout = 30 * time.Minute }
	x, p, store, c := storeApp(t, idle)
	other := newApp(t, p, func(cfg *cognate.Config) {
		idle(cfg)
		cfg.Session.Store = &staleStore{Store: store}
	})
	b := x.browser(t)
	b.signIn(p)
	cookies := b.jar.Cookies(appURL)
	for range 3 {
		if got := fetchWith(t, other.handler, "/private/", cookies); !strings.HasPrefix(got, "200") {
			t.Errorf("got %s", got)
		}
		c.Advance(20 * time.Minute)
		if !b.signedIn() {
			t.Fatal("signed out")
		}
	}
	c.Advance(time.Hour)
	if got := fetchWith(t, other.handler, "/private/", cookies); !strings.HasPrefix(got, "302") {
		t.Errorf("after an hour: %s", got)
	}
}

// TestNobodyToSignOut tells nobody of ends that were none, or of one twice.
func TestNobodyToSignOut(t *testing.T) {
	var ended atomic.Int32
	x, p, _, _ := storeApp(t, func(cfg *cognate.Config) {
		cfg.Hooks.OnLogout = func(context.Context, cognate.LogoutEvent) { ended.Add(1) }
	})
	n, err := x.auth.LogoutEverywhere(t.Context(), "user-1")
	if n != 0 || err != nil || ended.Load() != 0 {
		t.Errorf("%d sessions, %v, %d calls of the hook; want none", n, err, ended.Load())
	}
	for range 20 {
		ended.Store(0)
		b := x.browser(t)
		b.signIn(p)
		cookies := b.jar.Cookies(appURL)
		parallel(4, func(int) {
			r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, appOrigin+"/logout", nil)
			for _, c := range cookies {
				r.AddCookie(c)
			}
			x.handler.ServeHTTP(httptest.NewRecorder(), r)
		})
		if n := ended.Load(); n != 1 {
			t.Fatalf("%d calls of the hook for one sign-out", n)
		}
	}
}

// flakyStore is a store that can be taken down, and that sees what it is given.
type flakyStore struct {
	sessionstore.Store
	down atomic.Bool
	// failUpdates makes that many updates fail after they were made, as a connection
	// that breaks at the wrong moment does.
	failUpdates atomic.Int32
	updates     atomic.Int32

	mu   sync.Mutex
	seen []sessionstore.Record
}

var errDown = errors.New("connection refused")

func (s *flakyStore) see(r sessionstore.Record) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seen = append(s.seen, r)
}

// live is how many of the records are there that were written.
func (s *flakyStore) live(t *testing.T) (n int) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	keys := map[string]bool{}
	for _, r := range s.seen {
		keys[r.Key] = true
	}
	for key := range keys {
		_, err := s.Store.Load(t.Context(), key)
		if err == nil {
			n++
		}
	}
	return n
}

func (s *flakyStore) Create(ctx context.Context, r sessionstore.Record) error {
	if s.down.Load() {
		return errDown
	}
	s.see(r)
	return s.Store.Create(ctx, r)
}

func (s *flakyStore) Load(ctx context.Context, key string) (sessionstore.Record, error) {
	if s.down.Load() {
		return sessionstore.Record{}, errDown
	}
	return s.Store.Load(ctx, key)
}

func (s *flakyStore) LoadLatest(ctx context.Context, key string) (sessionstore.Record, error) {
	if s.down.Load() {
		return sessionstore.Record{}, errDown
	}
	return s.Store.LoadLatest(ctx, key)
}

func (s *flakyStore) Update(ctx context.Context, r sessionstore.Record) error {
	if s.down.Load() {
		return errDown
	}
	s.see(r)
	s.updates.Add(1)
	err := s.Store.Update(ctx, r)
	if err == nil && s.failUpdates.Add(-1) >= 0 {
		return errDown
	}
	return err
}

func (s *flakyStore) Delete(ctx context.Context, key string) error {
	if s.down.Load() {
		return errDown
	}
	return s.Store.Delete(ctx, key)
}

func (s *flakyStore) DeleteIndexed(ctx context.Context, index string) (int, error) {
	if s.down.Load() {
		return 0, errDown
	}
	return s.Store.DeleteIndexed(ctx, index)
}
