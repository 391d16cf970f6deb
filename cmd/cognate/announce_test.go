package main

import (
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"github.com/cognate-auth/cognate/cmd/cognate/internal/poolconfig"
	"github.com/cognate-auth/cognate/internal/terminal"
)

// TestAnnouncementsFit prints the longest addresses that are possible by default into
// 80 columns.
func TestAnnouncementsFit(t *testing.T) {
	var b strings.Builder
	term := terminal.Streams{Out: &b, Err: &b}
	f, err := new(configFlags).quickFile()
	if err != nil {
		t.Fatal(err)
	}
	site := newSite(t, f.Pools...)
	announceSite(term, site, f, inMemory, "")
	for line := range strings.Lines(b.String()) {
		if n := len([]rune(strings.TrimRight(line, "\n"))); n > 80 {
			t.Errorf("%d columns: %s", n, line)
		}
	}
	b.Reset()
	announceSite(term, site, f, inMemory, "The browser may warn.")
	if !strings.Contains(b.String(), "may warn.\n\n") {
		t.Errorf("the warning is not apart:\n%s", b.String())
	}
	if !strings.Contains(b.String(), "Ctrl-C") {
		t.Error("nothing says how to stop")
	}
}

// TestHostsLine checks the line that programs other than browsers need to find pools
// with host names of their own.
func TestHostsLine(t *testing.T) {
	for name, tt := range map[string]struct {
		pools []poolconfig.Pool
		want  string // empty: no line
	}{
		"one pool":  {[]poolconfig.Pool{{ID: "local_One"}}, ""},
		"a domain":  {[]poolconfig.Pool{{ID: "local_One", Domain: "myapp"}}, "\n    127.0.0.1 myapp.localhost\n"},
		"two pools": {twoPools(), "\n    127.0.0.1 auth.one.test one.localhost eu-central-1-two.localhost\n"},
	} {
		t.Run(name, func(t *testing.T) {
			var b strings.Builder
			announceSite(terminal.Streams{Out: &b, Err: &b}, newSite(t, tt.pools...),
				&poolconfig.File{Path: "cognate.yaml", Pools: tt.pools}, inMemory, "")
			if got := strings.Contains(b.String(), "hosts;"); got != (tt.want != "") ||
				!strings.Contains(b.String(), tt.want) {
				t.Errorf("it says\n%s\nwant%s", b.String(), tt.want)
			}
		})
	}
}

// TestViewsOfAllPools opens the developer's view at each address that the terminal shows.
func TestViewsOfAllPools(t *testing.T) {
	s := newSite(t, twoPools()...)
	var b strings.Builder
	announceSite(terminal.Streams{Out: &b, Err: &b}, s,
		&poolconfig.File{Path: "cognate.yaml", Pools: twoPools()}, inMemory, "")
	found := regexp.MustCompile(`Developer +(\S+)`).FindAllStringSubmatch(b.String(), -1)
	if len(found) != 2 {
		t.Fatalf("it says\n%s", b.String())
	}
	for _, m := range found {
		looksInto(t, s, m[1])
	}
	looksInto(t, s, s.view.URL("http://one.localhost:9229")) // the view of the same pool
}

// looksInto opens an address as a browser does. Without the token or its cookie nobody
// may see the view, not even under the names of this machine.
func looksInto(t *testing.T, handler http.Handler, address string) {
	t.Helper()
	ask := func(address, cookie string) *httptest.ResponseRecorder {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
		r.RemoteAddr = "127.0.0.1:50000"
		r.Header.Set("Cookie", cookie)
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		return w
	}
	bare, _, ok := strings.Cut(address, "?token=")
	w := ask(address, "")
	cookie, _, _ := strings.Cut(w.Header().Get("Set-Cookie"), ";")
	if !ok || w.Code != http.StatusFound || ask(bare, cookie).Code != http.StatusOK {
		t.Errorf("%s is %d to %s", bare, w.Code, w.Header().Get("Location"))
	}
	if got := ask(bare, "").Code; got != http.StatusUnauthorized {
		t.Errorf("without the token it is %d", got)
	}
}
