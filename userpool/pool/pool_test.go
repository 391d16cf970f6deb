package pool_test

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/cognate-auth/cognate/userpool"
	"github.com/cognate-auth/cognate/userpool/internal/pooltest"
	"github.com/cognate-auth/cognate/userpool/memstore"
	"github.com/cognate-auth/cognate/userpool/pool"
)

// TestNewRefuses has configurations that New must not accept, and the field it
// must name.
func TestNewRefuses(t *testing.T) {
	t.Parallel()
	email := []string{"email"}
	costly := userpool.HashCost{MemoryKiB: 1 << 30, Passes: 1, Lanes: 1}
	good := pool.Config{ID: "local_a1", Issuer: "http://localhost/local_a1", Store: memstore.New()}
	for name, tt := range map[string]struct {
		change func(*pool.Config)
		field  string
	}{
		"no store":         {func(c *pool.Config) { c.Store = nil }, "Config.Store"},
		"bad id":           {func(c *pool.Config) { c.ID = "a b_c" }, "Config.ID"},
		"no underscore":    {func(c *pool.Config) { c.ID = "abc" }, "Config.ID"},
		"line break in id": {func(c *pool.Config) { c.ID = "local_a1\n" }, "Config.ID"},
		"long id":          {func(c *pool.Config) { c.ID = "local_" + strings.Repeat("a", 50) }, "Config.ID"},
		"no issuer":        {func(c *pool.Config) { c.Issuer = "" }, "Config.Issuer"},
		"other pool":       {func(c *pool.Config) { c.Issuer = "http://localhost/local_b2" }, "Config.Issuer"},
		"no scheme":        {func(c *pool.Config) { c.Issuer = "localhost/local_a1" }, "Config.Issuer"},
		"query":            {func(c *pool.Config) { c.Issuer = "http://localhost/?/local_a1" }, "Config.Issuer"},
		"phone": {
			func(c *pool.Config) { c.Settings.AliasAttributes = []string{"phone"} }, "Settings.Alias",
		},
		"unknown user names": {
			func(c *pool.Config) { c.Settings.UsernameAttributes = []string{"x"} }, "Settings.Username",
		},
		"both kinds": {
			func(c *pool.Config) { c.Settings.UsernameAttributes, c.Settings.AliasAttributes = email, email },
			"Settings.AliasAttributes",
		},
		"too much memory": {func(c *pool.Config) { c.Hashing = costly }, "Config.Hashing"},
	} {
		cfg := good
		tt.change(&cfg)
		_, err := pool.New(t.Context(), cfg)
		if err == nil || !strings.Contains(err.Error(), tt.field) {
			t.Errorf("%s: got error %v, want one about %s", name, err, tt.field)
		}
	}
}

// TestNewPicksAnID checks the id of a pool that was given none.
func TestNewPicksAnID(t *testing.T) {
	t.Parallel()
	keys, err := pooltest.Keys()
	if err != nil {
		t.Fatal(err)
	}
	p, err := pool.New(t.Context(), pool.Config{
		Issuer: "http://localhost:1/", Store: memstore.New(), Keys: keys,
	})
	if err != nil {
		t.Fatal(err)
	}
	form := regexp.MustCompile(`^local_[a-z0-9]{9}$`)
	if !form.MatchString(p.ID()) || p.Issuer() != "http://localhost:1/"+p.ID() {
		t.Errorf("got id %s, issuer %s", p.ID(), p.Issuer())
	}
}

// TestExpiredIsCollected checks that the pool tidies up behind itself.
func TestExpiredIsCollected(t *testing.T) {
	t.Parallel()
	e := pooltest.New(t)
	e.Session(t)
	e.TrySignIn(t, "nobody", "x")
	e.Code(t)
	e.Clock.Advance(2 * time.Hour)
	e.Session(t) // any write will do
	n, err := e.Store.DeleteExpired(t.Context(), e.Clock.Now(), 100)
	if err != nil || n != 0 {
		t.Errorf("%d expired records were left, error %v", n, err)
	}
}
