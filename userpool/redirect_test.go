package userpool_test

import (
	"net/url"
	"strings"
	"testing"

	"github.com/cognate-auth/cognate/userpool"
)

// FuzzRedirectURI checks what every registered URI must be, whichever way it
// is looked at.
func FuzzRedirectURI(f *testing.F) {
	for _, s := range []string{
		"https://app.test/cb?x=1", "http://localhost:3000", "http://[::1]/", "myapp://", "javascript://%0a",
		"https://a@b/", "https://a\\b/", "http://localhost:80:80/", "com.example:/cb",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if userpool.CheckRedirectURI(s) != nil {
			return
		}
		u, err := url.Parse(s)
		if err != nil || !u.IsAbs() || u.User != nil || u.Fragment != "" || u.Opaque != "" {
			t.Fatalf("%q was accepted: %+v, %v", s, u, err)
		}
		if u.Scheme == "http" && u.Hostname() != "::1" && u.Hostname() != "127.0.0.1" &&
			!strings.EqualFold(u.Hostname(), "localhost") {
			t.Errorf("%q: plain http to %s", s, u.Hostname())
		}
		notPrintable := func(r rune) bool { return r <= ' ' || r > '~' }
		if strings.ContainsFunc(s, notPrintable) || strings.ContainsAny(s, `\"<>`) {
			t.Errorf("%q holds a character that no URI has", s)
		}
	})
}

// TestCheckRedirectURI is the table of what may be registered.
func TestCheckRedirectURI(t *testing.T) {
	t.Parallel()
	for uri, want := range map[string]bool{
		"https://app.test": true, "https://app.test/": true, "https://app.test:8443/cb?x=1&y=%20": true,
		"http://localhost": true, "http://localhost:3000/cb": true, "http://127.0.0.1:5000/oidc_callback": true,
		"http://[::1]:8080/": true, "https://127.0.0.1:5000/": true, "https://[2001:db8::1]/": true,
		"myapp://signin": true, "myapp://": true, "com.example.app:/cb": true,
		"https://xn--bcher-kva.example/":         true,
		"https://a/" + strings.Repeat("a", 1014): true, "https://a/" + strings.Repeat("a", 1015): false,
		"": false, "/callback": false, "//app.test/": false, "app.test/cb": false, "https:": false,
		"https://":    false,
		"https:///cb": false, "https:cb": false, "https:/app.test": false, "http://app.test/": false,
		"http://localhost.evil.test/": false, "http://127.0.0.1.evil.test/": false, "http://127.0.0.2/": false,
		"http://0.0.0.0/": false, "http://[::2]/": false, "http://localhost@evil.test/": false,
		"https://user@app.test/": false, "https://user:pw@app.test/": false, "https://app.test/#": false,
		"https://app.test/#x": false, "https://app.test/ x": false, "https://app.test/\n": false,
		"https://app.test\\@evil.test": false, "https://app.test/\x00": false, "https://bücher.example/": false,
		"https://app.test/ü": false, "https://app.test/%": false, "https://app.test/%zz": false,
		"https://app.test/<x>": false, `https://app.test/"`: false, "https://app.test:0/": false,
		"https://app.test:65536/": false, "https://app.test:x/": false, "https://app.test:/": false,
		"https://app.test;evil.test/": false, "https://app.test,evil.test/": false, "https://*.test/": false,
		"https://-app.test/": false, "javascript:alert(1)": false, "javascript://x/%0aalert(1)": false,
		"JavaScript://x": false, "data:text/html,x": false, "vbscript://x": false, "file:///etc/passwd": false,
		"blob:https://app.test/x": false, "view-source://x": false, "about:blank": false, "ftp://app.test/": false,
		"mailto:a@b.test": false, "myapp:cb": false, "1app://x": false, " https://app.test/": false,
	} {
		err := userpool.CheckRedirectURI(uri)
		if (err == nil) != want {
			t.Errorf("%.60q: got error %v, want allowed %t", uri, err, want)
		}
	}
}
