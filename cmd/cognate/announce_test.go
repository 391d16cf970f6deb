package main

import (
	"strings"
	"testing"

	"github.com/cognate-auth/cognate/userpool"
)

// TestAnnouncementsFit prints the longest addresses there are by default into 80 columns.
func TestAnnouncementsFit(t *testing.T) {
	var b strings.Builder
	term := terminal{&b, &b}
	announceDemo(term, "https://127.0.0.1:65535", "http://localhost:65535")
	p, err := newLocalPool(t.Context(), "http://localhost:65535", "local_Cognate01", userpool.Client{
		ID: "cognatelocalclient00000001", GenerateSecret: true,
		CallbackURLs: []string{"https://127.0.0.1:5000/oidc_callback"},
	}, newLogger(term))
	if err != nil {
		t.Fatal(err)
	}
	announcePool(term, "http://localhost:65535", p)
	for line := range strings.Lines(b.String()) {
		if n := len([]rune(strings.TrimRight(line, "\n"))); n > 80 {
			t.Errorf("%d columns: %s", n, line)
		}
	}
	if !strings.Contains(b.String(), "Ctrl-C") {
		t.Error("nothing says how to stop")
	}
}
