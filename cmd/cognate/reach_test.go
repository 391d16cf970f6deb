package main

import (
	"log/slog"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/alecthomas/kong"

	"github.com/cognate-auth/cognate/cmd/cognate/internal/poolconfig"
	"github.com/cognate-auth/cognate/internal/terminal"
	"github.com/cognate-auth/cognate/userpool/memstore"
)

// reachableSite starts pools as cognate pool does with these flags.
func reachableSite(t *testing.T, flags reachFlags, view devViewFlags, pools ...poolconfig.Pool) *site {
	t.Helper()
	addr, err := flags.listenAt()
	if err != nil {
		t.Fatal(err)
	}
	s, err := flags.site(addr)
	if err != nil {
		t.Fatal(err)
	}
	s.store, s.log = memstore.New(), slog.New(slog.DiscardHandler)
	s.view, err = view.view(addr.Open)
	if err != nil {
		t.Fatal(err)
	}
	err = s.start(t.Context(), &poolconfig.File{Pools: pools})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestWhereItIsFound checks where a pool says that it is: its home, its issuer and its keys,
// and under which names it answers.
func TestWhereItIsFound(t *testing.T) {
	t.Parallel()
	one, shop := poolconfig.Pool{ID: "local_One"}, poolconfig.Pool{ID: "local_One", Domain: "shop"}
	both := poolconfig.Pool{ID: "local_One", Domain: "pool", CustomDomain: "auth.test"}
	for _, tt := range []struct {
		addr, url    string
		pool         poolconfig.Pool
		home, issuer string
		hosts        []string
	}{
		{"0.0.0.0:9229", "", one, "http://localhost:9229", "http://localhost:9229", []string{"localhost"}},
		{"[::]:9229", "", one, "http://localhost:9229", "http://localhost:9229", []string{"localhost"}},
		{"192.0.2.7:9229", "", one, "http://192.0.2.7:9229", "http://192.0.2.7:9229", []string{"192.0.2.7"}},
		{"0.0.0.0:9229", "", shop, "http://shop.localhost:9229", "http://localhost:9229",
			[]string{"shop.localhost", "localhost"}},
		{"0.0.0.0:9229", "http://pool.localhost:9229", one, "http://pool.localhost:9229", "http://pool.localhost:9229",
			[]string{"pool.localhost"}},
		{"0.0.0.0:9229", "http://localhost:8080/", one, "http://localhost:8080", "http://localhost:8080",
			[]string{"localhost"}},
		{"0.0.0.0:9229", "http://pool:9229", one, "http://pool:9229", "http://pool:9229", []string{"pool"}},
		{"127.0.0.1:9229", "https://Auth.Test", one, "https://auth.test", "https://auth.test", []string{"auth.test"}},
		{"127.0.0.1:9229", "http://[2001:db8::1]:9229", one, "http://[2001:db8::1]:9229", "http://[2001:db8::1]:9229",
			[]string{"2001:db8::1"}},
		{"0.0.0.0:9229", "http://pool.localhost:9229", shop, "http://pool.localhost:9229", "http://pool.localhost:9229",
			[]string{"pool.localhost", "shop.localhost"}},
		{"0.0.0.0:9229", "http://pool.localhost:9229", both, "http://pool.localhost:9229", "http://pool.localhost:9229",
			[]string{"pool.localhost", "auth.test"}},
	} {
		s := reachableSite(t, reachFlags{Addr: tt.addr, URL: tt.url}, devViewFlags{}, tt.pool)
		p := s.table.Load().pools[0]
		if !slices.Equal(p.hosts, tt.hosts) {
			t.Errorf("%+v: the pool has the hosts %q", tt, p.hosts)
		}
		for _, host := range append(tt.hosts, "localhost", "127.0.0.1", "[::1]") {
			if strings.Contains(host, "::") {
				host = "[" + strings.Trim(host, "[]") + "]"
			}
			status, body := get(t, s, host, "/local_One/.well-known/openid-configuration")
			for _, want := range []string{
				`"issuer":"` + tt.issuer + `/local_One"`, `"token_endpoint":"` + tt.home + `/oauth2/token"`,
				`"jwks_uri":"` + tt.issuer + `/local_One/.well-known/jwks.json"`,
			} {
				if status != http.StatusOK || !strings.Contains(body, want) {
					t.Errorf("%+v: at %s it is %d and lacks %s:\n%s", tt, host, status, want, body)
				}
			}
		}
		for _, host := range []string{"0.0.0.0:9229", "[::]:9229", "pool.evil.test", "192.0.2.8"} {
			if status, _ := get(t, s, host, "/login"); status != http.StatusMisdirectedRequest {
				t.Errorf("%+v: at %s it is %d, want 421", tt, host, status)
			}
		}
	}
}

// TestOpenPool checks what an address that other machines can connect to takes away: the
// developer's view, unless somebody asked for it. The terminal says so.
func TestOpenPool(t *testing.T) {
	t.Parallel()
	const token = "nobody-guesses-1"
	for _, tt := range []struct {
		addr string
		view devViewFlags
		want int // status of the view without a token
	}{
		{"127.0.0.1:9229", devViewFlags{}, http.StatusUnauthorized},
		{"0.0.0.0:9229", devViewFlags{}, http.StatusNotFound},
		{"192.0.2.7:9229", devViewFlags{}, http.StatusNotFound},
		{"0.0.0.0:9229", devViewFlags{DevViewToken: token}, http.StatusUnauthorized},
		{"0.0.0.0:9229", devViewFlags{InsecureDevViewAnywhere: true}, http.StatusOK},
	} {
		pools := []poolconfig.Pool{{ID: "local_One"}}
		s := reachableSite(t, reachFlags{Addr: tt.addr}, tt.view, pools...)
		for _, path := range []string{"/_cognate/", "/_cognate/outbox.json", "/_cognate/users"} {
			if status, _ := get(t, s, s.addr.Host, path); status != tt.want {
				t.Errorf("%+v: %s is %d", tt, path, status)
			}
		}
		if off := tt.want == http.StatusNotFound; (s.view.Outbox(s.base(s.addr.Host)) == "") != off {
			t.Errorf("%+v: messages are said to be at %q", tt, s.view.Outbox(s.base(s.addr.Host)))
		}
		var b strings.Builder
		announceSite(terminal.Streams{Out: &b, Err: &b}, s, &poolconfig.File{Pools: pools}, inMemory, "")
		open := tt.addr != "127.0.0.1:9229"
		if strings.Contains(b.String(), "as 127.0.0.1:9229:9229 is for the engine's machine alone") != open ||
			strings.Contains(b.String(), "off: other machines") != (tt.want == http.StatusNotFound) {
			t.Errorf("%+v: it says\n%s", tt, &b)
		}
		if strings.Contains(b.String(), token) {
			t.Errorf("%+v: it says the token:\n%s", tt, &b)
		}
		for line := range strings.Lines(b.String()) {
			if len([]rune(strings.TrimRight(line, "\n"))) > 80 {
				t.Errorf("too wide: %s", line)
			}
		}
	}
}

// TestHealthAtAnyHost asks at a name that no pool has, and too often: an engine asks at the
// address of the container.
func TestHealthAtAnyHost(t *testing.T) {
	t.Parallel()
	s := newSite(t, twoPools()...)
	s.limit = 1
	err := s.start(t.Context(), &poolconfig.File{Pools: twoPools()})
	if err != nil {
		t.Fatal(err)
	}
	for range 5 {
		for _, host := range []string{"172.18.0.2:9229", "evil.example", "localhost:9229", ""} {
			status, body := get(t, s, host, "/_cognate/health")
			if status != http.StatusOK || body != `{"status":"ok"}`+"\n" {
				t.Errorf("%s: %d %q", host, status, body)
			}
		}
	}
}

// TestContainersPage checks that the variables and flags that docs/containers.md names are those
// of the program.
func TestContainersPage(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/containers.md")
	if err != nil {
		t.Fatal(err)
	}
	parser, err := kong.New(&cli{}, kong.Vars{"version": "", "store": defaultStore})
	if err != nil {
		t.Fatal(err)
	}
	known := map[string]bool{}
	err = kong.Visit(parser.Model, func(node kong.Visitable, next kong.Next) error {
		if flag, ok := node.(*kong.Flag); ok {
			known["--"+flag.Name] = true
			for _, env := range flag.Envs {
				known[env] = true
			}
		}
		return next(nil)
	})
	if err != nil {
		t.Fatal(err)
	}
	named := regexp.MustCompile(`COGNATE_[A-Z_]+`).FindAllString(string(page), -1)
	commands := regexp.MustCompile("cognate (?:pool|health|client-secrets)[^\n`]*|`--addr [^`]*|`--url [^`]*")
	for _, m := range commands.FindAllString(string(page), -1) {
		named = append(named, regexp.MustCompile(`--[a-z-]+`).FindAllString(m, -1)...)
	}
	if len(named) < 20 {
		t.Errorf("the page names %q", named)
	}
	for _, name := range named {
		if !known[name] {
			t.Errorf("the page names %s, and the program has no such thing", name)
		}
	}
}
