package main

import (
	"strings"
	"testing"
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
