package main

import (
	"bytes"
	"strings"
	"testing"
	"time"
)

// TestProgress shows work of ten seconds and more, on a terminal and elsewhere.
func TestProgress(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		terminal bool
		seconds  int
		want     []string
	}{
		"soon done":        {true, 1, []string{""}},
		"soon done, piped": {false, 9, []string{""}},
		"a terminal": {true, 3, []string{
			"", "1000 of 20000 users, 1000 a second, 19s left", "2000 of 20000 users, 1000 a second, 18s left",
			strings.Repeat(" ", len("2000 of 20000 users, 1000 a second, 18s left")), "",
		}},
		"piped": {false, 25, []string{
			"10000 of 20000 users, 1000 a second, 10s left\n20000 of 20000 users, 1000 a second, 0s left\n",
		}},
	} {
		now := time.Unix(1000, 0)
		var out bytes.Buffer
		p := newProgress(&out, func() time.Time { return now })
		p.renews = tt.terminal
		for done := range tt.seconds {
			p.show(done*1000, 20_000, "users")
			now = now.Add(time.Second)
		}
		p.end()
		if got := strings.Split(out.String(), "\r"); strings.Join(got, "|") != strings.Join(tt.want, "|") {
			t.Errorf("%s: got %q, want %q", name, got, tt.want)
		}
	}
}

// TestProgressOften has steps that are short: there are five lines in a second.
func TestProgressOften(t *testing.T) {
	t.Parallel()
	now := time.Unix(1000, 0)
	var out bytes.Buffer
	p := newProgress(&out, func() time.Time { return now })
	p.renews = true
	for done := range 3000 {
		p.show(done, 0, "users checked")
		now = now.Add(time.Millisecond)
	}
	lines := strings.Split(out.String(), "\r")[1:]
	if len(lines) != 10 || lines[9] != "2800 users checked, 1000 a second" {
		t.Errorf("lines in three seconds, of which the first is silent: %q", lines)
	}
}

// TestProgressText has the longest line, which a terminal of 80 columns must not break, and
// work whose end is unknown.
func TestProgressText(t *testing.T) {
	t.Parallel()
	for want, tt := range map[string]struct {
		done, total int
		took        time.Duration
	}{
		"499999 of 500000 users, 5 a second, 0s left":        {499_999, 500_000, 100_000 * time.Second},
		"100000 of 500000 users, 1 a second, 111h6m40s left": {100_000, 500_000, 100_000 * time.Second},
		"0 of 5 users, 0 a second":                           {0, 5, time.Second},
		"7 users, 7 a second":                                {7, 0, time.Second},
	} {
		got := progressText(tt.done, tt.total, "users", tt.took)
		if got != want || len(got) > 79 {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
