package cognate_test

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/cognate-auth/cognate"
	"github.com/cognate-auth/cognate/internal/fakeprovider"
)

// gate is a network that can be held up: requests whose path it names wait until it opens,
// or end with an error.
type gate struct {
	base   http.RoundTripper // behind the gate; nil: http.DefaultTransport
	mu     sync.Mutex
	held   map[string]chan struct{} // path → closed when it opens
	broken map[string]bool
	counts map[string]int
}

func newGate() *gate {
	return &gate{held: map[string]chan struct{}{}, broken: map[string]bool{}, counts: map[string]int{}}
}

func (g *gate) RoundTrip(r *http.Request) (*http.Response, error) {
	g.mu.Lock()
	g.counts[r.URL.Path]++
	held, broken := g.held[r.URL.Path], g.broken[r.URL.Path]
	g.mu.Unlock()
	if broken {
		return nil, &net.OpError{Op: "dial", Err: http.ErrServerClosed}
	}
	if held != nil {
		select {
		case <-held:
		case <-r.Context().Done():
			return nil, r.Context().Err()
		}
	}
	if g.base != nil {
		return g.base.RoundTrip(r)
	}
	return http.DefaultTransport.RoundTrip(r)
}

// hold holds up requests of a path until open is called.
func (g *gate) hold(path string) (open func()) {
	g.mu.Lock()
	defer g.mu.Unlock()
	c := make(chan struct{})
	g.held[path] = c
	return sync.OnceFunc(func() {
		g.mu.Lock()
		delete(g.held, path)
		g.mu.Unlock()
		close(c)
	})
}

func (g *gate) breakPath(path string, broken bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.broken[path] = broken
}

func (g *gate) count(path string) int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.counts[path]
}

// eventually waits for what another goroutine does.
func eventually(t *testing.T, what string, done func() bool) {
	t.Helper()
	for range 5000 {
		if done() {
			return
		}
		time.Sleep(2 * time.Millisecond)
	}
	t.Fatal(what)
}

const discoveryPath = "/.well-known/openid-configuration"

// keysGrace is how long requests wait for new keys outside of tests.
const keysGrace = 250 * time.Millisecond

// gatedAPI is an API whose keys and discovery document come through a gate.
func gatedAPI(t *testing.T) (*bearerAPI, *gate) {
	t.Helper()
	g := newGate()
	x := newBearerAPI(t, func(c *cognate.BearerConfig) { c.HTTPClient = &http.Client{Transport: g} })
	cognate.BearerWaits(x.bearer, keysGrace)
	if resp := x.call("/api", x.token(nil)); resp.StatusCode != http.StatusOK {
		t.Fatalf("status %d", resp.StatusCode)
	}
	return x, g
}

// TestNobodyWaitsForOldKeys holds up the key set after an hour: tokens are checked with the
// old keys meanwhile, and all of them cause one request.
func TestNobodyWaitsForOldKeys(t *testing.T) {
	x, g := gatedAPI(t)
	x.clock.Advance(2 * time.Hour)
	open := g.hold("/keys")
	defer open()
	var wg sync.WaitGroup
	for range 40 {
		wg.Go(func() {
			if resp := x.call("/api", x.token(nil)); resp.StatusCode != http.StatusOK {
				t.Errorf("status %d while the keys are fetched", resp.StatusCode)
			}
		})
	}
	wg.Wait() // without the old keys, for ten seconds
	eventually(t, "the keys are not fetched anew", func() bool { return g.count("/keys") > 1 })
	if n := g.count("/keys"); n != 2 {
		t.Errorf("%d key fetches, want the first and one under way", n)
	}
	x.p.Key, x.p.KeyID = fakeprovider.Keys()[1], "new"
	old := x.token(nil)
	open()
	eventually(t, "the new keys are not used", func() bool { return x.call("/api", old).StatusCode == http.StatusOK })
}

