package main

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"github.com/cognate-auth/cognate/cmd/cognate/internal/poolconfig"
	"github.com/cognate-auth/cognate/userpool"
)

// TestAnnouncementsFit prints the longest addresses that are possible by default into
// 80 columns.
func TestAnnouncementsFit(t *testing.T) {
	var b strings.Builder
	term := terminal{&b, &b}
	announceDemo(term, "https://127.0.0.1:65535", "http://localhost:65535", newView().url("http://localhost:65535"))
	flags := configFlags{clientFlags: defaultClientFlags()}
	f, err := flags.quickFile()
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
	if !strings.Contains(b.String(), "Ctrl-C") {
		t.Error("nothing says how to stop")
	}
}

// TestLogLevel checks how much each level logs.
func TestLogLevel(t *testing.T) {
	for level, want := range map[string]int{"debug": 4, "info": 3, "warn": 2, "error": 1} {
		var b strings.Builder
		log := (&logFlags{LogLevel: level}).logger(terminal{&b, &b})
		log.Debug("d")
		log.Info("i")
		log.Warn("w")
		log.Error("e")
		if got := strings.Count(b.String(), "\n"); got != want || strings.Contains(b.String(), "time=") {
			t.Errorf("%s: %d lines, want %d:\n%s", level, got, want, b.String())
		}
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
			announceSite(terminal{&b, &b}, newSite(t, tt.pools...),
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
	announceSite(terminal{&b, &b}, s, &poolconfig.File{Path: "cognate.yaml", Pools: twoPools()}, inMemory, "")
	found := regexp.MustCompile(`Developer +(\S+)`).FindAllStringSubmatch(b.String(), -1)
	if len(found) != 2 {
		t.Fatalf("it says\n%s", b.String())
	}
	for _, m := range found {
		looksInto(t, s, m[1])
	}
	looksInto(t, s, s.view.url("http://one.localhost:9229")) // the view of the same pool
}

// TestDemoPoolIsLookedInto opens the developer's view whose address the demo prints.
func TestDemoPoolIsLookedInto(t *testing.T) {
	const base = "http://localhost:9229"
	view := newView()
	p, err := newLocalPool(t.Context(), base, userpool.Client{
		CallbackURLs: []string{"https://127.0.0.1:5000/oidc_callback"},
	}, view, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	if p.pool.Trace() == nil {
		t.Error("the pool remembers no sign-in")
	}
	looksInto(t, p.handler, view.url(base))
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
