package main

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/cognate-auth/cognate/userpool"
)

// TestAnnouncementsFit prints the longest addresses there are by default into 80 columns.
func TestAnnouncementsFit(t *testing.T) {
	var b strings.Builder
	term := terminal{&b, &b}
	announceDemo(term, "https://127.0.0.1:65535", "http://localhost:65535")
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

// TestDemoPoolIsLookedInto opens the developer's view that the demo announces.
func TestDemoPoolIsLookedInto(t *testing.T) {
	p, err := newLocalPool(t.Context(), "http://localhost:9229", "", userpool.Client{
		CallbackURLs: []string{"https://127.0.0.1:5000/oidc_callback"},
	}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	if p.pool.Trace() == nil {
		t.Error("the pool remembers no sign-in")
	}
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "http://localhost:9229/_cognate/", nil)
	r.RemoteAddr = "127.0.0.1:50000"
	w := httptest.NewRecorder()
	p.handler.ServeHTTP(w, r)
	if w.Code != http.StatusOK {
		t.Errorf("/_cognate/ is %d", w.Code)
	}
}