// TestKeysOutOfReach lets the key set go away: for a day, the old keys are better than none.
func TestKeysOutOfReach(t *testing.T) {
	x, g := gatedAPI(t)
	g.breakPath("/keys", true)
	long := x.token(func(m jwt.MapClaims) { m["exp"] = x.clock.Now().Add(1000 * time.Hour).Unix() })
	for range 7 {
		x.clock.Advance(3*time.Hour + 10*time.Minute) // 22:10 in all
		if resp := x.call("/api", long); resp.StatusCode != http.StatusOK {
			t.Fatalf("status %d although the keys are less than a day old", resp.StatusCode)
		}
	}
	eventually(t, "nobody is told that the keys can't be had", func() bool {
		return strings.Contains(x.log.String(), "the key set can't be fetched again")
	})
	x.clock.Advance(2 * time.Hour)
	for range 2 { // the second within the pause
		resp := x.call("/api", long)
		if resp.StatusCode != http.StatusServiceUnavailable || resp.Header.Get("Retry-After") == "" {
			t.Errorf("status %d, header %v with keys of more than a day ago; want 503 with Retry-After",
				resp.StatusCode, resp.Header)
		}
	}
	if !strings.Contains(x.log.String(), "not trusted any more") {
		t.Errorf("the log does not say why: %s", x.log.String())
	}
	g.breakPath("/keys", false)
	x.clock.Advance(2 * time.Minute)
	if resp := x.call("/api", long); resp.StatusCode != http.StatusOK {
		t.Errorf("status %d after the key set is back", resp.StatusCode)
	}
}

// TestKeysAndClockSetBack: keys from the future are old ones, and their day counts from now.
func TestKeysAndClockSetBack(t *testing.T) {
	x, g := gatedAPI(t)
	g.breakPath("/keys", true)
	x.clock.Advance(-365 * 24 * time.Hour)
	call := func() int { return x.call("/api", x.token(nil)).StatusCode }
	if got := call(); got != http.StatusOK {
		t.Errorf("status %d after the clock was set back", got)
	}
	x.clock.Advance(25 * time.Hour)
	if got := call(); got != http.StatusServiceUnavailable {
		t.Errorf("status %d a day later, want 503", got)
	}
}

// TestFailingFetchesAreFew counts requests for keys that can't be had, over half an hour of
// a request every ten seconds.
func TestFailingFetchesAreFew(t *testing.T) {
	x, g := gatedAPI(t)
	g.breakPath("/keys", true)
	x.clock.Advance(time.Hour)
	for range 30 * 60 / 10 {
		x.call("/api", x.token(nil)) // another one each time: what was verified is remembered
		x.clock.Advance(10 * time.Second)
	}
	if n := g.count("/keys"); n < 10 || n > 45 {
		t.Errorf("%d key fetches in half an hour, want one a minute", n)
	}
}

// TestSignOutDoesNotWait signs out, and in, while the discovery document is a day old and
// can't be had anew, and where it was never there.
func TestSignOutDoesNotWait(t *testing.T) {
	g := newGate()
	p := fakeprovider.New(t)
	c := fakeprovider.NewClock()
	p.Now = c.Now
	x := newApp(t, p, func(cfg *cognate.Config) {
		cfg.HTTPClient, cfg.Session.Lifetime = &http.Client{Transport: g}, 100*24*time.Hour
	})
	cognate.AuthWaits(x.auth, 0)
	b := x.browser(t)
	b.signIn(p)
	c.Advance(30 * 24 * time.Hour)
	defer g.hold(discoveryPath)()
	resp := b.request(http.MethodPost, "/logout")
	if got := resp.Header.Get("Location"); !strings.HasPrefix(got, p.URL+"/end?") {
		t.Errorf("sign-out leads to %q, want the provider's", got)
	}
	if resp := b.get("/private/"); resp.StatusCode != http.StatusFound {
		t.Errorf("sign-in: status %d", resp.StatusCode)
	}
	eventually(t, "the discovery document is not fetched anew", func() bool { return g.count(discoveryPath) > 1 })
	if n := g.count(discoveryPath); n != 2 {
		t.Errorf("%d requests for the discovery document, want the first and one under way", n)
	}
}

