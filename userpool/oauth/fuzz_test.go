package oauth

import (
	"encoding/base64"
	"net/url"
	"regexp"
	"strings"
	"testing"
)

// FuzzBasic checks that what is accepted can be written again, in the form of
// RFC 6749 section 2.3.1, and is then read as the same.
func FuzzBasic(f *testing.F) {
	for _, pair := range []string{"app:secret", "a+b:c%2Bd", ":", "a:b:c", "%zz:", "\xff:\x00"} {
		f.Add("Basic " + base64.StdEncoding.EncodeToString([]byte(pair)))
	}
	f.Add("basic")
	f.Add("Bearer x")
	f.Fuzz(func(t *testing.T, header string) {
		c, ok := parseBasic(header)
		if !ok {
			return
		}
		if !c.Basic || !strings.HasPrefix(strings.ToLower(header), "basic ") {
			t.Fatalf("accepted %q", header)
		}
		pair := url.QueryEscape(c.ID) + ":" + url.QueryEscape(string(c.Secret))
		if strings.Contains(c.ID+string(c.Secret), " ") {
			return // QueryEscape writes a plus sign, which is taken as itself
		}
		again, ok := parseBasic("Basic " + base64.StdEncoding.EncodeToString([]byte(pair)))
		if len(pair) < 700 && (!ok || again != c) {
			t.Errorf("%q is not read as it was written", pair)
		}
	})
}

// FuzzPreflight checks that what a preflight asks for comes back as header names
// or not at all.
func FuzzPreflight(f *testing.F) {
	for _, seed := range []string{"x-amz-user-agent", "a, b", "", ",,", "a b", "a\r\nSet-Cookie: x=1", "*", "é"} {
		f.Add(seed, "")
	}
	f.Add("a", "b,c")
	names := regexp.MustCompile("^[!#$%&'*+.^_`|~0-9A-Za-z-]+(, [!#$%&'*+.^_`|~0-9A-Za-z-]+)*$")
	f.Fuzz(func(t *testing.T, one, two string) {
		got := wantedHeaders([]string{one, two})
		if !names.MatchString(got) || len(got) > 2*maxWanted {
			t.Errorf("%q, %q: got %q", one, two, got)
		}
		both := one + ", " + two
		if names.MatchString(both) && len(both) < maxWanted && got != both {
			t.Errorf("%q: got %q", both, got)
		}
	})
}
