package oauth

import (
	"encoding/base64"
	"net/url"
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