// TestSignOutWithoutDiscovery signs out of an app that never heard of its provider. The
// person is not to wait as long as the provider may take.
func TestSignOutWithoutDiscovery(t *testing.T) {
	fakeprovider.InVirtualTime(t, func(t *testing.T, p *fakeprovider.Provider) {
		g := newGate()
		g.base = p.HTTPClient.Transport
		defer g.hold(discoveryPath)()
		b := newApp(t, p, func(cfg *cognate.Config) { cfg.HTTPClient = &http.Client{Transport: g} }).browser(t)
		begun := time.Now()
		resp := b.request(http.MethodPost, "/logout")
		if took := time.Since(begun); took > 2*time.Second {
			t.Errorf("the sign-out took %s", took)
		}
		if got := resp.Header.Get("Location"); got != appOrigin+"/" {
			t.Errorf("to %q, want the app's own page", got)
		}
	})
}

// TestFetchOutlivesItsRequest: the visitor who caused a fetch leaves, and the others get
// what it brings.
func TestFetchOutlivesItsRequest(t *testing.T) {
	g := newGate()
	x := newBearerAPI(t, func(c *cognate.BearerConfig) { c.HTTPClient = &http.Client{Transport: g} })
	open := g.hold("/keys")
	ctx, cancel := context.WithCancel(t.Context())
	raw := x.token(nil)
	left := make(chan error)
	go func() {
		_, err := x.bearer.Verify(ctx, raw)
		left <- err
	}()
	eventually(t, "the keys are not asked for", func() bool { return g.count("/keys") == 1 })
	cancel()
	err := <-left
	if reasonOf(err) != cognate.ReasonProviderDown {
		t.Errorf("who left got %v", err)
	}
	open()
	_, err = x.bearer.Verify(t.Context(), raw)
	if err != nil || g.count("/keys") != 1 {
		t.Errorf("%v after %d key fetches, want one", err, g.count("/keys"))
	}
}

// TestPanickingClient: an HTTP client of the app's that panics ends no process.
func TestPanickingClient(t *testing.T) {
	bearer, err := cognate.NewBearer(cognate.BearerConfig{
		Issuers: []cognate.BearerIssuer{{Issuer: "https://op.example", Audiences: []string{"api"}}},
		HTTPClient: &http.Client{Transport: fakeprovider.RoundTripFunc(func(*http.Request) (*http.Response, error) {
			panic("a mistake")
		})},
	})
	if err != nil {
		t.Fatal(err)
	}
	raw := fakeprovider.SignRS256(fakeprovider.Keys()[0], "k",
		jwt.MapClaims{"iss": "https://op.example", "sub": "u", "aud": "api"})
	_, err = bearer.Verify(t.Context(), raw)
	if reasonOf(err) != cognate.ReasonProviderDown || !strings.Contains(err.Error(), "a mistake") {
		t.Errorf("error %.200v", err)
	}
}

// TestPassedOverKeysAreReported writes down, once, which keys of a set can't be used.
func TestPassedOverKeysAreReported(t *testing.T) {
	p := fakeprovider.New(t)
	c := fakeprovider.NewClock()
	p.Now = c.Now
	private := fakeprovider.JWK(fakeprovider.Keys()[1], "leaked")
	private["d"] = "AQAB"
	weak := fakeprovider.JWK(fakeprovider.Keys()[1], "short")
	weak["n"] = "AQAB"
	forbidden := fakeprovider.JWK(fakeprovider.Keys()[2], "for-signing")
	forbidden["key_ops"] = []string{"sign"}
	encryption := fakeprovider.JWK(fakeprovider.Keys()[2], "for-encryption")
	encryption["use"] = "enc"
	p.KeySet = []any{
		private, weak, forbidden, encryption, map[string]any{"kty": "OKP", "kid": "another-kind"},
		fakeprovider.JWK(p.Key, p.KeyID),
	}
	x := newApp(t, p, nil)
	for range 3 {
		x.browser(t).signIn(p)
		c.Advance(2 * time.Hour)
	}
	log := x.log.String()
	if n := strings.Count(log, "keys of the provider are skipped"); n != 1 {
		t.Errorf("%d lines, want one:\n%s", n, log)
	}
	for _, want := range []string{"leaked", "private half", "short", "has 17 bits", "for-signing", "without verify"} {
		if !strings.Contains(log, want) {
			t.Errorf("the log lacks %q:\n%s", want, log)
		}
	}
	if strings.Contains(log, "for-encryption") || strings.Contains(log, "another-kind") {
		t.Errorf("keys for other ends are reported:\n%s", log)
	}
	forger := fakeprovider.New(t)
	forger.KeySet, forger.Key, forger.KeyID = p.KeySet, fakeprovider.Keys()[1], "leaked"
	expectReason(t, forger, nil, cognate.ReasonTokenKey)
}

