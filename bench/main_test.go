package main

import (
	"context"
	"errors"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/cognate-auth/cognate/bench/report"
	"github.com/cognate-auth/cognate/bench/servers"
)

// TestMain lets the test's program also be a server's process.
func TestMain(m *testing.M) {
	servers.Main()
	os.Exit(m.Run())
}

// TestRun measures the first rows: servers start, people sign in, requests are counted,
// and the table has their costs.
func TestRun(t *testing.T) {
	var out, say strings.Builder
	err := run(t.Context(), []string{"-quick", "-rows", "bare-cookie,cognate,cognate-memory,bearer"}, &out, &say)
	if err != nil {
		t.Fatalf("%v\n%s", err, say.String())
	}
	for _, want := range []string{
		"| bare handler | ", "| bare handler, small cookie unread | ", "| **Cognate, small cookie** | ",
		"| **Cognate, memory store** | ", "| golang-jwt v5 | ", "| **Cognate, new token** | ",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the table lacks %q", want)
		}
	}
	if strings.Contains(out.String(), "not measured") || strings.Contains(out.String(), "sessions |") {
		t.Errorf("something was not measured, or not asked for:\n%s\n%s", out.String(), say.String())
	}
}

// TestMeasure checks the figures.
func TestMeasure(t *testing.T) {
	l, cleanUp, err := newLab(t.Context(), options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cleanUp)
	rows := []row{
		{key: "bare", label: "bare", kind: report.Limit, server: "bare"},
		{key: "gorilla", label: "gorilla", kind: report.Peer, server: "gorilla"},
		{key: "scs", label: "scs", kind: report.Peer, server: "scs"},
		{key: "other", label: "other cookie", kind: report.Peer, server: "gorilla", cookiesOf: "scs"},
		{key: "open", label: "open to all", kind: report.Peer, server: "bare", cookiesOf: "scs"},
		{key: "tokens", label: "no tokens", kind: report.Peer, server: "scs", tokens: true},
		{key: "none", label: "no server", kind: report.Peer, server: "none"},
	}
	all := specs()
	all["none"] = goServer("none", false, 0)
	p := pace{rounds: 1, warmUp: 10 * time.Millisecond, slot: 50 * time.Millisecond}
	results, err := l.measure(t.Context(), t.Logf, all, rows, p)
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"bare", "gorilla", "scs"} {
		r := find(results, key)
		if r.err != nil {
			t.Errorf("%s: %v", key, r.err)
			continue
		}
		s := r.samples[0]
		if len(r.samples) != 1 || s.rps <= 0 || s.p50 <= 0 || s.p99 < s.p50 || s.allocs < 5 ||
			s.allocs > 1000 || s.cpu <= 0 {
			t.Errorf("%s: got %+v", key, r.samples)
		}
		if (r.cookie > 0) != (key != "bare") {
			t.Errorf("%s: a cookie of %d bytes", key, r.cookie)
		}
	}
	for key, want := range map[string]string{
		"other": "status 302, expected 200", "open": "shown without a session", "tokens": "contain the tokens",
		"none": `no server "none"`,
	} {
		err := find(results, key).err
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", key, err, want)
		}
	}
	if got := find(results, "missing"); got != nil {
		t.Errorf("found %v, want nothing", got)
	}
}

func TestOptions(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		args []string
		want []string // the keys of the rows; nil: an error
	}{
		"some":     {[]string{"-rows", "scs, cognate,growth"}, []string{"bare", "cognate", "scs"}},
		"a part":   {[]string{"-rows", "bearer"}, []string{"bare"}},
		"unknown":  {[]string{"-rows", "cognat"}, nil},
		"argument": {[]string{"scs"}, nil},
		"flag":     {[]string{"-slow"}, nil},
	} {
		o, err := parseOptions(tt.args, &strings.Builder{})
		var keys []string
		if err == nil {
			var rows []row
			rows, err = o.requestRows()
			for _, r := range rows {
				keys = append(keys, r.key)
			}
		}
		if (err == nil) != (tt.want != nil) || !cmp.Equal(keys, tt.want) {
			t.Errorf("%s: got %v, %v; want %v", name, keys, err, tt.want)
		}
	}
	var o options
	rows, err := o.requestRows()
	if err != nil || len(rows) != len(requestRows()) || !o.picked("growth") {
		t.Errorf("without -rows: got %d rows, %v; want all", len(rows), err)
	}
}

