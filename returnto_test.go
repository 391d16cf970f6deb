package cognate_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/cognate-auth/cognate"
	"github.com/cognate-auth/cognate/internal/fakeprovider"
)

// hostileTargets would leave the site, or might in some browser, proxy or framework.
var hostileTargets = []string{
	"", " ", "evil.test", "evil.test/", ".", "..", "../..", "../../evil.test", "./x", "hello", "?x=1", "#x",
	"https://evil.test", "https://evil.test/", "HTTPS://evil.test", "http://evil.test/private/", "https:evil.test",
	"https:/evil.test", "https:///evil.test", "https:\\\\evil.test", "http:evil.test", "ftp://evil.test",
	"javascript:alert(1)", "JaVaScRiPt:alert(1)", "data:text/html,x", "vbscript:x", "mailto:a@evil.test", "app.test:evil",
	"//evil.test", "//evil.test/%2e%2e", "///evil.test", "////evil.test", "//", "///", "//app.test@evil.test",
	"//user:pass@evil.test", "//evil.test:80", "//[::1]/", "//\tevil.test", "/\\evil.test", "/\\/evil.test", "\\\\evil.test",
	"\\/evil.test", "/\\\\evil.test", "/private\\..\\..\\evil", "/x\\@evil.test", "/\t/evil.test", "/\n/evil.test", "/\r/evil.test",
	"\t//evil.test", "\n//evil.test", " //evil.test", " https://evil.test", "\x00//evil.test", "/\x00/evil.test", "/x\x7fy",
	"/x\r\nSet-Cookie: a=b", "/x\r\nLocation: https://evil.test", "/%0d%0aLocation:%20https://evil.test", "/%0a/evil.test",
	"/%09/evil.test", "/%00", "/%2f/evil.test", "/%2fevil.test", "/%2Fevil.test", "/%5cevil.test", "/%5C/evil.test",
	"/%252fevil.test", "/%255cevil.test", "/.//evil.test", "/..//evil.test", "/%2e%2e//evil.test", "/x/..//evil.test",
	"/x/../../evil.test", "/%2e%2e/%2e%2e/evil.test", "/./", "/x/.", "/x/..", "/;//evil.test//", "/;x//evil.test", "/;/..;//evil.test",
	"/a/..;/evil.test", "/a/%252e%252e//evil.test", "/.;//evil.test",
	"@evil.test", "/@evil.test//..//", ":evil.test", ":80", "app.test.evil.test", "https://app.test@evil.test/",
	"https://app.test.evil.test/", "https://app.test\\@evil.test", "\u2028//evil.test", "\ufeff//evil.test", "〱〱evil.test",
	"/%zz", "/%", "/%2", strings.Repeat("/", 50) + "evil.test", "/" + strings.Repeat("a", 3000), "http://", "https://", "https:", ":",
}

// goodTargets are pages of this site, and how they are spelled in a Location header.
var goodTargets = map[string]string{
	"/": "/", "/private/": "/private/", "/a/b?c=d&e=//f": "/a/b?c=d&e=//f", "/a?next=https://evil.test": "/a?next=https://evil.test",
	"/a#b": "/a#b", "/a%2Fb": "/a%2Fb", "/100%25": "/100%25", "/ä": "/%C3%A4", "/a?q=ä b": "/a?q=%C3%A4%20b", "/a b": "/a%20b",
	"/evil.test": "/evil.test", "/@evil": "/@evil", "/a:b": "/a:b", "/a;b=c": "/a;b=c", "/a?": "/a?", "/~u/(x)": "/~u/(x)", "/…": "/%E2%80%A6",
	"/／evil.test": "/%EF%BC%8Fevil.test", "/a//b": "/a//b", "/x//evil.test": "/x//evil.test", "/a//": "/a//", "/a///b?c=//d": "/a///b?c=//d",
	"/a;b//c": "/a;b//c", "/;x": "/;x", "/...": "/...", "/a/..b": "/a/..b",
}

func TestHostileReturnTargets(t *testing.T) {
	if len(hostileTargets) < 60 {
		t.Fatalf("only %d hostile targets", len(hostileTargets))
	}
	for _, target := range hostileTargets {
		if got, ok := cognate.LocalTarget(target); ok {
			t.Errorf("%q was taken, as %q", target, got)
		}
	}
}

func TestGoodReturnTargets(t *testing.T) {
	for target, want := range goodTargets {
		if got, ok := cognate.LocalTarget(target); !ok || got != want {
			t.Errorf("%q became %q, %v; want %q", target, got, ok, want)
		}
	}
}

// TestHostileReturnTargetsEndToEnd follows each through a whole sign-in, from the login
// path and from a protected page of that name, and resolves where the browser lands as
// a browser does.
func TestHostileReturnTargetsEndToEnd(t *testing.T) {
	p := fakeprovider.New(t)
	x := newApp(t, p, nil)
	for _, target := range hostileTargets {
		b := x.browser(t)
		resp := b.get("/login?return_to=" + url.QueryEscape(target))
		resp = b.get("/oidc_callback?" + p.SignIn(t, resp.Header.Get("Location")).Encode())
		if got := resp.Header.Get("Location"); resp.StatusCode != http.StatusFound || got != "/" {
			t.Errorf("%q: status %d to %q, want the home page", target, resp.StatusCode, got)
		}
	}
}

func FuzzReturnTarget(f *testing.F) {
	for _, target := range hostileTargets {
		f.Add(target)
	}
	for target := range goodTargets {
		f.Add(target)
	}
	base, err := url.Parse("https://app.test/login")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, target string) {
		got, ok := cognate.LocalTarget(target)
		if !ok {
			return
		}
		if !strings.HasPrefix(got, "/") || strings.HasPrefix(got, "//") || strings.ContainsAny(got, "\\\r\n\t\x00 ") {
			t.Fatalf("%q became %q", target, got)
		}
		u, err := base.Parse(got)
		if err != nil || u.Host != "app.test" || u.Scheme != "https" {
			t.Fatalf("%q became %q, which leads to %v (%v)", target, got, u, err)
		}
		if again, ok := cognate.LocalTarget(got); !ok || again != got {
			t.Fatalf("%q became %q, and that %q, %v", target, got, again, ok)
		}
	})
}