// TestNamesBelowLocalhost reaches a provider under a name that no resolver knows, and not by
// a proxy.
func TestNamesBelowLocalhost(t *testing.T) {
	const proxy = "HTTP_PROXY=http://127.0.0.1:1"
	if !slices.Contains(os.Environ(), proxy) {
		// A process of its own: the variable is read once.
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestNamesBelowLocalhost$", "-test.count=1")
		cmd.Env = append(os.Environ(), proxy)
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Errorf("with a proxy: %v\n%s", err, out)
		}
	}
	p := fakeprovider.New(t)
	for _, host := range []string{"shop.localhost", "a.b.LOCALHOST", "localhost", "pool.localhost."} {
		_, port, err := net.SplitHostPort(p.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		bearer, err := cognate.NewBearer(cognate.BearerConfig{Issuers: []cognate.BearerIssuer{{
			Issuer: p.Issuer, Audiences: []string{"api"}, JWKS: "http://" + host + ":" + port + "/keys",
		}}})
		if err != nil {
			t.Fatal(err)
		}
		now := time.Now()
		raw := fakeprovider.SignRS256(p.Key, p.KeyID,
			jwt.MapClaims{
				"iss": p.Issuer, "sub": "u", "aud": "api", "iat": now.Unix(), "exp": now.Add(time.Hour).Unix(),
			})
		_, err = bearer.Verify(t.Context(), raw)
		if err != nil {
			t.Errorf("%s: %v", host, err)
		}
	}
}

// TestNamesBelowLocalhostIPv6 finds who listens on the other loopback address alone.
func TestNamesBelowLocalhostIPv6(t *testing.T) {
	var lc net.ListenConfig
	l, err := lc.Listen(t.Context(), "tcp", "[::1]:0")
	if err != nil {
		t.Fatalf("this test needs IPv6 on the loopback interface: %v", err)
	}
	p := fakeprovider.New(t)
	other := &httptest.Server{Listener: l, Config: &http.Server{Handler: p.Config.Handler}}
	other.Start()
	defer other.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	p.Issuer = "http://pool.localhost:" + port
	x := newApp(t, p, func(c *cognate.Config) {
		c.Endpoints.Token, c.Endpoints.JWKS = p.Issuer+"/token", p.Issuer+"/keys"
	})
	b := x.browser(t)
	b.signIn(p)
	if !b.signedIn() {
		t.Errorf("not signed in: %s", x.log)
	}
}

// TestRefreshAtAnotherIssuer: a discovery document that can't be right says nothing about
// anybody's session.
func TestRefreshAtAnotherIssuer(t *testing.T) {
	p := fakeprovider.New(t)
	c := fakeprovider.NewClock()
	p.Now = c.Now
	store := newMemoryStore(c.Now)
	change := func(cfg *cognate.Config) { cfg.Session.Store = store }
	b := newApp(t, p, change).browser(t)
	b.signIn(p)
	p.EditDiscovery = func(d map[string]any) { d["issuer"] = "https://other.test" }
	c.Advance(time.Hour)
	b.app = newApp(t, p, change) // the next process
	if resp := b.get("/token"); resp.StatusCode != http.StatusBadGateway {
		t.Errorf("status %d, want 502", resp.StatusCode)
	}
	if !b.signedIn() {
		t.Errorf("the session has ended\n%s", b.app.log)
	}
}
