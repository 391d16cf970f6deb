package house_test

import (
	"maps"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// arrows says which packages of this repository a package may import. Packages are named by
// their folders; "." is the root package, and dir/... is dir and everything below it. The row
// for a package is the one that names it, or else that of the nearest dir/... above it.
//
// A row promises the reader of a package that they need to know no other packages. Extend one
// only with a good reason.
var arrows = []struct{ packages, may string }{
	// The library.
	{".", "internal/cache internal/gate internal/loopback internal/page " +
		"internal/refusal internal/returnto internal/testhook internal/utf8text " +
		"sessionstore internal/cookie internal/oidc internal/record internal/seal internal/session " +
		"internal/transaction"},
	{"redisstore", "sessionstore"},
	{"flaskoidc", ". internal/utf8text"},
	{"devtls", "internal/loopback internal/peek internal/utf8text"},
	{"cognatetest", ". internal/testhook userpool userpool/devview userpool/memstore " +
		"userpool/server userpool/store userpool/keys userpool/pool userpool/trace"},
	{"internal/gate", "internal/flight internal/refusal"},
	{"internal/record", "sessionstore internal/refusal internal/seal"},
	{"internal/session", "sessionstore internal/cache internal/cookie internal/flight internal/gate " +
		"internal/record internal/refusal internal/seal"},
	{"internal/transaction", "internal/cache internal/cookie internal/record internal/refusal internal/seal"},
	{"internal/oidc", "internal/cache internal/flight internal/gate internal/loopback " +
		"internal/refusal internal/utf8text"},
	{"internal/...", ""},

	// The local pool, from the ground up: words, what stands below the rules, the rules, those
	// that speak HTTP and know nothing of one another, and stores. None knows the library.
	{"userpool", "userpool/internal/text userpool/internal/naming userpool/internal/redirect " +
		"userpool/internal/oauthscope userpool/internal/palette"},
	{"userpool/store", ""},
	{"userpool/trace", "userpool userpool/internal/text"},
	{"userpool/keys", "userpool"},
	{"userpool/trigger", "internal/loopback userpool"},

	{"userpool/internal/naming", ""},
	{"userpool/internal/oauthscope", ""},
	{"userpool/internal/palette", ""},
	{"userpool/internal/redirect", ""},
	{"userpool/internal/decision", ""},
	{"userpool/internal/text", ""},
	{"userpool/internal/clock", ""},
	{"userpool/internal/gate", "userpool"},
	{"userpool/internal/password", "userpool"},
	{"userpool/internal/totp", "userpool"},
	{"userpool/internal/records", "userpool userpool/store userpool/keys userpool/internal/naming " +
		"userpool/internal/clock"},
	{"userpool/internal/core", "userpool userpool/internal/text userpool/internal/clock userpool/internal/gate " +
		"userpool/internal/password userpool/internal/records"},
	{"userpool/internal/triggers", "userpool userpool/internal/text userpool/internal/decision " +
		"userpool/internal/core"},
	{"userpool/internal/lockout", "userpool userpool/store userpool/internal/clock userpool/internal/records " +
		"userpool/internal/core"},
	{"userpool/internal/codes", "userpool userpool/store userpool/internal/text " +
		"userpool/internal/decision userpool/internal/clock userpool/internal/records " +
		"userpool/internal/core userpool/internal/triggers userpool/internal/lockout"},

	{"userpool/accounts", "userpool userpool/store userpool/internal/text userpool/internal/naming " +
		"userpool/internal/decision userpool/internal/clock userpool/internal/totp " +
		"userpool/internal/records userpool/internal/core userpool/internal/triggers " +
		"userpool/internal/lockout userpool/internal/codes"},
	{"userpool/signin", "userpool userpool/store userpool/internal/text userpool/internal/naming " +
		"userpool/internal/decision userpool/internal/clock userpool/internal/totp " +
		"userpool/internal/records userpool/internal/core userpool/internal/triggers " +
		"userpool/internal/lockout userpool/internal/codes userpool/accounts"},
	{"userpool/grants", "userpool userpool/store userpool/keys userpool/internal/text " +
		"userpool/internal/redirect userpool/internal/oauthscope userpool/internal/decision " +
		"userpool/internal/clock userpool/internal/records userpool/internal/core " +
		"userpool/internal/triggers userpool/accounts userpool/signin"},
	{"userpool/pool", "userpool userpool/store userpool/trace userpool/keys userpool/internal/gate " +
		"userpool/internal/password userpool/internal/records userpool/internal/core userpool/accounts " +
		"userpool/signin userpool/grants"},

	{"userpool/internal/browser", "userpool userpool/internal/decision userpool/grants"},
	{"userpool/internal/recorder", "userpool userpool/trace userpool/internal/browser"},
	{"userpool/oauth", "userpool userpool/internal/decision userpool/accounts userpool/grants " +
		"userpool/pool userpool/internal/browser"},
	{"userpool/hosted", "userpool userpool/internal/decision userpool/accounts userpool/signin " +
		"userpool/grants userpool/pool userpool/internal/browser userpool/internal/palette"},
	{"userpool/federation", "internal/loopback internal/utf8text userpool userpool/internal/decision " +
		"userpool/grants userpool/pool userpool/internal/browser"},
	{"userpool/devview", "userpool userpool/trace userpool/internal/decision userpool/accounts " +
		"userpool/grants userpool/pool"},
	{"userpool/server",
		"userpool userpool/pool userpool/internal/browser userpool/internal/recorder userpool/oauth " +
			"userpool/hosted userpool/federation userpool/devview"},

	{"userpool/memstore", "userpool/store"},
	{"userpool/storetest",
		"userpool userpool/store userpool/keys userpool/accounts userpool/signin userpool/grants " +
			"userpool/pool"},
	{"userpool/internal/pooltest",
		"userpool userpool/store userpool/keys userpool/pool userpool/server userpool/memstore"},

	{"sessionstore", ""},

	{"sessionstore/storetest", "sessionstore"},

	// The demo, and what it shares with the program.
	{"demo", "internal/demo internal/terminal"},
	{"internal/demo", ". devtls examples/hello/app internal/listen internal/localpool internal/terminal userpool " +
		"userpool/memstore userpool/pool userpool/server userpool/trace"},
	{"internal/localpool", ". internal/terminal userpool userpool/devview"},
	{"internal/listen", "devtls internal/loopback internal/peek internal/terminal"},
	{"internal/terminal", ""},

	// The program. What needs other people's code knows of the pool only what it implements.
	{"cmd/cognate", ". cmd/cognate/internal/... devtls internal/demo internal/listen internal/localpool " +
		"internal/loopback internal/terminal userpool userpool/memstore userpool/server userpool/trigger " +
		"userpool/store userpool/pool userpool/trace"},
	{"cmd/cognate/internal/passkeys", "userpool userpool/signin"},
	{"cmd/cognate/internal/sqlstore", "userpool/store"},
	{"cmd/cognate/internal/mail", "userpool internal/loopback"},
	{"cmd/cognate/internal/saml", "userpool internal/utf8text userpool/signin"},
	{"cmd/cognate/internal/poolconfig", "userpool cmd/cognate/internal/suggest cmd/cognate/internal/textfile " +
		"userpool/store userpool/accounts userpool/pool internal/terminal"},
	{"cmd/cognate/internal/textfile", "internal/utf8text"},
	{"cmd/cognate/internal/sqlstore/pgtest cmd/cognate/internal/suggest cmd/cognate/internal/trust " +
		"cmd/cognate/internal/completion", ""},

	// Who uses both. The browser tests start the program and import nothing.
	{"examples/api/app", ". sessionstore"},
	{"examples/cluster/app", ". sessionstore examples/internal/page"},
	{"examples/...", ". devtls redisstore examples/..."},
	{"bench/servers", ". sessionstore redisstore"},
	{"bench/...", ". bench/... internal/freeport userpool userpool/grants userpool/memstore " +
		"userpool/pool userpool/server"},
	{"redisstore/redistest", "internal/freeport"},
	{"e2e/...", ""},

	// It makes releases of all of them, and knows them by their go.mod files.
	{"tools/release", ""},
}

// TestArrows checks that packages import only what arrows allows, test files aside. An entry
// of arrows that is not needed any more is also an error.
func TestArrows(t *testing.T) {
	used := map[string]bool{} // "packages of a row: name", and "packages of a row -> name"
	imports := imports(t)
	for _, pkg := range slices.Sorted(maps.Keys(imports)) {
		packages, may, name := row(pkg)
		if name == "" {
			t.Errorf("%s has no row in arrows: say there what it may import", pkg)
			continue
		}
		used[packages+": "+name] = true
		for _, imported := range imports[pkg] {
			allowed := match(imported, may)
			if len(allowed) == 0 {
				t.Errorf("%s imports %s, which its row in arrows does not allow", pkg, imported)
			}
			for _, name := range allowed {
				used[packages+" -> "+name] = true
			}
		}
	}
	for _, r := range arrows {
		for _, name := range strings.Fields(r.packages) {
			if !used[r.packages+": "+name] {
				t.Errorf("arrows has a row for %s, and no package goes by it", name)
			}
		}
		for _, name := range strings.Fields(r.may) {
			if !used[r.packages+" -> "+name] {
				t.Errorf("arrows lets %s import %s, and none does", r.packages, name)
			}
		}
	}
}

// row returns the row for a package, and the name in it that matched: the longest.
func row(pkg string) (packages, may, name string) {
	for _, r := range arrows {
		for _, n := range match(pkg, r.packages) {
			if n == pkg || name != pkg && len(n) > len(name) {
				packages, may, name = r.packages, r.may, n
			}
		}
	}
	return packages, may, name
}

// match returns those of the names that match a package.
func match(pkg, names string) (found []string) {
	for _, name := range strings.Fields(names) {
		dir, below := strings.CutSuffix(name, "/...")
		if pkg == dir || below && strings.HasPrefix(pkg, dir+"/") {
			found = append(found, name)
		}
	}
	return found
}

// TestTestsOnly checks that no package of a program imports packages that are for tests,
// above all the one that makes users signed in without a sign-in.
func TestTestsOnly(t *testing.T) {
	may := map[string][]string{
		"internal/testhook":     {".", "cognatetest"},
		"cognatetest":           nil,
		"internal/cases":        nil,
		"internal/fakeprovider": nil,
		"internal/pipes":        nil,
		"internal/interrupt":    nil,
	}
	found := 0
	for pkg, imported := range imports(t) {
		for _, name := range imported {
			who, guarded := may[name]
			if !guarded {
				continue
			}
			found++
			if !slices.Contains(who, pkg) {
				t.Errorf("%s imports %s", pkg, name)
			}
		}
	}
	if found != 2 {
		t.Errorf("found %d imports of testhook, want those of its two users", found)
	}
}

// TestDependencies pins the packages of other modules that the library depends on.
func TestDependencies(t *testing.T) {
	got := slices.DeleteFunc(dependencies(t, "{{.ImportPath}}", "."), own)
	want := []string{
		"golang.org/x/oauth2",
		"golang.org/x/oauth2/internal",
		"golang.org/x/sync/singleflight",
	}
	if !slices.Equal(got, want) {
		t.Errorf("dependencies\n%q, want\n%q", got, want)
	}
}

// TestDemoDependencies pins the modules that the demo depends on. It is the first program that
// people run, and compiles while they wait: a database or a framework would double that.
func TestDemoDependencies(t *testing.T) {
	got := slices.DeleteFunc(dependencies(t, "{{.Module.Path}}", "./demo"), own)
	want := []string{
		"github.com/golang-jwt/jwt/v5",
		"golang.org/x/crypto",
		"golang.org/x/oauth2",
		"golang.org/x/sync",
		"golang.org/x/sys",
		"rsc.io/qr",
	}
	if !slices.Equal(got, want) {
		t.Errorf("modules\n%q, want\n%q", got, want)
	}
}

// dependencies returns a fact about each package outside of the standard library that a package
// depends on, sorted, each once.
func dependencies(t *testing.T, fact, pkg string) []string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-deps", "-f",
		"{{if not .Standard}}"+fact+"{{end}}", pkg).Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	facts := strings.Fields(string(out))
	slices.Sort(facts)
	return slices.Compact(facts)
}

// own reports whether a package or a module is this repository's.
func own(path string) bool { return strings.HasPrefix(path, "github.com/cognate-auth/cognate") }