// TestRows checks that rows name servers that exist, and have different keys.
func TestRows(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{"growth": true, "bearer": true, "issuers": true}
	requests := specs()
	grown, more := growth(1_000_000)
	for _, r := range append(requestRows(), more...) {
		if seen[r.key] {
			t.Errorf("two rows have the key %s", r.key)
		}
		seen[r.key] = true
		_, inFirst := requests[r.server]
		_, inSecond := grown[r.server]
		if !inFirst && !inSecond {
			t.Errorf("%s: there is no server %s", r.key, r.server)
		}
		if r.cookiesOf != "" && r.cookiesOf != "none" && requests[r.cookiesOf].command == nil {
			t.Errorf("%s: there is no server %s", r.key, r.cookiesOf)
		}
	}
	all, rows := growth(1_000)
	if len(all) != len(rows) || len(rows) != 6 {
		t.Errorf("at most 1,000 sessions: %d servers, %d rows; want 6 of each", len(all), len(rows))
	}
}

// TestWrite writes a page, and checks that it lists what could not be measured.
func TestWrite(t *testing.T) {
	t.Parallel()
	f := findings{
		requests: []*result{
			{row: row{key: "bare", label: "bare handler", kind: report.Limit},
				samples: []sample{{cpu: 10, rps: 1000}, {cpu: 10}, {cpu: 90}}},
			{row: row{key: "x", label: "ours", kind: report.Ours},
				samples: []sample{{cpu: 12, allocs: 6.2}}, cookie: 1234},
			{row: row{key: "y", label: "theirs", kind: report.Peer}, err: errors.New("not | installed")},
		},
		checks: []*trial{{verifier: verifier{key: rawKey, label: "RSA"}, cpu: []float64{30}, allocs: []float64{9}}},
		pace:   pace{rounds: 3, slot: time.Second}, date: time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC),
	}
	dir := t.TempDir()
	page := filepath.Join(dir, "performance.md")
	err := os.Mkdir(filepath.Join(dir, "images"), 0o755)
	if err != nil {
		t.Fatal(err)
	}
	err = f.write(dir)
	if err == nil {
		t.Error("without a page: got no error")
	}
	err = os.WriteFile(page, []byte("# Prose\n"+report.Begin+"\n"+report.End+"\nmore\n"), 0o644)
	if err == nil {
		err = f.write(dir)
	}
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"# Prose\n", "\nmore\n", "2 January 2026", "| bare handler | 10.0 | 1.00 |",
		"| **ours** | 12.0 | 1.20 |", "| 6 | 1,234 |",
		`| theirs: not measured, not \| installed |`, "| RSA | 30.0 | 1.00 | 9 |", "within 400 %",
	} {
		if !strings.Contains(string(got), want) {
			t.Errorf("the page lacks %q:\n%s", want, got)
		}
	}
	svg, err := os.ReadFile(filepath.Join(dir, "images", "performance.svg"))
	if err != nil || !strings.Contains(string(svg), "1.20 ×") || strings.Contains(string(svg), "theirs") {
		t.Errorf("the picture lacks a bar, or has one too many (%v):\n%s", err, svg)
	}
}

// TestProves has verifiers that accept everything, or nothing.
func TestProves(t *testing.T) {
	t.Parallel()
	tokens := &issued{tokens: []string{"a.b.cd", "e.f.gh"}}
	err := proves(func(string) error { return nil }, tokens)
	if !errors.Is(err, errTakesAll) {
		t.Errorf("one that takes all: got %v", err)
	}
	err = proves(func(string) error { return errToken }, tokens)
	if !errors.Is(err, errToken) {
		t.Errorf("one that takes none: got %v", err)
	}
	good := func(raw string) error {
		if raw == "a.b.cd" || raw == "e.f.gh" {
			return nil
		}
		return errToken
	}
	err = proves(good, tokens)
	if err != nil {
		t.Errorf("a good one: %v", err)
	}
}

// TestSignInForm parses pages that have no form, or another one.
func TestSignInForm(t *testing.T) {
	t.Parallel()
	at := &url.URL{Scheme: "http", Host: "localhost", Path: "/login"}
	_, _, err := signInForm(at, "<p>Something else</p>")
	if err == nil || !strings.Contains(err.Error(), "no sign-in form") {
		t.Errorf("another page: got %v", err)
	}
	form, to, err := signInForm(at,
		`<form name="cognitoSignInForm" method="post" action="/login?a=1&amp;b=2">`+
			`<input name="_csrf" value="x&quot;y">`)
	if err != nil || to != "http://localhost/login?a=1&b=2" || form.Get("_csrf") != `x"y` ||
		form.Get("password") != password {
		t.Errorf("got %v, %s, %v", form, to, err)
	}
}

// TestStop ends the context during a run.
func TestStop(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var out strings.Builder
	err := run(ctx, []string{"-quick", "-rows", "cognate"}, &out, &strings.Builder{})
	if err == nil || out.Len() > 0 {
		t.Errorf("got %v and a table of %d bytes, want an error and none", err, out.Len())
	}
}
