package returnto_test

import (
	"net/url"
	"strings"
	"testing"

	"github.com/cognate-auth/cognate/internal/cases"
	"github.com/cognate-auth/cognate/internal/returnto"
)

// goodTargets are pages of this site, and how they are spelled in a Location header.
var goodTargets = map[string]string{
	"/": "/", "/private/": "/private/", "/a/b?c=d&e=//f": "/a/b?c=d&e=//f",
	"/a?next=https://evil.test": "/a?next=https://evil.test",
	"/a#b":                      "/a#b", "/a%2Fb": "/a%2Fb", "/100%25": "/100%25", "/ä": "/%C3%A4",
	"/a?q=ä b": "/a?q=%C3%A4%20b", "/a b": "/a%20b",
	"/evil.test": "/evil.test", "/@evil": "/@evil", "/a:b": "/a:b", "/a;b=c": "/a;b=c", "/a?": "/a?",
	"/~u/(x)": "/~u/(x)", "/…": "/%E2%80%A6",
	"/／evil.test": "/%EF%BC%8Fevil.test", "/a//b": "/a//b", "/x//evil.test": "/x//evil.test", "/a//": "/a//",
	"/a///b?c=//d": "/a///b?c=//d",
	"/a;b//c":      "/a;b//c", "/;x": "/;x", "/...": "/...", "/a/..b": "/a/..b",
}

func TestHostileReturnTargets(t *testing.T) {
	if len(cases.HostileTargets) < 60 {
		t.Fatalf("only %d hostile targets", len(cases.HostileTargets))
	}
	for _, target := range cases.HostileTargets {
		if got, ok := returnto.Local(target); ok {
			t.Errorf("%q was taken, as %q", target, got)
		}
	}
}

func TestGoodReturnTargets(t *testing.T) {
	for target, want := range goodTargets {
		if got, ok := returnto.Local(target); !ok || got != want {
			t.Errorf("%q became %q, %v; want %q", target, got, ok, want)
		}
	}
}

func FuzzReturnTarget(f *testing.F) {
	for _, target := range cases.HostileTargets {
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
		got, ok := returnto.Local(target)
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
		if again, ok := returnto.Local(got); !ok || again != got {
			t.Fatalf("%q became %q, and that %q, %v", target, got, again, ok)
		}
	})
}
